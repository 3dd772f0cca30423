//! What `zoo compare` and `zoo nightly` share: sets of records from disk, verdicts as tables, and what they exit with.

pub(crate) mod interleave;
pub(crate) mod nights;
pub(crate) mod selftest;
pub(crate) mod tonight;

use std::path::Path;

use harness::read;
use harness::verdict::{Answer, Comparison, Estimate, Repeat, ThresholdSource, Verdict};

use report::text::markdown as md;

use crate::output::table;
use crate::{Exit, Failure};

/// The records of a folder of reports.
pub(crate) const RECORDS: &str = "records.jsonl";

/// What is left of them once the folder is old.
pub(crate) const MEDIANS: &str = "medians.jsonl";

/// The set of records in a file, or in a folder of reports, old or new.
///
/// # Errors
/// If there is none, or it cannot be read.
pub(crate) fn set(path: &Path) -> Result<Vec<Repeat>, Failure> {
    let file = match path.is_dir() {
        false => path.to_owned(),
        true if path.join(RECORDS).is_file() => path.join(RECORDS),
        true => path.join(MEDIANS),
    };
    if !file.is_file() {
        let what = format!("{}: there are no records", path.display());
        return Err(Failure::new(Exit::NoData, what).help(format!(
            "a file that `zoo bench --out` wrote, or a folder with {RECORDS} or {MEDIANS}"
        )));
    }
    let repeats = if file.file_name().is_some_and(|name| name == MEDIANS) {
        nights::medians(&file)?
    } else {
        Repeat::of(&read(&file)?)
    };
    if repeats.is_empty() {
        return Err(Failure::new(
            Exit::NoData,
            format!("{}: the file is empty", file.display()),
        ));
    }
    Ok(repeats)
}

/// The verdicts as a table, the most urgent first, with what they rest on and how many there are of each.
pub(crate) fn text(comparison: &Comparison) -> String {
    format!("{}\n{}\n", table(&TITLES, rows(comparison)), summary(comparison))
}

/// Only what changed or is missing, and the summary.
pub(crate) fn urgent(comparison: &Comparison) -> String {
    let fine = [Answer::Same, Answer::Inconclusive].map(|answer| answer.to_string());
    let rows: Vec<Vec<String>> = rows(comparison)
        .into_iter()
        .filter(|row| !fine.contains(&row[1]))
        .collect();
    match rows.is_empty() {
        true => summary(comparison),
        false => format!("{}\n{}", table(&TITLES, rows), summary(comparison)),
    }
}

/// All verdicts in Markdown.
pub(crate) fn markdown(comparison: &Comparison) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&TITLES.map(|title| title.trim_start_matches('>').to_owned()));
    text.push_str(&line(&TITLES.map(|title| {
        if title.starts_with('>') { "---:" } else { "---" }.to_owned()
    })));
    for row in rows(comparison) {
        let escaped: Vec<String> = row.iter().map(|cell| md::cell(cell)).collect();
        text.push_str(&line(&escaped));
    }
    format!("{text}\n{}\n", md::paragraph(&summary(comparison)))
}

const TITLES: [&str; 9] = [
    "cell",
    "verdict",
    ">before ms",
    ">now ms",
    ">ratio",
    "95 %",
    ">as measured",
    ">threshold",
    "why",
];

fn rows(comparison: &Comparison) -> Vec<Vec<String>> {
    let mut verdicts: Vec<&Verdict> = comparison.verdicts.iter().collect();
    let urgency = |answer: Answer| Answer::ALL.iter().position(|other| *other == answer);
    verdicts.sort_by_key(|verdict| urgency(verdict.answer));
    verdicts.into_iter().map(row).collect()
}

fn row(verdict: &Verdict) -> Vec<String> {
    let ms = |side: Option<harness::verdict::Side>| {
        side.map_or(String::new(), |side| format!("{:.3}", side.median_ns / 1e6))
    };
    let ratio = |estimate: Option<Estimate>| {
        estimate.map_or(String::new(), |estimate| format!("{:.3}", estimate.ratio))
    };
    let decisive = verdict.decisive();
    let interval = decisive.map_or(String::new(), |estimate| {
        format!("[{:.3}, {:.3}]", estimate.interval.low, estimate.interval.high)
    });
    let threshold = verdict.threshold.map_or(String::new(), |threshold| {
        let learned = match threshold.source {
            ThresholdSource::Learned => ", learned",
            ThresholdSource::Default | ThresholdSource::Given => "",
        };
        format!("{:.1} %{learned}", 100.0 * threshold.share)
    });
    vec![
        verdict.case.to_string(),
        verdict.answer.to_string(),
        ms(verdict.before),
        ms(verdict.now),
        ratio(decisive),
        interval,
        // Empty where the ratio before it is as measured.
        ratio(verdict.normalised.and(verdict.ratio)),
        threshold,
        verdict.why.clone(),
    ]
}

/// How many of each, over how many cells the chances are bounded, and what all cells did.
pub(crate) fn summary(comparison: &Comparison) -> String {
    let mut text = comparison.summary();
    if comparison.family > 0 {
        text.push_str(&format!(
            "; {} compared, chance of any false alarm at most {:.0} % (Holm)",
            comparison.family,
            100.0 * comparison.rule.alpha
        ));
    }
    if let Some(common) = comparison.common {
        text.push_str(&format!("; all as measured: {common:.3} times as long"));
    }
    if comparison.nights > 0 {
        text.push_str(&format!("; thresholds of {} earlier sets", comparison.nights));
    }
    text
}

/// Fails where a cell regressed, or has no data any more, or nothing could be compared. Cells that are new fail nothing.
pub(crate) fn judge(comparison: &Comparison) -> Result<(), Failure> {
    let regressed = comparison.count(Answer::Regressed);
    let lost = comparison.lost();
    let cells = |count: usize| format!("{count} cell{}", if count == 1 { "" } else { "s" });
    if regressed > 0 {
        let what = format!("{} regressed", cells(regressed));
        return Err(Failure::new(Exit::Regressed, what)
            .help("`zoo compare --run OLD_ZOO NEW_ZOO -m VARIANT` measures both programs in turns"));
    }
    if lost > 0 {
        let what = format!("no data of {} that had some before", cells(lost));
        return Err(Failure::new(Exit::NoData, what).help("the last column of the verdicts says why"));
    }
    if comparison.family == 0 {
        let what = format!("nothing could be compared: {}", comparison.summary());
        return Err(Failure::new(Exit::NoData, what).help("the last column of the verdicts says why"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::verdict::{History, Rule, compare};
    use harness::{Provenance, Record};

    fn repeats(times: &[(&str, Result<u64, &str>)]) -> Vec<Repeat> {
        let record = |(case, ms): &(&str, Result<u64, &str>)| {
            let samples = ms.map(|ms| vec![ms * 1_000_000; 9]).map_err(str::to_owned);
            let case = case.parse().expect("a case");
            Record::new(
                case,
                "2026-11-24T00:00:00Z".into(),
                samples,
                Provenance::default(),
            )
        };
        let records: Vec<Record> = times.iter().map(record).collect();
        Repeat::of(&records)
    }

    const A: &str = "HRNet_W18_C/f32/bs1/crop224/cpu/t1";
    const B: &str = "preprocess/decode";

    fn verdicts(before: &[(&str, Result<u64, &str>)], now: &[(&str, Result<u64, &str>)]) -> Comparison {
        compare(
            &repeats(before),
            &repeats(now),
            &History::default(),
            Rule::default(),
        )
    }

    #[test]
    fn exit_codes_tell_regressions_from_losses_and_from_new_cells() {
        let code = |comparison: &Comparison| judge(comparison).err().map(|failure| failure.exit);
        let slower = verdicts(&[(A, Ok(10)), (B, Ok(1))], &[(A, Ok(20)), (B, Err("no photo"))]);
        assert_eq!(code(&slower), Some(Exit::Regressed));
        let lost = verdicts(&[(A, Ok(10)), (B, Ok(1))], &[(A, Ok(10)), (B, Err("no photo"))]);
        assert_eq!(code(&lost), Some(Exit::NoData));
        assert_eq!(
            code(&verdicts(&[(A, Ok(10)), (B, Ok(1))], &[(A, Ok(10))])),
            Some(Exit::NoData)
        );
        assert_eq!(code(&verdicts(&[(A, Ok(10))], &[(A, Ok(10)), (B, Ok(1))])), None);
        assert_eq!(
            code(&verdicts(&[(A, Ok(10))], &[(A, Ok(5))])),
            None,
            "faster is fine"
        );
        assert_eq!(code(&verdicts(&[], &[(A, Ok(10))])), Some(Exit::NoData));
    }

    #[test]
    fn tables_begin_with_what_is_urgent_and_say_why() {
        let comparison = verdicts(&[(A, Ok(10)), (B, Ok(1))], &[(A, Ok(20)), (B, Err("no | photo"))]);
        let text = text(&comparison);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains(A) && lines[1].contains("regressed"), "{text}");
        assert!(lines[1].contains("2.000") && lines[1].contains("3.0 %"), "{text}");
        assert!(
            lines[1].contains("one process against one process and an assumed spread"),
            "{text}"
        );
        assert!(lines[2].contains("failed now: no | photo"), "{text}");
        assert!(text.contains("1 regressed, 1 no data; 1 compared"), "{text}");
        let markdown = markdown(&comparison);
        assert!(
            markdown.starts_with("| cell | verdict | before ms |"),
            "{markdown}"
        );
        assert!(markdown.contains("no \\| photo"), "{markdown}");
    }
}

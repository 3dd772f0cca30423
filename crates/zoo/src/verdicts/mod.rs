//! Shared by `zoo compare` and `zoo nightly`: sets of records from disk, verdicts as tables, and exit codes.

pub(crate) mod interleave;
pub(crate) mod nights;
pub(crate) mod selftest;
pub(crate) mod tonight;

use std::path::Path;

use harness::verdict::{Answer, Comparison, Estimate, Repeat, Side, ThresholdSource, Verdict};
use harness::{counted, read};
use report::text::markdown as md;

use crate::output::{markdown_table, table};
use crate::{Exit, Failure};

/// The records of a folder of reports.
pub(crate) const RECORDS: &str = "records.jsonl";

/// The file that remains of the records once the folder is old.
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

/// The parts of a comparison to show.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    /// Cells that were measured on one side only, too, a row each.
    pub(crate) all: bool,
    /// The change corrected for what the machine itself did, and the chance of it.
    pub(crate) corrected: bool,
}

/// The verdicts as a table, the most urgent first, with what they rest on and how many there are of each.
pub(crate) fn text(comparison: &Comparison, shown: Shown) -> String {
    rows_and_summary(comparison, shown, |_| true)
}

/// Only what changed or is missing, and the summary.
pub(crate) fn urgent(comparison: &Comparison) -> String {
    rows_and_summary(comparison, Shown::default(), |verdict| {
        !matches!(verdict.answer, Answer::Same | Answer::Inconclusive)
    })
}

fn rows_and_summary(comparison: &Comparison, shown: Shown, wanted: impl Fn(&Verdict) -> bool) -> String {
    let columns = columns(shown);
    let titles: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
    let (mut rows, mut folded) = (Vec::new(), 0);
    for verdict in by_urgency(comparison)
        .into_iter()
        .filter(|verdict| wanted(verdict))
    {
        if verdict.is_one_sided() && !shown.all {
            folded += 1;
        } else {
            rows.push(row(&columns, verdict));
        }
    }
    let mut parts = Vec::new();
    if !rows.is_empty() {
        parts.push(table(&titles, rows));
    }
    if folded > 0 {
        let were = if folded == 1 { "was" } else { "were" };
        parts.push(format!(
            "{} {were} measured on one side only; `zoo compare --all` lists them\n",
            counted(folded, "cell")
        ));
    }
    parts.push(summary(comparison) + "\n");
    parts.join("\n")
}

/// All verdicts in Markdown.
pub(crate) fn markdown(comparison: &Comparison) -> String {
    let columns = columns(Shown::default());
    let titles: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
    let rows = by_urgency(comparison)
        .into_iter()
        .map(|verdict| row(&columns, verdict));
    let table = markdown_table(&titles, rows);
    format!("{table}\n{}\n", md::paragraph(&summary(comparison)))
}

/// A title, right-aligned after a `>`, and what stands below it.
type Column = (&'static str, fn(&Verdict) -> String);

/// Times and change as measured; what the machine did meanwhile is in the last column, in words.
const COLUMNS: [Column; 8] = [
    ("cell", |verdict| verdict.case.to_string()),
    ("verdict", |verdict| verdict.answer.to_string()),
    (">before ms", |verdict| ms(verdict.before)),
    (">now ms", |verdict| ms(verdict.now)),
    (">change", |verdict| {
        let both = verdict.before.zip(verdict.now);
        both.map_or(String::new(), |(before, now)| {
            percent(now.median_ns / before.median_ns)
        })
    }),
    ("95 %", |verdict| interval(verdict.ratio)),
    (">threshold", threshold),
    ("why", |verdict| verdict.why.clone()),
];

/// The change that the verdict is on where a canary was timed on both sides.
const CORRECTED: [Column; 3] = [
    (">corrected", |verdict| {
        verdict
            .normalised
            .map_or(String::new(), |estimate| percent(estimate.ratio))
    }),
    ("95 %", |verdict| interval(verdict.normalised)),
    (">p", |verdict| verdict.p_adjusted.map_or(String::new(), chance)),
];

fn columns(shown: Shown) -> Vec<Column> {
    let (times, rest) = COLUMNS.split_at(6);
    let corrected = if shown.corrected { &CORRECTED[..] } else { &[] };
    [times, corrected, rest].concat()
}

fn by_urgency(comparison: &Comparison) -> Vec<&Verdict> {
    let mut verdicts: Vec<&Verdict> = comparison.verdicts.iter().collect();
    verdicts.sort_by_key(|verdict| Answer::ALL.iter().position(|other| *other == verdict.answer));
    verdicts
}

fn row(columns: &[Column], verdict: &Verdict) -> Vec<String> {
    columns.iter().map(|(_, value)| value(verdict)).collect()
}

fn ms(side: Option<Side>) -> String {
    side.map_or(String::new(), |side| format!("{:.3}", side.median_ns / 1e6))
}

/// A ratio as a change.
fn percent(ratio: f64) -> String {
    format!("{:+.1} %", 100.0 * (ratio - 1.0))
}

fn interval(estimate: Option<Estimate>) -> String {
    let change = |ratio: f64| 100.0 * (ratio - 1.0);
    estimate.map_or(String::new(), |Estimate { interval, .. }| {
        format!("[{:+.1}, {:+.1}]", change(interval.low), change(interval.high))
    })
}

fn threshold(verdict: &Verdict) -> String {
    verdict.threshold.map_or(String::new(), |threshold| {
        let learned = match threshold.source {
            ThresholdSource::Learned => ", learned",
            ThresholdSource::Default | ThresholdSource::Given => "",
        };
        format!("{:.1} %{learned}", 100.0 * threshold.share)
    })
}

/// A chance: two digits that count, and no more than people read.
pub(crate) fn chance(p: f64) -> String {
    match p {
        p if p >= 0.001 => format!("{p:.3}"),
        p => format!("{p:.1e}"),
    }
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
    if let (Some(common), true) = (comparison.common, comparison.family > 1) {
        text.push_str(&format!("; median change of all cells {}", percent(common)));
    }
    if comparison.nights > 0 {
        text.push_str(&format!(
            "; thresholds learned from {}",
            counted(comparison.nights, "earlier set")
        ));
    }
    text
}

/// Fails if a cell regressed or has no data any more, or if nothing could be compared; new cells fail nothing. The advice
/// follows what was `shown`.
pub(crate) fn judge(comparison: &Comparison, shown: Shown) -> Result<(), Failure> {
    let regressed = comparison.count(Answer::Regressed);
    let lost = comparison.lost();
    let cells = |count: usize| counted(count, "cell");
    if regressed > 0 {
        let what = format!("{} regressed", cells(regressed));
        return Err(Failure::new(Exit::Regressed, what)
            .help("`zoo compare --run OLD_ZOO NEW_ZOO -m VARIANT` measures both programs in turns"));
    }
    if lost > 0 {
        let have = if lost == 1 { "has" } else { "have" };
        let what = format!("{} {have} no data now but had some before", cells(lost));
        return Err(Failure::new(Exit::NoData, what).help(match shown.all {
            true => "the last column says why",
            false => "the last column says why a cell failed; `zoo compare --all` also lists cells that were not measured now",
        }));
    }
    if comparison.family == 0 && comparison.count(Answer::Same) == 0 {
        let what = format!("nothing could be compared: {}", comparison.summary());
        return Err(Failure::new(Exit::NoData, what).help(match shown.all {
            true => "the last column says why",
            false => "the last column says why; `zoo compare --all` lists cells measured on one side only",
        }));
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
        let code = |comparison: &Comparison| {
            judge(comparison, Shown::default())
                .err()
                .map(|failure| failure.exit)
        };
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
        let text = text(&comparison, Shown::default());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains(A) && lines[1].contains("regressed"), "{text}");
        assert!(
            lines[1].contains("+100.0 %") && lines[1].contains("3.0 %"),
            "{text}"
        );
        assert!(
            lines[1]
                .trim_end()
                .ends_with("slower, beyond the threshold; by one process a side"),
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

    #[test]
    fn cells_of_one_side_are_one_line_unless_all_are_asked_for() {
        let comparison = verdicts(&[(A, Ok(10)), (B, Ok(1))], &[(A, Ok(11))]);
        let folded = text(&comparison, Shown::default());
        assert!(
            folded.contains("\n1 cell was measured on one side only; `zoo compare --all` lists them\n"),
            "{folded}"
        );
        assert!(!folded.contains(B), "{folded}");
        let all = Shown {
            all: true,
            corrected: true,
        };
        let all = text(&comparison, all);
        assert!(all.contains(B) && all.contains("corrected"), "{all}");
    }

    #[test]
    fn the_change_is_that_of_the_times_beside_it() {
        let comparison = verdicts(&[(A, Ok(10)), (A, Ok(12))], &[(A, Ok(11))]);
        let cells = row(&COLUMNS, &comparison.verdicts[0]);
        assert_eq!(cells[2..5], ["11.000", "11.000", "+0.0 %"], "{cells:?}");
        assert_eq!(
            (chance(1.0), chance(0.0349), chance(3.2e-7)),
            ("1.000".into(), "0.035".into(), "3.2e-7".into())
        );
    }

    #[test]
    fn the_same_records_on_both_sides_are_the_same_and_fail_nothing() {
        let comparison = verdicts(&[(A, Ok(10)), (B, Ok(1))], &[(A, Ok(10)), (B, Ok(1))]);
        assert_eq!(comparison.summary(), "2 same");
        judge(&comparison, Shown::default()).expect("nothing is wrong");
    }
}

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
    /// The times and the change as measured, the threshold and the chance, too.
    pub(crate) details: bool,
}

/// The verdicts as a table, the most urgent first, with what to do next and how many there are of each.
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
    let wanted = by_urgency(comparison)
        .into_iter()
        .filter(|verdict| wanted(verdict));
    let (folded, listed): (Vec<&Verdict>, Vec<&Verdict>) =
        wanted.partition(|verdict| verdict.is_one_sided() && !shown.all);
    let folded = folded.len();
    let mut parts = Vec::new();
    if !listed.is_empty() {
        let rows = listed.iter().map(|verdict| row(&columns, verdict));
        parts.push(table(&titles, rows));
        if shown.details {
            parts.push(LEGEND.to_owned());
        }
    }
    let next = next(&listed);
    if !next.is_empty() {
        parts.push(next.iter().map(|step| format!("{step}\n")).collect());
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
    let mut parts = vec![markdown_table(&titles, rows)];
    parts.extend(
        next(&by_urgency(comparison))
            .iter()
            .map(|step| md::paragraph(step)),
    );
    parts.push(md::paragraph(&summary(comparison)) + "\n");
    parts.join("\n")
}

/// Returns the next steps, a line per step, that of most cells first.
fn next(verdicts: &[&Verdict]) -> Vec<String> {
    let mut steps: Vec<(&str, usize)> = Vec::new();
    for step in verdicts.iter().filter_map(|verdict| verdict.next.as_deref()) {
        match steps.iter_mut().find(|(other, _)| *other == step) {
            Some((_, count)) => *count += 1,
            None => steps.push((step, 1)),
        }
    }
    steps.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let line = |(step, count): &(&str, usize)| format!("next, for {}: {step}", counted(*count, "cell"));
    steps.iter().map(line).collect()
}

/// A title, right-aligned after a `>`, and what stands below it.
type Column = (&'static str, fn(&Verdict) -> String);

/// One change per cell: the one that the verdict is on, which is corrected for what the machine did.
const COLUMNS: [Column; 5] = [
    ("cell", |verdict| verdict.case.to_string()),
    ("verdict", answer),
    (">change", |verdict| {
        verdict
            .decisive()
            .map_or(String::new(), |estimate| percent(estimate.ratio))
    }),
    ("95 %", |verdict| interval(verdict.decisive())),
    ("why", |verdict| verdict.why.clone()),
];

/// The figures behind a verdict.
const DETAILS: [Column; 6] = [
    (">before, ms", |verdict| ms(verdict.before)),
    (">now, ms", |verdict| ms(verdict.now)),
    (">uncorrected", |verdict| {
        verdict
            .ratio
            .map_or(String::new(), |estimate| percent(estimate.ratio))
    }),
    ("95 %", |verdict| interval(verdict.ratio)),
    (">threshold", threshold),
    (">p", |verdict| verdict.p_adjusted.map_or(String::new(), chance)),
];

/// The meaning of [`DETAILS`].
const LEGEND: &str = "\
before, now: median times as measured; uncorrected: the change of these, without the correction for the machine's speed;
threshold: the smallest change that counts; p: the chance of such a change if nothing changed, raised for the number of cells
";

fn columns(shown: Shown) -> Vec<Column> {
    let (changes, why) = COLUMNS.split_at(4);
    let details = if shown.details { &DETAILS[..] } else { &[] };
    [changes, details, why].concat()
}

/// The answer, with the limit that "same" is about.
fn answer(verdict: &Verdict) -> String {
    match (verdict.answer, verdict.threshold) {
        (Answer::Same, Some(threshold)) => format!("same within ± {:.1} %", 100.0 * threshold.share),
        (answer, _) => answer.to_string(),
    }
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
pub(crate) fn percent(ratio: f64) -> String {
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

/// The number of each verdict and of the cells over which the chances are bounded, and the median change.
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
        let what = format!("{} became slower", cells(regressed));
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
        let slower = verdicts(&[(A, Ok(10)), (B, Ok(1))], &[(A, Ok(40)), (B, Err("no photo"))]);
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
        let comparison = verdicts(&[(A, Ok(10)), (B, Ok(1))], &[(A, Ok(40)), (B, Err("no | photo"))]);
        let text = text(&comparison, Shown::default());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].contains(A) && lines[1].contains(" slower "), "{text}");
        assert!(
            lines[1].contains("+300.0 %")
                && lines[1]
                    .trim_end()
                    .ends_with("beyond the threshold of 3.0 %; one process per side"),
            "{text}"
        );
        assert!(lines[2].contains("failed now: no | photo"), "{text}");
        assert!(text.contains("1 slower, 1 no data; 1 compared"), "{text}");
        let markdown = markdown(&comparison);
        assert!(
            markdown.starts_with("| cell | verdict | change | 95 % | why |"),
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
            details: true,
        };
        let all = text(&comparison, all);
        assert!(all.contains(B) && all.contains("uncorrected"), "{all}");
    }

    #[test]
    fn each_line_has_one_change_and_the_next_step_is_told_once() {
        let mut comparison = verdicts(&[(A, Ok(10)), (B, Ok(1))], &[(A, Ok(11)), (B, Ok(2))]);
        let measured = comparison.verdicts[0].ratio.expect("measured");
        comparison.verdicts[0].normalised = Some(Estimate {
            ratio: 0.98,
            ..measured
        });
        let told = text(&comparison, Shown::default());
        assert!(told.contains("-2.0 %") && !told.contains("+10.0 %"), "{told}");
        assert!(
            told.contains("\nnext, for 2 cells: measure both with `--processes 8`\n"),
            "{told}"
        );
        assert!(told.contains("cannot tell"), "{told}");
        let details = Shown {
            details: true,
            ..Shown::default()
        };
        assert!(text(&comparison, details).contains("+10.0 %"));
        assert_eq!(
            (chance(1.0), chance(0.0349), chance(3.2e-7)),
            ("1.000".into(), "0.035".into(), "3.2e-7".into())
        );
        let same = verdicts(&[(A, Ok(10)); 8], &[(A, Ok(10)); 7]);
        let same = answer(&same.verdicts[0]);
        assert_eq!(same, "same within ± 3.0 %");
    }

    #[test]
    fn the_same_records_on_both_sides_are_the_same_and_fail_nothing() {
        let comparison = verdicts(&[(A, Ok(10)), (B, Ok(1))], &[(A, Ok(10)), (B, Ok(1))]);
        assert_eq!(comparison.summary(), "2 same");
        judge(&comparison, Shown::default()).expect("nothing is wrong");
    }
}

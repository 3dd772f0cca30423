use std::path::{Path, PathBuf};

use clap::Args;
use harness::Record;
use report::{Choice, Evaluations, Input, Verdicts, Wish, choices};
use serde::Serialize;

use super::report::{REPORTS, peers, records};
use crate::context::Context;
use crate::output::table;
use crate::verdicts::RECORDS;
use crate::{Exit, Failure};

/// Which network to use: claimed accuracy against the time measured here
///
/// Takes each variant at its fastest in the records and marks with * those that no other beats in both median and accuracy.
/// Where there are too few runs for a 90th percentile, the slowest run stands in, with ≤ before it. Exits with 13 where
/// nothing does what is asked.
#[derive(Debug, Args)]
pub(crate) struct Pick {
    /// The longest time of a batch at the 90th percentile, as 60ms or 1.5s
    #[arg(long, value_name = "TIME", value_parser = nanoseconds)]
    max_p90: Option<f64>,
    /// The least claimed top-1 accuracy, 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_top1: Option<f64>,
    /// Images a batch; without it the smallest that was measured
    #[arg(short, long, value_name = "N")]
    batch: Option<usize>,
    /// Files of records; without any those of the newest night in reports/, or where there is none what `zoo bench` wrote
    #[arg(long, value_name = "FILE")]
    records: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A choice in JSON.
#[derive(Serialize)]
struct Picked<'a> {
    variant: &'a str,
    best: bool,
    top1: f64,
    p90_ms: f64,
    p90_is_slowest_run: bool,
    median_ms: f64,
    samples: usize,
    case: String,
}

impl Pick {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let records = records(&self.files(cx, Path::new(REPORTS))?)?;
        let found = choices(
            &Input {
                zoo: cx.zoo()?,
                findings: &[],
                records: &records,
                layers: None,
                evaluations: &Evaluations::default(),
                peers: &peers(),
                history: &[],
                verdicts: &Verdicts::default(),
                command: "zoo pick",
            },
            self.batch,
        );
        if found.is_empty() {
            let batch = self
                .batch
                .map_or(String::new(), |batch| format!(" at batch {batch}"));
            let message = format!("no variant was measured{batch}");
            return Err(
                Failure::new(Exit::NoData, message).help("`zoo bench -m all -b 1` measures all of them")
            );
        }
        let wish = Wish {
            max_p90_ns: self.max_p90,
            min_top1: self.min_top1,
        };
        let fitting: Vec<&Choice> = found.iter().filter(|choice| choice.fits(wish)).collect();
        if fitting.is_empty() {
            return Err(nothing(&found, wish));
        }
        if self.json {
            cx.out
                .json(&fitting.iter().map(|choice| picked(choice)).collect::<Vec<_>>())
        } else {
            let titles = [
                "",
                "variant",
                ">top-1",
                ">p90 ms",
                ">median ms",
                ">runs",
                "measured as",
            ];
            cx.out
                .data(&table(&titles, fitting.iter().map(|choice| row(choice))))
        }
    }
}

impl Pick {
    /// The files of records, told where they were not asked for.
    fn files(&self, cx: &Context, reports: &Path) -> Result<Vec<PathBuf>, Failure> {
        if !self.records.is_empty() {
            return Ok(self.records.clone());
        }
        let night = report::newest(reports, &Record::now())?;
        let file = night.as_deref().unwrap_or(reports).join(RECORDS);
        cx.out.note(&format!("from {}", file.display()));
        Ok(vec![file])
    }
}

fn row(choice: &Choice) -> Vec<String> {
    let bound = if choice.enough { "" } else { "≤ " };
    vec![
        if choice.best { "*" } else { "" }.into(),
        choice.variant.clone(),
        choice.printed.clone(),
        format!("{bound}{:.2}", choice.p90_ns / 1e6),
        format!("{:.2}", choice.median_ns / 1e6),
        choice.samples.to_string(),
        harness::Case::Network(choice.case.clone()).to_string(),
    ]
}

fn picked(choice: &Choice) -> Picked<'_> {
    Picked {
        variant: &choice.variant,
        best: choice.best,
        top1: choice.top1,
        p90_ms: choice.p90_ns / 1e6,
        p90_is_slowest_run: !choice.enough,
        median_ms: choice.median_ns / 1e6,
        samples: choice.samples,
        case: harness::Case::Network(choice.case.clone()).to_string(),
    }
}

/// What comes nearest on either side.
fn nothing(found: &[Choice], wish: Wish) -> Failure {
    let accurate = found
        .iter()
        .filter(|choice| wish.min_top1.is_none_or(|least| choice.top1 >= least))
        .min_by(|a, b| a.p90_ns.total_cmp(&b.p90_ns));
    let quick = found
        .iter()
        .filter(|choice| wish.max_p90_ns.is_none_or(|most| choice.p90_ns <= most))
        .max_by(|a, b| a.top1.total_cmp(&b.top1));
    let told = |choice: &Choice| {
        let (name, ms) = (&choice.variant, choice.p90_ns / 1e6);
        format!("{name} with top-1 {} in {ms:.1} ms", choice.printed)
    };
    let mut near = Vec::new();
    near.extend(accurate.map(|choice| format!("the fastest that is accurate enough is {}", told(choice))));
    near.extend(quick.map(|choice| format!("the most accurate that is fast enough is {}", told(choice))));
    if near.is_empty() {
        near.extend(
            found
                .first()
                .map(|choice| format!("the fastest of all is {}", told(choice))),
        );
    }
    Failure::new(Exit::NothingFits, "no variant measured here does what is asked").help(near.join("; "))
}

/// A time with its unit, in ns.
fn nanoseconds(text: &str) -> Result<f64, String> {
    let units = [("ms", 1e6), ("us", 1e3), ("µs", 1e3), ("ns", 1.0), ("s", 1e9)];
    let parsed = units.iter().find_map(|(unit, scale)| {
        let number: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        Some(number * scale)
    });
    let time = parsed.filter(|ns| ns.is_finite() && *ns > 0.0);
    time.ok_or_else(|| format!("`{text}` is no time: expected a number with its unit, as 60ms or 1.5s"))
}

/// A share of 1.
fn share(text: &str) -> Result<f64, String> {
    let parsed = text
        .parse::<f64>()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    parsed.ok_or_else(|| format!("`{text}` is no share: expected 0 to 1, as 0.78"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_night_is_taken_before_what_bench_wrote() {
        let cx = Context::embedded();
        let reports = tempfile::tempdir().expect("a folder");
        let pick = |records: &[&str]| Pick {
            max_p90: None,
            min_top1: None,
            batch: None,
            records: records.iter().map(PathBuf::from).collect(),
            json: false,
        };
        let files = |pick: Pick| pick.files(&cx, reports.path()).expect("readable");
        assert_eq!(files(pick(&[])), [reports.path().join("records.jsonl")]);
        for day in ["2026-11-24-epyc", "2026-11-25-epyc", "latest"] {
            std::fs::create_dir(reports.path().join(day)).expect("made");
            std::fs::write(reports.path().join(day).join("index.html"), "").expect("written");
        }
        let newest = reports.path().join("2026-11-25-epyc").join("records.jsonl");
        assert_eq!(files(pick(&[])), [newest]);
        assert_eq!(files(pick(&["mine.jsonl"])), [PathBuf::from("mine.jsonl")]);
    }

    #[test]
    fn times_have_units_and_shares_end_at_one() {
        assert_eq!(nanoseconds("60ms"), Ok(60e6));
        assert_eq!(nanoseconds("1.5 s"), Ok(1.5e9));
        assert_eq!(nanoseconds("20us"), Ok(20e3));
        for text in ["60", "ms", "-1ms", "60 minutes", "infs", "NaNms"] {
            assert!(nanoseconds(text).expect_err(text).contains("60ms"));
        }
        assert_eq!(share("0.78"), Ok(0.78));
        for text in ["78", "78%", "-0.1", "NaN"] {
            assert!(share(text).expect_err(text).contains("0.78"));
        }
    }
}

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use harness::verdict::{Comparison, Repeat, Rule, compare, share_interval};
use harness::{Budget, Case, PreprocessCase, Record, read};
use hrnet::Precision;
use registry::lint::{Severity, lint};

use super::bench::line;
use super::profile::write_smallest;
use super::report::{new_folder, render};
use crate::bench::race::{Heat, engines, installed};
use crate::bench::{
    ADVICE, BATCHES, Matrix, NETWORKS, Workshop, all_threads, measure, preprocess_cases, provenance,
};
use crate::context::Context;
use crate::files::write_whole;
use crate::verdicts::nights::{KEPT_DAYS, Night, Nights, TWICE, VERDICTS, prune};
use crate::verdicts::{self, RECORDS};
use crate::{Exit, Failure};

/// Measure, check and report: the whole way, as every night
///
/// Needs neither network nor weights: where a variant's weights are not in the cache, seeded ones stand in, which
/// take as long to run, and the page says so. Installed peers are raced beside our engine.
///
/// Cells are compared with the last night of the same machine and command in the folder. A regression exits with 10, a
/// cell that had data and has none with 12; with --quick, whose samples are few, a regression is only told. Nights older
/// than 30 days keep their pages, medians and verdicts, and no longer their samples.
#[derive(Debug, Args)]
pub(crate) struct Nightly {
    /// A few samples of f32 and f16 at batch 4 and f32 at batch 1, in a few minutes
    #[arg(long)]
    quick: bool,
    /// Measure every cell twice, not only a few: whatever is called changed between the two is a false alarm
    #[arg(long)]
    aa: bool,
    /// Where the dated folder goes
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Print the paths as JSON
    #[arg(long)]
    json: bool,
    /// Only measure the cells that are measured twice, into this file
    #[arg(long, value_name = "FILE", hide = true)]
    again: Option<PathBuf>,
}

impl Nightly {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let budget = if self.quick {
            Budget::QUICK
        } else {
            Budget::STANDARD
        };
        let workshop = Workshop::new(cx, None);
        let cases = self.cases(cx)?;
        if let Some(file) = &self.again {
            return measure(&workshop, &self.twice(&cases), budget, file, |_| Ok(())).map(|_| ());
        }
        let zoo = cx.zoo()?;
        let wrong = lint(zoo)
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count();
        cx.out.note(&format!(
            "checked {} variants: {wrong} published figures are wrong",
            zoo.variants.len()
        ));
        check_cache(cx)?;

        let folder = new_folder(&self.out)?;
        cx.out.note(&format!(
            "measuring {} cells into {}",
            cases.len(),
            folder.display()
        ));
        let file = folder.join(RECORDS);
        let mut records = measure(&workshop, &cases, budget, &file, |record| {
            cx.out.note(&line(record));
            Ok(())
        })?;
        let again = self.measure_again(cx, &folder.join(TWICE), self.twice(&cases).len())?;
        for heat in self.heats(cx) {
            let standing = heat.run(&workshop, self.race_budget(), Some(&file))?;
            cx.out.note(&standing.text());
            records.extend(standing.records);
        }

        let runs = NonZeroUsize::new(if self.quick { 7 } else { 20 }).expect("not zero");
        if let Err(failure) = write_smallest(cx, &folder, runs) {
            cx.out.warn(&format!("no times of layers: {}", failure.message));
        }
        let (night, paths) = self.verdicts(cx, &folder, &records, &again)?;
        let mut pages = render(cx, &records, &self.out, &folder, self.command())?;
        pages.extend(paths);
        for pruned in prune(&self.out, &Record::now())? {
            cx.out.detail(&format!(
                "{}: older than {KEPT_DAYS} days, keeps medians only",
                pruned.display()
            ));
        }
        if self.json {
            cx.out.json(&pages)?;
        } else {
            cx.out.data(&folder.join("index.html").display().to_string())?;
        }
        self.end(cx, &records, night.comparison.as_ref())
    }

    fn command(&self) -> &'static str {
        if self.quick {
            "zoo nightly --quick"
        } else {
            "zoo nightly"
        }
    }

    /// Measures cells again in a process of its own. The same process would not do: a network that is prepared first in one
    /// may run a quarter slower than one prepared later.
    fn measure_again(&self, cx: &Context, file: &Path, cells: usize) -> Result<Vec<Record>, Failure> {
        cx.out.note(&format!(
            "measuring {cells} of them again in a fresh process (A/A)"
        ));
        let mut arguments = vec!["nightly".to_owned(), "--quiet".into()];
        arguments.extend(["--cache-dir".into(), cx.cache().root().display().to_string()]);
        arguments.extend(["--again".into(), file.display().to_string()]);
        let manifest = cx
            .manifest()
            .map(|file| ["--manifest".into(), file.display().to_string()]);
        arguments.extend(manifest.into_iter().flatten());
        let flags = [
            ("--quick", self.quick),
            ("--aa", self.aa),
            ("--offline", cx.offline),
        ];
        arguments.extend(
            flags
                .into_iter()
                .filter(|(_, on)| *on)
                .map(|(name, _)| name.to_owned()),
        );
        verdicts::aside::run_self(&arguments)?;
        Ok(read(file)?)
    }

    /// The cells that are measured twice: a few that take no long time, or all.
    fn twice(&self, cases: &[Case]) -> Vec<Case> {
        let first = cases
            .iter()
            .find_map(|case| Some(case.network()?.variant.as_str()));
        let few = |case: &&Case| match case {
            Case::Preprocess(PreprocessCase::Decode) => true,
            Case::Preprocess(PreprocessCase::Batch { .. }) => false,
            Case::Network(case) => case.precision == Precision::F32 && Some(case.variant.as_str()) == first,
        };
        cases
            .iter()
            .filter(|case| self.aa || few(case))
            .cloned()
            .collect()
    }

    /// Compares with the night before and the cells that were measured twice with themselves, writes the verdicts into the
    /// folder, and tells them.
    fn verdicts(
        &self,
        cx: &Context,
        folder: &Path,
        records: &[Record],
        again: &[Record],
    ) -> Result<(Night, [PathBuf; 2]), Failure> {
        let machine = provenance().machine;
        let nights = Nights::of(&self.out, self.command(), &machine, folder)?;
        let (history, rule) = (nights.history(), Rule::default());
        let (first, second) = (Repeat::of(records), Repeat::of(again));
        let before: Vec<Repeat> = first
            .iter()
            .filter(|repeat| second.iter().any(|again| again.case == repeat.case) && !repeat.raced)
            .cloned()
            .collect();
        let aa = compare(&before, &second, &history, rule);
        let comparison = nights.last().map(|last| compare(last, &first, &history, rule));
        let rate = false_alarms(&nights, &aa);
        let text = match &comparison {
            Some(comparison) => verdicts::markdown(comparison),
            None => "The first night of this machine and command: nothing to compare with.\n".into(),
        };
        let markdown = format!(
            "# Verdicts\n\n`{}`\n\n{text}\n## A/A\n\n{rate}\n\n{}",
            self.command(),
            verdicts::markdown(&aa)
        );
        let told = comparison.as_ref().map_or_else(
            || "first night of this machine and command: nothing to compare with".into(),
            |comparison| format!("since {}:\n{}", comparison.before, verdicts::urgent(comparison)),
        );
        cx.out.note(told.trim_end());
        cx.out.note(&rate);
        let night = Night {
            command: self.command().into(),
            comparison,
            aa: Some(aa),
        };
        let json = serde_json::to_string_pretty(&night).expect("our types have string keys");
        let paths = [VERDICTS, "verdicts.md"].map(|name| folder.join(name));
        write_whole(&paths[0], (json + "\n").as_bytes())?;
        write_whole(&paths[1], markdown.as_bytes())?;
        Ok((night, paths))
    }

    /// What the night exits with: a regression before lost cells before failed ones.
    fn end(&self, cx: &Context, records: &[Record], comparison: Option<&Comparison>) -> Result<(), Failure> {
        let failed = records.iter().filter(|record| record.summary().is_none()).count();
        if failed == records.len() {
            return Err(Failure::new(
                Exit::NoData,
                "no cell could be measured; the page says why",
            ));
        }
        match comparison.map_or(Ok(()), verdicts::judge) {
            Err(failure) if self.quick && failure.exit == Exit::Regressed => cx.out.warn(&format!(
                "{}, by few samples: a full `zoo nightly` would fail",
                failure.message
            )),
            judged => judged?,
        }
        match failed {
            0 => Ok(()),
            _ => Err(Failure::new(
                Exit::Some,
                format!("{failed} of {} cells failed; the page lists them", records.len()),
            )),
        }
    }

    /// Our engine and the installed peers in turns, on the networks that others publish most about.
    fn heats(&self, cx: &Context) -> Vec<Heat> {
        let peers = installed(cx, !self.quick);
        if peers.is_empty() {
            cx.out.note(ADVICE);
            return Vec::new();
        }
        let heat = |variant: &str| Heat {
            variant: variant.to_owned(),
            batch: 1,
            threads: all_threads(),
            // Without stock operations, which take longest of all, where time is short.
            engines: engines(if self.quick { 2 } else { 1 }, &peers),
        };
        NETWORKS.map(heat).into()
    }

    fn race_budget(&self) -> Budget {
        if self.quick {
            Budget {
                warm_up: 0,
                time: Duration::from_secs(3),
                ..Budget::RACE
            }
        } else {
            Budget::RACE
        }
    }

    fn cases(&self, cx: &Context) -> Result<Vec<Case>, Failure> {
        let zoo = cx.zoo()?;
        let every = Matrix {
            variants: zoo.variants.iter().map(|variant| variant.name.clone()).collect(),
            precisions: Precision::ALL.to_vec(),
            batches: BATCHES.to_vec(),
            crops: vec![224],
            backends: Vec::new(),
            threads: vec![all_threads()],
        };
        let networks = if self.quick {
            let f32_only = vec![Precision::F32];
            let single = Matrix {
                precisions: f32_only,
                batches: vec![1],
                ..every.clone()
            };
            let four = Matrix {
                precisions: vec![Precision::F32, Precision::F16],
                batches: vec![4],
                ..every
            };
            [single.cases(zoo), four.cases(zoo)].concat()
        } else {
            every.cases(zoo)
        };
        Ok([preprocess_cases(), networks].concat())
    }
}

/// Reads every cached file again: a nightly on damaged weights would report on something else.
fn check_cache(cx: &Context) -> Result<(), Failure> {
    let lock = cx.lock()?;
    let mut files = 0;
    for artifact in cx.zoo()?.variants.iter().flat_map(|variant| &variant.artifacts) {
        if cx.cache().verify(artifact, &lock, true)?.is_some() {
            files += 1;
        }
    }
    match files {
        0 => cx
            .out
            .note("no weights are in the cache: seeded weights stand in"),
        _ => cx.out.note(&format!("verified {files} cached weight files")),
    }
    Ok(())
}

/// How often the harness called a cell changed that was not, tonight and over all nights.
fn false_alarms(nights: &Nights, tonight: &Comparison) -> String {
    let (cells, changed) = (nights.aa.0 + tonight.family, nights.aa.1 + tonight.changed());
    let interval = share_interval(changed, cells);
    format!(
        "A/A: {} of {} cells that were measured twice are called changed; with {} earlier nights {changed} of {cells}, \
         a false-alarm rate between {:.1} and {:.1} % a cell",
        tonight.changed(),
        tonight.family,
        nights.sets.len(),
        100.0 * interval.low,
        100.0 * interval.high
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::Provenance;
    use harness::verdict::History;

    fn nightly(quick: bool) -> Nightly {
        Nightly {
            quick,
            aa: false,
            out: "reports".into(),
            json: false,
            again: None,
        }
    }

    fn record(case: &str, samples: Result<Vec<u64>, String>) -> Record {
        let case = case.parse().expect("a case");
        Record::new(case, Record::now(), samples, Provenance::default())
    }

    #[test]
    fn a_quick_night_tells_a_regression_and_a_full_one_fails() {
        let cx = Context::embedded();
        let set = |ms: u64| {
            let slow = record("preprocess/decode", Ok(vec![ms * 1_000_000; 9]));
            vec![
                slow,
                record("HRNet_W18_C/f32/bs1/crop224/cpu/t1", Ok(vec![9_000; 9])),
            ]
        };
        let judged = |before: &[Record], now: &[Record]| {
            compare(
                &Repeat::of(before),
                &Repeat::of(now),
                &History::default(),
                Rule::default(),
            )
        };
        let code = |quick: bool, records: &[Record], comparison: Option<&Comparison>| {
            nightly(quick)
                .end(&cx, records, comparison)
                .err()
                .map(|failure| failure.exit)
        };
        let slower = judged(&set(10), &set(20));
        assert_eq!(code(false, &set(20), Some(&slower)), Some(Exit::Regressed));
        assert_eq!(code(true, &set(20), Some(&slower)), None);
        let mut broken = set(10);
        broken[0] = record("preprocess/decode", Err("no photo".into()));
        let lost = judged(&set(10), &broken);
        assert_eq!(code(true, &broken, Some(&lost)), Some(Exit::NoData));
        assert_eq!(code(true, &broken, None), Some(Exit::Some), "the first night");
        assert_eq!(code(true, &broken[..1], None), Some(Exit::NoData), "all failed");
        assert_eq!(code(false, &set(10), None), None);
    }

    #[test]
    fn few_cells_are_measured_twice_unless_all_are_asked_for() {
        let cases = nightly(true).cases(&Context::embedded()).expect("cases");
        let few = nightly(true).twice(&cases);
        assert_eq!(few.len(), 3, "{few:?}");
        let all = Nightly {
            aa: true,
            ..nightly(true)
        };
        assert_eq!(all.twice(&cases), cases);
    }
}

use std::ffi::OsString;

use harness::verdict::{Answer, History, Repeat, Rule, compare, share_interval};
use harness::{Budget, Case, Interval, Record, Summary};
use serde::Serialize;

use crate::bench::{Workshop, provenance};
use crate::context::Context;
use crate::output::table;
use crate::{Exit, Failure, aside};

/// Slow-downs that are added to a cell, as shares of its time.
const SHARES: [f64; 4] = [0.0, 0.02, 0.05, 0.1];

/// The size of a comparison that each trial is judged as a part of, besides by itself.
const CELLS: usize = 80;

/// A cell that is slowed down by known shares, to see how often the verdicts find it.
pub(crate) struct SelfTest<'a> {
    pub(crate) cx: &'a Context,
    pub(crate) case: Case,
    pub(crate) trials: usize,
    /// Blocks of before, now, now, before: two processes a side each.
    pub(crate) blocks: usize,
    pub(crate) samples: usize,
    pub(crate) rule: Rule,
}

/// The number of slow-downs that were found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Detection {
    /// The slow-down that was added, as a share; 0 for none: what is found there is a false alarm.
    added: f64,
    /// Median over the trials of the slow-down that was measured.
    measured: f64,
    trials: usize,
    /// Trials in which it was called regressed, or for 0 changed.
    found: usize,
    /// Wilson's 95 % interval of the rate.
    interval: Interval,
    /// The same where the cell is one of as many.
    among: usize,
    found_among: usize,
    interval_among: Interval,
}

impl SelfTest<'_> {
    /// Measures all trials, each in fresh processes.
    pub(crate) fn run(&self) -> Result<Vec<Detection>, Failure> {
        let mut tallies = SHARES.map(|share| Tally::new(share, self.rule));
        for trial in 1..=self.trials {
            let mut before = Vec::new();
            let mut now = SHARES.map(|_| Vec::new());
            for turn in [0, 1, 1, 0].repeat(self.blocks) {
                let samples = self.worker()?;
                if turn == 0 {
                    before.push(self.repeat(samples[0].clone()));
                } else {
                    for (now, samples) in now.iter_mut().zip(samples) {
                        now.push(self.repeat(samples));
                    }
                }
            }
            for (tally, now) in tallies.iter_mut().zip(&now) {
                tally.add(&before, now);
            }
            let found: Vec<String> = tallies.iter().map(|tally| tally.found.to_string()).collect();
            self.cx.out.note(&format!(
                "trial {trial} of {}: called changed at 0, 2, 5, 10 %: {}",
                self.trials,
                found.join(", ")
            ));
        }
        Ok(tallies.into_iter().map(Tally::detection).collect())
    }

    fn repeat(&self, samples: Vec<u64>) -> Repeat {
        Repeat::from(&Record::new(
            self.case.clone(),
            Record::now(),
            Ok(samples),
            provenance(),
        ))
    }

    /// Samples of a fresh process, one list a share.
    fn worker(&self) -> Result<Vec<Vec<u64>>, Failure> {
        let mut arguments = self.cx.arguments();
        let cell = self.case.to_string();
        let samples = self.samples.to_string();
        let worker = [
            "compare",
            "--self-test-worker",
            "--cell",
            &cell,
            "--samples",
            &samples,
        ];
        arguments.extend(worker.map(OsString::from));
        let printed = aside::run_self(&arguments, "")?;
        let samples: Vec<Vec<u64>> = serde_json::from_str(&printed)
            .map_err(|error| Failure::new(Exit::Other, format!("the self-test's process: {error}")))?;
        match samples.len() == SHARES.len() {
            true => Ok(samples),
            false => Err(Failure::new(
                Exit::Other,
                "the self-test's process: not one list a share",
            )),
        }
    }
}

/// The work of each process of the self-test: it times the cell in rounds of one run a share. Both sides do the same, so that
/// what one share leaves in the caches for the next is in both.
pub(crate) fn worker(cx: &Context, case: &Case, samples: usize) -> Result<Vec<Vec<u64>>, Failure> {
    let mut cell = Workshop::new(cx, None).prepare(case)?.cell;
    let failed = |error: String| Failure::new(Exit::Other, format!("{case}: {error}"));
    let calibration = Budget {
        warm_up: 5,
        min_samples: 9,
        max_samples: 9,
        ..Budget::QUICK
    };
    let (_, known) = calibration.measure(&mut cell).map_err(failed)?;
    let base = Summary::of(&known).map_or(0.0, |summary| summary.median_ns);
    let mut all = SHARES.map(|_| Vec::with_capacity(samples));
    for round in 0..samples {
        for place in 0..SHARES.len() {
            let index = (round + place) % SHARES.len();
            let delay = (base * SHARES[index]) as u64;
            all[index].push(cell.time_delayed(delay).map_err(failed)?);
        }
    }
    Ok(all.into())
}

struct Tally {
    share: f64,
    rule: Rule,
    ratios: Vec<f64>,
    found: usize,
    found_among: usize,
}

impl Tally {
    fn new(share: f64, rule: Rule) -> Self {
        Self {
            share,
            rule,
            ratios: Vec::new(),
            found: 0,
            found_among: 0,
        }
    }

    fn add(&mut self, before: &[Repeat], now: &[Repeat]) {
        // Holm's rule asks this of the smallest p-value of so many.
        let among = Rule {
            alpha: self.rule.alpha / CELLS as f64,
            ..self.rule
        };
        let [alone, among] = [self.rule, among].map(|rule| compare(before, now, &History::default(), rule));
        let found = |comparison: &harness::verdict::Comparison| match self.share > 0.0 {
            true => comparison.count(Answer::Regressed),
            false => comparison.changed(),
        };
        self.found += found(&alone);
        self.found_among += found(&among);
        self.ratios.extend(
            alone
                .verdicts
                .iter()
                .filter_map(|verdict| Some(verdict.decisive()?.ratio)),
        );
    }

    fn detection(mut self) -> Detection {
        self.ratios.sort_by(f64::total_cmp);
        let trials = self.ratios.len();
        Detection {
            added: self.share,
            measured: self.ratios.get(trials / 2).map_or(0.0, |ratio| ratio - 1.0),
            trials,
            found: self.found,
            interval: share_interval(self.found, trials),
            among: CELLS,
            found_among: self.found_among,
            interval_among: share_interval(self.found_among, trials),
        }
    }
}

/// The detections as a table.
pub(crate) fn text(detections: &[Detection]) -> String {
    let rate = |found: usize, of: usize, interval: Interval| {
        let percent = |share: f64| format!("{:.0}", 100.0 * share);
        [
            format!("{found} of {of}"),
            format!("[{}, {}] %", percent(interval.low), percent(interval.high)),
        ]
    };
    let rows = detections.iter().map(|detection| {
        let mut row = vec![
            match detection.added {
                0.0 => "none".to_owned(),
                added => format!("{:.0} %", 100.0 * added),
            },
            format!("{:+.2} %", 100.0 * detection.measured),
        ];
        row.extend(rate(detection.found, detection.trials, detection.interval));
        row.extend(rate(
            detection.found_among,
            detection.trials,
            detection.interval_among,
        ));
        row
    });
    let among = format!(">as one of {CELLS}");
    table(
        &["slow-down", ">measured", ">found", "95 %", &among, "95 %"],
        rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tallies_count_what_is_found_and_false_alarms() {
        let rule = Rule {
            threshold: Some(0.01),
            ..Rule::default()
        };
        let set = |base: u64| -> Vec<Repeat> {
            let record = |ns: u64| {
                let case = "preprocess/decode".parse().expect("a case");
                Record::new(case, String::new(), Ok(vec![ns]), harness::Provenance::default())
            };
            (base..base + 8).map(|ns| Repeat::from(&record(ns))).collect()
        };
        let mut tallies = [0.0, 0.05].map(|share| Tally::new(share, rule));
        for tally in &mut tallies {
            tally.add(&set(1000), &set(1050));
            tally.add(&set(1000), &set(1000));
            tally.add(&set(1000), &set(900));
        }
        let [still, slow] = tallies.map(Tally::detection);
        assert_eq!(
            (still.trials, still.found, still.found_among),
            (3, 2, 2),
            "both ways are false"
        );
        assert_eq!((slow.found, slow.measured), (1, 0.0));
        let text = text(&[still, slow]);
        assert!(text.contains("none") && text.contains("2 of 3"), "{text}");
        assert!(text.contains("as one of 80"), "{text}");
    }
}

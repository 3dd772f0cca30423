//! Remarks of `zoo bench` about precisions: which of them take the time, and the gain and cost of each.

use std::collections::BTreeSet;

use harness::{NetworkCase, Record};
use hrnet::{Precision, Size};

use super::{Plan, Task};
use crate::output::table;

/// By how much the machine's pace may change between cells without a word: single cells differ by as much.
const STEADY: f64 = 1.15;

/// The share of the time from which slow precisions are worth a word.
const WORTH_A_WORD: f64 = 0.2;

/// Returns a remark about precisions that only stock operations run, if they take a large share of the time.
pub(crate) fn slow(plan: &Plan) -> Option<String> {
    slow_without(plan, |precision| {
        runtime::BACKENDS[0].arithmetic(precision).is_some()
    })
}

/// The same where our engine runs these precisions.
fn slow_without(plan: &Plan, ours: impl Fn(Precision) -> bool) -> Option<String> {
    let (mut slow, mut others) = (BTreeSet::new(), BTreeSet::new());
    let mut slow_ns = 0.0;
    for (task, processes, expected) in &plan.rows {
        let Some(case) = task.case.network() else { continue };
        if is_stock(case) && !ours(case.precision) {
            slow.insert((case.precision, case.backend.as_str()));
            slow_ns += *processes as f64 * expected.all_ns;
        } else {
            others.insert(case.precision);
        }
    }
    let share = slow_ns / plan.all_ns;
    let others: Vec<&str> = others.iter().map(|precision| precision.name()).collect();
    (!others.is_empty() && share > WORTH_A_WORD).then(|| {
        let slow = slow.iter().map(|(precision, backend)| format!("{precision} runs only on {backend}"));
        format!(
            "{}, many times slower than our engine, and takes about {:.0} % of the time; --precision {} leaves it out",
            slow.collect::<Vec<_>>().join(", "),
            100.0 * share,
            others.join(",")
        )
    })
}

/// Returns whether a backend of ours runs the case.
fn is_stock(case: &NetworkCase) -> bool {
    let stock = runtime::BACKENDS
        .iter()
        .any(|backend| backend.name() == case.backend);
    let peer = runtime::PEERS.contains(&case.backend.as_str());
    stock && !peer
}

/// A cell's time beside that of f32.
struct Gain<'a> {
    task: &'a Task,
    case: &'a NetworkCase,
    /// Median of its processes' medians.
    median_ns: f64,
}

/// Speed over the fastest f32 and fidelity, where a network was measured in f32 and in others.
pub(crate) fn gains(tasks: &[Task]) -> Option<String> {
    let mut cells: Vec<Gain> = tasks.iter().filter_map(Gain::of).collect();
    cells.sort_by_key(|one| (one.setting(), one.case.precision));
    let rows: Vec<Vec<String>> = cells
        .chunk_by(|a, b| a.setting() == b.setting())
        .filter(|same| same.iter().any(|one| one.case.precision != Precision::F32))
        .flat_map(|same| {
            let plain = same.iter().filter(|one| one.case.precision == Precision::F32);
            let plain = plain.map(|one| one.median_ns).min_by(f64::total_cmp);
            same.iter().filter_map(move |one| Some(one.row(plain?)))
        })
        .collect();
    let titles = [
        "network",
        ">batch",
        ">threads",
        "precision",
        ">ms",
        ">over f32",
        ">largest error / std",
        ">of largest",
        ">KL, nats",
        ">same top-1",
    ];
    let note = unsteady(tasks).map_or(String::new(), |note| format!("\n{note}"));
    (!rows.is_empty()).then(|| table(&titles, rows) + &note)
}

/// That the machine was now faster, now slower, where it was: cells that are held against each other are not measured in turns.
fn unsteady(tasks: &[Task]) -> Option<String> {
    let pace = |record: &Record| Some(record.peak_macs_per_s()? / record.case.network()?.threads as f64);
    let paces = tasks.iter().flat_map(|task| &task.records).filter_map(pace);
    let (low, high) = paces.fold((f64::INFINITY, 0.0_f64), |(low, high), pace| {
        (low.min(pace), high.max(pace))
    });
    (high > STEADY * low).then(|| {
        format!(
            "The machine itself was up to {:.1} times as fast around some cells as around others, and speeds over f32 are off \
             by as much: measure again when nothing else runs, or --processes 8, which takes cells in turns",
            high / low
        )
    })
}

impl<'a> Gain<'a> {
    fn of(task: &'a Task) -> Option<Self> {
        let medians = task.records.iter().filter_map(Record::summary);
        let mut medians: Vec<f64> = medians.map(|summary| summary.median_ns).collect();
        Some(Self {
            task,
            case: task.case.network()?,
            median_ns: harness::median(&mut medians)?,
        })
    }

    /// The properties that compared cells share.
    fn setting(&self) -> (&'a str, usize, Size, usize) {
        let case = self.case;
        (&case.variant, case.batch, case.crop, case.threads)
    }

    fn row(&self, plain_ns: f64) -> Vec<String> {
        let fidelity = self.task.records.iter().rev().find_map(|record| record.fidelity);
        let small = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.1e}"));
        let batch = self.case.batch;
        let agreement = fidelity.and_then(|fidelity| fidelity.top1_agreement);
        let agreeing = agreement.map(|share| (share * batch as f64).round());
        vec![
            self.case.variant.clone(),
            batch.to_string(),
            self.case.threads.to_string(),
            format!("{} on {}", self.case.precision, self.case.backend),
            format!("{:.2}", self.median_ns / 1e6),
            format!("{:.2}x", plain_ns / self.median_ns),
            small(fidelity.and_then(|fidelity| fidelity.error_in_deviations)),
            small(fidelity.map(|fidelity| fidelity.largest_error)),
            small(fidelity.and_then(|fidelity| fidelity.divergence)),
            agreeing.map_or(String::new(), |same| format!("{same} of {batch}")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use harness::{Canary, Conditions, Fidelity, Provenance};

    use super::*;
    use crate::bench::{Basis, Expected};

    fn task(precision: &str, backend: &str, ms: u64) -> Task {
        let case = format!("HRNet_W18_C/{precision}/bs4/crop224/{backend}/t1");
        let mut task = Task::new(case.parse().expect("a case"), Path::new("a"));
        let samples = Ok(vec![ms * 1_000_000; 5]);
        let mut record = Record::new(task.case.clone(), Record::now(), samples, Provenance::default());
        record.fidelity = Some(Fidelity {
            top1_agreement: Some(0.75),
            error_in_deviations: Some(0.0123),
            ..Fidelity::default()
        });
        task.records.push(record);
        task
    }

    #[test]
    fn each_precision_is_held_against_the_fastest_f32() {
        let tasks = [
            task("int8", "cpu", 50),
            task("f32", "candle", 400),
            task("f32", "cpu", 100),
        ];
        let text = gains(&tasks).expect("two precisions");
        for part in ["0.25x", "1.00x", "2.00x", "1.2e-2", "3 of 4"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("The machine itself"), "{text}");
        assert_eq!(gains(&tasks[1..]), None, "nothing but f32");
        assert_eq!(gains(&tasks[..1]), None, "no f32 to be held against");
    }

    #[test]
    fn a_machine_that_changed_its_pace_is_told() {
        let mut tasks = [task("int8", "cpu", 50), task("f32", "cpu", 100)];
        let mut around = |index: usize, macs_per_s: f64| {
            let canary = Canary {
                macs_per_s,
                tile_macs_per_s: None,
                bytes_per_s: 1e9,
                handover_ns: None,
            };
            tasks[index].records[0].conditions = Some(Conditions {
                canary: [canary; 2],
                load: None,
                steal: None,
                peak_resident_bytes: None,
            });
        };
        around(0, 50e9);
        around(1, 55e9);
        assert_eq!(unsteady(&tasks), None);
        tasks[1].records[0].conditions.as_mut().expect("known").canary[0].macs_per_s = 180e9;
        // The mean of 180 and 55 is 99.5.
        let told = gains(&tasks).expect("two precisions");
        assert!(told.contains("up to 2.0 times as fast"), "{told}");
    }

    #[test]
    fn a_precision_that_takes_the_time_is_told_beforehand() {
        let plan = |slow_s: f64| {
            let row = |precision: &str, backend: &str, seconds: f64| {
                let expected = Expected {
                    run_ns: 1e9,
                    samples: 1,
                    all_ns: seconds * 1e9,
                    basis: Basis::Guess,
                };
                (task(precision, backend, 1), 1, expected)
            };
            Plan {
                rows: vec![
                    row("f32", "cpu", 1.0),
                    row("i16", "cpu", 1.0),
                    row("bf16", "candle", slow_s),
                ],
                left_out: Vec::new(),
                all_ns: (2.0 + slow_s) * 1e9,
            }
        };
        let few = |precision: Precision| precision != Precision::Bf16;
        let text = slow_without(&plan(6.0), few).expect("most of the time");
        assert!(
            text.starts_with("bf16 runs only on candle, many times slower"),
            "{text}"
        );
        assert!(
            text.contains("75 % of the time; --precision f32,i16 leaves it out"),
            "{text}"
        );
        assert_eq!(slow_without(&plan(0.1), few), None);
        assert_eq!(slow_without(&plan(6.0), |_| true), None);
    }
}

//! The output of `zoo bench`: cells as lines, plans as tables.

use std::path::Path;
use std::time::Duration;

use harness::verdict::{History, Repeat, Rule, compare};
use harness::{Case, Noise, Outcome, Record, Times, counted};
use registry::Zoo;
use serde::Serialize;

use super::{Basis, Campaign, Done, Expected, Plan, Task};
use crate::output::table;
use crate::verdicts::Shown;

/// Cells that are left out are named up to so many.
const NAMED: usize = 8;

/// A cell's processes as one line.
pub(crate) fn line(records: &[&Record]) -> String {
    let Some(first) = records.first() else {
        return String::new();
    };
    let id = first.case.to_string();
    let failed = records.iter().find_map(|record| match record.outcome() {
        Outcome::Failed(error) => Some(error),
        Outcome::Measured(_) => None,
    });
    let times = match (failed, Times::of(records)) {
        (Some(error), _) => return format!("{id:<52} failed: {error}"),
        (None, None) => return format!("{id:<52} failed: no samples"),
        (None, Some(times)) => times,
    };
    let images = first.case.images() as f64 / (times.median_ns / 1e9);
    let p90 = match (times.p90_ns, times.p90_bound_ns) {
        (Some(p90), Some(bound)) => format!("p90 {:.3} ms, bound {:.3} ms", p90 / 1e6, bound / 1e6),
        _ => format!("p90 needs {} runs: a longer --time", Times::P90_SAMPLES),
    };
    let processes = match times.processes {
        1 => String::new(),
        processes => format!(" in {processes} processes"),
    };
    let noise = records.iter().find_map(|record| record.noise());
    let noise = noise.map_or(String::new(), |noise| format!("  noisy: {noise}"));
    format!(
        "{id:<52} {:>10.3} ms ± {:<8.3} {images:>9.2} images/s  ({}{processes}; {p90}){noise}",
        times.median_ms(),
        times.mad_ns / 1e6,
        counted(times.samples, "run"),
    )
}

/// One process of several.
pub(crate) fn progress(record: &Record) -> String {
    let process = record.process.map_or(1, |process| process + 1);
    format!("process {process}: {}", line(&[record]))
}

/// The line before a campaign: the cells, and the time that they will take or the limit.
pub(crate) fn begin(tasks: &[Task], campaign: &Campaign, plan: &Plan, file: &Path) -> String {
    let there: usize = tasks.iter().map(|task| task.records.len()).sum();
    let cells = counted(tasks.len(), "cell");
    let mut text = match campaign.processes {
        1 => cells,
        processes => format!("{cells} in {processes} processes each"),
    };
    match campaign.limit {
        Some(limit) => text.push_str(&format!(" in {}", time(limit.as_nanos() as f64))),
        None if !plan.rows.is_empty() => text.push_str(&format!(", {}", forecast(plan))),
        None => {}
    }
    if there > 0 {
        let are = if there == 1 { "is" } else { "are" };
        text.push_str(&format!(
            ", of which {} {are} there already",
            counted(there, "record")
        ));
    }
    format!("{text}; records go to {}", file.display())
}

/// The cells that got fewer processes than asked for, if any did.
pub(crate) fn left_out(done: &Done, processes: usize) -> Option<String> {
    let (none, fewer): (Vec<&Task>, Vec<&Task>) = done
        .short
        .iter()
        .map(|index| &done.tasks[*index])
        .partition(|task| task.records.is_empty());
    let mut parts = Vec::new();
    if !none.is_empty() {
        let mut ids: Vec<String> = none.iter().map(|task| task.case.to_string()).collect();
        ids.dedup();
        let more = match ids.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} longer ones"),
        };
        let named = &ids[..ids.len().min(NAMED)];
        parts.push(format!(
            "no time was left for {}: {}{more}",
            counted(ids.len(), "cell"),
            named.join(", ")
        ));
    }
    if !fewer.is_empty() {
        let have = if fewer.len() == 1 { "has" } else { "have" };
        parts.push(format!(
            "{} {have} fewer than {processes} processes",
            counted(fewer.len(), "cell")
        ));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Returns a remark if cells of variants that share a network differ, each measured by itself.
pub(crate) fn twins(zoo: &Zoo, tasks: &[Task]) -> String {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for task in tasks {
        let Case::Network(case) = &task.case else { continue };
        let Some(variant) = zoo.variant(&case.variant) else {
            continue;
        };
        let original = &zoo.network_of(variant).name;
        let repeats = Repeat::of(&task.records);
        if *original == case.variant {
            first.extend(repeats);
            continue;
        }
        let mut case = case.clone();
        case.variant.clone_from(original);
        second.extend(repeats.into_iter().map(|repeat| Repeat {
            case: Case::Network(case.clone()),
            ..repeat
        }));
    }
    first.retain(|repeat| second.iter().any(|twin| twin.case == repeat.case));
    second.retain(|repeat| first.iter().any(|twin| twin.case == repeat.case));
    let comparison = compare(&first, &second, &History::default(), Rule::default());
    format!(
        "A/A: {} of {} of variants that share a network are called changed\n{}",
        comparison.changed(),
        counted(comparison.family, "cell"),
        crate::verdicts::text(&comparison, Shown::default())
    )
}

/// A row of a plan, for programs.
#[derive(Debug, Serialize)]
pub(crate) struct PlanRow {
    case: Case,
    /// Processes to come; 0 for what is left out.
    processes: usize,
    /// Samples in each.
    samples: usize,
    /// Of one run, ms.
    run_ms: f64,
    /// Of each process from start to end, seconds.
    seconds: f64,
    basis: Basis,
}

/// The rows of a plan, those that are left out at the end.
pub(crate) fn plan_rows(plan: &Plan) -> Vec<PlanRow> {
    let row = |task: &Task, processes: usize, expected: &Expected| PlanRow {
        case: task.case.clone(),
        processes,
        samples: expected.samples,
        run_ms: expected.run_ns / 1e6,
        seconds: expected.all_ns / 1e9,
        basis: expected.basis,
    };
    let planned = plan
        .rows
        .iter()
        .map(|(task, processes, expected)| row(task, *processes, expected));
    let left_out = plan
        .left_out
        .iter()
        .map(|(task, expected)| row(task, 0, expected));
    planned.chain(left_out).collect()
}

/// A plan as a table, and what it comes to.
pub(crate) fn plan(plan: &Plan, limit: Option<Duration>) -> String {
    let rows = plan_rows(plan).into_iter().map(|row| {
        vec![
            row.case.to_string(),
            match row.processes {
                0 => "left out".into(),
                processes => processes.to_string(),
            },
            row.samples.to_string(),
            format!("{:.1}", row.run_ms),
            format!("{:.1}", row.seconds),
            match row.basis {
                Basis::Measured => "measured before",
                Basis::Rate => "its backend on other networks",
                Basis::Guess => "a guess",
            }
            .into(),
        ]
    });
    let titles = ["cell", ">processes", ">runs", ">run ms", ">seconds each", "by"];
    let processes: usize = plan.rows.iter().map(|(_, processes, _)| processes).sum();
    let mut text = format!(
        "{}{}, {}: {}",
        table(&titles, rows),
        counted(plan.rows.len(), "cell"),
        counted(processes, "process"),
        forecast(plan)
    );
    if let Some(limit) = limit {
        let left = limit.as_nanos() as f64 - plan.all_ns;
        text.push_str(&format!(
            " of {}; what is left, about {}, goes to more processes of the cells whose times spread most",
            time(limit.as_nanos() as f64),
            time(left.max(0.0))
        ));
    }
    if !plan.left_out.is_empty() {
        let are = if plan.left_out.len() == 1 { "is" } else { "are" };
        text.push_str(&format!(
            "; {} {are} left out",
            counted(plan.left_out.len(), "cell")
        ));
    }
    text
}

/// Returns the duration of a plan: approximate if all cells were measured before, else a range up to twice as long.
fn forecast(plan: &Plan) -> String {
    let known = plan
        .rows
        .iter()
        .all(|(_, _, expected)| expected.basis == Basis::Measured);
    match known {
        true => format!("about {}", time(plan.all_ns)),
        false => format!("{} to {}", time(plan.all_ns), time(2.0 * plan.all_ns)),
    }
}

/// That times are noisy, and what to do, if those of some cells are.
pub(crate) fn noisy(records: &[&Record]) -> Option<String> {
    let noisy: Vec<Noise> = records.iter().filter_map(|record| record.noise()).collect();
    let first = noisy.first()?;
    let are = if noisy.len() == 1 { "is" } else { "are" };
    Some(format!(
        "{} of {} {are} noisy ({first}): their times may be far off. Measure again when nothing else runs",
        noisy.len(),
        counted(records.len(), "measurement")
    ))
}

fn time(ns: f64) -> String {
    match ns / 1e9 {
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use harness::{Canary, Conditions, Provenance};

    fn task(case: &str, results: &[Result<u64, &str>]) -> Task {
        let mut task = Task::new(case.parse().expect("a case"), Path::new("a"));
        let record = |result: &Result<u64, &str>| {
            let samples = result.map(|ms| vec![ms * 1_000_000; 9]).map_err(str::to_owned);
            Record::new(task.case.clone(), Record::now(), samples, Provenance::default())
        };
        task.records = results.iter().map(record).collect();
        task
    }

    #[test]
    fn a_cell_is_told_by_the_median_of_its_processes() {
        let told = |results: &[Result<u64, &str>]| {
            let task = task("HRNet_W18_C/f32/bs4/crop224/cpu/t1", results);
            line(&task.records.iter().collect::<Vec<_>>())
        };
        let text = told(&[Ok(40), Ok(80), Ok(50)]);
        assert!(
            text.contains(" 50.000 ms") && text.contains(" 80.00 images/s"),
            "{text}"
        );
        assert!(
            text.contains("27 runs in 3 processes; p90 needs 44 runs: a longer --time)"),
            "{text}"
        );
        let text = told(&[Ok(40)]);
        assert!(text.contains("(9 runs; p90"), "{text}");
        let text = told(&[Ok(40), Ok(50), Ok(80), Ok(40), Ok(50)]);
        assert!(
            text.contains("(45 runs in 5 processes; p90 80.000 ms, bound 80.000 ms)"),
            "{text}"
        );
        assert!(told(&[Ok(40), Err("killed")]).ends_with("failed: killed"));
    }

    #[test]
    fn a_noisy_cell_says_so_and_a_forecast_that_is_a_guess_is_a_range() {
        let mut task = task("HRNet_W18_C/f32/bs1/crop224/cpu/t1", &[Ok(40)]);
        let quiet = |task: &Task| line(&task.records.iter().collect::<Vec<_>>());
        assert!(!quiet(&task).contains("noisy"));
        let canary = Canary {
            macs_per_s: 1e11,
            tile_macs_per_s: None,
            bytes_per_s: 1e10,
            handover_ns: None,
        };
        task.records[0].conditions = Some(Conditions {
            canary: [canary; 2],
            load: Some(1.3),
            steal: None,
            peak_resident_bytes: None,
        });
        let text = quiet(&task);
        assert!(
            text.ends_with("noisy: other processes kept 1.3 processors busy"),
            "{text}"
        );
        let all: Vec<&Record> = task.records.iter().collect();
        let text = noisy(&all).expect("it is");
        assert!(text.starts_with("1 of 1 measurement is noisy"), "{text}");

        let told = |basis| {
            let expected = Expected {
                run_ns: 1e9,
                samples: 5,
                all_ns: 14e9,
                basis,
            };
            let plan = Plan {
                rows: vec![(task.clone(), 1, expected)],
                left_out: Vec::new(),
                all_ns: 14e9,
            };
            forecast(&plan)
        };
        assert_eq!(
            (&*told(Basis::Measured), &*told(Basis::Rate)),
            ("about 14 s", "14 s to 28 s")
        );
    }

    #[test]
    fn twins_are_compared_as_one_network() {
        let cx = Context::embedded();
        let case = |variant: &str| format!("{variant}/f32/bs1/crop224/cpu/t1");
        let times = |ms: u64| (ms..ms + 8).map(Ok).collect::<Vec<_>>();
        let later = |mut task: Task| {
            for record in &mut task.records {
                record.started = "2026-11-29T03:00:00Z".into();
            }
            task
        };
        let tasks = |ms: u64| {
            [
                task(&case("HRNet_W18_C"), &times(100)),
                later(task(&case("HRNet_W18_C_ssld"), &times(ms))),
                task(&case("HRNet_W30_C"), &times(100)),
            ]
        };
        let zoo = cx.zoo().expect("valid");
        let same = twins(zoo, &tasks(100));
        assert!(same.starts_with("A/A: 0 of 1 cell of"), "{same}");
        let changed = twins(zoo, &tasks(150));
        assert!(changed.starts_with("A/A: 1 of 1 cell of"), "{changed}");
    }

    #[test]
    fn what_is_left_out_is_named() {
        let done = Done {
            tasks: vec![
                task("preprocess/decode", &[Ok(1)]),
                task("HRNet_W18_C/f32/bs1/crop224/cpu/t1", &[]),
            ],
            short: vec![0, 1],
        };
        let text = left_out(&done, 2).expect("some are");
        assert_eq!(
            text,
            "no time was left for 1 cell: HRNet_W18_C/f32/bs1/crop224/cpu/t1; 1 cell has fewer than 2 processes"
        );
        assert_eq!(left_out(&Done::default(), 2), None);
    }
}

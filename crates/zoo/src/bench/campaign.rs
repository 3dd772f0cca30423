use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::verdict::ASSUMED_SPREAD;
use harness::{Budget, Case, Machine, Record, Stopwatch, Summary, append};

use super::errand::Errand;
use super::forecast::{Expected, Forecast};
use super::runner::provenance;
use super::{all_threads, canary};
use crate::Failure;
use crate::context::Context;
use crate::model::WeightsArg;
use crate::scratch::Scratch;

/// Processes a cell at most: more would say more of one cell while others wait.
const MOST_PROCESSES: usize = 16;

/// The least that processes of a cell are taken to differ by, as a standard deviation: a few that agree by chance are no
/// reason to leave the cell alone.
const LEAST_SPREAD: f64 = 0.005;

/// A median absolute deviation as a standard deviation of a normal distribution.
const DEVIATION: f64 = 1.4826;

/// Settings for measuring a matrix.
pub(crate) struct Campaign<'a> {
    pub(crate) cx: &'a Context,
    /// As [`super::Workshop::new`] takes them.
    pub(crate) weights: Option<WeightsArg>,
    /// A file of ranges for cells in fixed point.
    pub(crate) calibration: Option<PathBuf>,
    /// Time per cell in each process.
    pub(crate) budget: Budget,
    /// Processes a cell; with a limit at least so many, as far as it goes.
    pub(crate) processes: usize,
    /// Time for everything, all of which is used: what the cells leave goes to more processes.
    pub(crate) limit: Option<Duration>,
}

/// A cell of a campaign, and what is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) case: Case,
    /// File for the records.
    pub(crate) file: PathBuf,
    /// A record a process.
    pub(crate) records: Vec<Record>,
}

/// The result of a campaign.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The tasks, the quickest first.
    pub(crate) tasks: Vec<Task>,
    /// Indices of those that got fewer processes than asked for, for want of time: perhaps none.
    pub(crate) short: Vec<usize>,
}

/// The plan of a campaign.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Tasks with their processes to come and what each will take, the quickest first.
    pub(crate) rows: Vec<(Task, usize, Expected)>,
    /// Tasks for which the time does not suffice.
    pub(crate) left_out: Vec<(Task, Expected)>,
    /// Time of all rows, ns.
    pub(crate) all_ns: f64,
}

impl Task {
    pub(crate) fn new(case: Case, file: &Path) -> Self {
        Self {
            case,
            file: file.to_owned(),
            records: Vec::new(),
        }
    }

    /// Returns whether another process could give a time: a failed cell is not tried again.
    fn goes_on(&self) -> bool {
        self.records.iter().all(|record| record.error.is_none())
    }

    /// The spread of processes, as the standard deviation of the logarithms of their medians; assumed where they are
    /// too few.
    fn spread(&self) -> f64 {
        let medians = self.records.iter().filter_map(Record::summary);
        let medians: Vec<u64> = medians
            .map(|summary| (1e6 * summary.median_ns.ln()) as u64)
            .collect();
        match Summary::of(&medians) {
            Some(summary) if medians.len() >= 3 => (DEVIATION * summary.mad_ns / 1e6).max(LEAST_SPREAD),
            _ => ASSUMED_SPREAD,
        }
    }

    /// By how much another process, which takes so long, lowers the squared error of the cell's median a second.
    fn use_of_another(&self, seconds: f64) -> f64 {
        let processes = self.records.len() as f64;
        self.spread().powi(2) / (processes * (processes + 1.0)) / seconds
    }
}

impl Campaign<'_> {
    /// A forecast that has learnt from what was measured on this machine.
    fn forecast<'r>(&self, known: impl Iterator<Item = &'r Record>) -> Result<Forecast<'_>, Failure> {
        let peak = canary::macs_per_s(runtime::unit()?, all_threads());
        let mut forecast = Forecast::new(self.cx.zoo()?, peak);
        let machine = provenance().machine;
        known
            .filter(|record| is_this(&record.provenance.machine, &machine))
            .for_each(|record| forecast.learn(record));
        Ok(forecast)
    }

    /// The plan of [`Campaign::run`], as far as it can be known; `known` are records to learn from.
    pub(crate) fn plan(&self, mut tasks: Vec<Task>, known: &[Record]) -> Result<Plan, Failure> {
        let forecast = self.forecast(known.iter().chain(tasks.iter().flat_map(|task| &task.records)))?;
        self.sort(&mut tasks, &forecast);
        let limit = self.limit.map_or(f64::INFINITY, |limit| limit.as_nanos() as f64);
        let mut plan = Plan {
            rows: Vec::new(),
            left_out: Vec::new(),
            all_ns: 0.0,
        };
        let mut processes = vec![0; tasks.len()];
        for pass in 0..self.processes {
            for (task, processes) in tasks.iter().zip(&mut processes) {
                let next = forecast.of(&task.case, &self.budget).all_ns;
                if task.records.len() <= pass && task.goes_on() && plan.all_ns + next <= limit {
                    plan.all_ns += next;
                    *processes += 1;
                }
            }
        }
        for (task, processes) in tasks.into_iter().zip(processes) {
            let expected = forecast.of(&task.case, &self.budget);
            if processes > 0 {
                plan.rows.push((task, processes, expected));
            } else if task.records.is_empty() {
                plan.left_out.push((task, expected));
            }
        }
        Ok(plan)
    }

    /// Measures the tasks, quickest first, in as many passes over all of them as there are processes a cell, so that what
    /// the machine does for a while meets a part of each cell's processes. Appends each record as soon as it is there.
    ///
    /// Where time is left, each next process goes where it lowers the squared error of a median most a second.
    pub(crate) fn run(
        &self,
        mut tasks: Vec<Task>,
        known: &[Record],
        mut told: impl FnMut(&Record) -> Result<(), Failure>,
    ) -> Result<Done, Failure> {
        let watch = Stopwatch::start();
        let mut forecast = self.forecast(known.iter().chain(tasks.iter().flat_map(|task| &task.records)))?;
        self.sort(&mut tasks, &forecast);
        let references = Scratch::new()?;
        let left = || {
            self.limit.map_or(f64::INFINITY, |limit| {
                (limit.saturating_sub(watch.elapsed())).as_secs_f64()
            })
        };
        let mut one = |task: &mut Task, forecast: &mut Forecast| {
            let mut record = Errand {
                case: task.case.clone(),
                budget: self.budget,
                weights: self.weights.clone(),
                calibration: self.calibration.clone().map(PathBuf::into_os_string),
                references: references.path().into(),
            }
            .send(self.cx);
            record.process = u32::try_from(task.records.len()).ok();
            append(&task.file, &record)?;
            told(&record)?;
            forecast.learn(&record);
            task.records.push(record);
            Ok::<(), Failure>(())
        };
        for pass in 0..self.processes {
            for index in order(&tasks, pass) {
                let task = &mut tasks[index];
                let seconds = forecast.of(&task.case, &self.budget).all_ns / 1e9;
                if task.records.len() <= pass && task.goes_on() && seconds <= left() {
                    one(task, &mut forecast)?;
                }
            }
        }
        while self.limit.is_some() {
            let costs = tasks
                .iter()
                .map(|task| forecast.of(&task.case, &self.budget).all_ns / 1e9);
            let Some(index) = most_useful(&tasks, costs, left()) else {
                break;
            };
            one(&mut tasks[index], &mut forecast)?;
        }
        let short = |(index, task): (usize, &Task)| {
            (task.goes_on() && task.records.len() < self.processes).then_some(index)
        };
        let short = tasks.iter().enumerate().filter_map(short).collect();
        Ok(Done { tasks, short })
    }

    fn sort(&self, tasks: &mut [Task], forecast: &Forecast) {
        tasks.sort_by_cached_key(|task| {
            let expected = forecast.of(&task.case, &self.budget);
            (expected.all_ns as u64, task.case.clone(), task.file.clone())
        });
    }
}

/// The order of a pass: tasks of one case change places with each pass, so that neither is always the first.
fn order(tasks: &[Task], pass: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    if pass % 2 == 1 {
        for twins in order.chunk_by_mut(|a, b| tasks[*a].case == tasks[*b].case) {
            twins.reverse();
        }
    }
    order
}

/// The task that gains most by another process, among those that have time for one.
fn most_useful(tasks: &[Task], seconds: impl Iterator<Item = f64>, left: f64) -> Option<usize> {
    let may = |task: &Task, seconds: f64| {
        let processes = task.records.len();
        (1..MOST_PROCESSES).contains(&processes) && task.goes_on() && seconds <= left
    };
    let uses = tasks.iter().zip(seconds).enumerate();
    let uses = uses
        .filter(|(_, (task, seconds))| may(task, *seconds))
        .map(|(index, (task, seconds))| (index, task.use_of_another(seconds)));
    uses.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index)
}

fn is_this(machine: &Machine, this: &Machine) -> bool {
    harness::verdict::same_machine(machine, this)
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::Provenance;

    fn task(case: &str, file: &str, ms: &[u64]) -> Task {
        let mut task = Task::new(case.parse().expect("a case"), Path::new(file));
        let record = |ms: &u64| {
            let samples = vec![ms * 1_000_000; 5];
            Record::new(
                task.case.clone(),
                Record::now(),
                Ok(samples),
                Provenance::default(),
            )
        };
        task.records = ms.iter().map(record).collect();
        task
    }

    const DECODE: &str = "preprocess/decode";
    const W18: &str = "HRNet_W18_C/f32/bs1/crop224/cpu/t2";

    #[test]
    fn tasks_of_one_case_change_places_with_each_pass() {
        let tasks = [
            task(DECODE, "a", &[]),
            task(DECODE, "b", &[]),
            task(W18, "a", &[]),
        ];
        assert_eq!(order(&tasks, 0), [0, 1, 2]);
        assert_eq!(order(&tasks, 1), [1, 0, 2]);
        assert_eq!(order(&tasks, 2), [0, 1, 2]);
    }

    #[test]
    fn time_that_is_left_goes_where_times_spread_most_for_its_cost() {
        let calm = task(DECODE, "a", &[100, 101, 100, 102]);
        let wild = task(W18, "a", &[100, 150, 100, 130]);
        let tasks = [calm, wild];
        let pick = |costs: [f64; 2], left| most_useful(&tasks, costs.into_iter(), left);
        assert_eq!(pick([1.0, 1.0], 10.0), Some(1), "the one that spreads");
        assert_eq!(pick([0.001, 9.0], 10.0), Some(0), "unless it costs too much");
        assert_eq!(pick([1.0, 20.0], 10.0), Some(0), "or does not fit");
        assert_eq!(pick([11.0, 20.0], 10.0), None);

        let mut failed = tasks[1].clone();
        failed.records[0].error = Some("no memory".into());
        let enough = task(DECODE, "a", &[100; MOST_PROCESSES]);
        let without = task(DECODE, "a", &[]);
        let none = [failed, enough, without];
        assert_eq!(most_useful(&none, [1.0; 3].into_iter(), 10.0), None);
    }

    #[test]
    fn a_plan_leaves_out_what_takes_longest() {
        let cx = Context::embedded();
        let campaign = |limit: Option<u64>, processes| Campaign {
            cx: &cx,
            weights: None,
            calibration: None,
            budget: Budget::QUICK,
            processes,
            limit: limit.map(Duration::from_secs),
        };
        let tasks = || {
            vec![
                task("HRNet_W64_C/f32/bs8/crop224/candle/t1", "a", &[]),
                task(W18, "a", &[50]),
                task(DECODE, "a", &[]),
            ]
        };
        let plan = |limit, processes| campaign(limit, processes).plan(tasks(), &[]).expect("a plan");
        let all = plan(None, 1);
        let cells: Vec<String> = all.rows.iter().map(|(task, ..)| task.case.to_string()).collect();
        assert_eq!(
            cells,
            [DECODE, "HRNet_W64_C/f32/bs8/crop224/candle/t1"],
            "one is there already"
        );
        let twice = plan(None, 2);
        let processes: Vec<usize> = twice.rows.iter().map(|(_, processes, _)| *processes).collect();
        assert_eq!(processes, [2, 1, 2]);
        let short = plan(Some(8), 1);
        assert_eq!((short.rows.len(), short.left_out.len()), (1, 1));
        assert!(
            short.all_ns <= 8e9 && short.left_out[0].1.all_ns > 8e9,
            "{short:?}"
        );
    }
}

use std::cell::RefCell;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};

use crate::{Case, Cell, WarmUp};

/// Samples a cell, unless `--sample-size` says otherwise.
const SAMPLES: usize = 10;

/// Modes of criterion's command line in which it takes no samples, or not as many as it says.
const OTHER_MODES: [&str; 4] = ["--test", "--list", "--quick", "--profile-time"];

/// Benchmark cells under criterion, with its command line, filters, baselines and pages.
pub struct Suite {
    criterion: Criterion,
    /// Samples that criterion takes; `None` in [`OTHER_MODES`].
    samples: Option<usize>,
}

impl Suite {
    /// A suite that obeys the process's arguments, as `cargo bench -- ARGS` passes them.
    pub fn from_args() -> Self {
        let criterion = Criterion::default()
            .sample_size(SAMPLES)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(2))
            .configure_from_args();
        let arguments: Vec<String> = std::env::args().collect();
        Self {
            criterion,
            samples: samples(&arguments),
        }
    }

    /// Measures one cell, and gives the warm-up and every run of criterion's samples, ns; nothing if criterion's filter does
    /// not pick the cell, or its mode takes no samples. `prepare` runs only if the filter picks the cell, and once.
    ///
    /// Sampling is flat: every sample has the same number of runs, so that a slow network costs ten runs rather
    /// than criterion's usual fifty-five.
    ///
    /// # Panics
    /// If the cell cannot be prepared or fails, which ends the suite: a broken cell has no time.
    pub fn bench(
        &mut self,
        case: &Case,
        prepare: impl FnOnce() -> Result<Cell, String>,
    ) -> Option<(WarmUp, Vec<u64>)> {
        let id = case.to_string();
        let (group, name) = id.split_once('/').expect("a case id has parts");
        let mut group = self.criterion.benchmark_group(group);
        group
            .sampling_mode(SamplingMode::Flat)
            .throughput(Throughput::Elements(case.images() as u64));
        let mut prepare = Some(prepare);
        let mut cell = None;
        let calls = RefCell::new(Vec::new());
        group.bench_function(name, |bencher| {
            if let Some(prepare) = prepare.take() {
                cell = Some(prepare().unwrap_or_else(|error| panic!("{id}: {error}")));
            }
            let cell = cell.as_mut().expect("prepared above");
            bencher.iter_custom(|runs| {
                let time = |_| cell.time().unwrap_or_else(|error| panic!("{id}: {error}"));
                let times: Vec<u64> = (0..runs).map(time).collect();
                let sum = times.iter().sum();
                calls.borrow_mut().push(times);
                Duration::from_nanos(sum)
            });
        });
        group.finish();
        split(&calls.into_inner(), self.samples?)
    }

    /// Measures a step that is no cell and is not recorded, under an id of two parts, as `pose/crop`. `prepare` runs only if
    /// criterion's filter picks the step.
    ///
    /// # Panics
    /// If the id has one part.
    pub fn step<R: FnMut()>(&mut self, id: &str, prepare: impl FnOnce() -> R) {
        let (group, name) = id.split_once('/').expect("an id of two parts");
        let mut group = self.criterion.benchmark_group(group);
        group.sampling_mode(SamplingMode::Flat);
        let (mut prepare, mut run) = (Some(prepare), None);
        group.bench_function(name, |bencher| {
            if let Some(prepare) = prepare.take() {
                run = Some(prepare());
            }
            bencher.iter(run.as_mut().expect("prepared above"));
        });
        group.finish();
    }

    /// Prints criterion's closing summary.
    pub fn finish(self) {
        self.criterion.final_summary();
    }
}

/// The number of samples that criterion takes with these arguments.
fn samples(arguments: &[String]) -> Option<usize> {
    let is_other = |argument: &String| OTHER_MODES.contains(&argument.split('=').next().unwrap_or_default());
    if arguments.iter().any(is_other) {
        return None;
    }
    let place = arguments.iter().position(|argument| {
        argument.starts_with("--sample-size=") || argument == "--sample-size" || argument == "-n"
    });
    match place {
        None => Some(SAMPLES),
        Some(place) => {
            let value = arguments[place]
                .split_once('=')
                .map(|(_, value)| value)
                .or_else(|| arguments.get(place + 1).map(String::as_str));
            value?.parse().ok()
        }
    }
}

/// The runs of the last so many calls, which are criterion's samples, apart from those before, which are its warm-up.
fn split(calls: &[Vec<u64>], samples: usize) -> Option<(WarmUp, Vec<u64>)> {
    let (before, sampled) = calls.split_at_checked(calls.len().checked_sub(samples)?)?;
    let runs = sampled.first()?.len();
    let is_flat = sampled.iter().all(|call| call.len() == runs);
    if before.is_empty() || !is_flat {
        return None;
    }
    Some((WarmUp::of(&before.concat()), sampled.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_arguments_tell_how_many_samples_there_are() {
        for (text, expected) in [
            ("network --bench", Some(10)),
            ("network --sample-size 20 --bench", Some(20)),
            ("network --sample-size=30", Some(30)),
            ("network --save-baseline x", Some(10)),
            ("network --test", None),
            ("network --profile-time 5", None),
            ("network --profile-time=5", None),
            ("network --quick", None),
        ] {
            assert_eq!(samples(&arguments(text)), expected, "{text}");
        }
    }

    #[test]
    fn criterions_samples_come_back_run_by_run_without_its_warm_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let criterion = Criterion::default()
            .output_directory(folder.path())
            .without_plots()
            .sample_size(12)
            .warm_up_time(Duration::from_millis(5))
            .measurement_time(Duration::from_millis(20));
        let mut suite = Suite {
            criterion,
            samples: Some(12),
        };
        let case: Case = "preprocess/decode".parse().expect("a case");
        let mut run = 0;
        let cell = Cell::clocked(move || {
            run += 1;
            std::thread::sleep(Duration::from_micros(100));
            Ok(100_000 + run)
        });
        let (warm_up, times) = suite.bench(&case, || Ok(cell)).expect("measured");
        assert!(warm_up.runs > 0);
        assert_eq!(times.len() % 12, 0, "{} runs", times.len());
        let first = 100_000 + warm_up.runs as u64 + 1;
        let expected: Vec<u64> = (first..first + times.len() as u64).collect();
        assert_eq!(times, expected, "every run after the warm-up, in order");
        assert!(folder.path().join("preprocess/decode/new/sample.json").is_file());
        suite.finish();
    }

    #[test]
    fn calls_that_are_no_samples_make_none() {
        assert_eq!(split(&[vec![5]], 10), None, "a test run");
        assert_eq!(split(&[vec![5], vec![6, 7]], 2), None, "no warm-up");
        assert_eq!(split(&[vec![4], vec![5], vec![6, 7]], 2), None, "not flat");
        let (warm_up, times) = split(&[vec![4], vec![5, 5], vec![6, 7], vec![8, 9]], 2).expect("samples");
        assert_eq!((warm_up.runs, times), (3, vec![6, 7, 8, 9]));
    }
}

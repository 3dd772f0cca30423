use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};

use crate::{Case, Cell};

/// Benchmark cells under criterion, with its command line, filters, baselines and pages.
pub struct Suite {
    criterion: Criterion,
}

impl Suite {
    /// A suite that obeys the process's arguments, as `cargo bench -- ARGS` passes them.
    pub fn from_args() -> Self {
        let criterion = Criterion::default()
            .sample_size(10)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(2))
            .configure_from_args();
        Self { criterion }
    }

    /// Measures one cell. `prepare` runs only if criterion's filter picks the cell, and once.
    ///
    /// Sampling is flat: every sample has the same number of runs, so that a slow network costs ten runs rather
    /// than criterion's usual fifty-five.
    ///
    /// # Panics
    /// If the cell cannot be prepared or fails, which ends the suite: a broken cell has no time.
    pub fn bench(&mut self, case: &Case, prepare: impl FnOnce() -> Result<Cell, String>) {
        let id = case.to_string();
        let (group, name) = id.split_once('/').expect("a case id has parts");
        let mut group = self.criterion.benchmark_group(group);
        group
            .sampling_mode(SamplingMode::Flat)
            .throughput(Throughput::Elements(case.images() as u64));
        let mut prepare = Some(prepare);
        let mut cell = None;
        group.bench_function(name, |bencher| {
            if let Some(prepare) = prepare.take() {
                cell = Some(prepare().unwrap_or_else(|error| panic!("{id}: {error}")));
            }
            let cell = cell.as_mut().expect("prepared above");
            bencher.iter_custom(|runs| {
                (0..runs).fold(Duration::ZERO, |sum, _| {
                    let ns = cell.time().unwrap_or_else(|error| panic!("{id}: {error}"));
                    sum + Duration::from_nanos(ns)
                })
            });
        });
        group.finish();
    }

    /// Prints criterion's closing summary.
    pub fn finish(self) {
        self.criterion.final_summary();
    }
}

use std::num::NonZeroUsize;

use clap::Args;
use harness::{Stopwatch, Summary};
use hrnet::{Precision, SeededWeights, Shape};
use runtime::{Options, Session, StepCost};
use serde::Serialize;

use crate::bench::macs_per_s;
use crate::context::Context;
use crate::output::table;
use crate::{Exit, Failure};

/// Say where a network's time goes: each kind of fused step, its share, and its share of the machine's peak
///
/// Effective rates count the multiply-accumulates of the layer's definition, so that an algorithm that does fewer can
/// pass the peak, which is measured in the same run. Weights do not change the times; seeded ones are used.
#[derive(Debug, Args)]
pub(crate) struct Profile {
    /// The variant, as `zoo list` names it
    name: String,
    /// Images a batch
    #[arg(short, long, default_value = "1")]
    batch: NonZeroUsize,
    /// Threads
    #[arg(long, default_value = "1")]
    threads: NonZeroUsize,
    /// The side of the input; without it the published crop
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// What runs it: a backend that has fused steps
    #[arg(long, default_value = "cpu")]
    backend: String,
    /// Runs that are timed
    #[arg(long, default_value = "20")]
    runs: NonZeroUsize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// All steps of one kind.
#[derive(Serialize)]
struct Row {
    kind: String,
    steps: usize,
    macs: u64,
    weight_bytes: usize,
    /// The median over the runs of the time of all of them.
    time_ns: f64,
}

#[derive(Serialize)]
struct Profiled {
    variant: String,
    batch: usize,
    threads: usize,
    rows: Vec<Row>,
    total_ns: f64,
    peak_macs_per_ns: f64,
}

impl Profile {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let variant = cx.variant(&self.name)?;
        let size = self.size.unwrap_or(variant.preprocess.crop);
        let graph = variant.spec.graph(Shape::square(self.batch.get(), size))?;
        let backend = runtime::backend(&self.backend)?;
        let options = Options {
            threads: self.threads,
            ..Options::new(Precision::F32)
        };
        let mut session = backend.prepare(&graph, &SeededWeights::new(0), options)?;
        let steps = session.steps();
        if steps.is_empty() {
            let what = format!("backend {} has no fused steps to time", backend.name());
            return Err(Failure::new(Exit::Usage, what).help("try --backend cpu"));
        }
        let times = self.times(session.as_mut(), steps.len())?;
        let rows = rows(&steps, &times);
        let profiled = Profiled {
            variant: variant.name.clone(),
            batch: self.batch.get(),
            threads: self.threads.get(),
            total_ns: rows.iter().map(|row| row.time_ns).sum(),
            rows,
            peak_macs_per_ns: macs_per_s(runtime::unit()?, self.threads.get()) / 1e9,
        };
        if self.json {
            cx.out.json(&profiled)
        } else {
            cx.out.data(&profiled.text())
        }
    }

    /// For each run the time of each step, ns.
    fn times(&self, session: &mut dyn Session, steps: usize) -> Result<Vec<Vec<u64>>, Failure> {
        let images = vec![0.5; session.input_shape().elements()];
        let mut logits = vec![0.0; session.output_shape().elements()];
        session.run(&images, &mut logits)?;
        let mut times = Vec::with_capacity(self.runs.get());
        for _ in 0..self.runs.get() {
            let mut laps = Vec::with_capacity(steps);
            let mut watch = Stopwatch::start();
            session.run_watched(&images, &mut logits, &mut |_| laps.push(watch.lap_ns()))?;
            times.push(laps);
        }
        Ok(times)
    }
}

/// The kinds of steps, longest first.
fn rows(steps: &[StepCost], times: &[Vec<u64>]) -> Vec<Row> {
    let mut rows: Vec<(Row, Vec<u64>)> = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let place = rows.iter().position(|(row, _)| row.kind == step.kind);
        let place = place.unwrap_or_else(|| {
            let row = Row {
                kind: step.kind.clone(),
                steps: 0,
                macs: 0,
                weight_bytes: 0,
                time_ns: 0.0,
            };
            rows.push((row, vec![0; times.len()]));
            rows.len() - 1
        });
        let (row, sums) = &mut rows[place];
        row.steps += 1;
        row.macs += step.macs;
        row.weight_bytes += step.weight_bytes;
        for (sum, laps) in sums.iter_mut().zip(times) {
            *sum += laps[index];
        }
    }
    let median = |sums: &[u64]| Summary::of(sums).map_or(0.0, |summary| summary.median_ns);
    let mut rows: Vec<Row> = rows
        .into_iter()
        .map(|(row, sums)| Row {
            time_ns: median(&sums),
            ..row
        })
        .collect();
    rows.sort_by(|a, b| b.time_ns.total_cmp(&a.time_ns));
    rows
}

impl Profiled {
    fn text(&self) -> String {
        let rate = |macs: u64, ns: f64| macs as f64 / ns;
        let line = |kind: &str, steps: usize, macs: u64, bytes: usize, ns: f64| {
            let (gmacs, of_peak) = match macs {
                0 => (String::new(), String::new()),
                _ => {
                    let rate = rate(macs, ns);
                    (
                        format!("{rate:.0}"),
                        format!("{:.0} %", 100.0 * rate / self.peak_macs_per_ns),
                    )
                }
            };
            vec![
                kind.to_owned(),
                steps.to_string(),
                format!("{:.1}", macs as f64 / 1e6),
                format!("{:.1}", bytes as f64 / f64::from(1 << 20)),
                format!("{:.3}", ns / 1e6),
                format!("{:.1} %", 100.0 * ns / self.total_ns),
                gmacs,
                of_peak,
            ]
        };
        let rows = &self.rows;
        let whole = line(
            "all",
            rows.iter().map(|row| row.steps).sum(),
            rows.iter().map(|row| row.macs).sum(),
            rows.iter().map(|row| row.weight_bytes).sum(),
            self.total_ns,
        );
        let lines = rows
            .iter()
            .map(|row| line(&row.kind, row.steps, row.macs, row.weight_bytes, row.time_ns));
        let header = [
            "step",
            ">steps",
            ">MMACs",
            ">weights MiB",
            ">ms",
            ">share",
            ">GMAC/s",
            ">of peak",
        ];
        format!(
            "{}, batch {}, {} threads; peak {:.1} GMAC/s\n{}",
            self.variant,
            self.batch,
            self.threads,
            self.peak_macs_per_ns,
            table(&header, lines.chain([whole])),
        )
    }
}

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use harness::{Case, LayerTimes, NetworkCase, Provenance, Record, StepSum, StepTimes, Stopwatch};
use hrnet::{Precision, SeededWeights, Shape};
use runtime::{Options, Session};
use serde::Serialize;

use crate::bench::{all_threads, macs_per_s, provenance};
use crate::context::Context;
use crate::files::write_whole;
use crate::output::table;
use crate::{Exit, Failure};

/// Seed of the stand-in weights.
const SEED: u64 = 0;

/// Say where a network's time goes: each kind of fused step, its share, and its share of the machine's peak
///
/// Effective rates count the multiply-accumulates of the layer's definition, so that an algorithm that does fewer can
/// pass the peak, which is measured in the same run. Weights do not change the times; seeded ones are used.
#[derive(Debug, Args)]
pub(crate) struct Profile {
    /// The variant, as `zoo list` names it
    name: String,
    /// The number format
    #[arg(long, default_value = "f32")]
    precision: Precision,
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
    /// Also write the time of each step in each run as JSON; `zoo report` draws a file named layers.json that lies beside
    /// its records
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// All steps of one kind.
#[derive(Serialize)]
struct Row<'a> {
    kind: &'a str,
    steps: usize,
    macs: u64,
    weight_bytes: usize,
    /// The median over the runs of the time of all of them.
    time_ns: f64,
}

#[derive(Serialize)]
struct Profiled<'a> {
    variant: &'a str,
    batch: usize,
    threads: usize,
    rows: Vec<Row<'a>>,
    total_ns: f64,
    peak_macs_per_ns: f64,
}

impl Profile {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let times = self.times(cx)?;
        if let Some(file) = &self.out {
            write(file, &times)?;
        }
        let mut kinds = times.by(|step| step.kind.as_str());
        kinds.sort_by(|a, b| b.time_ns.total_cmp(&a.time_ns));
        if self.json {
            cx.out.json(&self.profiled(&times, &kinds))
        } else {
            cx.out.data(&self.text(&times, &kinds))
        }
    }

    /// The time of each step of the network in each run.
    fn times(&self, cx: &Context) -> Result<LayerTimes, Failure> {
        let variant = cx.variant(&self.name)?;
        let crop = self.size.unwrap_or(variant.preprocess.crop);
        let graph = variant.spec.graph(Shape::square(self.batch.get(), crop))?;
        let backend = runtime::backend(&self.backend)?;
        let options = Options::new(self.precision).threads(self.threads);
        let started = Record::now();
        let mut session = backend.prepare(&graph, &SeededWeights::new(SEED), options)?;
        let steps = self.steps(session.as_mut())?;
        if steps.is_empty() {
            let what = format!("backend {} has no fused steps to time", backend.name());
            return Err(Failure::new(Exit::Usage, what).help("try --backend cpu"));
        }
        Ok(LayerTimes {
            schema: LayerTimes::SCHEMA,
            case: Case::Network(NetworkCase {
                variant: variant.name.clone(),
                precision: self.precision,
                batch: self.batch.get(),
                crop,
                backend: backend.name().to_owned(),
                threads: self.threads.get(),
            }),
            started,
            peak_macs_per_s: macs_per_s(runtime::unit()?, self.threads.get()),
            steps,
            provenance: Provenance {
                weights: format!("seeded:{SEED}"),
                ..provenance()
            },
        })
    }

    /// The steps of the session with the time of each in each run.
    fn steps(&self, session: &mut dyn Session) -> Result<Vec<StepTimes>, Failure> {
        let steps = session.steps().into_iter().map(|step| StepTimes {
            layer: step.layer,
            kind: step.kind,
            macs: step.macs,
            weight_bytes: step.weight_bytes,
            samples_ns: Vec::with_capacity(self.runs.get()),
        });
        let mut steps: Vec<StepTimes> = steps.collect();
        let images = vec![0.5; session.input_shape().elements()];
        let mut logits = vec![0.0; session.output_shape().elements()];
        session.run(&images, &mut logits)?;
        for _ in 0..self.runs.get() {
            let mut laps = Vec::with_capacity(steps.len());
            let mut watch = Stopwatch::start();
            session.run_watched(&images, &mut logits, &mut |_| laps.push(watch.lap_ns()))?;
            for (step, ns) in steps.iter_mut().zip(laps) {
                step.samples_ns.push(ns);
            }
        }
        Ok(steps)
    }

    fn profiled<'a>(&'a self, times: &LayerTimes, kinds: &[StepSum<&'a str>]) -> Profiled<'a> {
        let row = |sum: &StepSum<&'a str>| Row {
            kind: sum.key,
            steps: sum.steps,
            macs: sum.macs,
            weight_bytes: sum.weight_bytes,
            time_ns: sum.time_ns,
        };
        Profiled {
            variant: &self.name,
            batch: self.batch.get(),
            threads: self.threads.get(),
            rows: kinds.iter().map(row).collect(),
            total_ns: kinds.iter().map(|sum| sum.time_ns).sum(),
            peak_macs_per_ns: times.peak_macs_per_s / 1e9,
        }
    }

    fn text(&self, times: &LayerTimes, kinds: &[StepSum<&str>]) -> String {
        let all = times.all();
        let lines = kinds.iter().map(|sum| line(sum.key, sum, times));
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
            self.name,
            self.batch,
            self.threads,
            times.peak_macs_per_s / 1e9,
            table(&header, lines.chain([line("all", &all, times)])),
        )
    }
}

fn line<K>(name: &str, sum: &StepSum<K>, times: &LayerTimes) -> Vec<String> {
    let rate = |text: fn(f64, f64) -> String| {
        let rate = sum.macs_per_s();
        rate.map_or(String::new(), |rate| text(rate, times.peak_macs_per_s))
    };
    vec![
        name.to_owned(),
        sum.steps.to_string(),
        format!("{:.1}", sum.macs as f64 / 1e6),
        format!("{:.1}", sum.weight_bytes as f64 / f64::from(1 << 20)),
        format!("{:.3}", sum.time_ns / 1e6),
        format!("{:.1} %", 100.0 * sum.time_ns / times.all().time_ns),
        rate(|rate, _| format!("{:.0}", rate / 1e9)),
        rate(|rate, peak| format!("{:.0} %", 100.0 * rate / peak)),
    ]
}

fn write(file: &Path, times: &LayerTimes) -> Result<(), Failure> {
    let json = serde_json::to_string(times).expect("our types have string keys");
    write_whole(file, (json + "\n").as_bytes())
}

/// Times the steps of the smallest network on all threads and writes them into the folder of a night.
///
/// # Errors
/// If it cannot be prepared or run, or the file not be written.
pub(crate) fn write_smallest(cx: &Context, folder: &Path, runs: NonZeroUsize) -> Result<(), Failure> {
    let variants = &cx.zoo()?.variants;
    let work = |variant: &&registry::Variant| {
        let graph = variant.spec.graph(Shape::square(1, variant.preprocess.crop));
        graph.map_or(u64::MAX, |graph| graph.profile().macs().0)
    };
    let Some(smallest) = variants.iter().min_by_key(work) else {
        return Ok(());
    };
    let profile = Profile {
        name: smallest.name.clone(),
        precision: Precision::F32,
        batch: NonZeroUsize::MIN,
        threads: NonZeroUsize::new(all_threads()).unwrap_or(NonZeroUsize::MIN),
        size: None,
        backend: "cpu".into(),
        runs,
        out: None,
        json: false,
    };
    write(&folder.join(report::LAYERS), &profile.times(cx)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_gets_every_step_of_the_smallest_network() {
        let folder = tempfile::tempdir().expect("a folder");
        let runs = NonZeroUsize::new(2).expect("not zero");
        write_smallest(&Context::embedded(), folder.path(), runs).expect("timed");
        let layers = report::layers(folder.path()).expect("readable").expect("written");
        let case = layers.case.network().expect("a network");
        assert_eq!((case.batch, case.threads), (1, all_threads()));
        assert!(layers.steps.iter().all(|step| step.samples_ns.len() == 2));
        let zoo = Context::embedded();
        let macs = zoo.zoo().expect("the manifest").variants.iter().map(|variant| {
            let graph = variant.spec.graph(Shape::square(1, variant.preprocess.crop));
            graph.expect("a network").profile().macs().0
        });
        assert_eq!(Some(layers.all().macs), macs.min());
    }
}

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use harness::{
    Case, LayerTimes, Multiplied, NetworkCase, Provenance, Record, StepSum, StepTimes, Stopwatch, counted,
};
use hrnet::{Precision, Shape, Size};
use kernels::engine::Isa;
use runtime::{Options, Session};
use serde::Serialize;

use super::bench::warn_of_debug;
use crate::bench::{all_threads, peak, peaks, provenance};
use crate::calibration::{Calibrated, CalibrationArg, refuse_unused};
use crate::context::Context;
use crate::counts::{BATCH, RUNS, THREADS, count, size};
use crate::files::{check_output, write_whole};
use crate::model::{Choice, Weights, WeightsArg};
use crate::output::table;
use crate::{Exit, Failure, memory};

/// Show where a network's time goes, by kind of step
///
/// Effective rates count the multiply-accumulates of the layer's definition, so an algorithm that needs fewer can exceed the
/// peak. The peak is the rate of the instruction that multiplies the step's number format on the unit that runs the step, the
/// vector unit or tiles, measured in the same run. Weights hardly change the times; --calibration needs the weights that it was made with.
#[derive(Debug, Args)]
pub(crate) struct Profile {
    /// Variant, e.g. HRNet_W18_C or W18
    name: String,
    /// Number format
    #[arg(long, default_value = "f32")]
    precision: Precision,
    /// Weight file, or `seeded:N` for random weights
    #[arg(long, value_name = "FILE[#KEY]|seeded:N", default_value = "seeded:0")]
    weights: WeightsArg,
    #[command(flatten)]
    calibration: CalibrationArg,
    /// Images per batch
    #[arg(short, long, default_value = "1", value_parser = count::<BATCH>)]
    batch: NonZeroUsize,
    /// Threads
    #[arg(long, default_value = "1", value_parser = count::<THREADS>)]
    threads: NonZeroUsize,
    /// Size of the input, as 224, or height and width as 256x192 [default: the published one]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    size: Option<Size>,
    /// Backend, one that has fused steps
    #[arg(long, default_value = "cpu")]
    backend: String,
    /// Number of timed runs
    #[arg(long, default_value = "20", value_parser = count::<RUNS>)]
    runs: NonZeroUsize,
    /// Also write the time of each step in each run as JSON; `zoo report` draws a file named layers.json beside its records
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The sum of all steps of one kind.
#[derive(Serialize)]
struct Row<'a> {
    kind: &'a str,
    steps: usize,
    macs: u64,
    weight_bytes: usize,
    /// Number format of the operands.
    #[serde(skip_serializing_if = "Option::is_none")]
    operands: Option<Precision>,
    /// True if a matrix unit multiplies them.
    on_tiles: bool,
    /// Rate, as a share of the peak of the unit that multiplies these operands.
    #[serde(skip_serializing_if = "Option::is_none")]
    share_of_peak: Option<f64>,
    /// Time of all steps of this kind in ns, the median over the runs.
    time_ns: f64,
}

#[derive(Serialize)]
struct Profiled<'a> {
    variant: &'a str,
    precision: Precision,
    batch: usize,
    threads: usize,
    rows: Vec<Row<'a>>,
    total_ns: f64,
    peak_macs_per_ns: f64,
    /// Peak rates of the vector unit by number format of the operands.
    peaks_macs_per_ns: BTreeMap<Precision, f64>,
    /// The same of the matrix unit, for the formats that steps multiply on it.
    tile_peaks_macs_per_ns: BTreeMap<Precision, f64>,
}

/// The kind of a step.
#[derive(Clone, Copy, PartialEq)]
struct Kind<'a> {
    name: &'a str,
    multiplied: Option<Multiplied>,
}

impl Profile {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        self.out.as_deref().map_or(Ok(()), check_output)?;
        warn_of_debug(cx);
        let times = self.times(cx)?;
        if let Some(file) = &self.out {
            write(file, &times)?;
        }
        let mut kinds = times.by(|step| Kind {
            name: step.kind.as_str(),
            multiplied: step.multiplied(),
        });
        kinds.sort_by(|a, b| b.time_ns.total_cmp(&a.time_ns));
        if self.json {
            cx.out.json(&self.profiled(&times, &kinds))
        } else {
            cx.out.data(&self.text(&times, &kinds))
        }
    }

    /// Returns the time of each step of the network in each run.
    fn times(&self, cx: &Context) -> Result<LayerTimes, Failure> {
        let calibration = self.calibration.file.as_deref();
        refuse_unused(calibration, &[self.precision])?;
        let variant = cx.variant(&self.name)?;
        let size = self.size.unwrap_or(variant.preprocess.size());
        let graph = variant.spec.graph(Shape::images(self.batch.get(), size))?;
        memory::check_graph(&variant.name, &graph, self.precision)?;
        let backend = runtime::backend(&self.backend)?;
        let choice = Choice::Given(self.weights.clone());
        let weights = Weights::load(cx, variant, &graph, &choice)?;
        let mut about = weights.about(cx)?;
        let mut options = Options::new(self.precision).threads(self.threads);
        if let Some(file) = calibration {
            let identity = || weights.identity(cx);
            let calibrated = Calibrated::read(cx, file, variant, identity)?;
            about = calibrated.about(&about);
            options.calibration = Some(calibrated.calibration);
        }
        let started = Record::now();
        let mut session = backend.prepare(&graph, weights.source.as_ref(), options)?;
        let steps = self.steps(session.as_mut())?;
        if steps.is_empty() {
            let what = format!("backend {} has no fused steps to time", backend.name());
            return Err(Failure::new(Exit::Usage, what).help("try --backend cpu"));
        }
        let unit = match session.unit() {
            Some(name) => Isa::named(name)?,
            None => runtime::unit()?,
        };
        let peaks = peaks(unit.vectors(), self.threads.get());
        let on_tiles = |precision: &Precision| {
            let multiplied = |step: &StepTimes| step.on_tiles && step.operands == Some(*precision);
            steps.iter().any(multiplied)
        };
        let tile_peak = |precision| {
            let format = runtime::operands(precision, unit);
            Some((precision, peak(unit, format, self.threads.get())?))
        };
        let on_tiles = Precision::ALL.into_iter().filter(on_tiles);
        Ok(LayerTimes {
            schema: LayerTimes::SCHEMA,
            case: Case::Network(NetworkCase {
                variant: variant.name.clone(),
                precision: self.precision,
                batch: self.batch.get(),
                crop: size,
                backend: backend.name().to_owned(),
                threads: self.threads.get(),
            }),
            started,
            peak_macs_per_s: peaks.get(&Precision::F32).copied().unwrap_or_default(),
            peaks_macs_per_s: peaks,
            tile_peaks_macs_per_s: on_tiles.filter_map(tile_peak).collect(),
            steps,
            provenance: Provenance {
                weights: about,
                weights_check: weights.check(cx)?,
                ..provenance()
            },
        })
    }

    /// Returns the steps of the session with their time in each run.
    fn steps(&self, session: &mut dyn Session) -> Result<Vec<StepTimes>, Failure> {
        let steps = session.steps().into_iter().map(|step| StepTimes {
            layer: step.layer,
            kind: step.kind,
            macs: step.macs,
            operands: step.operands,
            on_tiles: step.on_tiles,
            weight_bytes: step.weight_bytes,
            samples_ns: Vec::with_capacity(self.runs.get()),
        });
        let mut steps: Vec<StepTimes> = steps.collect();
        let images = vec![0.5; session.input_shape().elements()];
        let mut results = vec![0.0; session.shapes().results()];
        session.run(&images, &mut results)?;
        for _ in 0..self.runs.get() {
            let mut laps = Vec::with_capacity(steps.len());
            let mut watch = Stopwatch::start();
            session.run_watched(&images, &mut results, &mut |_| laps.push(watch.lap_ns()))?;
            for (step, ns) in steps.iter_mut().zip(laps) {
                step.samples_ns.push(ns);
            }
        }
        Ok(steps)
    }

    fn profiled<'a>(&'a self, times: &LayerTimes, kinds: &[StepSum<Kind<'a>>]) -> Profiled<'a> {
        let row = |sum: &StepSum<Kind<'a>>| Row {
            kind: sum.key.name,
            steps: sum.steps,
            macs: sum.macs,
            weight_bytes: sum.weight_bytes,
            operands: sum.key.multiplied.map(|multiplied| multiplied.operands),
            on_tiles: sum.key.multiplied.is_some_and(|multiplied| multiplied.on_tiles),
            share_of_peak: sum.share_of_peak(),
            time_ns: sum.time_ns,
        };
        let by_ns = |(precision, peak): (&Precision, &f64)| (*precision, peak / 1e9);
        Profiled {
            variant: &self.name,
            precision: self.precision,
            batch: self.batch.get(),
            threads: self.threads.get(),
            rows: kinds.iter().map(row).collect(),
            total_ns: kinds.iter().map(|sum| sum.time_ns).sum(),
            peak_macs_per_ns: times.peak_macs_per_s / 1e9,
            peaks_macs_per_ns: times.peaks_macs_per_s.iter().map(by_ns).collect(),
            tile_peaks_macs_per_ns: times.tile_peaks_macs_per_s.iter().map(by_ns).collect(),
        }
    }

    fn text(&self, times: &LayerTimes, kinds: &[StepSum<Kind>]) -> String {
        let all = times.all();
        let lines = kinds.iter().map(|sum| line(sum.key.name, sum, all.time_ns));
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
        let peak = |multiplied: Multiplied| {
            let peak = times.peak_of(Some(multiplied)) / 1e9;
            format!("{multiplied} {peak:.1}")
        };
        let peaks: Vec<String> = times.multiplied().into_iter().map(peak).collect();
        format!(
            "{}, {}, batch {}, {}; peak, GMAC/s: {}\n{}",
            self.name,
            self.precision,
            self.batch,
            counted(self.threads.get(), "thread"),
            peaks.join(", "),
            table(&header, lines.chain([line("all", &all, all.time_ns)])),
        )
    }
}

fn line<K>(name: &str, sum: &StepSum<K>, all_ns: f64) -> Vec<String> {
    let or_empty = |text: Option<String>| text.unwrap_or_default();
    vec![
        name.to_owned(),
        sum.steps.to_string(),
        format!("{:.1}", sum.macs as f64 / 1e6),
        format!("{:.1}", sum.weight_bytes as f64 / f64::from(1 << 20)),
        format!("{:.3}", sum.time_ns / 1e6),
        format!("{:.1} %", 100.0 * sum.time_ns / all_ns),
        or_empty(sum.macs_per_s().map(|rate| format!("{:.0}", rate / 1e9))),
        or_empty(sum.share_of_peak().map(|share| format!("{:.0} %", 100.0 * share))),
    ]
}

fn write(file: &Path, times: &LayerTimes) -> Result<(), Failure> {
    let json = serde_json::to_string(times).expect("our types have string keys");
    write_whole(file, (json + "\n").as_bytes())
}

/// Times the steps of the smallest network on all threads and writes them into the folder of a night.
///
/// # Errors
/// If the network cannot be prepared or run, or the file cannot be written.
pub(crate) fn write_smallest(cx: &Context, folder: &Path, runs: NonZeroUsize) -> Result<(), Failure> {
    let variants = cx.zoo()?.classifiers();
    let work = |variant: &&registry::Variant| {
        let graph = variant.spec.graph(variant.input());
        graph.map_or(u64::MAX, |graph| graph.profile().macs().0)
    };
    let Some(smallest) = variants.min_by_key(work) else {
        return Ok(());
    };
    let profile = Profile {
        name: smallest.name.clone(),
        precision: Precision::F32,
        weights: WeightsArg::Seeded(0),
        calibration: CalibrationArg { file: None },
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
        let macs = zoo.zoo().expect("the manifest").classifiers().map(|variant| {
            let graph = variant.spec.graph(variant.input());
            graph.expect("a network").profile().macs().0
        });
        assert_eq!(Some(layers.all().macs), macs.min());
    }
}

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use harness::{Closeness, Interval, counted};
use hrnet::{Graph, Precision, Shape};
use registry::{Preprocess, Variant};
use runtime::{Backend, Options, photo_like};
use serde::Serialize;

use super::bench::{PrecisionArg, precisions};
use super::quantize::prepare;
use crate::bench::REFERENCE;
use crate::calibration::{Calibrated, CalibrationArg, refuse_unused, warn_of_stand_in};
use crate::context::Context;
use crate::counts::{RUNS, THREADS, count};
use crate::files::find_images;
use crate::model::{WeightArgs, Weights};
use crate::output::table;
use crate::photos::PreprocessArg;
use crate::{Exit, Failure, memory};

/// Seed of the first synthetic photo. Lower seeds are those of the photos that stand in for a calibration.
const FIRST: u64 = 1000;

/// Compare the logits of a network in each precision with those in f32
///
/// The reference is our engine in f32 without Winograd. Without --photos the images are synthetic: smooth light, texture and
/// edges, the same on every machine. Random weights magnify rounding and give near ties, so only trained weights on photos show
/// what a precision costs a trained network.
#[derive(Debug, Args)]
pub(crate) struct Fidelity {
    /// Variant, e.g. HRNet_W18_C or W18
    name: String,
    /// Photo or folder of photos, repeatable [default: synthetic images]
    #[arg(long, value_name = "DIR")]
    photos: Vec<PathBuf>,
    #[command(flatten)]
    preprocess: PreprocessArg,
    /// Use at most this many images
    #[arg(long, value_name = "N", default_value = "200", value_parser = count::<RUNS>)]
    limit: NonZeroUsize,
    #[command(flatten)]
    weights: WeightArgs,
    /// Number formats: f32, f16, bf16, i16, int8, or `all` that run here
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "all")]
    precision: Vec<PrecisionArg>,
    #[command(flatten)]
    calibration: CalibrationArg,
    /// Backend [default: the first one in `zoo doctor` that runs the precision]
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Threads [default: all hardware threads]
    #[arg(long, value_name = "N", value_parser = count::<THREADS>)]
    threads: Option<NonZeroUsize>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The result of one precision.
#[derive(Serialize)]
struct Row {
    precision: Precision,
    backend: &'static str,
    images: usize,
    #[serde(flatten)]
    fidelity: harness::Fidelity,
    /// 95 % interval of the agreement.
    agreement: Interval,
    /// Root mean square of the errors, in standard deviations of the reference's logits.
    typical_error_in_deviations: f64,
}

/// Images with the reference's logits, one `[1, classes]` per image.
struct Answered {
    images: Vec<Vec<f32>>,
    logits: Vec<Vec<f32>>,
}

impl Fidelity {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let named = cx.classifier(&self.name)?;
        let variant = named.variant;
        let precisions = precisions(&self.precision);
        refuse_unused(self.calibration.file.as_deref(), &precisions)?;
        let runs = self.backends(cx, &precisions)?;
        let whose = self.weights.whose(cx, named)?;
        let preparation = self.preprocess.choose(cx, variant, &whose)?;
        let graph = variant.spec.graph(Shape::images(1, preparation.profile.size()))?;
        for precision in &precisions {
            memory::check_graph(&variant.name, &graph, *precision)?;
        }
        let weights = self.weights.load(cx, named, &graph)?;
        let calibration = self.calibrated(cx, variant, &weights)?;
        if !self.photos.is_empty() {
            preparation.tell(cx);
        }
        if calibration.is_none() {
            let ran: Vec<Precision> = runs.iter().map(|(precision, _)| *precision).collect();
            warn_of_stand_in(cx, &variant.name, &ran);
        }
        let images = self.images(cx, preparation.profile, graph.input_shape())?;
        let reference = runtime::backend(REFERENCE)?;
        let options = self.options(Precision::F32, None);
        let answered = Answered {
            logits: answers(cx, reference, &graph, &weights, options, &images)?,
            images,
        };
        let mut rows = Vec::new();
        for (precision, backend) in runs {
            let options = self.options(precision, calibration.as_ref());
            rows.push(answered.compare(cx, backend, &graph, &weights, options)?);
        }
        match self.json {
            true => cx.out.json(&rows),
            false => cx.out.data(&human(variant, &weights.about(cx)?, &rows)),
        }
    }

    /// Returns the backend of each precision, and reports precisions that no backend runs.
    fn backends(
        &self,
        cx: &Context,
        precisions: &[Precision],
    ) -> Result<Vec<(Precision, &'static dyn Backend)>, Failure> {
        let named = self.backend.as_deref().map(runtime::backend).transpose()?;
        let mut runs = Vec::new();
        for precision in precisions {
            let takes = |backend: &&dyn Backend| backend.arithmetic(*precision).is_some();
            let found = match named {
                Some(backend) => Some(backend).filter(takes),
                None => runtime::default_backend(*precision).ok(),
            };
            match found {
                Some(backend) => runs.push((*precision, backend)),
                None => cx.out.note(&format!("{precision}: no backend runs it, skipped")),
            }
        }
        match runs.is_empty() {
            true => Err(
                Failure::new(Exit::NoData, "no backend runs any of these precisions")
                    .help("`zoo doctor` lists the backends and their precisions"),
            ),
            false => Ok(runs),
        }
    }

    fn calibrated(
        &self,
        cx: &Context,
        variant: &Variant,
        weights: &Weights,
    ) -> Result<Option<Calibrated>, Failure> {
        let identity = || weights.identity(cx);
        let file = self.calibration.file.as_deref();
        file.map(|file| Calibrated::read(cx, file, variant, identity))
            .transpose()
    }

    fn options(&self, precision: Precision, calibrated: Option<&Calibrated>) -> Options {
        let options = Options::new(precision);
        Options {
            threads: self.threads.unwrap_or(options.threads),
            calibration: calibrated
                .filter(|_| precision.is_fixed_point())
                .map(|calibrated| calibrated.calibration.clone()),
            ..options
        }
    }

    /// Returns the images as network inputs, each `[1, 3, crop, crop]`.
    fn images(&self, cx: &Context, profile: &Preprocess, shape: Shape) -> Result<Vec<Vec<f32>>, Failure> {
        if self.photos.is_empty() {
            let what = format!("{} synthetic images of {shape}", self.limit);
            let bytes = (shape.elements() * size_of::<f32>()) as u64;
            let need = bytes.saturating_mul(self.limit.get() as u64);
            memory::fits(&what, need, harness::free_memory())?;
            let seeds = (FIRST..).take(self.limit.get());
            return Ok(seeds.map(|seed| photo_like(seed, shape)).collect());
        }
        let mut files = find_images(cx, &self.photos)?;
        files.truncate(self.limit.get());
        let what = format!("{} as {shape}", counted(files.len(), "photo"));
        let need = (files.len() * shape.elements() * size_of::<f32>()) as u64;
        memory::fits(&what, need, harness::free_memory())?;
        let transform = hrnet_zoo::transform(profile)?;
        let mut worker = transform.worker();
        let read = |file: &PathBuf| {
            let mut pixels = vec![0.0; transform.output_elements()];
            prepare(&mut worker, file, &mut pixels).map(|_| pixels)
        };
        files.iter().map(read).collect()
    }
}

/// Returns the logits of each image.
fn answers(
    cx: &Context,
    backend: &dyn Backend,
    graph: &Graph,
    weights: &Weights,
    options: Options,
    images: &[Vec<f32>],
) -> Result<Vec<Vec<f32>>, Failure> {
    let precision = options.precision;
    let mut session = backend.prepare(graph, weights.source.as_ref(), options)?;
    let progress = cx.out.counter(images.len());
    let mut answers = Vec::with_capacity(images.len());
    for image in images {
        let logits = session.logits(image)?;
        if let Some(odd) = logits.iter().find(|logit| !logit.is_finite()) {
            let what = format!("{} in {precision}: a logit is {odd}", backend.name());
            return Err(Failure::new(Exit::Other, what));
        }
        answers.push(logits);
        progress.advance(1, || format!("{precision} on {}", backend.name()));
    }
    progress.end();
    Ok(answers)
}

impl Answered {
    fn compare(
        &self,
        cx: &Context,
        backend: &'static dyn Backend,
        graph: &Graph,
        weights: &Weights,
        options: Options,
    ) -> Result<Row, Failure> {
        let precision = options.precision;
        let ours = answers(cx, backend, graph, weights, options, &self.images)?;
        let mut closeness = Closeness::default();
        for (ours, right) in ours.iter().zip(&self.logits) {
            closeness.add(ours, right, right.len());
        }
        let known = closeness.fidelity().zip(closeness.typical_error());
        let (fidelity, typical) = known.ok_or_else(|| Failure::new(Exit::NoData, "no images"))?;
        Ok(Row {
            precision,
            backend: backend.name(),
            images: closeness.images(),
            fidelity,
            agreement: closeness.agreement(),
            typical_error_in_deviations: typical,
        })
    }
}

fn human(variant: &Variant, weights: &str, rows: &[Row]) -> String {
    let images = rows.first().map_or(0, |row| row.images);
    let lines = rows.iter().map(|row| {
        let Interval { low, high } = row.agreement;
        let small = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.1e}"));
        vec![
            row.precision.to_string(),
            row.backend.to_owned(),
            format!("{:.1} %", 100.0 * row.fidelity.top1_agreement),
            format!("[{:.1}, {:.1}]", 100.0 * low, 100.0 * high),
            small(row.fidelity.divergence),
            small(row.fidelity.error_in_deviations),
            small(Some(row.typical_error_in_deviations)),
        ]
    });
    let header = [
        "precision",
        "backend",
        ">same top-1",
        "95 %",
        ">KL, nats",
        ">largest error / std",
        ">typical",
    ];
    format!(
        "{}, {weights}: {} against f32 on {REFERENCE}\n{}",
        variant.name,
        counted(images, "image"),
        table(&header, lines)
    )
}

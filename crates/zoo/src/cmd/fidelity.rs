use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use harness::{Closeness, Interval, MapCloseness, counted};
use hrnet::{Graph, Precision, Shape};
use registry::{Preprocess, TaskKind, Variant};
use runtime::{Backend, Options, photo_like};
use serde::Serialize;

use super::bench::{PrecisionArg, precisions};
use super::quantize::prepare;
use crate::bench::{REFERENCE, crop};
use crate::calibration::{Calibrated, CalibrationArg, refuse_unused, warn_of_stand_in};
use crate::context::Context;
use crate::counts::{RUNS, THREADS, count};
use crate::files::{find_images, read_image};
use crate::model::{WeightArgs, Weights};
use crate::output::table;
use crate::photos::PreprocessArg;
use crate::{Exit, Failure, memory};

/// Seed of the first synthetic photo. Lower seeds are those of the photos that stand in for a calibration.
const FIRST: u64 = 1000;

/// Compare the logits or heatmaps of a network in each precision with those in f32
///
/// The reference is our engine in f32 without Winograd. Errors of logits are in their standard deviations; errors of heatmaps are
/// shares of the largest value. For a pose network each photo is the crop of one person. Without --photos the images are synthetic: smooth light, texture and
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
    #[serde(flatten)]
    more: More,
}

/// The part of a result that depends on the output.
#[derive(Serialize)]
#[serde(untagged)]
enum More {
    Logits {
        /// 95 % interval of the agreement.
        agreement: Interval,
        /// Root mean square of the errors, in standard deviations of the reference's logits.
        typical_error_in_deviations: f64,
    },
    Heatmaps {
        /// Root mean square of the errors, as a share of the reference's largest value.
        typical_error: f64,
    },
}

/// Images with the reference's outputs: of a classifier `[1, classes]` per image, of a pose network its heatmaps.
struct Answered {
    task: TaskKind,
    images: Vec<Vec<f32>>,
    outputs: Vec<Vec<f32>>,
}

impl Fidelity {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let named = cx.named(&self.name)?;
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
        let images = self.images(cx, preparation.profile, &graph)?;
        let reference = runtime::backend(REFERENCE)?;
        let options = self.options(Precision::F32, None);
        let answered = Answered {
            task: variant.task.kind(),
            outputs: outputs(cx, reference, &graph, &weights, options, &images)?,
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

    /// Returns the images as network inputs, each `[1, 3, h, w]`.
    fn images(&self, cx: &Context, profile: &Preprocess, graph: &Graph) -> Result<Vec<Vec<f32>>, Failure> {
        let shape = graph.input_shape();
        let held = shape.elements() + graph.output_shape().elements();
        if self.photos.is_empty() {
            let what = format!("{} synthetic images of {shape}", self.limit);
            let bytes = (held * size_of::<f32>()) as u64;
            let need = bytes.saturating_mul(self.limit.get() as u64);
            memory::fits(&what, need, harness::free_memory())?;
            let seeds = (FIRST..).take(self.limit.get());
            return Ok(seeds.map(|seed| photo_like(seed, shape)).collect());
        }
        let mut files = find_images(cx, &self.photos)?;
        files.truncate(self.limit.get());
        let what = format!("{} as {shape}", counted(files.len(), "photo"));
        let need = (files.len() * held * size_of::<f32>()) as u64;
        memory::fits(&what, need, harness::free_memory())?;
        if profile.profile.is_of_persons() {
            return files.iter().map(|file| person(file, profile)).collect();
        }
        let transform = hrnet_zoo::transform(profile)?;
        let mut worker = transform.worker();
        let read = |file: &PathBuf| {
            let mut pixels = vec![0.0; transform.output_elements()];
            prepare(&mut worker, file, &mut pixels).map(|_| pixels)
        };
        files.iter().map(read).collect()
    }
}

/// Returns a photo as the crop of one person, `[3, h, w]`.
fn person(file: &Path, profile: &Preprocess) -> Result<Vec<f32>, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::new(Exit::Other, format!("{}: {error}", file.display()));
    let photo = preprocess::decode(&read_image(file)?).map_err(|error| failed(&error))?;
    crop(&photo, profile, profile.size()).map_err(|failure| failed(&failure.message))
}

/// Returns the outputs of each image.
fn outputs(
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
        let values = session.logits(image)?;
        if let Some(odd) = values.iter().find(|value| !value.is_finite()) {
            let output = &graph.outputs()[0].name;
            let what = format!("{} in {precision}: a value of {output} is {odd}", backend.name());
            return Err(Failure::new(Exit::Other, what));
        }
        answers.push(values);
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
        let ours = outputs(cx, backend, graph, weights, options, &self.images)?;
        let pairs = ours.iter().zip(&self.outputs);
        let known = match self.task {
            TaskKind::Classes => of_logits(pairs),
            TaskKind::Pose => of_heatmaps(pairs),
        };
        let (fidelity, more) = known.ok_or_else(|| Failure::new(Exit::NoData, "no images"))?;
        Ok(Row {
            precision,
            backend: backend.name(),
            images: ours.len(),
            fidelity,
            more,
        })
    }
}

/// Compares logits with the reference's, image by image; `None` without images.
fn of_logits<'a>(
    pairs: impl Iterator<Item = (&'a Vec<f32>, &'a Vec<f32>)>,
) -> Option<(harness::Fidelity, More)> {
    let mut closeness = Closeness::default();
    pairs.for_each(|(ours, right)| closeness.add(ours, right, right.len()));
    let more = More::Logits {
        agreement: closeness.agreement(),
        typical_error_in_deviations: closeness.typical_error()?,
    };
    Some((closeness.fidelity()?, more))
}

/// Compares heatmaps with the reference's; `None` without images.
fn of_heatmaps<'a>(
    pairs: impl Iterator<Item = (&'a Vec<f32>, &'a Vec<f32>)>,
) -> Option<(harness::Fidelity, More)> {
    let mut closeness = MapCloseness::default();
    pairs.for_each(|(ours, right)| closeness.add(ours, right));
    let more = More::Heatmaps {
        typical_error: closeness.typical_error()?,
    };
    Some((closeness.fidelity()?, more))
}

fn human(variant: &Variant, weights: &str, rows: &[Row]) -> String {
    let images = rows.first().map_or(0, |row| row.images);
    let titles: &[&str] = match variant.task.kind() {
        TaskKind::Classes => &[
            "precision",
            "backend",
            ">same top-1",
            "95 %",
            ">KL, nats",
            ">largest error / std",
            ">typical",
        ],
        TaskKind::Pose => &[
            "precision",
            "backend",
            ">largest error / largest value",
            ">typical",
        ],
    };
    format!(
        "{}, {weights}: {} against f32 on {REFERENCE}\n{}",
        variant.name,
        counted(images, "image"),
        table(titles, rows.iter().map(Row::cells))
    )
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let small = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.1e}"));
        let mut cells = vec![self.precision.to_string(), self.backend.to_owned()];
        match &self.more {
            More::Logits {
                agreement: Interval { low, high },
                typical_error_in_deviations,
            } => {
                let same = self.fidelity.top1_agreement;
                cells.extend([
                    same.map_or(String::new(), |same| format!("{:.1} %", 100.0 * same)),
                    format!("[{:.1}, {:.1}]", 100.0 * low, 100.0 * high),
                    small(self.fidelity.divergence),
                    small(self.fidelity.error_in_deviations),
                    small(Some(*typical_error_in_deviations)),
                ]);
            }
            More::Heatmaps { typical_error } => cells.extend([
                small(Some(self.fidelity.largest_error)),
                small(Some(*typical_error)),
            ]),
        }
        cells
    }
}

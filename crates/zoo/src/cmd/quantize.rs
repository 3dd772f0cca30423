use std::path::{Path, PathBuf};

use clap::Args;
use glob::Pattern;
use harness::counted;
use harness::eval::order;
use hrnet::{Graph, Node, Op, Shape};
use preprocess::{DECODER, Worker};
use registry::{Digest, Preprocess, Variant};
use runtime::{Calibrator, Method, Origin};

use crate::calibration::{Calibrated, network};
use crate::context::Context;
use crate::files::{check_output, find_images, read_image, write_whole};
use crate::model::WeightArgs;
use crate::photos::PreprocessArg;
use crate::{Exit, Failure, memory};

/// Calibrate a network on photos, to run it in i16 or int8
///
/// Runs the network in f32 on each photo and records the values that each convolution reads. The resulting file of ranges is
/// valid for these weights only; pass it to other commands as `--calibration FILE`. Use photos of the kind that the network
/// will see; a few hundred suffice.
#[derive(Debug, Args)]
pub(crate) struct Quantize {
    /// Variant, e.g. HRNet_W18_C or W18
    name: String,
    /// Photo or folder of photos; repeatable
    #[arg(long, alias = "calibration", required = true, value_name = "DIR")]
    photos: Vec<PathBuf>,
    #[command(flatten)]
    weights: WeightArgs,
    #[command(flatten)]
    preprocess: PreprocessArg,
    /// Method to choose ranges: min-max, percentile (99.99, or e.g. percentile:99.9), or mse, the least mean squared error in 8
    /// bits
    #[arg(long, value_name = "METHOD", default_value_t = Method::Mse)]
    method: Method,
    /// Layers to keep in 16 bits in int8, names or patterns with commas: `--keep 'conv2,layer1.*'`
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    keep: Vec<Pattern>,
    /// Use at most this many photos, a random sample that is always the same
    #[arg(long, value_name = "N", default_value_t = 256)]
    limit: usize,
    /// Output file [default: NAME.calibration.json]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Digests of the photos that were used, and the failures of the others.
#[derive(Default)]
struct Seen {
    digests: Vec<String>,
    failures: Vec<Exit>,
}

impl Quantize {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let named = cx.classifier(&self.name)?;
        let variant = named.variant;
        let whose = self.weights.whose(cx, named)?;
        let preparation = self.preprocess.choose(cx, variant, &whose)?;
        let file = self.file();
        check_output(&file)?;
        let photos = self.photos(cx)?;
        let transform = hrnet_zoo::transform(preparation.profile)?;
        let graph = variant.spec.graph(Shape::square(1, transform.crop()))?;
        memory::check_graph(&variant.name, &graph, hrnet::Precision::F32)?;
        self.check_kept(&graph)?;
        let weights = self.weights.load(cx, named, &graph)?;
        preparation.tell(cx);
        let mut calibrator = Calibrator::new(&graph, weights.source.as_ref())?;
        let (mut worker, mut pixels) = (transform.worker(), vec![0.0; transform.output_elements()]);
        let mut seen = Seen::default();
        let progress = cx.out.counter(photos.len());
        for photo in &photos {
            match prepare(&mut worker, photo, &mut pixels) {
                Ok(digest) => {
                    calibrator.add(&pixels)?;
                    seen.digests.push(digest);
                }
                Err(failure) => {
                    cx.out.failure(&failure);
                    seen.failures.push(failure.exit);
                }
            }
            progress.advance(1, String::new);
        }
        progress.end();
        if seen.digests.is_empty() {
            return Err(seen.told(photos.len(), "there is nothing to calibrate on"));
        }
        let weights = weights.identity(cx)?;
        let origin = self.origin(cx, variant, preparation.profile, weights, &mut seen.digests)?;
        let finished = calibrator.finish(self.method, origin);
        let mut calibration = finished.map_err(runtime::RuntimeError::from)?;
        calibration.keep(|layer| self.keep.iter().any(|pattern| pattern.matches(layer)));
        write(cx, &file, Calibrated::of(calibration))?;
        match seen.failures.as_slice() {
            [] => Ok(()),
            _ => Err(seen.told(photos.len(), "the ranges cover the others")),
        }
    }

    /// Returns the files to read, in order.
    fn photos(&self, cx: &Context) -> Result<Vec<PathBuf>, Failure> {
        let files = find_images(cx, &self.photos)?;
        let chosen = order(files.len(), "calibration").into_iter().take(self.limit);
        let chosen: Vec<PathBuf> = chosen.map(|index| files[index].clone()).collect();
        match chosen.is_empty() {
            true => Err(Failure::new(
                Exit::Usage,
                "--limit 0: there is nothing to calibrate on",
            )),
            false => Ok(chosen),
        }
    }

    fn origin(
        &self,
        cx: &Context,
        variant: &Variant,
        preprocess: &Preprocess,
        weights: String,
        digests: &mut [String],
    ) -> Result<Origin, Failure> {
        // By content: the same photos are the same wherever they lie.
        digests.sort_unstable();
        let photos = Digest::of(digests.concat().as_bytes());
        Ok(Origin {
            network: Some(network(cx, variant)?),
            weights: Some(weights),
            images: format!(
                "photos of SHA-256 {photos}, prepared as {} by {DECODER}",
                preprocess.id
            ),
        })
    }

    /// Refuses names in --keep that match no layer.
    fn check_kept(&self, graph: &Graph) -> Result<(), Failure> {
        for pattern in &self.keep {
            let matches = |node: &Node| matches!(node.op, Op::Conv(_)) && pattern.matches(&node.name());
            if !graph.nodes().iter().any(matches) {
                let what = format!("--keep {pattern}: no convolution of {} has this name", self.name);
                let advice = "`zoo show NAME --layers` lists them";
                return Err(Failure::new(Exit::Usage, what).help(advice));
            }
        }
        Ok(())
    }

    /// The file for the ranges.
    fn file(&self) -> PathBuf {
        let usual = || PathBuf::from(format!("{}.calibration.json", self.name));
        self.output.clone().unwrap_or_else(usual)
    }
}

fn write(cx: &Context, file: &Path, calibrated: Calibrated) -> Result<(), Failure> {
    let Calibrated { calibration, digest } = calibrated;
    write_whole(file, calibration.to_text().as_bytes())?;
    cx.out.done(&format!(
        "{}: ranges of {} on {} by {}, digest {}",
        file.display(),
        counted(calibration.layers().count(), "layer"),
        counted(calibration.images, "photo"),
        calibration.method,
        &digest[..8]
    ));
    Ok(())
}

impl Seen {
    /// Returns the failure for photos that could not be read, with its consequence.
    fn told(&self, all: usize, so: &str) -> Failure {
        let bad = self.failures.len();
        let exit = Exit::of_many(&self.failures, all).unwrap_or(Exit::Some);
        Failure::new(
            exit,
            format!("{bad} of {} could not be read: {so}", counted(all, "photo")),
        )
    }
}

/// Prepares one photo and returns its digest.
pub(super) fn prepare(worker: &mut Worker<f32>, path: &Path, pixels: &mut [f32]) -> Result<String, Failure> {
    let bytes = read_image(path)?;
    worker
        .file(&bytes, pixels)
        .map_err(|error| Failure::new(Exit::Other, format!("{}: {error}", path.display())))?;
    Ok(Digest::of(&bytes).to_string())
}

//! `zoo eval`: its options, and what the evaluations of all tasks share.

mod classes;
mod keypoints;
mod parts;

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Args, Subcommand};
use harness::counted;
use harness::eval::Shard;
use hrnet::Precision;
use registry::{Kind, Location, Named};
use serde::Serialize;

use self::parts::{Compare, Merge};
use crate::calibration::{CalibrationArg, refuse_unused};
use crate::context::Context;
use crate::counts::{AT_A_TIME, BATCH, THREADS, count};
use crate::eval::classes::Points;
use crate::eval::data::Incomplete;
use crate::eval::{Evaluated, Keeping, Network, WeightsAt, decoders, trained};
use crate::files::location;
use crate::model::{Choice, WeightsArg};
use crate::photos::PreprocessArg;
use crate::{Exit, Failure, aside};

/// Measure accuracy on labelled images
///
/// Of classifiers: top-1 and top-5. The images are a folder with one subfolder per class, a folder of tar archives, one archive, or a list of `PATH CLASS`
/// lines; with --labels also a flat folder or archive. One answer per image is saved, so an interrupted run resumes. Two names,
/// or two precisions, are compared on the same images.
///
/// Of networks that find keypoints: COCO's AP and AR, with --annotations. The images are a folder or tar archives; the network
/// sees the people in the boxes of --boxes, as for published figures, or in the annotated boxes, which give a higher AP. Published
/// figures are compared on all 5000 images of COCO val2017 with the boxes in COCO_val2017_detections_AP_H_56_person.json.
///
/// Every file is an image, a label, or skipped and reported. Images that cannot be read are listed, and the exit code is 9, as
/// for an archive without an end mark. A truncated archive is refused (6), as is an ambiguous data set (2).
///
/// With the feature `object-store` every path may also be s3://, gs:// or az:// BUCKET/PREFIX; credentials come from the
/// environment.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Eval {
    #[command(subcommand)]
    action: Option<Action>,
    /// One variant, or two to compare
    #[arg(required = true, num_args = 1..=2, value_name = "NAME")]
    names: Vec<String>,
    /// Labelled images: a folder, an archive or a list
    #[arg(long, required = true, value_name = "PATH|URL", value_parser = location())]
    data: Option<Location>,
    /// People's keypoints on the images, as COCO annotates them: person_keypoints_val2017.json. For networks that find keypoints
    #[arg(long, value_name = "FILE|URL", value_parser = location(), conflicts_with_all = ["root", "labels", "restrict", "until_decided"])]
    annotations: Option<Location>,
    /// Boxes of a detector of people, a list of image_id, category_id, bbox and score [default: the annotated boxes]
    #[arg(long, value_name = "FILE|URL", value_parser = location(), requires = "annotations")]
    boxes: Option<Location>,
    /// Do not run the network on mirrored people, too; published figures have a flip test
    #[arg(long, requires = "annotations")]
    no_flip: bool,
    /// Also write the people that were found as COCO's results, which pycocotools evaluates
    #[arg(long, value_name = "FILE|URL", value_parser = location(), requires = "annotations")]
    results: Option<Location>,
    /// Base folder for the paths in a list [default: the list's own folder]
    #[arg(long, value_name = "DIR|URL", value_parser = location())]
    root: Option<Location>,
    /// Replacement labels: a JSON list of the right classes of each image by its number, such as ReaL's real.json
    #[arg(long, value_name = "FILE|URL", value_parser = location())]
    labels: Option<Location>,
    /// Restrict answers to the classes in the data set, as for ImageNet-A and -R
    #[arg(long)]
    restrict: bool,
    /// Weight file, or `seeded:N` for random weights [default: the downloaded ones]
    #[arg(long, value_name = "FILE[#KEY]|URL|seeded:N")]
    weights: Option<WeightsAt>,
    /// Weight source, for variants with several [default: the one that the name chooses, else the first one in the cache]
    #[arg(long, value_name = "ID", conflicts_with = "weights")]
    source: Option<String>,
    #[command(flatten)]
    preprocess: PreprocessArg,
    /// Number format, or two to compare
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "f32")]
    precision: Vec<Precision>,
    #[command(flatten)]
    calibration: CalibrationArg,
    /// Backend [default: the first one in `zoo doctor` that runs the precision]
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// Images per batch, or people
    #[arg(short, long, value_name = "N", default_value = "8", value_parser = count::<BATCH>)]
    batch: NonZeroUsize,
    /// Threads for the network [default: all hardware threads]
    #[arg(long, value_name = "N", value_parser = count::<THREADS>)]
    threads: Option<NonZeroUsize>,
    /// Threads for decoding [default: all hardware threads]
    #[arg(long, value_name = "N", value_parser = count::<AT_A_TIME>)]
    decoders: Option<NonZeroUsize>,
    /// Evaluate only this part of the images, I of N, counted from 0; `zoo eval merge` combines the parts
    #[arg(long, value_name = "I/N", default_value_t = Shard::WHOLE)]
    shard: Shard,
    /// Evaluate only the first N images of the random order that all runs share
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Stop as soon as the accuracy is known to be within this many percentage points of the claim, or farther away, e.g. 0.5pp;
    /// nothing is concluded about a claim for other weights, images or preprocessing
    #[arg(long, value_name = "POINTS")]
    until_decided: Option<Points>,
    /// Folder for the files of answers
    #[arg(long, value_name = "DIR|URL", default_value = "reports/eval", value_parser = location())]
    out: Location,
    /// Upload interval if --out is a bucket; a killed run loses at most this much
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    upload_every: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// End together with the parent process
    #[arg(long, hide = true)]
    aside: bool,
}

#[derive(Debug, Subcommand)]
enum Action {
    Merge(Merge),
    Compare(Compare),
}

/// Refuses remote paths under --offline.
fn check_offline<'a>(cx: &Context, places: impl IntoIterator<Item = &'a Location>) -> Result<(), Failure> {
    let mut remote = places.into_iter().filter(|place| place.on_disk().is_none());
    match remote.next().filter(|_| cx.offline) {
        None => Ok(()),
        Some(place) => {
            let what = format!("{place}: it is read over the network, which --offline forbids");
            Err(Failure::new(Exit::Usage, what).help("drop --offline, or use a copy on this machine"))
        }
    }
}

impl Eval {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        match &self.action {
            Some(Action::Merge(action)) => action.run(cx),
            Some(Action::Compare(action)) => action.run(cx),
            None => self.evaluate(cx),
        }
    }

    fn evaluate(&self, cx: &Context) -> Result<(), Failure> {
        if self.aside {
            aside::end_with_parent();
        }
        let runs = self.runs();
        if runs.len() > 2 {
            let what = format!(
                "{} evaluations: expected at most two, of two names or of two precisions",
                runs.len()
            );
            return Err(Failure::new(Exit::Usage, what));
        }
        self.check_task(cx)?;
        if runs.len() > 1 && self.results.is_some() {
            let what = "--results takes the people of one evaluation, not of two";
            return Err(Failure::new(Exit::Usage, what).help("evaluate one name in one precision"));
        }
        refuse_unused(self.calibration.file.as_deref(), &self.precision)?;
        let places = [
            &self.data,
            &self.annotations,
            &self.boxes,
            &self.root,
            &self.labels,
        ];
        let places = places.into_iter().flatten();
        let object = self.weights.as_ref().and_then(WeightsAt::object);
        let written = [&self.out].into_iter().chain(&self.results);
        check_offline(cx, places.chain(written).chain(object))?;
        let brought = self.weights.as_ref().map(WeightsAt::bring).transpose()?;
        let weights = brought.as_ref().map(|brought| &brought.weights);
        if weights.is_some_and(WeightsArg::are_seeded) {
            cx.out
                .warn("random weights were never trained: the accuracy is meaningless");
        }
        let Some(data) = &self.data else {
            return Err(Failure::new(
                Exit::Usage,
                "--data PATH is missing: it names the images",
            ));
        };
        match &self.annotations {
            Some(annotations) => self.keypoints(cx, data, annotations, weights),
            None => self.classes(cx, data, weights),
        }
    }

    /// Refuses names of another task than the options, before anything is read.
    fn check_task(&self, cx: &Context) -> Result<(), Failure> {
        for name in &self.names {
            let variant = cx.variant(name)?;
            match (variant.is_classifier(), &self.annotations) {
                (true, Some(_)) => {
                    let what = format!(
                        "{} answers with classes, and --annotations is for networks that find keypoints",
                        variant.name
                    );
                    return Err(Failure::new(Exit::Usage, what)
                        .help("drop --annotations; `zoo list` shows the task of each variant"));
                }
                (false, None) => {
                    let what = format!(
                        "{} finds keypoints: --annotations FILE is missing, which says where they are",
                        variant.name
                    );
                    return Err(Failure::new(Exit::Usage, what).help(
                        "of COCO it is person_keypoints_val2017.json; --boxes FILE takes the boxes of a detector",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the networks to evaluate, by name, and their precisions.
    fn runs(&self) -> Vec<(&str, Precision)> {
        let names = self.names.iter();
        let runs = names.flat_map(|name| {
            self.precision
                .iter()
                .map(move |precision| (name.as_str(), *precision))
        });
        runs.collect()
    }

    /// Returns the network of a run.
    fn network<'a>(
        &'a self,
        cx: &'a Context,
        named: Named<'a>,
        precision: Precision,
        weights: Option<&WeightsArg>,
    ) -> Result<Network<'a>, Failure> {
        let source = self.source(cx, named)?;
        let weights = match weights {
            Some(weights) => Choice::Given(weights.clone()),
            None => Choice::Cached(source),
        };
        let whose = weights.whose(cx, named)?;
        Ok(Network {
            variant: named.variant,
            preparation: self.preprocess.choose(cx, named.variant, &whose)?,
            weights,
            source,
            precision,
            calibration: &self.calibration,
            backend: self.backend.as_deref(),
            batch: self.batch,
            threads: self.threads,
        })
    }

    /// Returns which images are answered, and where the answers go.
    fn keeping(&self) -> Keeping<'_> {
        Keeping {
            shard: self.shard,
            limit: self.limit,
            folder: &self.out,
            every: Duration::from_secs(self.upload_every),
            threads: self.threads,
            decoders: self.decoders.map_or_else(decoders, NonZeroUsize::get),
        }
    }

    /// Returns the weight source in use; `None` for a given file or seed.
    fn source<'a>(&'a self, cx: &Context, named: Named<'a>) -> Result<Option<&'a str>, Failure> {
        match (&self.source, &self.weights) {
            (Some(source), _) => Ok(Some(source)),
            (None, Some(_)) => Ok(None),
            (None, None) => {
                let artifact = match named.artifact {
                    None => trained(cx, named.variant)?,
                    artifact => artifact,
                };
                Ok(artifact.map(|artifact| artifact.id.as_str()))
            }
        }
    }
}

/// Prints the pace of a run, and why it ended early.
fn tell_pace<A>(cx: &Context, evaluated: &Evaluated<A>) {
    if let Some((spent, pace)) = evaluated.spent.zip(evaluated.pace) {
        cx.out
            .note(&format!("{:.1} images/s: {}", pace.images_per_s(), spent.bound()));
    }
    if let Some(settled) = &evaluated.settled {
        cx.out.note(&format!("stopped: {settled}"));
    }
}

/// Writes the summary of an evaluation beside its answers.
fn write_summary<A>(cx: &Context, evaluated: &Evaluated<A>, summary: &impl Serialize) -> Result<(), Failure> {
    let place = &evaluated.summary;
    let json = serde_json::to_string_pretty(summary).expect("our types have string keys");
    // A summary of all answers is not replaced by one of some of them.
    if evaluated.left_out > 0 && place.kind()? != Kind::Absent {
        cx.out.note(&format!(
            "{place} is kept: it may summarise the {} that --limit leaves out, too",
            counted(evaluated.left_out, "answer")
        ));
        return Ok(());
    }
    Ok(place.write((json + "\n").as_bytes())?)
}

/// Reports the skipped files, and returns the number of archives that may lack images.
fn tell_found(cx: &Context, passed_over: Option<String>, incomplete: &[Incomplete]) -> usize {
    if let Some(told) = passed_over {
        cx.out.note(&told);
    }
    let mut doubtful = 0;
    for file in incomplete {
        match file {
            Incomplete::Harmless(what) => cx.out.warn(what),
            Incomplete::Doubtful(what) => {
                cx.out.warn(what);
                doubtful += 1;
            }
        }
    }
    doubtful
}

/// Fails if images could not be read, or archives may lack images: the accuracy covers only the others.
fn bad_images(unreadable: usize, doubtful: usize) -> Result<(), Failure> {
    let what = match (unreadable, doubtful) {
        (0, 0) => return Ok(()),
        (0, count) => format!(
            "{} may be truncated: the accuracy covers only the images that are there",
            counted(count, "archive")
        ),
        (count, _) => format!(
            "{} could not be read; the accuracy covers the others",
            counted(count, "image")
        ),
    };
    Err(Failure::new(Exit::Some, what))
}

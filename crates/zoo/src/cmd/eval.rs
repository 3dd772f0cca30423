use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Args, Subcommand};
use harness::counted;
use harness::eval::{Answer, Part, Shard, Summary, Tally, mcnemar, merge};
use hrnet::Precision;
use registry::{Kind, Location, Named};

use crate::calibration::{CalibrationArg, refuse_unused};
use crate::context::Context;
use crate::counts::{AT_A_TIME, BATCH, THREADS, count};
use crate::eval::data::{Folders, Images, Incomplete};
use crate::eval::{
    self, Ask, Evaluated, Points, Subject, Undecided, WeightsAt, decoders, evaluate, other_images, parts,
    summary, trained,
};
use crate::files::location;
use crate::model::{Choice, WeightsArg};
use crate::photos::PreprocessArg;
use crate::{Exit, Failure, aside};

/// Measure accuracy on labelled images
///
/// The images are a folder with one subfolder per class, a folder of tar archives, one archive, or a list of `PATH CLASS`
/// lines; with --labels also a flat folder or archive. One answer per image is saved, so an interrupted run resumes. Two names,
/// or two precisions, are compared on the same images.
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
    /// Images per batch
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

/// Combine shards, and prove that each image is there exactly once
#[derive(Debug, Args)]
struct Merge {
    /// Files of answers of all shards, or folders with such files
    #[arg(required = true, value_name = "FILE|DIR|URL", value_parser = location())]
    files: Vec<Location>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Compare two evaluations on the same images by McNemar's exact test
#[derive(Debug, Args)]
struct Compare {
    /// First file of answers
    #[arg(value_name = "FILE|URL", value_parser = location())]
    first: Location,
    /// Second file of answers
    #[arg(value_name = "FILE|URL", value_parser = location())]
    second: Location,
    /// Print JSON
    #[arg(long)]
    json: bool,
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
        let runs: Vec<(&str, Precision)> = self
            .names
            .iter()
            .flat_map(|name| {
                self.precision
                    .iter()
                    .map(move |precision| (name.as_str(), *precision))
            })
            .collect();
        if runs.len() > 2 {
            let what = format!(
                "{} evaluations: expected at most two, of two names or of two precisions",
                runs.len()
            );
            return Err(Failure::new(Exit::Usage, what));
        }
        refuse_unused(self.calibration.file.as_deref(), &self.precision)?;
        let places = [&self.data, &self.root, &self.labels].into_iter().flatten();
        let object = self.weights.as_ref().and_then(WeightsAt::object);
        check_offline(cx, places.chain([&self.out]).chain(object))?;
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
        let folders = Folders::of(cx.variant(runs[0].0)?)?;
        let images = Images::open(data, self.root.as_ref(), self.labels.as_ref(), &folders)?;
        let doubtful = tell_found(cx, &images);
        let mut done = Vec::new();
        // Both runs are of the same images, so that one image is counted once.
        let mut unreadable = BTreeSet::new();
        for (name, precision) in runs {
            let evaluated = evaluate(cx, &self.ask(cx, name, precision, weights, &images)?)?;
            self.tell(cx, &evaluated)?;
            let broken = evaluated.answers.iter().filter(|answer| answer.error.is_some());
            unreadable.extend(broken.map(|answer| answer.image));
            done.push((format!("{name} {precision}"), evaluated));
        }
        if let [(one, first), (two, second)] = &done[..] {
            let both = mcnemar(&first.answers, &second.answers);
            match self.json {
                true => cx.out.json(&both)?,
                false => cx.out.data(&eval::comparison([one, two], &both))?,
            }
        }
        bad_images(unreadable.len())?;
        match doubtful {
            0 => Ok(()),
            count => Err(Failure::new(
                Exit::Some,
                format!(
                    "{} may be truncated: the accuracy covers only the images that are there",
                    counted(count, "archive")
                ),
            )),
        }
    }

    fn ask<'a>(
        &'a self,
        cx: &'a Context,
        name: &str,
        precision: Precision,
        weights: Option<&WeightsArg>,
        images: &'a Images,
    ) -> Result<Ask<'a>, Failure> {
        let named = cx.classifier(name)?;
        let variant = named.variant;
        let source = self.source(cx, named)?;
        let weights = match weights {
            Some(weights) => Choice::Given(weights.clone()),
            None => Choice::Cached(source),
        };
        let preparation = self.preprocess.choose(cx, variant, &weights.whose(cx, named)?)?;
        let subject = Subject {
            variant,
            source,
            preprocess: &preparation.profile.id,
            precision,
        };
        let until = self
            .until_decided
            .map(|points| self.undecided(cx, &subject, images, points))
            .transpose()?;
        Ok(Ask {
            variant,
            weights,
            source,
            preparation,
            precision,
            calibration: &self.calibration,
            backend: self.backend.as_deref(),
            batch: self.batch,
            threads: self.threads,
            decoders: self.decoders.map_or_else(decoders, NonZeroUsize::get),
            images,
            restrict: self.restrict,
            shard: self.shard,
            limit: self.limit,
            until,
            folder: &self.out,
            every: Duration::from_secs(self.upload_every),
        })
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

    fn undecided(
        &self,
        cx: &Context,
        subject: &Subject,
        images: &Images,
        points: Points,
    ) -> Result<Undecided, Failure> {
        if self.shard != Shard::WHOLE {
            let what = "--until-decided with --shard: a shard alone does not decide about the whole";
            return Err(Failure::new(Exit::Usage, what));
        }
        let claims = subject.claims(cx.zoo()?);
        // The first of those that are most about this evaluation: a source may have claims for several preprocessings.
        let top1 = claims.iter().filter(|claimed| claimed.top == 1);
        let nearest = top1.min_by_key(|claimed| claimed.reasons.len());
        let claimed = nearest.ok_or_else(|| {
            let what = format!(
                "--until-decided: {} has no claimed top-1 accuracy",
                subject.variant.name
            );
            Failure::new(Exit::Usage, what).help("`zoo show NAME` lists its claims")
        })?;
        let about = &images.about;
        let candidates = match self.restrict {
            true => about.classes,
            false => subject.variant.spec.classes(),
        };
        let others = other_images(about.images, about.classes, candidates);
        let reasons = [&claimed.reasons[..], &others].concat();
        let column = &claimed.claim.column;
        if !reasons.is_empty() {
            cx.out.warn(&format!(
                "--until-decided: the claim {column} is not about this evaluation, so nothing is concluded about it: {}",
                reasons.join("; ")
            ));
        }
        let accuracy = cx.zoo()?.accuracy(subject.variant, column);
        let figure = accuracy.map_or_else(
            || claimed.claim.printed.clone(),
            |accuracy| accuracy.in_all_digits(),
        );
        Ok(Undecided {
            claim: format!("the claim of {figure} ({column})"),
            claimed: claimed.printed,
            within: points.0,
            comparable: reasons.is_empty(),
        })
    }

    /// Prints the result of an evaluation and writes its summary beside the answers.
    fn tell(&self, cx: &Context, evaluated: &Evaluated) -> Result<(), Failure> {
        let Evaluated {
            header,
            answers,
            spent,
            pace,
            settled,
            summary: place,
            left_out,
            ..
        } = evaluated;
        if let Some((spent, pace)) = spent.as_ref().zip(*pace) {
            cx.out
                .note(&format!("{:.1} images/s: {}", pace.images_per_s(), spent.bound()));
        }
        if let Some(settled) = settled {
            cx.out.note(&format!("stopped: {settled}"));
        }
        let variant = cx.recorded(&header.key.variant)?;
        let claims = Subject::of(variant, header).claims(cx.zoo()?);
        let summary = summary(header.clone(), answers, *pace, &claims);
        let json = serde_json::to_string_pretty(&summary).expect("our types have string keys");
        // A summary of all answers is not replaced by one of some of them.
        match *left_out > 0 && place.kind()? != Kind::Absent {
            true => cx.out.note(&format!(
                "{place} is kept: it may summarise the {} that --limit leaves out, too",
                counted(*left_out, "answer")
            )),
            false => place.write((json + "\n").as_bytes())?,
        }
        tell(cx, &summary, answers, self.json)
    }
}

/// Reports the skipped files, and returns the number of archives that may lack images.
fn tell_found(cx: &Context, images: &Images) -> usize {
    if let Some(told) = images.passed_over.told() {
        cx.out.note(&told);
    }
    let mut doubtful = 0;
    for file in &images.incomplete {
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

fn tell(cx: &Context, summary: &Summary, answers: &[Answer], json: bool) -> Result<(), Failure> {
    if json {
        return cx.out.json(summary);
    }
    let unreadable: Vec<&str> = answers
        .iter()
        .filter_map(|answer| answer.error.as_deref())
        .collect();
    cx.out.data(&eval::text(cx.zoo()?, summary, &unreadable))
}

/// Fails if images could not be read: the accuracy covers only the others.
fn bad_images(unreadable: usize) -> Result<(), Failure> {
    match unreadable {
        0 => Ok(()),
        count => Err(Failure::new(
            Exit::Some,
            format!(
                "{} could not be read; the accuracy covers the others",
                counted(count, "image")
            ),
        )),
    }
}

impl Merge {
    fn run(&self, cx: &Context) -> Result<(), Failure> {
        check_offline(cx, &self.files)?;
        let parts = parts(&self.files)?;
        let answers = merge(&parts).map_err(|error| {
            Failure::new(Exit::Some, error)
                .help("run each shard as `zoo eval … --shard I/N` with the same options")
        })?;
        let mut header = parts[0].header.clone();
        header.shard = Shard::WHOLE;
        let variant = cx.recorded(&header.key.variant)?;
        let claims = Subject::of(variant, &parts[0].header).claims(cx.zoo()?);
        let summary = summary(header, &answers, None, &claims);
        tell(cx, &summary, &answers, self.json)?;
        bad_images(Tally::of(&answers).unreadable)
    }
}

impl Compare {
    fn run(&self, cx: &Context) -> Result<(), Failure> {
        check_offline(cx, [&self.first, &self.second])?;
        let [first, second]: [Part; 2] = parts(&[self.first.clone(), self.second.clone()])?
            .try_into()
            .map_err(|_| Failure::new(Exit::Usage, "expected two files of answers, not folders"))?;
        let data = [&first, &second].map(|part| &part.header.key.data);
        if data[0] != data[1] {
            let what = format!(
                "{} and {} have different images: {} and {}",
                self.first, self.second, data[0].digest, data[1].digest
            );
            return Err(Failure::new(Exit::Usage, what));
        }
        let both = mcnemar(&first.answers, &second.answers);
        if self.json {
            return cx.out.json(&both);
        }
        let name = |part: &Part| format!("{} {}", part.header.key.variant, part.header.key.precision);
        cx.out
            .data(&eval::comparison([&name(&first), &name(&second)], &both))
    }
}

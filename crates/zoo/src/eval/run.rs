use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use harness::eval::{Answer, Bounds, Header, Key, Pace, Shard, Tally, order};
use harness::{Record, WeightsCheck, counted};
use hrnet::{Precision, Shape};
use registry::{Digest, Location, Variant};
use runtime::{Options, Session};

use super::data::Images;
use super::kept::Kept;
use super::pipeline::{Pipeline, Spent};
use super::summary::Undecided;
use crate::bench::{all_threads, provenance};
use crate::calibration::CalibrationArg;
use crate::context::Context;
use crate::model::{Choice, Weights};
use crate::photos::Preparation;
use crate::{Failure, memory};

/// The probability that the result of a run that stops early is wrong.
const ERROR: f64 = 0.05;

/// An evaluation to run.
pub(crate) struct Ask<'a> {
    pub(crate) variant: &'a Variant,
    pub(crate) weights: Choice<'a>,
    /// The weight source; `None` for a given file or seed.
    pub(crate) source: Option<&'a str>,
    pub(crate) preparation: Preparation<'a>,
    pub(crate) precision: Precision,
    /// The ranges for a precision in fixed point.
    pub(crate) calibration: &'a CalibrationArg,
    /// Name of the backend; `None` for the default of the precision.
    pub(crate) backend: Option<&'a str>,
    pub(crate) batch: NonZeroUsize,
    pub(crate) threads: Option<NonZeroUsize>,
    pub(crate) decoders: usize,
    pub(crate) images: &'a Images,
    /// True if answers are restricted to the classes of the data set.
    pub(crate) restrict: bool,
    pub(crate) shard: Shard,
    /// The most images to take, from the start of the shard's order.
    pub(crate) limit: Option<usize>,
    /// The condition to stop early.
    pub(crate) until: Option<Undecided>,
    /// The folder of files of answers.
    pub(crate) folder: &'a Location,
    /// Interval between uploads of answers to a bucket.
    pub(crate) every: Duration,
}

/// A finished evaluation.
pub(crate) struct Evaluated {
    pub(crate) header: Header,
    /// Path for the summary, beside the answers.
    pub(crate) summary: Location,
    pub(crate) answers: Vec<Answer>,
    /// Number of answers in the file that the limit leaves out.
    pub(crate) left_out: usize,
    /// Times of this run; `None` if nothing was left to do.
    pub(crate) spent: Option<Spent>,
    pub(crate) pace: Option<Pace>,
    /// The finding that ended the run early.
    pub(crate) settled: Option<String>,
}

/// Runs the network on all images that have no answer yet.
pub(crate) fn evaluate(cx: &Context, ask: &Ask) -> Result<Evaluated, Failure> {
    let transform = hrnet_zoo::transform(ask.preparation.profile)?;
    let (mut session, key, weights_check) = ask.session(cx, transform.crop())?;
    ask.preparation.tell(cx);
    let header = Header {
        eval: Header::SCHEMA,
        key,
        shard: ask.shard,
        source: ask.source.map(str::to_owned),
        preprocess: ask.preparation.profile.id.clone(),
        started: Record::now(),
        weights_check,
        provenance: provenance(),
    };
    let name = name(&header);
    let file = ask.folder.join(&format!("{name}.jsonl"));
    let mut kept = Kept::open(&file, &header, ask.every)?;
    let taken = Taken::of(ask, &header);
    let there = taken.among(kept.answers());
    let left_out = kept.answers().len() - there.len();
    let missing = taken.missing(&there);
    cx.out.note(&format!(
        "{}: {} to answer, {} already there; answers go to {file}",
        ask.variant.name,
        counted(missing.len(), "image"),
        there.len(),
    ));
    let mut tally = Tally::of(&there);
    let bounds = ask
        .until
        .as_ref()
        .map(|_| Bounds::new(ask.images.about.images, ERROR));
    let is_settled = |tally: &Tally| {
        let settles = |bounds: &Bounds, until: &Undecided| until.settled(bounds, tally);
        bounds
            .as_ref()
            .zip(ask.until.as_ref())
            .and_then(|(bounds, until)| settles(bounds, until))
    };
    let mut settled = is_settled(&tally);
    let candidates = ask.restrict.then(|| ask.images.classes());
    let pipeline = Pipeline {
        transform: &transform,
        decoders: ask.decoders,
        batch: ask.batch.get(),
        candidates: candidates.as_deref(),
    };
    let progress = cx.out.counter(missing.len());
    let spent = if missing.is_empty() || settled.is_some() {
        Ok(None)
    } else {
        let run = pipeline.run(&ask.images.entries, &missing, session.as_mut(), |answers| {
            answers.iter().for_each(|answer| tally.add(answer));
            progress.advance(answers.len(), || {
                format!("top-1 {:.2} %", 100.0 * tally.top1_share().unwrap_or(0.0))
            });
            kept.add(answers, &cx.out)?;
            settled = is_settled(&tally);
            Ok(settled.is_none())
        });
        run.map(Some)
    };
    progress.end();
    let (spent, answers) = match (spent, kept.end()) {
        (Ok(spent), answers) => (spent, taken.among(&answers?)),
        (Err(failure), Ok(_)) => return Err(failure),
        (Err(failure), Err(also)) => {
            cx.out
                .warn(&format!("{}: {}", also.message, also.help.unwrap_or_default()));
            return Err(failure);
        }
    };
    let pace = spent.as_ref().map(|spent: &Spent| Pace {
        images: answers.len() - there.len(),
        seconds: spent.all.as_secs_f64(),
        network_seconds: spent.network.as_secs_f64(),
        threads: ask.threads.map_or_else(all_threads, NonZeroUsize::get),
        decoders: ask.decoders,
    });
    Ok(Evaluated {
        answers,
        left_out,
        pace,
        header,
        summary: ask.folder.join(&format!("{name}.json")),
        spent,
        settled,
    })
}

/// Returns a file name that differs between different evaluations, so that they do not collide.
fn name(header: &Header) -> String {
    let key = serde_json::to_string(&header.key).expect("our types have string keys");
    let digest = Digest::of(key.as_bytes()).to_string();
    let Key {
        variant, precision, ..
    } = &header.key;
    let shard = match header.shard {
        Shard::WHOLE => String::new(),
        Shard { index, of } => format!(".{index}of{of}"),
    };
    format!("{variant}.{precision}.{}{shard}", &digest[..8])
}

/// A session, its key, and how the digest of its weights is known.
type Prepared = (Box<dyn Session>, Key, Option<WeightsCheck>);

impl Ask<'_> {
    fn session(&self, cx: &Context, crop: usize) -> Result<Prepared, Failure> {
        let graph = self.variant.spec.graph(Shape::square(self.batch.get(), crop))?;
        memory::check_graph(&self.variant.name, &graph, self.precision)?;
        let weights = Weights::load(cx, self.variant, &graph, &self.weights)?;
        let mut options = Options::new(self.precision);
        options.threads = self.threads.unwrap_or(options.threads);
        let identity = weights.identity(cx)?;
        let named = || Ok(identity.clone());
        let ranges = self.calibration.ranges(cx, self.variant, self.precision, named)?;
        options.calibration = ranges.calibration;
        let backend = match self.backend {
            Some(name) => runtime::backend(name)?,
            None => runtime::default_backend(self.precision)?,
        };
        let session = backend.prepare(&graph, weights.source.as_ref(), options)?;
        let mut about = backend.identity()?;
        if let Some(unit) = session.unit() {
            about.push_str(&format!(", on {unit}"));
        }
        // The plan says which algorithm computes each layer, and so how its sums are rounded.
        if let Some(plan) = session.plan() {
            about.push_str(&format!(
                ", plan {}",
                &Digest::of(plan.as_bytes()).to_string()[..8]
            ));
        }
        let preprocess = serde_json::to_string(self.preparation.profile).expect("our types have string keys");
        let key = Key {
            variant: self.variant.name.clone(),
            weights: identity,
            calibration: ranges.about,
            preprocess: format!("{preprocess} by {}", preprocess::DECODER),
            precision: self.precision,
            backend: about,
            batch: self.batch.get(),
            data: self.images.about.clone(),
            candidates: match self.restrict {
                true => self.images.about.classes,
                false => self.variant.spec.classes(),
            },
        };
        Ok((session, key, weights.check(cx)?))
    }
}

/// The images of an evaluation in the order in which they run: the first ones of its shard, up to the limit.
///
/// A file of answers may hold more than these, from a run with a larger limit or with none.
struct Taken {
    order: Vec<usize>,
    set: HashSet<usize>,
}

impl Taken {
    fn of(ask: &Ask, header: &Header) -> Self {
        let images = ask.images.about.images;
        let places = ask.shard.places(images);
        let mut order = order(images, &header.key.data.digest)[places].to_vec();
        order.truncate(ask.limit.unwrap_or(usize::MAX));
        let set = order.iter().copied().collect();
        Self { order, set }
    }

    /// Returns the answers to these images.
    fn among(&self, answers: &[Answer]) -> Vec<Answer> {
        let is_taken = |answer: &&Answer| self.set.contains(&answer.image);
        answers.iter().filter(is_taken).cloned().collect()
    }

    /// Returns the images that have no answer yet.
    fn missing(&self, answers: &[Answer]) -> Vec<usize> {
        let there: HashSet<usize> = answers.iter().map(|answer| answer.image).collect();
        let mut order = self.order.clone();
        order.retain(|image| !there.contains(image));
        order
    }
}

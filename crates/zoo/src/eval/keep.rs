//! Which images are answered, and what is saved of them: the same for every task.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use harness::Stopwatch;
use harness::counted;
use harness::eval::{Answered, Header, Key, Pace, Shard, order};
use registry::{Digest, Location};

use super::kept::Kept;
use crate::Failure;
use crate::bench::all_threads;
use crate::context::Context;

/// The images to answer, and the place of the answers.
pub(crate) struct Keeping<'a> {
    pub(crate) shard: Shard,
    /// The most images to take, from the start of the shard's order.
    pub(crate) limit: Option<usize>,
    /// The folder of files of answers.
    pub(crate) folder: &'a Location,
    /// Interval between uploads of answers to a bucket.
    pub(crate) every: Duration,
    /// Threads of the network; `None` for all.
    pub(crate) threads: Option<NonZeroUsize>,
    /// Number of threads that decode.
    pub(crate) decoders: usize,
}

/// A finished evaluation.
pub(crate) struct Evaluated<A> {
    pub(crate) header: Header,
    /// Path for the summary, beside the answers.
    pub(crate) summary: Location,
    pub(crate) answers: Vec<A>,
    /// Number of answers in the file that the limit leaves out.
    pub(crate) left_out: usize,
    /// Times of this run; `None` if nothing was left to do.
    pub(crate) spent: Option<Spent>,
    pub(crate) pace: Option<Pace>,
    /// The finding that ended the run early.
    pub(crate) settled: Option<String>,
}

/// Times of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) all: Duration,
    /// Time in the network; the rest was spent waiting for photos.
    pub(crate) network: Duration,
}

/// The state of a run after some more answers.
#[derive(Default)]
pub(crate) struct State {
    /// Text beside the progress bar.
    pub(crate) shown: String,
    /// The finding that ends the run before all images have an answer.
    pub(crate) settled: Option<String>,
}

/// Takes the answers of a batch; returns false if no more are needed.
pub(crate) type Take<'a, A> = dyn FnMut(Vec<A>) -> Result<bool, Failure> + 'a;

impl Keeping<'_> {
    /// Answers all images that have no answer yet by `run`, which gets their indices in order, and saves each batch before the
    /// next one. `look` gets all answers once, then those of each batch, and returns the state after them.
    pub(crate) fn keep<A: Answered>(
        &self,
        cx: &Context,
        header: Header,
        mut look: impl FnMut(&[A]) -> State,
        run: impl FnOnce(&[usize], &mut Take<A>) -> Result<Spent, Failure>,
    ) -> Result<Evaluated<A>, Failure> {
        let name = name(&header);
        let file = self.folder.join(&format!("{name}.jsonl"));
        let mut kept = Kept::open(&file, &header, self.every)?;
        let taken = self.taken(&header);
        let there = taken.among(kept.answers());
        let left_out = kept.answers().len() - there.len();
        let missing = taken.missing(&there);
        cx.out.note(&format!(
            "{}: {} to answer, {} already there; answers go to {file}",
            header.key.variant,
            counted(missing.len(), "image"),
            there.len(),
        ));
        let mut settled = look(&there).settled;
        let progress = cx.out.counter(missing.len());
        let spent = if missing.is_empty() || settled.is_some() {
            Ok(None)
        } else {
            let mut take = |answers: Vec<A>| {
                let state = look(&answers);
                progress.advance(answers.len(), || state.shown);
                kept.add(answers, &cx.out)?;
                settled = state.settled;
                Ok(settled.is_none())
            };
            run(&missing, &mut take).map(Some)
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
        let pace = spent.map(|spent| self.pace(spent, answers.len() - there.len()));
        Ok(Evaluated {
            answers,
            left_out,
            pace,
            header,
            summary: self.folder.join(&format!("{name}.json")),
            spent,
            settled,
        })
    }

    fn pace(&self, spent: Spent, images: usize) -> Pace {
        Pace {
            images,
            seconds: spent.all.as_secs_f64(),
            network_seconds: spent.network.as_secs_f64(),
            threads: self.threads.map_or_else(all_threads, NonZeroUsize::get),
            decoders: self.decoders,
        }
    }

    fn taken(&self, header: &Header) -> Taken {
        let data = &header.key.data;
        let places = self.shard.places(data.images);
        let mut order = order(data.images, &data.digest)[places].to_vec();
        order.truncate(self.limit.unwrap_or(usize::MAX));
        let set = order.iter().copied().collect();
        Taken { order, set }
    }
}

impl Spent {
    /// Describes the bottleneck of the run.
    pub(crate) fn bound(&self) -> &'static str {
        if self.network.as_secs_f64() > 0.9 * self.all.as_secs_f64() {
            "the network sets the pace"
        } else {
            "decoding sets the pace"
        }
    }
}

/// Measures a run: all of it, and the time in the network.
pub(crate) struct Watch {
    all: Stopwatch,
    network: Duration,
}

impl Watch {
    pub(crate) fn start() -> Self {
        Self {
            all: Stopwatch::start(),
            network: Duration::ZERO,
        }
    }

    /// Runs the network.
    pub(crate) fn network<T>(&mut self, run: impl FnOnce() -> T) -> T {
        let watch = Stopwatch::start();
        let result = run();
        self.network += watch.elapsed();
        result
    }

    pub(crate) fn end(self) -> Spent {
        Spent {
            all: self.all.elapsed(),
            network: self.network,
        }
    }
}

/// Returns the SHA-256 of the digests of all images in order of their names; `None` unless all have an answer.
pub(crate) fn images_sha256(header: &Header, answers: &[impl Answered]) -> Option<String> {
    if header.shard != Shard::WHOLE || answers.len() != header.key.data.images {
        return None;
    }
    let mut digests: Vec<(usize, &str)> = answers
        .iter()
        .map(|answer| (answer.image(), answer.sha256().unwrap_or("-")))
        .collect();
    digests.sort_unstable();
    let text: String = digests.iter().map(|(_, digest)| format!("{digest}\n")).collect();
    Some(Digest::of(text.as_bytes()).to_string())
}

/// Returns the beginning of the digest of an image, for its answer.
pub(crate) fn short(image: &Digest) -> String {
    image.to_string()[..16].to_owned()
}

/// Returns the default number of decoding threads: all hardware threads, since they wait while the network runs.
pub(crate) fn decoders() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
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

/// The images of an evaluation in the order in which they run: the first ones of its shard, up to the limit.
///
/// A file of answers may hold more than these, from a run with a larger limit or with none.
struct Taken {
    order: Vec<usize>,
    set: HashSet<usize>,
}

impl Taken {
    /// Returns the answers to these images.
    fn among<A: Answered>(&self, answers: &[A]) -> Vec<A> {
        let is_taken = |answer: &&A| self.set.contains(&answer.image());
        answers.iter().filter(is_taken).cloned().collect()
    }

    /// Returns the images that have no answer yet.
    fn missing<A: Answered>(&self, answers: &[A]) -> Vec<usize> {
        let there: HashSet<usize> = answers.iter().map(Answered::image).collect();
        let mut order = self.order.clone();
        order.retain(|image| !there.contains(image));
        order
    }
}

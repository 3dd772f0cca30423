//! Accuracy of classes: top-1 and top-5.

mod pipeline;
mod summary;
mod told;

use harness::eval::{Answer, Bounds, Tally};
use hrnet::Shape;

use self::pipeline::Pipeline;
use super::data::Images;
use super::keep::{Evaluated, Keeping, State};
use super::network::{Network, Target};
use crate::Failure;
use crate::context::Context;

pub(crate) use summary::{Points, Undecided, claims, other_images, summary};
pub(crate) use told::{comparison, line, text};

/// The probability that the result of a run that stops early is wrong.
const ERROR: f64 = 0.05;

/// An evaluation to run.
pub(crate) struct Ask<'a> {
    pub(crate) network: Network<'a>,
    pub(crate) keeping: Keeping<'a>,
    pub(crate) images: &'a Images,
    /// True if answers are restricted to the classes of the data set.
    pub(crate) restrict: bool,
    /// The condition to stop early.
    pub(crate) until: Option<Undecided>,
}

/// Runs the network on all images that have no answer yet.
pub(crate) fn evaluate(cx: &Context, ask: &Ask) -> Result<Evaluated<Answer>, Failure> {
    let Network {
        variant,
        preparation,
        batch,
        ..
    } = &ask.network;
    let transform = hrnet_zoo::transform(preparation.profile)?;
    let graph = variant.spec.graph(Shape::square(batch.get(), transform.crop()))?;
    let mut loaded = ask.network.load(cx, &graph)?;
    let mut session = loaded.session(&graph)?;
    let target = Target {
        data: ask.images.about.clone(),
        candidates: match ask.restrict {
            true => ask.images.about.classes,
            false => variant.spec.classes(),
        },
        keypoints: None,
    };
    let header = loaded.header(cx, target, ask.keeping.shard)?;
    preparation.tell(cx);
    let candidates = ask.restrict.then(|| ask.images.classes());
    let pipeline = Pipeline {
        transform: &transform,
        decoders: ask.keeping.decoders,
        batch: batch.get(),
        candidates: candidates.as_deref(),
    };
    let bounds = ask
        .until
        .as_ref()
        .map(|_| Bounds::new(ask.images.about.images, ERROR));
    let until = ask.until.as_ref().zip(bounds.as_ref());
    let mut tally = Tally::default();
    let look = |answers: &[Answer]| {
        answers.iter().for_each(|answer| tally.add(answer));
        State {
            shown: format!("top-1 {:.2} %", 100.0 * tally.top1_share().unwrap_or(0.0)),
            settled: until.and_then(|(until, bounds)| until.settled(bounds, &tally)),
        }
    };
    ask.keeping.keep(cx, header, look, |indices, take| {
        pipeline.run(&ask.images.entries, indices, session.as_mut(), take)
    })
}

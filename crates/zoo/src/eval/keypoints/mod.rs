//! Accuracy of keypoints: COCO's AP and AR.

mod answer;
mod claims;
mod compare;
mod figures;
mod pipeline;
mod told;

use harness::eval::Protocol;
use hrnet::Shape;
use hrnet_zoo::{PoseModel, PoseOptions};
use pose::Oks;
use pose::ap::DETECTIONS;
use pose::oks::{KEYPOINT_THRESHOLD, NMS_THRESHOLD};

use self::pipeline::Pipeline;
use super::data::PeopleSet;
use super::keep::{Evaluated, Keeping, State};
use super::network::{Network, Target};
use crate::Failure;
use crate::context::Context;

pub(crate) use answer::{PeopleAnswer, results_file};
pub(crate) use compare::difference;
pub(crate) use figures::summary;
pub(crate) use told::text;

/// An evaluation to run.
pub(crate) struct Ask<'a> {
    pub(crate) network: Network<'a>,
    pub(crate) keeping: Keeping<'a>,
    pub(crate) set: &'a PeopleSet,
    /// True for a run on mirrored crops, too.
    pub(crate) flip: bool,
}

/// Runs the network on the people of all images that have no answer yet.
pub(crate) fn evaluate(cx: &Context, ask: &Ask) -> Result<Evaluated<PeopleAnswer>, Failure> {
    let Network {
        variant,
        preparation,
        batch,
        ..
    } = &ask.network;
    let profile = preparation.profile;
    let graph = variant.spec.graph(Shape::images(1, profile.size()))?;
    let mut loaded = ask.network.load(cx, &graph)?;
    let options = PoseOptions {
        flip: ask.flip,
        batch: *batch,
    };
    let model = PoseModel::new(variant, profile, options, |graph| loaded.session(graph))?;
    let skeleton = model.skeleton();
    let target = Target {
        data: ask.set.about.clone(),
        candidates: 0,
        keypoints: Some(Protocol {
            keypoints: skeleton.name.into(),
            annotations: ask.set.annotations.clone(),
            category: ask.set.category,
            boxes: ask.set.boxes.clone(),
            flip: ask.flip,
            rules: rules(),
        }),
    };
    let header = loaded.header(cx, target, ask.keeping.shard)?;
    preparation.tell(cx);
    let mut pipeline = Pipeline {
        set: ask.set,
        decoders: ask.keeping.decoders,
        model,
        oks: Oks::new(skeleton.sigmas),
    };
    let mut people = 0;
    let look = |answers: &[PeopleAnswer]| {
        people += answers.iter().map(|answer| answer.found.len()).sum::<usize>();
        State {
            shown: format!("{people} people"),
            settled: None,
        }
    };
    ask.keeping
        .keep(cx, header, look, |indices, take| pipeline.run(indices, take))
}

/// Describes what becomes of the people that the network finds on an image, as in mmpose and Microsoft's code.
fn rules() -> String {
    format!(
        "OKS-NMS {NMS_THRESHOLD}, scores by keypoints above {KEYPOINT_THRESHOLD}, the best {DETECTIONS} people of an image"
    )
}

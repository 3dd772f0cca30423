use std::collections::BTreeSet;

use harness::Times;
use hrnet::Size;
use registry::TaskKind;

use super::{Chart, Drawing, Part, label, threads, told};
use crate::cells::Model;
use crate::frame::Words;
use crate::pairs::{Group, Pair, Pairs};
use crate::precisions::{Agreeing, Compared, Kind, compared, usual};

/// The speed of a network in each precision, and the distance of its logits from those in f32.
pub(super) struct Precisions;

impl Chart for Precisions {
    fn id(&self) -> &'static str {
        "precisions"
    }

    fn title(&self) -> &'static str {
        "What a precision gains, and what it costs"
    }

    fn part(&self) -> Part {
        Part::Precision
    }

    fn data(&self, model: &Model) -> Option<Drawing> {
        let mut shown = compared(model, TaskKind::Classes);
        let setting = usual(&shown)?;
        shown.retain(|one| one.setting() == setting);
        let kinds: BTreeSet<Kind> = shown.iter().map(Compared::kind).collect();
        let kinds: Vec<Kind> = kinds.into_iter().collect();
        let group = |same: &[Compared]| Group {
            name: label(&same[0].case.variant),
            pairs: same.iter().filter_map(|one| pair(one, &kinds)).collect(),
        };
        let groups = shown.chunk_by(|a, b| a.case.variant == b.case.variant);
        let (count, batch, crop) = setting;
        let size = if crop == Size::square(224) {
            String::new()
        } else {
            format!(", {crop} pixels")
        };
        let ties = if shown.iter().any(|one| one.seeded) {
            ". Weights are random, and first classes near ties"
        } else {
            ""
        };
        Some(Drawing::Pairs(Pairs {
            words: Words {
                title: self.title().into(),
                subtitle: format!(
                    "{}, {}, batch {batch}{size}. Error: the largest of a logit against f32 without Winograd, in standard \
                     deviations (σ) of the logits. Top-1: images with the same first class{ties}",
                    model.cpu(),
                    threads(count)
                ),
                x_title: "times as fast as f32".into(),
            },
            dots_title: "largest error, σ".into(),
            letters_title: "top-1".into(),
            mark: Some((1.0, "f32".into())),
            families: kinds.iter().map(|kind| kind.name()).collect(),
            groups: groups.map(group).collect(),
        }))
    }
}

fn pair(one: &Compared, kinds: &[Kind]) -> Option<Pair> {
    let (value, interval) = one.speed;
    let error = one.fidelity.and_then(|fidelity| fidelity.error_in_deviations);
    let agreeing = one.agreeing();
    let mut words = format!(
        "{} in {}: {}",
        one.case.variant,
        one.kind().name(),
        told(value, interval, "times the speed of f32")
    );
    if let Some(error) = error {
        words.push_str(&format!(", largest error {error:.1e} σ"));
    }
    if let Some(divergence) = one.fidelity.and_then(|fidelity| fidelity.divergence) {
        words.push_str(&format!(", KL {divergence:.1e} nats"));
    }
    if let Some(agreeing) = agreeing {
        words.push_str(&format!(", top-1 as f32's on {agreeing}"));
    }
    Some(Pair {
        family: kinds.iter().position(|kind| *kind == one.kind())?,
        value,
        interval,
        label: format!("{value:.2}"),
        dot: error.filter(|error| *error > 0.0),
        letters: agreeing.map_or(String::new(), |Agreeing { same, images }| {
            format!("{same}/{images}")
        }),
        told: words,
    })
}

/// One time over another, with the widest that their intervals allow.
pub(crate) fn ratio(above: &Times, below: &Times) -> (f64, Option<(f64, f64)>) {
    let interval = above
        .interval
        .zip(below.interval)
        .map(|(above, below)| (above.0 / below.1, above.1 / below.0));
    (above.median_ns / below.median_ns, interval)
}

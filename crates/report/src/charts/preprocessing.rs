use std::collections::BTreeMap;

use hrnet::Precision;

use super::{Chart, Drawing, Part, told};
use crate::bars::{Bar, Bars, Group};
use crate::cells::{Model, Preparation, Step};
use crate::frame::Words;
use crate::sections::digits;

/// The steps before the network, for each size of crop.
pub(super) struct Steps;

impl Chart for Steps {
    fn id(&self) -> &'static str {
        "preprocess"
    }

    fn title(&self) -> &'static str {
        "Before the network: time per image"
    }

    fn part(&self) -> Part {
        Part::Preprocessing
    }

    fn data(&self, model: &Model) -> Option<Drawing> {
        let mut groups: BTreeMap<Step, Vec<Bar>> = BTreeMap::new();
        let mut families: Vec<String> = vec!["decode the JPEG".into()];
        let batch = batch(model);
        let shown = |step: &Preparation| !is_centre(step) || Some(step.cell.case.images()) == batch;
        for step in model.preparations().filter(shown) {
            let to = step.precision.map_or("", Precision::name);
            let family = match step.step {
                Step::Decode => families[0].clone(),
                Step::Centre { .. } => format!("resize, crop, normalise to {to}"),
                Step::Person(_) => format!("warp a person's box, normalise to {to}"),
            };
            let known = families.iter().position(|other| *other == family);
            let family = known.unwrap_or_else(|| {
                families.push(family);
                families.len() - 1
            });
            groups.entry(step.step).or_default().push(bar(&step, family));
        }
        let name = |step: Step| match step {
            Step::Decode => "451 x 300".to_owned(),
            Step::Centre { resize, crop } => format!("{resize}, crop {crop}"),
            Step::Person(size) => format!("{} x {}", size.h, size.w),
        };
        (!groups.is_empty()).then(|| {
            Drawing::Bars(Bars {
                words: Words {
                    title: self.title().into(),
                    subtitle: format!(
                        "{}, one thread{}; short side and crop in pixels",
                        model.cpu(),
                        batch.map_or(String::new(), |batch| format!(", batch {batch}"))
                    ),
                    x_title: "ms per image (median, 95 % interval)".into(),
                },
                mark: None,
                families,
                groups: groups
                    .into_iter()
                    .map(|(step, bars)| Group {
                        name: name(step),
                        bars,
                    })
                    .collect(),
            })
        })
    }
}

/// The batch that most steps were measured with, the largest of several.
fn batch(model: &Model) -> Option<usize> {
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for step in model.preparations().filter(is_centre) {
        *counts.entry(step.cell.case.images()).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(batch, count)| (*count, *batch));
    most.map(|(batch, _)| batch)
}

fn is_centre(step: &Preparation) -> bool {
    matches!(step.step, Step::Centre { .. })
}

fn bar(step: &Preparation, family: usize) -> Bar {
    let images = step.cell.case.images() as f64;
    let value = step.times.median_ms() / images;
    let interval = step.times.interval_ms();
    let interval = interval.map(|(low, high)| (low / images, high / images));
    Bar {
        pieces: vec![(family, value)],
        interval,
        label: digits(value),
        told: format!("{}: {} per image", step.cell.case, told(value, interval, "ms")),
    }
}

use std::collections::BTreeMap;

use super::{Chart, Drawing, Part, told};
use crate::bars::{Bar, Bars, Group};
use crate::cells::{Model, Preparation};
use crate::frame::Words;
use crate::sections::digits;

/// What comes before the network, step by step, for each size of crop.
pub(super) struct Steps;

impl Chart for Steps {
    fn id(&self) -> &'static str {
        "local.preprocess"
    }

    fn title(&self) -> &'static str {
        "Before the network: time an image"
    }

    fn part(&self) -> Part {
        Part::Preprocessing
    }

    fn data(&self, model: &Model) -> Option<Drawing> {
        let mut groups: BTreeMap<Option<(usize, usize)>, Vec<Bar>> = BTreeMap::new();
        let mut families: Vec<String> = vec!["decode the JPEG".into()];
        for step in model.preparations() {
            let family = match step.precision {
                None => families[0].clone(),
                Some(precision) => {
                    let batch = step.cell.case.images();
                    format!("resize, crop, normalise to {precision}, batch {batch}")
                }
            };
            let known = families.iter().position(|other| *other == family);
            let family = known.unwrap_or_else(|| {
                families.push(family);
                families.len() - 1
            });
            groups.entry(step.size).or_default().push(bar(&step, family));
        }
        let name = |size: Option<(usize, usize)>| {
            size.map_or("451 x 300".to_owned(), |(resize, crop)| {
                format!("{resize}, crop {crop}")
            })
        };
        (!groups.is_empty()).then(|| {
            Drawing::Bars(Bars {
                words: Words {
                    title: self.title().into(),
                    subtitle: format!("{}, one thread; short side and crop in pixels", model.cpu()),
                    x_title: "ms an image (median, 95 % interval)".into(),
                },
                mark: None,
                families,
                groups: groups
                    .into_iter()
                    .map(|(size, bars)| Group {
                        name: name(size),
                        bars,
                    })
                    .collect(),
            })
        })
    }
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
        told: format!("{}: {} an image", step.cell.case, told(value, interval, "ms")),
    }
}

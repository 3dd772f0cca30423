use std::collections::BTreeMap;

use harness::{Case, PreprocessCase};

use super::{Chart, Drawing, Part, told};
use crate::bars::{Bar, Bars, Group};
use crate::cells::{Model, Times};
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
        let mut groups: BTreeMap<(usize, usize), Vec<Bar>> = BTreeMap::new();
        let mut families: Vec<String> = vec!["decode the JPEG".into()];
        for cell in model.alone() {
            let (Case::Preprocess(case), Ok(times)) = (cell.case, &cell.times) else {
                continue;
            };
            let (size, family, images) = match case {
                PreprocessCase::Decode => ((0, 0), families[0].clone(), 1),
                PreprocessCase::Batch {
                    resize,
                    crop,
                    precision,
                    batch,
                } => (
                    (*resize, *crop),
                    format!("resize, crop, normalise to {precision}, batch {batch}"),
                    *batch,
                ),
            };
            let known = families.iter().position(|other| *other == family);
            let family = known.unwrap_or_else(|| {
                families.push(family);
                families.len() - 1
            });
            groups
                .entry(size)
                .or_default()
                .push(bar(cell.case, family, times, images as f64));
        }
        let name = |(resize, crop): (usize, usize)| match crop {
            0 => "451 x 300".to_owned(),
            _ => format!("{resize}, crop {crop}"),
        };
        (!groups.is_empty()).then(|| {
            Drawing::Bars(Bars {
                title: self.title().into(),
                subtitle: format!("{}, one thread; short side and crop in pixels", model.cpu()),
                x_title: "ms an image (median, 95 % interval)".into(),
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

fn bar(case: &Case, family: usize, times: &Times, images: f64) -> Bar {
    let value = times.median_ms() / images;
    let interval = times.interval_ms();
    let interval = interval.map(|(low, high)| (low / images, high / images));
    Bar {
        family,
        value,
        interval,
        label: digits(value),
        told: format!("{case}: {} an image", told(value, interval, "ms")),
    }
}

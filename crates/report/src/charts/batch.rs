use hrnet::Precision;
use registry::TaskKind;

use super::{Chart, Drawing, Part, label, threads, told};
use crate::cells::Model;
use crate::frame::Words;
use crate::lines::{Line, Lines, Step};

/// Time an image against the size of the batch.
pub(super) struct Batch;

impl Chart for Batch {
    fn id(&self) -> &'static str {
        "batch.f32"
    }

    fn title(&self) -> &'static str {
        "What a batch saves, f32"
    }

    fn part(&self) -> Part {
        Part::Latency
    }

    fn data(&self, model: &Model) -> Option<Drawing> {
        let setting = model.usual(Precision::F32)?;
        let line = |variant: &registry::Variant| {
            let mut points: Vec<Step> = model
                .ours(TaskKind::Classes)
                .filter(|(case, _)| case.variant == variant.name && case.precision == Precision::F32)
                .filter(|(case, _)| (case.backend.as_str(), case.threads, case.crop) == setting)
                .map(|(case, times)| {
                    let images = case.batch as f64;
                    let y = times.median_ms() / images;
                    let interval = times
                        .interval_ms()
                        .map(|(low, high)| (low / images, high / images));
                    Step {
                        x: images,
                        y,
                        interval,
                        told: format!(
                            "{}, batch {}: {} per image",
                            variant.name,
                            case.batch,
                            told(y, interval, "ms")
                        ),
                    }
                })
                .collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            (points.len() > 1).then(|| Line {
                name: label(&variant.name),
                points,
            })
        };
        let lines: Vec<Line> = model.input.zoo.classifiers().filter_map(line).collect();
        let (backend, count, crop) = setting;
        (!lines.is_empty()).then(|| {
            Drawing::Lines(Lines {
                words: Words {
                    title: self.title().into(),
                    subtitle: format!(
                        "{}, {}, {backend}, {} x {} pixels; bars: 95 % interval",
                        model.cpu(),
                        threads(count),
                        crop.h,
                        crop.w
                    ),
                    x_title: "images in the batch".into(),
                },
                y_title: "median time per image, ms".into(),
                lines,
            })
        })
    }
}

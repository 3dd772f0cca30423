use harness::Times;
use hrnet::{Precision, Shape, Size};
use registry::{Metric, TaskKind, Variant};

use super::precision::ratio;
use super::{Chart, Drawing, Part, claim, label, threads, told};
use crate::cells::Model;
use crate::dots::{Dot, Dots, Row};
use crate::frame::Words;

/// Every network's time over the first's: published ones beside those measured here.
pub(super) struct Ratios;

const DEVICES: [&str; 2] = ["NVIDIA T4", "NVIDIA V100"];
const BATCH: usize = 1;

impl Chart for Ratios {
    fn id(&self) -> &'static str {
        "growth.f32.bs1"
    }

    fn title(&self) -> &'static str {
        "How time grows: published GPUs and here"
    }

    fn part(&self) -> Part {
        Part::Latency
    }

    fn data(&self, model: &Model) -> Option<Drawing> {
        let zoo = model.input.zoo;
        let first = zoo.classifiers().next()?;
        let (backend, count, _) = model
            .ours(TaskKind::Classes)
            .filter(|(case, _)| case.variant == first.name && wanted(case))
            .min_by(|a, b| a.1.median_ns.total_cmp(&b.1.median_ns))
            .map(|(case, _)| (case.backend.as_str(), case.threads, case.crop))?;
        let here = |variant: &Variant| {
            let mut cells = model.ours_of(&variant.name);
            let found = cells
                .find(|(case, _)| wanted(case) && (case.backend.as_str(), case.threads) == (backend, count));
            found.map(|(_, times)| times)
        };
        let networks = zoo
            .classifiers()
            .filter(|variant| zoo.network_of(variant).name == variant.name);
        let rows: Vec<Row> = networks
            .filter(|variant| variant.name != first.name)
            .map(|variant| row(model, first, variant, &here))
            // Work alone is no time to compare.
            .filter(|row| row.dots.iter().any(|dot| dot.family > 0))
            .collect();
        let mut families = vec!["multiply-accumulates".to_owned()];
        families.extend(DEVICES.map(|device| format!("{device}, published")));
        families.push("here, measured".into());
        Some(Drawing::Dots(Dots {
            words: Words {
                title: self.title().into(),
                subtitle: format!(
                    "f32, batch {BATCH}, each over {} on the same machine; here: {}, {}, {backend}",
                    label(&first.name),
                    model.cpu(),
                    threads(count)
                ),
                x_title: format!("times {}", label(&first.name)),
            },
            mark: Some((1.0, label(&first.name))),
            families,
            rows,
        }))
    }
}

fn wanted(case: &harness::NetworkCase) -> bool {
    case.precision == Precision::F32 && case.batch == BATCH && case.crop == Size::square(224)
}

fn row<'m>(
    model: &Model,
    first: &Variant,
    variant: &Variant,
    here: &impl Fn(&Variant) -> Option<&'m Times>,
) -> Row {
    let name = label(&variant.name);
    let mut dots = Vec::new();
    let mut add = |family, what: &str, (value, interval): (f64, Option<(f64, f64)>)| {
        let told = format!(
            "{name}, {what}: {}",
            told(value, interval, &format!("times {}", label(&first.name)))
        );
        dots.push(Dot {
            family,
            value,
            interval,
            told,
        });
    };
    let macs = |variant: &Variant| {
        let graph = variant.spec.graph(Shape::square(1, 224)).ok()?;
        Some(graph.profile().macs().0 as f64)
    };
    if let (Some(above), Some(below)) = (macs(variant), macs(first)) {
        add(0, "multiply-accumulates", (above / below, None));
    }
    for (index, device) in DEVICES.iter().enumerate() {
        let published = |variant| {
            let claim = claim(model, variant, |column| match &column.metric {
                Metric::Latency {
                    device: of,
                    precision,
                    batch,
                } => of == device && *precision == Precision::F32 && *batch == BATCH,
                _ => false,
            });
            claim.map(|claim| claim.value)
        };
        if let (Some(above), Some(below)) = (published(variant), published(first)) {
            add(index + 1, device, (above / below, None));
        }
    }
    if let (Some(above), Some(below)) = (here(variant), here(first)) {
        add(DEVICES.len() + 1, "here", ratio(above, below));
    }
    Row { name, dots }
}

use harness::{NetworkCase, Times};
use hrnet::{CountingRule, Precision, Size};
use registry::{Claim, Column, Metric, TaskKind, Variant};

use super::{Chart, Drawing, Part, label, threads, told};
use crate::cells::Model;
use crate::frame::Words;
use crate::series::{Point, Series};

/// The publication whose charts these are.
const SOURCE: &str = "page";
/// The tag of variants trained by distillation.
const DISTILLED: &str = "ssld";

/// The distance of a published count from its rule's, as a share, from which a chart says so.
const FAR: f64 = 0.2;

/// Published top-1 against something.
pub(crate) struct Accuracy {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) x: X,
}

/// The horizontal axis.
pub(crate) enum X {
    PublishedFlops,
    PublishedParams,
    /// Latency on a device of a precision and a batch.
    Published(&'static str, Precision, usize),
    Counted(CountingRule),
    /// Latency here of a precision and a batch.
    Measured(Precision, usize),
}

/// A value on the horizontal axis, with its spread and the backend that gave it.
struct Place {
    x: f64,
    interval: Option<(f64, f64)>,
    backend: Option<String>,
}

impl Chart for Accuracy {
    fn id(&self) -> &'static str {
        self.id
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn part(&self) -> Part {
        Part::Accuracy
    }

    fn data(&self, model: &Model) -> Option<Drawing> {
        let backends = self.backends(model);
        let mut families: Vec<String> = Vec::new();
        let mut points = Vec::new();
        for variant in model.input.zoo.classifiers() {
            let Some(top1) = model.input.zoo.claimed_top1(variant) else {
                continue;
            };
            for place in self.places(model, variant) {
                let name = family_name(variant, place.backend.as_deref().filter(|_| backends.len() > 1));
                let known = families.iter().position(|family| *family == name);
                let family = known.unwrap_or_else(|| {
                    families.push(name);
                    families.len() - 1
                });
                let of = place.backend.as_deref().unwrap_or("published or counted");
                let x = told(place.x, place.interval, self.unit());
                points.push(Point {
                    label: label(&variant.name),
                    x: place.x,
                    y: top1.percent(),
                    interval: place.interval,
                    family,
                    told: format!("{}: {top1} at {x} ({of})", variant.name),
                });
            }
        }
        let (x_title, subtitle) = self.words(model);
        (!points.is_empty()).then(|| {
            Drawing::Scatter(Series {
                words: Words {
                    title: self.title.into(),
                    subtitle,
                    x_title,
                },
                y_title: "ImageNet top-1 accuracy, % (claimed)".into(),
                families,
                points,
                curves: Vec::new(),
                spans: None,
            })
        })
    }
}

impl Accuracy {
    fn places(&self, model: &Model, variant: &Variant) -> Vec<Place> {
        let published = |wanted: &dyn Fn(&Column) -> bool| {
            let claim = claim(model, variant, wanted);
            claim
                .map(|claim| Place {
                    x: claim.value,
                    interval: None,
                    backend: None,
                })
                .into_iter()
                .collect()
        };
        match &self.x {
            X::PublishedFlops => published(&|column| matches!(column.metric, Metric::Flops { .. })),
            X::PublishedParams => published(&|column| matches!(column.metric, Metric::Params { .. })),
            X::Published(wanted, number, images) => published(&|column| match &column.metric {
                Metric::Latency {
                    device,
                    precision,
                    batch,
                } => device == wanted && precision == number && batch == images,
                _ => false,
            }),
            X::Counted(rule) => {
                let graph = variant.spec.graph(variant.input());
                let count = graph.map(|graph| rule.count(&graph.profile()) as f64);
                let scale = if rule.counts_parameters() { 1e6 } else { 1e9 };
                count
                    .map(|count| Place {
                        x: count / scale,
                        interval: None,
                        backend: None,
                    })
                    .into_iter()
                    .collect()
            }
            X::Measured(precision, batch) => {
                let network = &model.input.zoo.network_of(variant).name;
                shown(model, *precision, *batch)
                    .filter(|(case, _)| case.variant == *network)
                    .map(|(case, times)| Place {
                        x: times.median_ms(),
                        interval: times.interval_ms(),
                        backend: Some(case.backend.clone()),
                    })
                    .collect()
            }
        }
    }

    /// The unit of the horizontal axis.
    fn unit(&self) -> &'static str {
        match &self.x {
            X::PublishedFlops => "G FLOPs",
            X::PublishedParams => "M parameters",
            X::Published(..) | X::Measured(..) => "ms",
            X::Counted(rule) if rule.counts_parameters() => "M parameters",
            X::Counted(_) => "G MACs",
        }
    }

    /// The backends with points of their own.
    fn backends<'a>(&self, model: &Model<'a>) -> Vec<&'a str> {
        let X::Measured(precision, batch) = &self.x else {
            return Vec::new();
        };
        let mut backends: Vec<&str> = shown(model, *precision, *batch)
            .map(|(case, _)| case.backend.as_str())
            .collect();
        backends.sort_unstable();
        backends.dedup();
        backends
    }

    /// The title of the horizontal axis, and where its numbers come from.
    fn words(&self, model: &Model) -> (String, String) {
        let source = "PaddleClas page, figures as printed";
        match &self.x {
            X::PublishedFlops => (
                "FLOPs, G, by the page's own rule".into(),
                format!("{source}{}", misprints(model)),
            ),
            X::PublishedParams => ("parameters, M, by the page's own rule".into(), source.into()),
            X::Published(device, precision, batch) => (
                latency(*batch, ""),
                format!("PaddleClas page, {device}, {precision}, batch {batch}"),
            ),
            X::Counted(rule) if rule.counts_parameters() => (
                "trainable parameters, M".into(),
                "counted from the network's own graph".into(),
            ),
            X::Counted(_) => (
                "multiply-accumulates of one image, G".into(),
                "counted from the network's own graph, convolutions and linear layers, 224 x 224".into(),
            ),
            X::Measured(precision, batch) => {
                let machine = model.cpu();
                let most = shown(model, *precision, *batch)
                    .map(|(case, _)| case.threads)
                    .max();
                let threads = threads(most.unwrap_or(0));
                let backends = self.backends(model).join(" and ");
                (
                    latency(*batch, " (median, 95 % interval)"),
                    format!("{machine}, {threads}, {backends}, {precision}, batch {batch}"),
                )
            }
        }
    }
}

/// A sentence on published FLOPs that are far from what their rule gives.
fn misprints(model: &Model) -> String {
    let zoo = model.input.zoo;
    let wrong = zoo.classifiers().filter_map(|variant| {
        let flops = claim(model, variant, |column| {
            matches!(column.metric, Metric::Flops { .. })
        })?;
        let column = zoo.column(&flops.column)?;
        let graph = variant.spec.graph(variant.input()).ok()?;
        let counted = column.metric.rule()?.count(&graph.profile()) as f64 / column.unit.scale();
        let is_first = zoo.network_of(variant).name == variant.name;
        let far = (flops.value / counted - 1.0).abs() > FAR;
        (is_first && far).then(|| {
            let name = label(&variant.name);
            format!(
                ". {name}'s {:.2} seems wrong: by the same rule it has {counted:.2}",
                flops.value
            )
        })
    });
    wrong.collect()
}

/// The title of an axis of times.
fn latency(batch: usize, how: &str) -> String {
    match batch {
        1 => format!("latency of an image, ms{how}"),
        _ => format!("latency of a batch of {batch}, ms{how}"),
    }
}

/// The cells that a chart of this precision and batch shows: of one number of threads, so that engines are compared.
fn shown<'m, 'a>(
    model: &'m Model<'a>,
    precision: Precision,
    batch: usize,
) -> impl Iterator<Item = (&'a NetworkCase, &'m Times)> {
    let wanted = move |case: &NetworkCase| {
        case.precision == precision && case.batch == batch && case.crop == Size::square(224)
    };
    let most = model
        .ours(TaskKind::Classes)
        .filter(move |(case, _)| wanted(case))
        .map(|(case, _)| case.threads);
    let most = most.max();
    model
        .ours(TaskKind::Classes)
        .filter(move |(case, _)| wanted(case) && Some(case.threads) == most)
}

/// The variant's figure in the first column of the page that is wanted.
pub(crate) fn claim<'a>(
    model: &Model<'a>,
    variant: &'a Variant,
    wanted: impl Fn(&Column) -> bool,
) -> Option<&'a Claim> {
    let column = model
        .input
        .zoo
        .columns
        .iter()
        .find(|column| column.source == SOURCE && wanted(column))?;
    variant.claim(&column.id)
}

fn family_name(variant: &Variant, backend: Option<&str>) -> String {
    let kind = if variant.tags.iter().any(|tag| tag == DISTILLED) {
        "SSLD distilled"
    } else {
        "trained on labels"
    };
    backend.map_or(kind.to_owned(), |backend| format!("{kind}, {backend}"))
}

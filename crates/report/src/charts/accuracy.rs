use harness::{NetworkCase, Summary};
use hrnet::{CountingRule, Precision, Shape};
use registry::{Claim, Column, Metric, Variant};

use super::{Chart, label};
use crate::Input;
use crate::series::{Family, Point, Series};

/// The publication whose charts these are, and the device they are of.
const SOURCE: &str = "page";
const DEVICE: &str = "NVIDIA T4";
/// The tag of variants trained by distillation.
const DISTILLED: &str = "ssld";

/// The batch of the reference page's charts.
const BATCH: usize = 4;

/// Published top-1 against something.
pub(super) struct Accuracy {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) x: X,
}

/// The horizontal axis.
pub(super) enum X {
    PublishedFlops,
    PublishedParams,
    Published(Precision),
    Counted(CountingRule),
    Measured(Precision),
}

/// A value on the horizontal axis, with its spread and the backend that gave it.
struct Place {
    x: f64,
    spread: f64,
    backend: Option<String>,
}

impl Chart for Accuracy {
    fn id(&self) -> &'static str {
        self.id
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn data(&self, input: &Input) -> Option<Series> {
        let backends = self.backends(input);
        let mut families: Vec<Family> = Vec::new();
        let mut points = Vec::new();
        for variant in &input.zoo.variants {
            let Some(top1) = claim(input, variant, |column| {
                column.metric == Metric::Top1 && is_default(variant, column)
            }) else {
                continue;
            };
            for place in self.places(input, variant) {
                let name = family_name(variant, place.backend.as_deref().filter(|_| backends.len() > 1));
                let family = families
                    .iter()
                    .position(|family| family.name == name)
                    .unwrap_or_else(|| {
                        families.push(Family { name });
                        families.len() - 1
                    });
                let (x, spread) = (place.x, place.spread);
                points.push(Point {
                    label: label(&variant.name),
                    x,
                    y: top1.value * 100.0,
                    spread,
                    family,
                });
            }
        }
        let (x_title, subtitle) = self.words(input);
        (!points.is_empty()).then(|| Series {
            title: self.title.into(),
            subtitle,
            x_title,
            y_title: "ImageNet top-1 accuracy, % (claimed)".into(),
            families,
            points,
        })
    }
}

impl Accuracy {
    fn places(&self, input: &Input, variant: &Variant) -> Vec<Place> {
        let published = |wanted: &dyn Fn(&Column) -> bool| {
            let claim = claim(input, variant, wanted);
            claim
                .map(|claim| Place {
                    x: claim.value,
                    spread: 0.0,
                    backend: None,
                })
                .into_iter()
                .collect()
        };
        match &self.x {
            X::PublishedFlops => published(&|column| matches!(column.metric, Metric::Flops { .. })),
            X::PublishedParams => published(&|column| matches!(column.metric, Metric::Params { .. })),
            X::Published(wanted) => published(&|column| match &column.metric {
                Metric::Latency {
                    device,
                    precision,
                    batch,
                } => device == DEVICE && precision == wanted && *batch == BATCH,
                _ => false,
            }),
            X::Counted(rule) => {
                let graph = variant.spec.graph(Shape::square(1, variant.preprocess.crop));
                let count = graph.map(|graph| rule.count(&graph.profile()) as f64);
                let scale = if rule.counts_parameters() { 1e6 } else { 1e9 };
                count
                    .map(|count| Place {
                        x: count / scale,
                        spread: 0.0,
                        backend: None,
                    })
                    .into_iter()
                    .collect()
            }
            X::Measured(precision) => {
                let network = &input.zoo.network_of(variant).name;
                let wanted = move |case: &NetworkCase| case.variant == *network && wanted(case, *precision);
                let places = measured(input).filter(|(case, _)| wanted(case));
                places
                    .map(|(case, summary)| Place {
                        x: summary.median_ms(),
                        spread: summary.mad_ns / 1e6,
                        backend: Some(case.backend.clone()),
                    })
                    .collect()
            }
        }
    }

    /// The backends with points of their own.
    fn backends<'a>(&self, input: &Input<'a>) -> Vec<&'a str> {
        let X::Measured(precision) = &self.x else {
            return Vec::new();
        };
        let mut backends: Vec<&str> = measured_names(input, *precision).collect();
        backends.sort_unstable();
        backends.dedup();
        backends
    }

    /// The title of the horizontal axis, and where its numbers come from.
    fn words(&self, input: &Input) -> (String, String) {
        let source = "PaddleClas page, figures as printed";
        match &self.x {
            X::PublishedFlops => (
                "FLOPs, G, by the page's own rule".into(),
                format!("{source}: W18's 4.14 is no such count"),
            ),
            X::PublishedParams => ("parameters, M, by the page's own rule".into(), source.into()),
            X::Published(precision) => {
                let precision = paper_name(*precision);
                (
                    format!("latency of a batch of {BATCH}, ms"),
                    format!("PaddleClas page, {DEVICE}, {precision}, batch {BATCH}"),
                )
            }
            X::Counted(rule) if rule.counts_parameters() => (
                "trainable parameters, M".into(),
                "counted from the network's own graph".into(),
            ),
            X::Counted(_) => (
                "multiply-accumulates of one image, G".into(),
                "counted from the network's own graph, convolutions and linear layers, 224 x 224".into(),
            ),
            X::Measured(precision) => {
                let machine = input
                    .records
                    .first()
                    .map_or("this machine", |record| &record.provenance.machine.cpu);
                let threads = measured(input).map(|(case, _)| case.threads).max().unwrap_or(0);
                let backends = self.backends(input).join(" and ");
                let precision = paper_name(*precision);
                (
                    format!("latency of a batch of {BATCH}, ms (median)"),
                    format!("{machine}, {threads} threads, {backends}, {precision}, batch {BATCH}"),
                )
            }
        }
    }
}

/// The name a precision has in published tables.
fn paper_name(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "FP32",
        Precision::F16 => "FP16",
        Precision::Bf16 => "BF16",
    }
}

fn wanted(case: &NetworkCase, precision: Precision) -> bool {
    case.precision == precision && case.batch == BATCH && case.crop == 224
}

fn measured<'a>(input: &Input<'a>) -> impl Iterator<Item = (&'a NetworkCase, Summary)> + use<'a> {
    input
        .alone()
        .filter_map(|record| Some((record.case.network()?, record.summary()?)))
}

fn measured_names<'a>(input: &Input<'a>, precision: Precision) -> impl Iterator<Item = &'a str> + use<'a> {
    measured(input)
        .filter(move |(case, _)| wanted(case, precision))
        .map(|(case, _)| case.backend.as_str())
}

/// The variant's figure in the first column of the page that is wanted.
fn claim<'a>(input: &Input<'a>, variant: &'a Variant, wanted: impl Fn(&Column) -> bool) -> Option<&'a Claim> {
    let column = input
        .zoo
        .columns
        .iter()
        .find(|column| column.source == SOURCE && wanted(column))?;
    variant.claim(&column.id)
}

/// Whether a column's accuracies are of the variant's default weights.
fn is_default(variant: &Variant, column: &Column) -> bool {
    column.weights.as_deref() == variant.artifacts.first().map(|artifact| artifact.id.as_str())
}

fn family_name(variant: &Variant, backend: Option<&str>) -> String {
    let kind = if variant.tags.iter().any(|tag| tag == DISTILLED) {
        "SSLD distilled"
    } else {
        "trained on labels"
    };
    backend.map_or(kind.to_owned(), |backend| format!("{kind}, {backend}"))
}

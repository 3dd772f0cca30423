use harness::{NetworkCase, Summary};
use hrnet::{CountingRule, Precision, Shape};
use registry::{Claim, Column, Metric, Variant};

use crate::Input;
use crate::series::{Family, Point, Series};

/// The publication whose charts these are, and the device they are of.
const SOURCE: &str = "page";
const DEVICE: &str = "NVIDIA T4";
/// The tag of variants trained by distillation.
const DISTILLED: &str = "ssld";

/// A picture of the page: one entry of [`CHARTS`].
pub trait Chart: Sync {
    /// The file's name without its extension.
    fn id(&self) -> &'static str;

    /// What it shows, in a few words.
    fn title(&self) -> &'static str;

    /// What is drawn, or `None` where there is nothing to draw.
    fn data(&self, input: &Input) -> Option<Series>;
}

/// Every chart in the order of the page: the published one, then this machine's beside it.
pub static CHARTS: &[&dyn Chart] = &[
    &Accuracy {
        id: "t4.fp32.bs4.HRNet.flops",
        title: "Accuracy against FLOPs, as published",
        x: X::PublishedFlops,
    },
    &Accuracy {
        id: "local.fp32.bs4.HRNet.flops",
        title: "Accuracy against MACs, as counted",
        x: X::Counted(CountingRule::Macs),
    },
    &Accuracy {
        id: "t4.fp32.bs4.HRNet.params",
        title: "Accuracy against parameters, as published",
        x: X::PublishedParams,
    },
    &Accuracy {
        id: "local.fp32.bs4.HRNet.params",
        title: "Accuracy against parameters, as counted",
        x: X::Counted(CountingRule::Trainable),
    },
    &Accuracy {
        id: "t4.fp32.bs4.HRNet",
        title: "Accuracy against T4 latency, FP32",
        x: X::Published(Precision::F32),
    },
    &Accuracy {
        id: "local.fp32.bs4.HRNet",
        title: "Accuracy against latency here, FP32",
        x: X::Measured(Precision::F32),
    },
    &Accuracy {
        id: "t4.fp16.bs4.HRNet",
        title: "Accuracy against T4 latency, FP16",
        x: X::Published(Precision::F16),
    },
    &Accuracy {
        id: "local.fp16.bs4.HRNet",
        title: "Accuracy against latency here, FP16",
        x: X::Measured(Precision::F16),
    },
];

/// The batch of the reference page's charts.
const BATCH: usize = 4;

/// Published top-1 against something.
struct Accuracy {
    id: &'static str,
    title: &'static str,
    x: X,
}

/// The horizontal axis.
enum X {
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

/// A variant's name without what all of them share.
pub(crate) fn label(name: &str) -> String {
    name.replace("SE_HRNet_", "SE-")
        .replace("HRNet_", "")
        .replace("_C", "")
        .replace('_', " ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use harness::Record;
    use registry::{EMBEDDED, Zoo};

    use super::*;
    use crate::scatter::Layout;

    fn zoo() -> Zoo {
        Zoo::parse(EMBEDDED, Path::new("zoo.toml")).expect("the shipped manifest")
    }

    fn record(case: &str, ms: u64) -> Record {
        let samples = [ms - 1, ms, ms + 2].map(|ms| ms * 1_000_000).to_vec();
        let mut record = Record::new(
            case.parse().expect("a case"),
            "2026-01-01T00:00:00Z".into(),
            Ok(samples),
            harness::Provenance::default(),
        );
        record.provenance.machine.cpu = "Some CPU".into();
        record
    }

    fn records(backend: &str) -> Vec<Record> {
        let networks = [
            ("HRNet_W18_C", 100),
            ("HRNet_W30_C", 150),
            ("HRNet_W32_C", 160),
            ("HRNet_W64_C", 400),
        ];
        networks
            .map(|(name, ms)| record(&format!("{name}/f32/bs4/crop224/{backend}/t2"), ms))
            .to_vec()
    }

    fn series(id: &str, records: &[Record]) -> Option<Series> {
        let zoo = zoo();
        let input = Input {
            zoo: &zoo,
            findings: &[],
            records,
            peers: &[],
            date: "",
            command: "",
        };
        CHARTS
            .iter()
            .find(|chart| chart.id() == id)
            .expect(id)
            .data(&input)
    }

    fn points(series: &Series) -> Vec<(&str, f64, f64)> {
        series
            .points
            .iter()
            .map(|point| (point.label.as_str(), point.x, (point.y * 10.0).round() / 10.0))
            .collect()
    }

    #[test]
    fn the_published_charts_hold_the_pages_figures() {
        let flops = series("t4.fp32.bs4.HRNet.flops", &[]).expect("a chart");
        assert_eq!(
            points(&flops)[..3],
            [
                ("W18", 4.14, 76.9),
                ("W18 ssld", 4.14, 81.6),
                ("W30", 16.23, 78.0)
            ]
        );
        assert_eq!(points(&flops)[9], ("SE-W64 ssld", 57.83, 84.7));
        let params = series("t4.fp32.bs4.HRNet.params", &[]).expect("a chart");
        assert_eq!(points(&params)[8], ("W64", 128.06, 79.3));
        assert_eq!(
            points(&series("t4.fp32.bs4.HRNet", &[]).expect("a chart"))[0],
            ("W18", 13.29752, 76.9)
        );
        assert_eq!(
            points(&series("t4.fp16.bs4.HRNet", &[]).expect("a chart"))[9].1,
            69.31189
        );
    }

    #[test]
    fn the_local_charts_hold_counts_and_medians() {
        let macs = series("local.fp32.bs4.HRNet.flops", &[]).expect("a chart");
        assert_eq!(points(&macs)[0], ("W18", 4.283_537_072, 76.9));
        let measured = series("local.fp32.bs4.HRNet", &records("candle")).expect("a chart");
        let expected = [
            ("W18", 100.0, 76.9),
            ("W18 ssld", 100.0, 81.6),
            ("W30", 150.0, 78.0),
            ("W32", 160.0, 78.3),
            ("W64", 400.0, 79.3),
        ];
        assert_eq!(
            points(&measured),
            expected,
            "variants that share a network share its time"
        );
        assert_eq!(measured.points[0].spread, 1.0);
        assert!(
            measured
                .subtitle
                .contains("Some CPU, 2 threads, candle, FP32, batch 4"),
            "{}",
            measured.subtitle
        );
        assert_eq!(
            series("local.fp16.bs4.HRNet", &records("candle")),
            None,
            "nothing measured, nothing drawn"
        );
    }

    #[test]
    fn each_backend_has_points_of_its_own() {
        let both = [records("candle"), records("cpu")].concat();
        let series = series("local.fp32.bs4.HRNet", &both).expect("a chart");
        let families: Vec<&str> = series
            .families
            .iter()
            .map(|family| family.name.as_str())
            .collect();
        assert_eq!(
            families,
            [
                "trained on labels, candle",
                "trained on labels, cpu",
                "SSLD distilled, candle",
                "SSLD distilled, cpu"
            ]
        );
        assert_eq!(series.points.len(), 10);
    }

    #[test]
    fn no_label_of_any_chart_is_lost_or_lies_over_another() {
        let zoo = zoo();
        let mut records = [records("candle"), records("cpu")].concat();
        records.push(record("HRNet_W48_C/f16/bs4/crop224/candle/t2", 300));
        let input = Input {
            zoo: &zoo,
            findings: &[],
            records: &records,
            peers: &[],
            date: "",
            command: "",
        };
        for chart in CHARTS {
            let series = chart.data(&input).expect("data");
            let layout = Layout::new(&series);
            assert_eq!(layout.centers.len(), series.points.len());
            let labels: Vec<_> = layout
                .labels
                .iter()
                .map(|label| label.expect("a place"))
                .collect();
            for (index, label) in labels.iter().enumerate() {
                assert!(
                    labels[index + 1..].iter().all(|other| !label.overlaps(other)),
                    "{}",
                    chart.id()
                );
                let covered = layout
                    .centers
                    .iter()
                    .any(|center| label.nearest(*center) == *center);
                assert!(!covered, "{}: a label lies over a point", chart.id());
            }
        }
    }
}

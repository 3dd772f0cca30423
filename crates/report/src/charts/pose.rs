use std::collections::BTreeMap;

use hrnet::Precision;
use registry::{ClaimedAccuracy, Decoder, TaskKind, Variant, Zoo};

use super::{Chart, Drawing, Part, label, threads, told};
use crate::axis::Span;
use crate::cells::Model;
use crate::frame::{Words, end};
use crate::pick::{self, Choice, Query, of_task};
use crate::series::{Curve, Point, Series};

/// The decoders, in the order of the legend.
const DECODERS: [Decoder; 4] = [Decoder::Msra, Decoder::Dark, Decoder::Udp, Decoder::UdpRegress];

/// Published AP of pose networks against something.
pub(crate) struct Keypoints {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) x: PoseX,
}

/// The horizontal axis.
pub(crate) enum PoseX {
    /// Multiply-accumulates of one person.
    Counted,
    /// Latency here in a precision and at a batch.
    Measured(Precision, usize),
}

/// A variant on the chart.
struct Place<'a> {
    variant: &'a Variant,
    ap: ClaimedAccuracy<'a>,
    decoder: Decoder,
    x: f64,
    interval: Option<(f64, f64)>,
    /// The source of `x`: engine and threads, or the count.
    of: String,
}

impl<'a> Place<'a> {
    /// Returns a variant at 0 on the horizontal axis; `None` without a published AP on this data.
    fn of(zoo: &'a Zoo, variant: &'a Variant, data: &str) -> Option<Self> {
        let ap = zoo.claimed_ap(variant)?;
        (ap.column.data.as_deref() == Some(data)).then_some(())?;
        Some(Self {
            variant,
            ap,
            decoder: variant.pose()?.decoder,
            x: 0.0,
            interval: None,
            of: "counted".into(),
        })
    }
}

/// Returns the data set for which most variants have a published AP: AP on other data cannot be compared with it.
pub(crate) fn data(zoo: &Zoo) -> Option<&str> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for variant in of_task(zoo, TaskKind::Pose) {
        let Some(data) = zoo.claimed_ap(variant).and_then(|ap| ap.column.data.as_deref()) else {
            continue;
        };
        match counts.iter_mut().find(|(known, _)| *known == data) {
            Some((_, count)) => *count += 1,
            None => counts.push((data, 1)),
        }
    }
    // The first of those that most have.
    let most = counts.iter().map(|(_, count)| *count).max();
    let first = counts.into_iter().find(|(_, count)| Some(*count) == most);
    first.map(|(data, _)| data)
}

/// Returns how a variant was trained and is decoded, in words.
pub(crate) fn training(decoder: Decoder) -> &'static str {
    match decoder {
        Decoder::Msra => "plain",
        Decoder::Dark => "DARK",
        Decoder::Udp => "UDP",
        Decoder::UdpRegress => "UDP with offsets",
    }
}

impl Chart for Keypoints {
    fn id(&self) -> &'static str {
        self.id
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn part(&self) -> Part {
        Part::Pose
    }

    fn data(&self, model: &Model) -> Option<Drawing> {
        let data = data(model.input.zoo)?;
        let places = self.places(model, data);
        let used = |decoder: &Decoder| places.iter().any(|place| place.decoder == *decoder);
        let decoders: Vec<Decoder> = DECODERS.into_iter().filter(used).collect();
        let mut points: Vec<Point> = places.iter().map(|place| self.point(place, &decoders)).collect();
        let curves = columns(model.input.zoo, &places, &mut points);
        let (x_title, subtitle) = self.words(model, &places);
        (!points.is_empty()).then(|| {
            Drawing::Scatter(Series {
                words: Words {
                    title: self.title.into(),
                    subtitle,
                    x_title,
                },
                y_title: format!("AP on {data}, points of 100 (claimed)"),
                families: decoders
                    .iter()
                    .map(|decoder| training(*decoder).to_owned())
                    .collect(),
                spans: Some(spans(&points)),
                points,
                curves,
            })
        })
    }
}

impl Keypoints {
    fn places<'a>(&self, model: &Model<'a>, data: &str) -> Vec<Place<'a>> {
        let zoo = model.input.zoo;
        match self.x {
            PoseX::Counted => of_task(zoo, TaskKind::Pose)
                .filter_map(|variant| {
                    let graph = variant.spec.graph(variant.input()).ok()?;
                    Some(Place {
                        x: graph.profile().macs().0 as f64 / 1e9,
                        ..Place::of(zoo, variant, data)?
                    })
                })
                .collect(),
            PoseX::Measured(precision, batch) => {
                let query = Query {
                    task: TaskKind::Pose,
                    batch: Some(batch),
                    size: None,
                };
                let place = |choice: Choice| {
                    Some(Place {
                        x: choice.median_ns / 1e6,
                        interval: choice.interval_ns.map(|(low, high)| (low / 1e6, high / 1e6)),
                        of: format!("{}, {}", choice.case.backend, threads(choice.case.threads)),
                        ..Place::of(zoo, zoo.variant(&choice.variant)?, data)?
                    })
                };
                let choices = pick::all(model, query).into_iter();
                choices
                    .filter(|choice| choice.case.precision == precision)
                    .filter_map(place)
                    .collect()
            }
        }
    }

    fn point(&self, place: &Place, decoders: &[Decoder]) -> Point {
        let unit = match self.x {
            PoseX::Counted => "G MACs",
            PoseX::Measured(..) => "ms",
        };
        let (name, ap) = (&place.variant.name, place.ap.in_points());
        let x = told(place.x, place.interval, unit);
        let family = decoders.iter().position(|known| *known == place.decoder);
        Point {
            label: String::new(),
            x: place.x,
            y: place.ap.percent(),
            interval: place.interval,
            family: family.unwrap_or_default(),
            told: format!("{name}: AP {ap} at {x} ({})", place.of),
        }
    }

    /// The title of the horizontal axis, and the source of its numbers.
    fn words(&self, model: &Model, places: &[Place]) -> (String, String) {
        match self.x {
            PoseX::Counted => (
                "multiply-accumulates of one person, G".into(),
                "counted from the network's own graph, without the flip test, which runs each person twice"
                    .into(),
            ),
            PoseX::Measured(precision, batch) => {
                let mut engines: Vec<&str> = places.iter().map(|place| place.of.as_str()).collect();
                engines.sort_unstable();
                engines.dedup();
                (
                    "latency of a person, ms (median, 95 % interval)".into(),
                    format!(
                        "{}, {}, {precision}, batch {batch}, without the flip test",
                        model.cpu(),
                        engines.join(" and ")
                    ),
                )
            }
        }
    }
}

/// The ends of both axes: AP by whole points, which leaves room for its title.
fn spans(points: &[Point]) -> (Span, Span) {
    let right = points.iter().map(|point| end(point.x, point.interval));
    let right = right.fold(0.0, f64::max);
    let low = points.iter().map(|point| point.y).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|point| point.y).fold(0.0, f64::max);
    (
        Span::linear(0.0, right * 1.02, 6),
        Span::linear(low.floor(), high.ceil(), 4),
    )
}

/// Labels the highest point of each network, and returns a line through the points of each: variants that share a network stand
/// above one another.
fn columns(zoo: &Zoo, places: &[Place], points: &mut [Point]) -> Vec<Curve> {
    let mut networks: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, place) in places.iter().enumerate() {
        let network = &zoo.network_of(place.variant).name;
        networks.entry(network).or_default().push(index);
    }
    let mut curves = Vec::new();
    for (network, mut indices) in networks {
        indices.sort_by(|a, b| points[*a].y.total_cmp(&points[*b].y));
        if indices.len() > 1 {
            let ends = indices.iter().map(|index| (points[*index].x, points[*index].y));
            curves.push(Curve {
                points: ends.collect(),
                name: None,
            });
        }
        if let Some(highest) = indices.last() {
            points[*highest].label = label(network);
        }
    }
    curves
}

use std::collections::BTreeSet;

use harness::{Conditions, NetworkCase};
use hrnet::{Precision, Shape, Size, Traffic};
use registry::{TaskKind, Variant};

use super::{Chart, Drawing, Part, label, threads};
use crate::axis::Span;
use crate::cells::{Cell, Model, OURS};
use crate::frame::Words;
use crate::sections::digits;
use crate::series::{Curve, Point, Series};

/// The rate of each network under the limits of multiply-adds and memory.
pub(super) struct Roofline;

/// Bytes of an element.
const F32: f64 = 4.0;

/// The limits of the machine, as the median over the cells that are shown.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Roof {
    macs_per_s: f64,
    bytes_per_s: f64,
}

/// One cell on the chart: multiply-accumulates a byte, and G of them a second.
struct Place<'a> {
    case: &'a NetworkCase,
    x: f64,
    y: f64,
}

impl Chart for Roofline {
    fn id(&self) -> &'static str {
        "roofline.f32"
    }

    fn title(&self) -> &'static str {
        "What limits a network here, f32"
    }

    fn part(&self) -> Part {
        Part::Latency
    }

    fn data(&self, model: &Model) -> Option<Drawing> {
        let cells = cells(model)?;
        let roof = Roof::of(&cells)?;
        let batches: BTreeSet<usize> = cells.iter().map(|(case, _)| case.batch).collect();
        let batches: Vec<usize> = batches.into_iter().collect();
        let (mut points, mut joins, mut places) = (Vec::new(), Vec::new(), Vec::new());
        for variant in model.input.zoo.classifiers() {
            let own = of(model, variant, &cells);
            let last = own.len().saturating_sub(1);
            points.extend(own.iter().enumerate().filter_map(|(index, place)| {
                // A network has its name once, at its largest batch.
                let name = if index == last {
                    label(&variant.name)
                } else {
                    String::new()
                };
                let family = batches.iter().position(|batch| *batch == place.case.batch)?;
                Some(point(place, name, family, roof))
            }));
            joins.push(Curve {
                points: own.iter().map(|place| (place.x, place.y)).collect(),
                name: None,
            });
            places.extend(own);
        }
        let (x, y) = spans(&places, roof);
        let mut curves = roof.curves(x, y);
        curves.extend(joins);
        let most = cells.first()?.0.threads;
        Some(Drawing::Scatter(Series {
            words: Words {
                title: self.title().into(),
                subtitle: format!(
                    "{}, {}, {OURS}. Left of the bend memory is the limit, right of it arithmetic; the nearer to the line or \
                     above, the better the machine is used. Above it is no error: Winograd's filtering multiplies less than is \
                     counted. Bytes: f32 weights once per batch, and the maps that each step reads and writes, without caches",
                    model.cpu(),
                    threads(most)
                ),
                x_title: "multiply-accumulates per byte moved".into(),
            },
            y_title: "G multiply-accumulates per second".into(),
            families: batches.iter().map(|batch| format!("batch {batch}")).collect(),
            points,
            curves,
            spans: Some((Span::log(x.0, x.1), Span::log(y.0, y.1))),
        }))
    }
}

/// The cells of our engine in f32 that tell what the machine could do, of the most threads.
fn cells<'m, 'a>(model: &'m Model<'a>) -> Option<Vec<(&'a NetworkCase, &'m Cell<'a>)>> {
    let known = |cell: &&Cell| cell.records.iter().any(|record| record.conditions.is_some());
    let cells: Vec<_> = model
        .alone_of(TaskKind::Classes)
        .filter(known)
        .filter_map(|cell| Some((cell.measured()?.0, cell)))
        .filter(|(case, _)| {
            case.backend == OURS && case.precision == Precision::F32 && case.crop == Size::square(224)
        })
        .collect();
    let most = cells.iter().map(|(case, _)| case.threads).max()?;
    Some(
        cells
            .into_iter()
            .filter(|(case, _)| case.threads == most)
            .collect(),
    )
}

/// The cells of a variant's network, smallest batch first.
fn of<'a>(model: &Model, variant: &Variant, cells: &[(&'a NetworkCase, &Cell)]) -> Vec<Place<'a>> {
    let mut own = cells
        .iter()
        .filter(|(case, _)| case.variant == variant.name)
        .peekable();
    let Some(traffic) = own.peek().and_then(|(case, _)| {
        let graph = variant.spec.graph(Shape::images(1, case.crop));
        graph.ok().map(|graph| graph.traffic())
    }) else {
        return Vec::new();
    };
    let mut places: Vec<Place> = own
        .filter_map(|(case, cell)| {
            let macs = model.macs_of_run(case)?;
            Some(Place {
                case,
                x: macs / bytes(traffic, case.batch),
                y: cell.over(|record| record.macs_per_s(macs))? / 1e9,
            })
        })
        .collect();
    places.sort_by_key(|place| place.case.batch);
    places
}

/// Bytes that a pass over a batch moves; `one` is of a single image.
fn bytes(one: Traffic, batch: usize) -> f64 {
    F32 * (one.weights as f64 + one.maps as f64 * batch as f64)
}

fn point(place: &Place, name: String, family: usize, roof: Roof) -> Point {
    let allowed = roof.at(place.x);
    let limit = if allowed * 1e9 < roof.macs_per_s {
        "memory"
    } else {
        "multiply-adds"
    };
    Point {
        label: name,
        x: place.x,
        y: place.y,
        interval: None,
        family,
        told: format!(
            "{}, batch {}: {} GMAC/s at {} MAC a byte, {:.0} % of what {limit} allow",
            place.case.variant,
            place.case.batch,
            digits(place.y),
            digits(place.x),
            100.0 * place.y / allowed
        ),
    }
}

/// The ends of both axes: all points, and the edge at which memory no longer limits.
fn spans(places: &[Place], roof: Roof) -> ((f64, f64), (f64, f64)) {
    let reach = |value: fn(&Place) -> f64| {
        let values = places.iter().map(value);
        values.fold((f64::INFINITY, 0.0_f64), |(low, high), value| {
            (low.min(value), high.max(value))
        })
    };
    let ((left, right), (low, high)) = (reach(|place| place.x), reach(|place| place.y));
    let edge = roof.macs_per_s / roof.bytes_per_s;
    let x = (left.min(edge) / 1.5, right.max(edge) * 1.3);
    let y = (low.min(roof.at(x.0)) / 1.1, high.max(roof.macs_per_s / 1e9) * 1.2);
    (x, y)
}

impl Roof {
    fn of(cells: &[(&NetworkCase, &Cell)]) -> Option<Self> {
        let median = |rate: fn(&Conditions) -> Option<f64>| {
            let rates = cells
                .iter()
                .filter_map(|(_, cell)| cell.over(|record| rate(record.conditions.as_ref()?)));
            harness::median(&mut rates.collect::<Vec<_>>())
        };
        Some(Self {
            macs_per_s: median(Conditions::macs_per_s)?,
            bytes_per_s: median(Conditions::bytes_per_s)?,
        })
    }

    /// G multiply-accumulates per second that it allows at so many a byte.
    fn at(self, macs_per_byte: f64) -> f64 {
        (self.bytes_per_s * macs_per_byte).min(self.macs_per_s) / 1e9
    }

    /// Memory's slope and the flat roof of multiply-adds, between these ends of the axes.
    fn curves(self, x: (f64, f64), y: (f64, f64)) -> Vec<Curve> {
        let (edge, flat) = (self.macs_per_s / self.bytes_per_s, self.macs_per_s / 1e9);
        let left = x.0.max(y.0 * 1e9 / self.bytes_per_s);
        let name = |what: &str, rate: f64, unit: &str, at: f64| {
            let text = format!("{what}, {} {unit}", digits(rate / 1e9));
            Some((text, (at, self.at(at))))
        };
        vec![
            Curve {
                points: vec![(left, self.at(left)), (edge, flat)],
                name: name("memory", self.bytes_per_s, "GB/s", (left * edge).sqrt()),
            },
            Curve {
                points: vec![(edge, flat), (x.1, flat)],
                // Near its edge: networks lie farther to the right.
                name: name(
                    "multiply-adds",
                    self.macs_per_s,
                    "G/s",
                    edge * (x.1 / edge).powf(0.3),
                ),
            },
        ]
    }
}

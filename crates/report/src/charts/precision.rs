use std::collections::BTreeSet;

use harness::NetworkCase;
use hrnet::Precision;

use super::{Chart, Drawing, Part, label, told};
use crate::cells::{Model, Times};
use crate::dots::{Dot, Dots, Row};
use crate::frame::Words;

/// How many times as fast as in f32 a network is in other precisions.
pub(super) struct SpeedUp;

impl Chart for SpeedUp {
    fn id(&self) -> &'static str {
        "local.precision"
    }

    fn title(&self) -> &'static str {
        "Speed of other precisions over FP32"
    }

    fn part(&self) -> Part {
        Part::Latency
    }

    fn data(&self, model: &Model) -> Option<Drawing> {
        let others: Vec<(&NetworkCase, &Times)> = model
            .ours()
            .filter(|(case, _)| case.precision != Precision::F32)
            .collect();
        let most = others.iter().map(|(case, _)| (case.threads, case.batch)).max()?;
        let mut kinds = BTreeSet::new();
        let mut found = Vec::new();
        for (case, times) in &others {
            if (case.threads, case.batch) != most {
                continue;
            }
            let Some((plain, before)) = plain(model, case) else {
                continue;
            };
            let kind = (case.precision, case.backend.as_str(), plain.backend.as_str());
            kinds.insert(kind);
            found.push((*case, kind, ratio(before, times)));
        }
        let kinds: Vec<_> = kinds.into_iter().collect();
        let row = |variant: &registry::Variant| {
            let of = found.iter().filter(|(case, _, _)| case.variant == variant.name);
            let dots: Vec<Dot> = of
                .filter_map(|(case, kind, (value, interval))| {
                    Some(Dot {
                        family: kinds.iter().position(|other| other == kind)?,
                        value: *value,
                        interval: *interval,
                        told: format!(
                            "{} in {}: {}",
                            case.variant,
                            case.precision,
                            told(*value, *interval, "times the speed of FP32")
                        ),
                    })
                })
                .collect();
            (!dots.is_empty()).then(|| Row {
                name: label(&variant.name),
                dots,
            })
        };
        let rows: Vec<Row> = model.input.zoo.variants.iter().filter_map(row).collect();
        let family = |(precision, backend, plain): &(Precision, &str, &str)| {
            format!("{precision} on {backend} / f32 on {plain}")
        };
        (!rows.is_empty()).then(|| {
            Drawing::Dots(Dots {
                words: Words {
                    title: self.title().into(),
                    subtitle: format!(
                        "{}, {}, batch {}: right of the line is faster; bars: interval",
                        model.cpu(),
                        super::threads(most.0),
                        most.1
                    ),
                    x_title: "times the speed of FP32".into(),
                },
                mark: Some((1.0, "FP32".into())),
                families: kinds.iter().map(family).collect(),
                rows,
            })
        })
    }
}

/// The same cell in f32: of the same engine, or where that was not measured the fastest.
fn plain<'m, 'a>(model: &'m Model<'a>, case: &NetworkCase) -> Option<(&'a NetworkCase, &'m Times)> {
    let same = |other: &NetworkCase| {
        other.precision == Precision::F32
            && (&other.variant, other.batch, other.crop, other.threads)
                == (&case.variant, case.batch, case.crop, case.threads)
    };
    let candidates = model.ours_of(&case.variant).filter(|(other, _)| same(other));
    candidates.min_by(|a, b| {
        let key = |(other, times): &(&NetworkCase, &Times)| (other.backend != case.backend, times.median_ns);
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    })
}

/// One time over another, with the widest that their intervals allow.
pub(super) fn ratio(above: &Times, below: &Times) -> (f64, Option<(f64, f64)>) {
    let interval = above
        .interval
        .zip(below.interval)
        .map(|(above, below)| (above.0 / below.1, above.1 / below.0));
    (above.median_ns / below.median_ns, interval)
}

use std::collections::BTreeSet;

use harness::Record;
use hrnet::{Precision, Size};
use registry::TaskKind;

use super::{Chart, Drawing, Part, label, threads};
use crate::cells::{Model, OURS};
use crate::dots::{Dot, Dots, Row};
use crate::frame::Words;
use crate::sections::digits;

/// Each network's multiply-accumulates per second as a share of what direct convolution could reach at most: the peak of
/// multiply-adds around it.
pub(super) struct Share;

impl Chart for Share {
    fn id(&self) -> &'static str {
        "share.f32"
    }

    fn title(&self) -> &'static str {
        "Speed against direct convolution, f32"
    }

    fn part(&self) -> Part {
        Part::Latency
    }

    fn data(&self, model: &Model) -> Option<Drawing> {
        // A race times its peak in the same rounds; a cell measured alone has a canary before and after.
        let cells: Vec<_> = model
            .cells
            .iter()
            .filter_map(|cell| {
                let (case, times) = cell.measured()?;
                let ours = model.is_of(cell, TaskKind::Classes)
                    && case.backend == OURS
                    && case.precision == Precision::F32
                    && case.crop == Size::square(224);
                let macs = model.macs_of_run(case)?;
                let share = cell.over(|record| record.share_of_peak(macs))?;
                let peak = cell.over(Record::peak_macs_per_s)?;
                ours.then_some((case, times, share, peak))
            })
            .collect();
        let threads_here = cells.iter().map(|(case, ..)| case.threads).max()?;
        let shown = || {
            cells
                .iter()
                .filter(move |(case, ..)| case.threads == threads_here)
        };
        let batches: BTreeSet<usize> = shown().map(|(case, ..)| case.batch).collect();
        let batches: Vec<usize> = batches.into_iter().collect();
        let row = |variant: &registry::Variant| {
            let mut dots: Vec<Dot> = Vec::new();
            for (case, times, share, peak) in shown().filter(|(case, ..)| case.variant == variant.name) {
                let Some(family) = batches.iter().position(|batch| *batch == case.batch) else {
                    continue;
                };
                if dots.iter().any(|dot| dot.family == family) {
                    continue;
                }
                let scale = |ns: f64| 100.0 * share * times.median_ns / ns;
                dots.push(Dot {
                    family,
                    value: 100.0 * share,
                    interval: times.interval.map(|(low, high)| (scale(high), scale(low))),
                    told: format!(
                        "{}, batch {}: {} GMAC/s; direct convolution reaches {} at most, this is {:.0} % of it",
                        variant.name,
                        case.batch,
                        digits(share * peak / 1e9),
                        digits(peak / 1e9),
                        100.0 * share
                    ),
                });
            }
            (!dots.is_empty()).then(|| Row {
                name: label(&variant.name),
                dots,
            })
        };
        let rows: Vec<Row> = model.input.zoo.classifiers().filter_map(row).collect();
        Some(Drawing::Dots(Dots {
            words: Words {
                title: self.title().into(),
                subtitle: format!(
                    "{}, {}, {OURS}. 100 % is what direct convolution could reach at most on this machine; Winograd's \
                     filtering needs fewer multiplications, so more than 100 % is no error",
                    model.cpu(),
                    threads(threads_here)
                ),
                x_title: "% of the fastest possible direct convolution".into(),
            },
            mark: Some((100.0, "limit".into())),
            families: batches.iter().map(|batch| format!("batch {batch}")).collect(),
            rows,
        }))
    }
}

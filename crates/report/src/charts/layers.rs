use super::{Chart, Drawing, Part};
use crate::bars::{Bar, Bars, Group};
use crate::cells::Model;
use crate::frame::Words;
use crate::layers::{Breakdown, PartTime, Work, breakdown};
use crate::sections::digits;

/// The time of one network, part by part.
pub(super) struct Layers;

impl Chart for Layers {
    fn id(&self) -> &'static str {
        "layers"
    }

    fn title(&self) -> &'static str {
        "Where one network's time goes"
    }

    fn part(&self) -> Part {
        Part::Layers
    }

    fn data(&self, model: &Model) -> Option<Drawing> {
        let breakdown = breakdown(model)?;
        let used = |work: &Work| {
            let mut works = breakdown.parts.iter().flat_map(|part| &part.works);
            works.any(|sum| sum.key == *work)
        };
        let works: Vec<Work> = Work::ALL.into_iter().filter(used).collect();
        let group = |part: &PartTime| Group {
            name: part.name.clone(),
            bars: vec![bar(&breakdown, part, &works)],
        };
        Some(Drawing::Bars(Bars {
            words: Words {
                title: self.title().into(),
                subtitle: format!(
                    "{}, {}. Behind each bar its time, and its speed as a share of the fastest possible direct convolution, which \
                     Winograd's filtering passes",
                    breakdown.times.provenance.machine.cpu,
                    breakdown.what()
                ),
                x_title: format!(
                    "ms (median of {})",
                    harness::counted(breakdown.times.runs(), "run")
                ),
            },
            mark: None,
            families: works.iter().map(|work| work.name().to_owned()).collect(),
            groups: breakdown.parts.iter().map(group).collect(),
        }))
    }
}

fn bar(breakdown: &Breakdown, part: &PartTime, works: &[Work]) -> Bar {
    let value = part.sum.time_ns / 1e6;
    let of_peak = part
        .sum
        .share_of_peak()
        .map_or(String::new(), |share| format!(", {:.0} %", 100.0 * share));
    let sums = works.iter().enumerate().filter_map(|(family, work)| {
        let sum = part.works.iter().find(|sum| sum.key == *work)?;
        Some((family, *work, sum.time_ns / 1e6))
    });
    // The median of a sum is not the sum of the medians: the pieces are its shares.
    let whole: f64 = part.works.iter().map(|sum| sum.time_ns / 1e6).sum();
    let scale = if whole > 0.0 { value / whole } else { 0.0 };
    let told: Vec<String> = sums
        .clone()
        .map(|(_, work, ms)| format!("{} {} ms", work.name(), digits(ms)))
        .collect();
    Bar {
        pieces: sums.map(|(family, _, ms)| (family, ms * scale)).collect(),
        interval: None,
        label: format!("{}{of_peak}", digits(value)),
        told: format!(
            "{}: {} ms, {:.0} % of the time: {}",
            part.name,
            digits(value),
            100.0 * breakdown.share(&part.sum),
            told.join(", ")
        ),
    }
}

use super::{Networks, OURS, Setting, engines, in_words, settings};
use crate::bars::{self, Bar, Bars, Group};
use crate::charts::label;
use crate::page::Figure;
use crate::sections::digits;
use crate::{Input, ReportError};

/// A chart a setting: each peer's time over ours.
///
/// # Errors
/// If one cannot be drawn.
pub(crate) fn figures(input: &Input) -> Result<Vec<Figure>, ReportError> {
    let drawn = |(setting, networks): (Setting, Networks)| {
        let (batch, threads, crop) = setting;
        let id = format!("peers.fp32.bs{batch}.t{threads}.crop{crop}");
        let chart = chart(input, setting, &networks);
        let svg = bars::svg(&chart).map_err(|reason| ReportError::Chart {
            id: id.clone(),
            reason,
        })?;
        Ok(Figure {
            id,
            title: chart.title,
            svg: Some(svg),
        })
    };
    settings(input).into_iter().map(drawn).collect()
}

pub(super) fn chart(input: &Input, setting: Setting, networks: &Networks) -> Bars {
    let group = |name: &&str| Group {
        name: (*name).to_owned(),
        bars: networks
            .iter()
            .enumerate()
            .filter_map(|(family, (_, entries))| {
                let entry = entries.iter().find(|entry| entry.engine == *name)?;
                let ms = digits(entry.summary.median_ms());
                Some(Bar {
                    family,
                    value: entry.ratio,
                    interval: entry.interval,
                    label: format!("{:.2}, {ms} ms", entry.ratio),
                })
            })
            .collect(),
    };
    let engines = engines(networks);
    let machine = &input.records[0].provenance.machine.cpu;
    Bars {
        title: format!("Peers beside ours, {}", in_words(setting)),
        subtitle: format!("{machine}, FP32, the same weights and images, in turns"),
        x_title: format!("times as long as {OURS} (median, 95 % interval)"),
        mark: (1.0, format!("{OURS}, ours")),
        families: networks.iter().map(|(name, _)| label(name)).collect(),
        groups: engines
            .iter()
            .filter(|name| input.peers.contains(name))
            .map(group)
            .collect(),
    }
}

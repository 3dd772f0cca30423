use super::{Networks, Setting, engines, in_words, settings};
use crate::ReportError;
use crate::bars::{self, Bar, Bars, Group};
use crate::cells::{Model, OURS};
use crate::charts::label;
use crate::frame::Words;
use crate::page::Figure;
use crate::sections::digits;

/// A chart a setting: each peer's time over ours.
///
/// # Errors
/// If one cannot be drawn.
pub(crate) fn figures(model: &Model) -> Result<Vec<Figure>, ReportError> {
    let drawn = |(setting, networks): (Setting, Networks)| {
        let Setting {
            is_pose,
            batch,
            threads,
            crop,
        } = setting;
        let pose = if is_pose { ".pose" } else { "" };
        let id = format!("peers{pose}.f32.bs{batch}.t{threads}.crop{crop}");
        let chart = chart(model, setting, &networks);
        let svg = bars::svg(&chart).map_err(|source| ReportError::Chart {
            id: id.clone(),
            source,
        })?;
        Ok(Figure {
            id,
            title: chart.words.title,
            part: None,
            svg,
        })
    };
    settings(model).into_iter().map(drawn).collect()
}

pub(super) fn chart(model: &Model, setting: Setting, networks: &Networks) -> Bars {
    let group = |name: &&str| Group {
        name: (*name).to_owned(),
        bars: networks
            .iter()
            .enumerate()
            .filter_map(|(family, (network, entries))| {
                let entry = entries.iter().find(|entry| entry.engine == *name)?;
                let ms = digits(entry.times.median_ms());
                let within = entry
                    .interval
                    .map_or(String::new(), |(low, high)| format!(" [{low:.2}, {high:.2}]"));
                Some(Bar {
                    pieces: vec![(family, entry.ratio)],
                    interval: entry.interval,
                    label: format!("{:.2}, {ms} ms", entry.ratio),
                    told: format!(
                        "{name}, {}: {ms} ms, {:.2}{within} times as long as {OURS}",
                        label(network),
                        entry.ratio
                    ),
                })
            })
            .collect(),
    };
    let engines = engines(networks);
    Bars {
        words: Words {
            title: format!("Peers beside ours, {}", in_words(setting)),
            subtitle: format!("{}, f32, the same weights and images, in turns", model.cpu()),
            x_title: format!("times as long as {OURS} (median, 95 % interval)"),
        },
        mark: Some((1.0, format!("{OURS}, ours"))),
        families: networks.iter().map(|(name, _)| label(name)).collect(),
        groups: engines
            .iter()
            .filter(|name| model.is_peer(name))
            .map(group)
            .collect(),
    }
}

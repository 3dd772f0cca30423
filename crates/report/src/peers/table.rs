use std::collections::BTreeSet;

use harness::Record;

use super::{Entry, Networks, Setting, engine, engines, in_words, settings};
use crate::cells::{Model, OURS};
use crate::charts::label;
use crate::page::{Block, Figure, Section, Table};
use crate::sections::{digits, drawn, failures};

/// The charts, and below them each engine's times; nothing where no peer was measured.
pub(crate) fn section(model: &Model, figures: Vec<Figure>) -> Option<Section> {
    let settings = settings(model);
    if settings.is_empty() {
        return None;
    }
    let versions: BTreeSet<&str> = model
        .input
        .records
        .iter()
        .filter(|record| model.is_peer(engine(record)) && record.summary().is_some())
        .map(|record| record.provenance.backend.as_str())
        .collect();
    let versions: Vec<&str> = versions.into_iter().collect();
    let mut blocks = vec![Block::Text {
        text: format!(
            "Other engines on our own ONNX export of the same weights, batch norms folded, with the same images and \
             threads: f32 in, logits or heatmaps out. An engine's output is compared with our reference before it is timed. In a race \
             the engines take turns, so that a slow moment of the machine slows them all, and the second run of a turn counts. A ratio is the \
             median over the rounds, in brackets its 95 % interval. Measured here: {}.",
            versions.join("; ")
        ),
    }];
    blocks.extend(drawn(figures));
    for (setting, networks) in &settings {
        blocks.push(Block::Text {
            text: format!(
                "{}: median in ms, below it times as long as {OURS}.",
                capital(&in_words(*setting))
            ),
        });
        blocks.push(Block::Table(table(model, *setting, networks)));
    }
    let races = model.input.records.iter().filter(|record| record.race.is_some());
    blocks.extend(failures(races));
    Some(Section {
        id: "peers",
        title: "Peers side by side".into(),
        blocks,
    })
}

/// The advice in place of this section if no peer was measured.
pub(crate) fn advice(model: &Model) -> Option<Block> {
    let is_peer = |record: &Record| model.is_peer(engine(record));
    let text = "No other engine was measured beside ours: `zoo peers install` installs some, and then `zoo nightly` and \
                `zoo peers race` time them in turns with ours.";
    (!model.input.records.iter().any(is_peer)).then(|| Block::Text { text: text.into() })
}

fn table(model: &Model, setting: Setting, networks: &Networks) -> Table {
    let mut titles = vec!["engine".to_owned()];
    titles.extend(networks.iter().map(|(name, _)| format!(">{}", label(name))));
    let mut table = Table::new(&titles);
    for name in engines(networks) {
        let cell = |(_, entries): &(&str, Vec<Entry>)| {
            let entry = entries.iter().find(|entry| entry.engine == name);
            entry.map_or("–".to_owned(), |entry| {
                let ms = digits(entry.times.median_ms());
                let interval = entry
                    .interval
                    .map_or(String::new(), |(low, high)| format!(" [{low:.2}, {high:.2}]"));
                match name {
                    OURS => format!("{ms} ms"),
                    _ => format!("{ms} ms\n{:.2}{interval}", entry.ratio),
                }
            })
        };
        let mut row = vec![name.to_owned()];
        row.extend(networks.iter().map(cell));
        table.row(row);
    }
    let shares: Vec<Option<String>> = networks
        .iter()
        .map(|(name, entries)| share(model, setting, name, entries))
        .collect();
    if shares.iter().any(Option::is_some) {
        let mut row = vec![format!("{OURS}'s rate,\nshare of direct limit")];
        row.extend(shares.into_iter().map(Option::unwrap_or_default));
        table.row(row);
    }
    table
}

/// Our effective rate, and its share of what fused multiply-adds reached in the same race.
fn share(model: &Model, setting: Setting, name: &str, entries: &[Entry]) -> Option<String> {
    let ours = entries.iter().find(|entry| entry.engine == OURS)?.record;
    ours.race.as_ref()?;
    let macs = model.macs_of(name, setting.crop)? * setting.batch as f64;
    Some(format!(
        "{} GMAC/s\n{:.0} % of {}",
        digits(ours.macs_per_s(macs)? / 1e9),
        100.0 * ours.share_of_peak(macs)?,
        digits(ours.peak_macs_per_s()? / 1e9)
    ))
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| {
        first.to_uppercase().collect::<String>() + characters.as_str()
    })
}

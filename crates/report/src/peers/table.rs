use std::collections::BTreeSet;

use harness::Record;

use super::{Entry, Networks, OURS, Setting, engine, engines, in_words, settings};
use crate::Input;
use crate::charts::label;
use crate::page::{Block, Figure, Section, Table};
use crate::sections::{digits, failures, pairs};

/// The charts, and below them each engine's times; nothing where no peer was measured.
pub(crate) fn section(input: &Input, figures: Vec<Figure>) -> Option<Section> {
    let settings = settings(input);
    if settings.is_empty() {
        return None;
    }
    let versions: BTreeSet<&str> = input
        .records
        .iter()
        .filter(|record| input.peers.contains(&engine(record)) && record.summary().is_some())
        .map(|record| record.provenance.backend.as_str())
        .collect();
    let versions: Vec<&str> = versions.into_iter().collect();
    let mut blocks = vec![Block::Text {
        text: format!(
            "Other engines on our own ONNX export of the same weights, batch norms folded, with the same images and \
             threads: f32 in, logits out. An engine's logits are compared with our reference before it is timed. In a race \
             the engines take turns, so that what slows the machine down falls on all, and the second run of a turn counts; a ratio is the median over the \
             rounds, in brackets its 95 % interval. Measured here: {}.",
            versions.join("; ")
        ),
    }];
    blocks.extend(pairs(figures));
    for (setting, networks) in &settings {
        blocks.push(Block::Text {
            text: format!(
                "{}: median in ms, below it times as long as {OURS}.",
                capital(&in_words(*setting))
            ),
        });
        blocks.push(Block::Table(table(input, *setting, networks)));
    }
    let races = input.records.iter().filter(|record| record.race.is_some());
    blocks.extend(failures(races));
    Some(Section {
        title: "Peers side by side".into(),
        blocks,
    })
}

/// What to do for this section where it is missing.
pub(crate) fn advice(input: &Input) -> Option<Block> {
    let is_peer = |record: &Record| input.peers.contains(&engine(record));
    let text = "No other engine was measured beside ours: zoo peers install brings some, and then zoo nightly and zoo \
                peers race time them in turns with ours.";
    (!input.records.iter().any(is_peer)).then(|| Block::Text { text: text.into() })
}

fn table(input: &Input, setting: Setting, networks: &Networks) -> Table {
    let mut titles = vec!["engine".to_owned()];
    titles.extend(networks.iter().map(|(name, _)| format!(">{}", label(name))));
    let mut table = Table::new(&titles);
    for name in engines(networks) {
        let cell = |(_, entries): &(&str, Vec<Entry>)| {
            let entry = entries.iter().find(|entry| entry.engine == name);
            entry.map_or("–".to_owned(), |entry| {
                let ms = digits(entry.summary.median_ms());
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
        table.rows.push(row);
    }
    let shares: Vec<Option<String>> = networks
        .iter()
        .map(|(name, entries)| share(input, setting, name, entries))
        .collect();
    if shares.iter().any(Option::is_some) {
        let mut row = vec![format!("{OURS}'s rate,\nshare of FMA peak")];
        row.extend(shares.into_iter().map(Option::unwrap_or_default));
        table.rows.push(row);
    }
    table
}

/// Our effective rate, and its share of what fused multiply-adds reached in the same race.
fn share(input: &Input, (batch, threads, crop): Setting, name: &str, entries: &[Entry]) -> Option<String> {
    let is_ours = |record: &&Record| {
        let case = record.case.network();
        case.is_some_and(|case| {
            case.backend == OURS
                && case.variant == name
                && (case.batch, case.threads, case.crop) == (batch, threads, crop)
        })
    };
    let mut races = input
        .records
        .iter()
        .filter(is_ours)
        .filter_map(|record| record.race.as_ref());
    let peak = races.next_back()?.peak_macs_per_s?;
    let variant = input.zoo.find(name).ok()?;
    let graph = variant.spec.graph(hrnet::Shape::square(1, crop)).ok()?;
    let macs = (graph.profile().macs().0 * batch as u64) as f64;
    let ours = entries.iter().find(|entry| entry.engine == OURS)?;
    let rate = macs / (ours.summary.median_ns / 1e9);
    Some(format!(
        "{} GMAC/s\n{:.0} % of {}",
        digits(rate / 1e9),
        100.0 * rate / peak,
        digits(peak / 1e9)
    ))
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| {
        first.to_uppercase().collect::<String>() + characters.as_str()
    })
}

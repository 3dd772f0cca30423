//! Our engine and other people's side by side.

use std::collections::{BTreeMap, BTreeSet};

use harness::{NetworkCase, Ratio, Record, Summary};

use crate::bars::{self, Bar, Bars, Group};
use crate::charts::label;
use crate::page::{Block, Figure, Section, Table};
use crate::sections::{digits, failures, pairs};
use crate::{Input, ReportError};

/// The backend that others are held against.
const OURS: &str = "cpu";

/// A batch, a number of threads and a crop: what a chart has in common.
type Setting = (usize, usize, usize);

/// One engine on one network, and our own beside it.
struct Entry<'a> {
    engine: &'a str,
    summary: Summary,
    ratio: f64,
    interval: Option<(f64, f64)>,
}

/// The networks of one setting with their entries, ours among them, in the manifest's order.
type Networks<'a> = Vec<(&'a str, Vec<Entry<'a>>)>;

/// Every setting in which a peer was measured beside our own engine.
fn settings<'a>(input: &Input<'a>) -> Vec<(Setting, Networks<'a>)> {
    let mut questions: BTreeMap<(Setting, &str), Vec<&Record>> = BTreeMap::new();
    for record in input.records {
        let Some(case) = record
            .case
            .network()
            .filter(|case| case.precision == hrnet::Precision::F32)
        else {
            continue;
        };
        let setting = (case.batch, case.threads, case.crop);
        questions
            .entry((setting, &case.variant))
            .or_default()
            .push(record);
    }
    let mut settings: BTreeMap<Setting, Networks> = BTreeMap::new();
    for variant in &input.zoo.variants {
        for ((setting, name), records) in &questions {
            let entries = if *name == variant.name {
                entries(input, records)
            } else {
                Vec::new()
            };
            if !entries.is_empty() {
                settings.entry(*setting).or_default().push((*name, entries));
            }
        }
    }
    settings.into_iter().collect()
}

/// The entries of one question, fastest first: of its last race, or where it was never raced of the last record of each engine
/// on the machine that our last one is of. None where there is no peer or no time of ours.
fn entries<'a>(input: &Input<'a>, records: &[&'a Record]) -> Vec<Entry<'a>> {
    let race = records
        .iter()
        .rev()
        .find_map(|record| record.race.as_ref().filter(|_| engine(record) == OURS));
    let together = |record: &&&'a Record| match race {
        Some(race) => record.race.as_ref() == Some(race),
        None => true,
    };
    let mut last: BTreeMap<&str, &Record> = BTreeMap::new();
    for record in records.iter().filter(together) {
        last.insert(engine(record), record);
    }
    let Some(ours) = last.get(OURS).copied() else {
        return Vec::new();
    };
    let Some(our_summary) = ours.summary() else {
        return Vec::new();
    };
    last.retain(|_, record| record.provenance.machine == ours.provenance.machine);
    let mut entries: Vec<Entry> = last
        .values()
        .filter_map(|record| {
            let summary = record.summary()?;
            let ratio = race.and_then(|_| Ratio::of(&record.samples_ns, &ours.samples_ns));
            let interval = ratio.and_then(|ratio| ratio.interval);
            Some(Entry {
                engine: engine(record),
                summary,
                ratio: ratio.map_or(summary.median_ns / our_summary.median_ns, |ratio| ratio.median),
                interval: interval.map(|interval| (interval.low, interval.high)),
            })
        })
        .collect();
    entries.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
    let is_peer = |entry: &Entry| input.peers.contains(&entry.engine);
    if entries.iter().any(is_peer) {
        entries
    } else {
        Vec::new()
    }
}

fn engine(record: &Record) -> &str {
    record
        .case
        .network()
        .map_or("", |case: &NetworkCase| &case.backend)
}

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

fn chart(input: &Input, setting: Setting, networks: &Networks) -> Bars {
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

/// Every engine of a setting, by its median ratio.
fn engines<'a>(networks: &Networks<'a>) -> Vec<&'a str> {
    let mut ratios: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for entry in networks.iter().flat_map(|(_, entries)| entries) {
        ratios.entry(entry.engine).or_default().push(entry.ratio);
    }
    let mut engines: Vec<(&str, f64)> = ratios
        .into_iter()
        .map(|(name, mut ratios)| {
            ratios.sort_by(f64::total_cmp);
            (name, ratios[ratios.len() / 2])
        })
        .collect();
    engines.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    engines.into_iter().map(|(name, _)| name).collect()
}

fn in_words((batch, threads, crop): Setting) -> String {
    let threads = if threads == 1 {
        "1 thread".into()
    } else {
        format!("{threads} threads")
    };
    let crop = if crop == 224 {
        String::new()
    } else {
        format!(", {crop} x {crop}")
    };
    format!("batch {batch}, {threads}{crop}")
}

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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use harness::{Provenance, Race};
    use registry::{EMBEDDED, Zoo};

    use super::*;

    const PEERS: &[&str] = &["openvino", "mnn"];

    fn record(network: &str, engine: &str, ms: &[u64], race: Option<&str>) -> Record {
        let mut record = Record::new(
            format!("{network}/f32/bs1/crop224/{engine}/t2")
                .parse()
                .expect("a case"),
            "2026-01-01T00:00:00Z".into(),
            Ok(ms.iter().map(|ms| ms * 1_000_000).collect()),
            Provenance::default(),
        );
        record.provenance.backend = format!("{engine} 1.2");
        record.race = race.map(|id| Race {
            id: id.into(),
            peak_macs_per_s: Some(100e9),
        });
        record
    }

    fn with<T>(records: &[Record], look: impl FnOnce(&Input) -> T) -> T {
        let zoo = Zoo::parse(EMBEDDED, Path::new("zoo.toml")).expect("the shipped manifest");
        look(&Input {
            zoo: &zoo,
            findings: &[],
            records,
            peers: PEERS,
            date: "",
            command: "",
        })
    }

    /// What the only setting's table says.
    fn rows(records: &[Record]) -> Vec<Vec<String>> {
        let section = with(records, |input| section(input, Vec::new())).expect("a section");
        let tables = section.blocks.into_iter().filter_map(|block| match block {
            Block::Table(table) => Some(table.rows),
            _ => None,
        });
        tables.flatten().collect()
    }

    #[test]
    fn a_ratio_is_of_the_rounds_of_the_last_race() {
        let records = [
            record("HRNet_W18_C", "cpu", &[10; 7], Some("old")),
            record("HRNet_W18_C", "openvino", &[90; 7], Some("old")),
            record("HRNet_W18_C", "cpu", &[40, 80, 40, 80, 40, 80, 40], Some("new")),
            record(
                "HRNet_W18_C",
                "openvino",
                &[60, 120, 60, 120, 60, 120, 80],
                Some("new"),
            ),
            record("HRNet_W18_C", "candle", &[400; 7], Some("new")),
            record("HRNet_W18_C", "cpu", &[1; 7], None),
        ];
        let rows = rows(&records);
        assert_eq!(rows[0], ["cpu", "40.00 ms"]);
        assert_eq!(rows[1], ["openvino", "80.00 ms\n1.50 [1.50, 2.00]"]);
        assert_eq!(rows[2][0], "candle");
        assert_eq!(
            rows[3],
            ["cpu's rate,\nshare of FMA peak", "107.1 GMAC/s\n107 % of 100.0"]
        );
        let chart = with(&records, |input| {
            let settings = settings(input);
            chart(input, settings[0].0, &settings[0].1)
        });
        assert_eq!(chart.groups.len(), 1, "stock operations are no peer");
        assert_eq!(chart.groups[0].bars[0].interval, Some((1.5, 2.0)));
        assert_eq!(chart.groups[0].bars[0].label, "1.50, 80.00 ms");
    }

    #[test]
    fn records_measured_alone_are_compared_without_an_interval() {
        let mut elsewhere = record("HRNet_W18_C", "mnn", &[10; 7], None);
        elsewhere.provenance.machine.cpu = "another".into();
        let records = [
            record("HRNet_W18_C", "cpu", &[40; 7], None),
            record("HRNet_W18_C", "openvino", &[50; 9], None),
            elsewhere,
        ];
        assert_eq!(
            rows(&records),
            [["cpu", "40.00 ms"], ["openvino", "50.00 ms\n1.25"]],
            "another machine's times are not beside ours"
        );
    }

    #[test]
    fn without_peers_there_is_advice_in_place_of_the_section() {
        let alone = [
            record("HRNet_W18_C", "cpu", &[40; 7], Some("one")),
            record("HRNet_W18_C", "candle", &[400; 7], Some("one")),
        ];
        with(&alone, |input| {
            assert!(section(input, Vec::new()).is_none() && figures(input).expect("none").is_empty());
            assert!(
                matches!(advice(input), Some(Block::Text { text }) if text.contains("zoo peers install"))
            );
        });
        let both = [
            alone[0].clone(),
            record("HRNet_W18_C", "mnn", &[90; 7], Some("one")),
        ];
        with(&both, |input| {
            assert!(advice(input).is_none());
            let figures = figures(input).expect("drawn");
            assert_eq!(figures[0].file_name(), "peers.fp32.bs1.t2.crop224.svg");
            assert!(
                figures[0]
                    .svg
                    .as_ref()
                    .expect("a picture")
                    .contains("2.25, 90.00 ms")
            );
        });
    }

    #[test]
    fn a_peer_that_failed_is_listed_with_its_reason() {
        let mut failed = record("HRNet_W18_C", "openvino", &[], Some("one"));
        failed.error = Some("wrong answer".into());
        let records = [
            record("HRNet_W18_C", "cpu", &[40; 7], Some("one")),
            record("HRNet_W18_C", "mnn", &[90; 7], Some("one")),
            failed,
        ];
        let section = with(&records, |input| section(input, Vec::new())).expect("a section");
        let Some(Block::List { items }) = section.blocks.last() else {
            panic!("no list of failures");
        };
        assert_eq!(items[0].text, "wrong answer");
    }
}

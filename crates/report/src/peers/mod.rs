//! Our engine and other people's side by side.

mod chart;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use harness::{NetworkCase, Race, Ratio, Record, Times};
use hrnet::{Precision, Size};
use registry::TaskKind;

pub(crate) use self::chart::figures;
pub(crate) use self::table::{advice, section};
use crate::cells::{Model, OURS};
use crate::charts::threads;

/// The properties that the cells of a chart share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Setting {
    /// They run pose networks.
    is_pose: bool,
    batch: usize,
    threads: usize,
    crop: Size,
}

/// One engine on one network, and our own beside it.
struct Entry<'a> {
    engine: &'a str,
    times: Times,
    /// Its time over ours.
    ratio: f64,
    interval: Option<(f64, f64)>,
    record: &'a Record,
}

/// The networks of one setting with their entries, ours among them, in the manifest's order.
type Networks<'a> = Vec<(&'a str, Vec<Entry<'a>>)>;

/// Every setting in which a peer was measured beside our own engine.
fn settings<'a>(model: &Model<'a>) -> Vec<(Setting, Networks<'a>)> {
    let mut questions: BTreeMap<(Setting, &str), Vec<&Record>> = BTreeMap::new();
    for record in model.input.records {
        let Some(case) = record
            .case
            .network()
            .filter(|case| case.precision == Precision::F32)
        else {
            continue;
        };
        let setting = Setting {
            is_pose: model.task(&case.variant) == TaskKind::Pose,
            batch: case.batch,
            threads: case.threads,
            crop: case.crop,
        };
        questions
            .entry((setting, &case.variant))
            .or_default()
            .push(record);
    }
    let names = model
        .input
        .zoo
        .variants
        .iter()
        .map(|variant| variant.name.as_str());
    let order: HashMap<&str, usize> = names.enumerate().map(|(index, name)| (name, index)).collect();
    let mut settings: BTreeMap<Setting, Networks> = BTreeMap::new();
    for ((setting, name), records) in &questions {
        let entries = entries(model, records);
        if order.contains_key(name) && !entries.is_empty() {
            settings.entry(*setting).or_default().push((*name, entries));
        }
    }
    for networks in settings.values_mut() {
        networks.sort_by_key(|(name, _)| order[name]);
    }
    settings.into_iter().collect()
}

/// The entries of one question, fastest first: of its last race in f32, or where it was never raced of the last record of each
/// engine on the machine that our last one is of. Empty if there is no peer or no time of ours.
fn entries<'a>(model: &Model<'a>, records: &[&'a Record]) -> Vec<Entry<'a>> {
    let lower = races_of_lower_precisions(model);
    let in_f32 = |race: &&Race| !lower.contains(race.id.as_str());
    let ours = records.iter().rev().filter(|record| engine(record) == OURS);
    let race = ours.filter_map(|record| record.race.as_ref()).find(in_f32);
    let together = |record: &&&'a Record| match race {
        Some(race) => record.race.as_ref() == Some(race),
        None => true,
    };
    let mut last: BTreeMap<&str, &'a Record> = BTreeMap::new();
    for record in records.iter().filter(together) {
        last.insert(engine(record), record);
    }
    let Some(ours) = last.get(OURS).copied() else {
        return Vec::new();
    };
    let Some(our_times) = Times::of(&[ours]) else {
        return Vec::new();
    };
    last.retain(|_, record| record.provenance.machine == ours.provenance.machine);
    let mut entries: Vec<Entry> = last
        .into_values()
        .filter_map(|record| {
            let times = Times::of(&[record])?;
            let ratio = race.and_then(|_| Ratio::of(&record.samples_ns, &ours.samples_ns));
            let interval = ratio.and_then(|ratio| ratio.interval);
            Some(Entry {
                engine: engine(record),
                times,
                ratio: ratio.map_or(times.median_ns / our_times.median_ns, |ratio| ratio.median),
                interval: interval.map(|interval| (interval.low, interval.high)),
                record,
            })
        })
        .collect();
    entries.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
    if entries.iter().any(|entry| model.is_peer(entry.engine)) {
        entries
    } else {
        Vec::new()
    }
}

/// The races in which our engine ran in another precision, beside which its f32 is one of few.
fn races_of_lower_precisions<'a>(model: &Model<'a>) -> BTreeSet<&'a str> {
    let is_lower = |record: &&Record| {
        let case = record.case.network();
        case.is_some_and(|case| case.backend == OURS && case.precision != Precision::F32)
    };
    let lower = model.input.records.iter().filter(is_lower);
    lower
        .filter_map(|record| Some(record.race.as_ref()?.id.as_str()))
        .collect()
}

fn engine(record: &Record) -> &str {
    record
        .case
        .network()
        .map_or("", |case: &NetworkCase| &case.backend)
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

fn in_words(setting: Setting) -> String {
    let Setting {
        is_pose,
        batch,
        threads: count,
        crop,
    } = setting;
    let pose = if is_pose { "pose, " } else { "" };
    let crop = if crop == Size::square(224) {
        String::new()
    } else {
        format!(", {} x {}", crop.h, crop.w)
    };
    format!("{pose}batch {batch}, {}{crop}", threads(count))
}

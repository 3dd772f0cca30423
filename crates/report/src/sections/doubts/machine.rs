//! What the machine did meanwhile.

use harness::verdict::FARTHER;
use harness::{Canary, Conditions, Record};

use super::{conditions, item, shown};
use crate::cells::Model;
use crate::page::Item;

/// Other processes that want to run: half of one slows a cell that uses every thread.
const LOAD: f64 = 0.5;
/// Time that the host gave to others, as a share.
const STEAL: f64 = 0.01;
/// How far the machine's speed before and after a cell may lie apart, as a share.
const APART: f64 = 0.05;

/// Records in which a value is above what is harmless: how many of how many, and the worst.
fn above<'m, 'a>(
    model: &'m Model<'a>,
    harmless: f64,
    value: impl Fn(&Conditions) -> Option<f64> + 'm,
) -> Option<(usize, usize, f64, &'a Record)> {
    let known: Vec<(f64, &Record)> = conditions(model)
        .filter_map(|(record, seen)| Some((value(seen)?, record)))
        .collect();
    let over = known.iter().filter(|(value, _)| *value > harmless).count();
    let (worst, record) = known.iter().max_by(|a, b| a.0.total_cmp(&b.0)).copied()?;
    (over > 0).then_some((over, known.len(), worst, record))
}

/// Cells measured twice that were called changed.
pub(super) fn alarms(model: &Model) -> Option<Item> {
    let (twice, changed) = model.input.verdicts.twice()?;
    item(
        if changed > 0 { "odd" } else { "note" },
        "The harness against itself",
        format!("Of {twice} cells that were measured twice, {changed} were called changed: false alarms"),
    )
}

pub(super) fn load(model: &Model) -> Option<Item> {
    let (over, of, worst, record) = above(model, LOAD, |seen| seen.load)?;
    item(
        "odd",
        "Other processes",
        format!(
            "In {over} of {of} measurements more than {LOAD} other processes were ready to run; the most were \
             {worst:.1}, at {}",
            record.case
        ),
    )
}

pub(super) fn steal(model: &Model) -> Option<Item> {
    let (over, of, worst, record) = above(model, STEAL, |seen| seen.steal)?;
    item(
        "odd",
        "Stolen time",
        format!(
            "In {over} of {of} measurements the host gave more than {:.0} % of the processors' time to others; the most \
             was {:.1} %, at {}",
            100.0 * STEAL,
            100.0 * worst,
            record.case
        ),
    )
}

/// How far the larger of two lies above the smaller, as a share.
fn distance(a: f64, b: f64) -> f64 {
    if a.min(b) > 0.0 {
        a.max(b) / a.min(b) - 1.0
    } else {
        0.0
    }
}

pub(super) fn apart(model: &Model) -> Option<Item> {
    let of = |seen: &Conditions| {
        let [before, after] = seen.canary;
        let rates = [
            |canary: &Canary| canary.macs_per_s,
            |canary: &Canary| canary.bytes_per_s,
        ];
        let far = rates.map(|rate| distance(rate(&before), rate(&after)));
        Some(far[0].max(far[1]))
    };
    let (over, of, worst, record) = above(model, APART, of)?;
    item(
        "odd",
        "The machine changed within a cell",
        format!(
            "In {over} of {of} measurements the machine's speed before and after lay more than {:.0} % apart; the most \
             was {:.0} %, at {}",
            100.0 * APART,
            100.0 * worst,
            record.case
        ),
    )
}

/// Speeds of the machine from cell to cell, where they have as many threads.
pub(super) fn drift(model: &Model) -> Option<Item> {
    let rates = conditions(model).filter_map(|(record, seen)| {
        let threads = record.case.network()?.threads;
        Some((threads, seen.canary[0].macs_per_s))
    });
    let rates: Vec<(usize, f64)> = rates.collect();
    let most = rates.iter().map(|(threads, _)| *threads).max()?;
    let rates = rates
        .iter()
        .filter(|(threads, _)| *threads == most)
        .map(|(_, rate)| *rate);
    let (low, high) = rates.fold((f64::INFINITY, 0.0_f64), |(low, high), rate| {
        (low.min(rate), high.max(rate))
    });
    let far = distance(low, high);
    (far > 2.0 * APART).then_some(())?;
    item(
        "odd",
        "The machine changed from cell to cell",
        format!(
            "Its multiply-adds a second on {most} threads were between {:.1} and {:.1} G: cells that lie closer than \
             {:.0} % may be as fast as each other",
            low / 1e9,
            high / 1e9,
            100.0 * far
        ),
    )
}

/// How far apart the machine's cores lay from cell to cell.
pub(super) fn handover(model: &Model) -> Option<Item> {
    let known = conditions(model).flat_map(|(_, seen)| seen.canary);
    let known = known.filter_map(|canary| canary.handover_ns);
    let (low, high) = known.fold((f64::INFINITY, 0.0_f64), |(low, high), ns| {
        (low.min(ns), high.max(ns))
    });
    (high > FARTHER * low).then_some(())?;
    item(
        "odd",
        "The cores lay now near, now far",
        format!(
            "A cache line took between {low:.0} and {high:.0} ns from one core to another: this is a virtual machine whose host \
             moves its cores. A small network on several threads takes up to 1.7 times as long where they lie far; verdicts \
             compare only measurements with the cores as far apart"
        ),
    )
}

pub(super) fn unsteady(model: &Model) -> Option<Item> {
    let unsteady: Vec<&Record> = shown(model)
        .filter(|record| record.warm_up.is_some_and(|warm_up| !warm_up.steady))
        .collect();
    let first = unsteady.first()?;
    item(
        "odd",
        "Warm-up not steady",
        format!(
            "{} measurements began while runs were still becoming faster; the first is {}",
            unsteady.len(),
            first.case
        ),
    )
}

/// Records that do not say what the machine did.
pub(super) fn bare(model: &Model) -> Option<Item> {
    let bare = shown(model).filter(|record| record.conditions.is_none()).count();
    (bare > 0).then_some(())?;
    item(
        "note",
        "Nobody watched",
        format!(
            "{bare} of {} measurements do not tell the machine's load and speed meanwhile",
            shown(model).count()
        ),
    )
}

//! Doubts about the machine.

use harness::noise::{APART, LOAD, STEAL};
use harness::verdict::FARTHER;
use harness::{Conditions, Record, counted};

use super::{conditions, item, shown};
use crate::cells::Model;
use crate::page::Item;

/// The change of the machine's speed within a cell, as a share, beyond which it is no small matter.
const FAR: f64 = 0.25;
/// The share of noisy measurements from which the night is called so.
const NOISY_NIGHT: f64 = 0.2;

/// A warning that the night was noisy; `None` if most measurements were quiet.
pub(crate) fn noisy_night(model: &Model) -> Option<String> {
    let seen: Vec<&Conditions> = conditions(model).map(|(_, seen)| seen).collect();
    let noisy = seen.iter().filter(|seen| seen.noise().is_some()).count();
    (noisy as f64 > NOISY_NIGHT * seen.len() as f64).then_some(())?;
    let mut apart: Vec<f64> = seen.iter().map(|seen| seen.apart()).collect();
    apart.sort_by(f64::total_cmp);
    let nine_in_ten = apart.get(9 * apart.len() / 10).copied()?.max(APART);
    Some(format!(
        "A noisy night: other work disturbed {noisy} of {}, within which the machine's speed changed by up to {:.0} %. \
         Differences of less than {:.0} % on this page mean little, and those from another page less. Measure again when nothing else \
         runs on the machine; `zoo nightly --budget 2h` measures each cell several times.",
        counted(seen.len(), "measurement"),
        100.0 * apart.last()?,
        100.0 * nine_in_ten,
    ))
}

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
        format!(
            "{changed} of {} measured twice by the same program were called changed: false alarms",
            counted(twice, "cell")
        ),
    )
}

pub(super) fn load(model: &Model) -> Option<Item> {
    let (over, of, worst, record) = above(model, LOAD, |seen| seen.load)?;
    item(
        "odd",
        "Other processes",
        format!(
            "In {over} of {of} measurements other processes kept more than {LOAD} processors busy; at most \
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

/// The distance of the larger from the smaller, as a share of the smaller.
fn distance(a: f64, b: f64) -> f64 {
    if a.min(b) > 0.0 {
        a.max(b) / a.min(b) - 1.0
    } else {
        0.0
    }
}

pub(super) fn apart(model: &Model) -> Option<Item> {
    let (over, of, worst, record) = above(model, APART, |seen| Some(seen.apart()))?;
    item(
        if worst > FAR { "noisy" } else { "odd" },
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
            "Its multiply-adds per second on {} were between {:.1} and {:.1} G: cells that differ by less than {:.0} % may be \
             as fast as each other",
            counted(most, "thread"),
            low / 1e9,
            high / 1e9,
            100.0 * far
        ),
    )
}

/// The distance of the machine's cores, which changed from cell to cell.
pub(super) fn handover(model: &Model) -> Option<Item> {
    let known = conditions(model).flat_map(|(_, seen)| seen.canary);
    let known = known.filter_map(|canary| canary.handover_ns);
    let (low, high) = known.fold((f64::INFINITY, 0.0_f64), |(low, high), ns| {
        (low.min(ns), high.max(ns))
    });
    (high > FARTHER * low).then_some(())?;
    item(
        "odd",
        "The distance of the cores changed",
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
            "{} began while runs were still becoming faster; the first is {}",
            counted(unsteady.len(), "measurement"),
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
        "Machine not watched",
        format!(
            "{bare} of {} measurements lack the machine's load and speed",
            shown(model).count()
        ),
    )
}

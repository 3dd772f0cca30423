//! Doubts about the machine.

use std::collections::BTreeMap;

use harness::noise::{APART, LOAD, STEAL};
use harness::verdict::FARTHER;
use harness::{Conditions, Record, counted};
use hrnet::Precision;

use super::{conditions, item, shown};
use crate::cells::Model;
use crate::night::Twice;
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
    let most = seen.iter().map(|seen| seen.apart()).reduce(f64::max)?;
    Some(format!(
        "A noisy night: other work disturbed {noisy} of {}, within which the machine's speed changed by up to {:.0} %. {} Compare \
         with another page by `zoo compare` alone. Measure again when nothing else runs on the machine; `zoo nightly --budget 2h` \
         measures each cell several times.",
        counted(seen.len(), "measurement"),
        100.0 * most,
        told_apart(model)
    ))
}

/// The rule for two cells of one page, in a sentence: they differ if the machine cannot have made the difference. Its speed
/// changed within cells, of which nine in ten are covered, and from cell to cell.
fn told_apart(model: &Model) -> String {
    let mut within: Vec<f64> = conditions(model).map(|(_, seen)| seen.apart()).collect();
    within.sort_by(f64::total_cmp);
    let nine_in_ten = within.get(9 * within.len() / 10).copied().unwrap_or(0.0);
    let between = speeds(model).map_or(0.0, |(_, span)| span.distance());
    format!(
        "Two cells of this page that differ by less than {:.0} % may be as fast as each other.",
        100.0 * nine_in_ten.max(between).max(APART)
    )
}

/// Records in which a value is above what is harmless.
struct Above<'a> {
    /// The number of these.
    over: usize,
    /// The number of records in which the value is known.
    of: usize,
    worst: f64,
    /// The record with the worst value.
    record: &'a Record,
}

/// Finds the records in which a value is above what is harmless; `None` if there are none.
fn above<'m, 'a>(
    model: &'m Model<'a>,
    harmless: f64,
    value: impl Fn(&Conditions) -> Option<f64> + 'm,
) -> Option<Above<'a>> {
    let known: Vec<(f64, &Record)> = conditions(model)
        .filter_map(|(record, seen)| Some((value(seen)?, record)))
        .collect();
    let over = known.iter().filter(|(value, _)| *value > harmless).count();
    let (worst, record) = known.iter().max_by(|a, b| a.0.total_cmp(&b.0)).copied()?;
    (over > 0).then_some(Above {
        over,
        of: known.len(),
        worst,
        record,
    })
}

/// Cells measured twice that were called changed.
pub(super) fn alarms(model: &Model) -> Option<Item> {
    let Twice { cells, changed } = model.input.verdicts.twice()?;
    item(
        if changed > 0 { "odd" } else { "note" },
        "The harness against itself",
        format!(
            "{changed} of {} measured twice by the same program were called changed: false alarms",
            counted(cells, "cell")
        ),
    )
}

pub(super) fn load(model: &Model) -> Option<Item> {
    let Above {
        over,
        of,
        worst,
        record,
    } = above(model, LOAD, |seen| seen.load)?;
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
    let Above {
        over,
        of,
        worst,
        record,
    } = above(model, STEAL, |seen| seen.steal)?;
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

/// The lowest and the highest of several speeds.
#[derive(Clone, Copy)]
struct Span {
    low: f64,
    high: f64,
}

impl Span {
    /// The span of these speeds; `None` without any.
    fn of(speeds: impl Iterator<Item = f64>) -> Option<Self> {
        speeds.fold(None, |span, speed| {
            let Self { low, high } = span.unwrap_or(Self {
                low: speed,
                high: speed,
            });
            Some(Self {
                low: low.min(speed),
                high: high.max(speed),
            })
        })
    }

    /// The distance of the higher from the lower, as a share of the lower.
    fn distance(self) -> f64 {
        match self.low > 0.0 {
            true => self.high / self.low - 1.0,
            false => 0.0,
        }
    }
}

pub(super) fn apart(model: &Model) -> Option<Item> {
    let Above {
        over,
        of,
        worst,
        record,
    } = above(model, APART, |seen| Some(seen.apart()))?;
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

/// The most threads of a cell, and the speeds of the machine before such cells, multiply-adds per second.
fn speeds(model: &Model) -> Option<(usize, Span)> {
    let rates = conditions(model).filter_map(|(record, seen)| {
        let threads = record.case.network()?.threads;
        Some((threads, seen.canary[0].macs_per_s))
    });
    let rates: Vec<(usize, f64)> = rates.collect();
    let most = rates.iter().map(|(threads, _)| *threads).max()?;
    let of_most = rates.iter().filter(|(threads, _)| *threads == most);
    Some((most, Span::of(of_most.map(|(_, rate)| *rate))?))
}

/// Speeds of the machine from cell to cell, where they have as many threads.
pub(super) fn drift(model: &Model) -> Option<Item> {
    let (threads, span) = speeds(model)?;
    (span.distance() > 2.0 * APART).then_some(())?;
    item(
        "odd",
        "The machine changed from cell to cell",
        format!(
            "Its multiply-adds per second on {} were between {:.1} and {:.1} G. {}",
            counted(threads, "thread"),
            span.low / 1e9,
            span.high / 1e9,
            told_apart(model).trim_end_matches('.')
        ),
    )
}

/// Speeds of the machine's tiles from cell to cell, where they have the same number format and as many threads.
pub(super) fn tiles(model: &Model) -> Option<Item> {
    let rates = conditions(model).filter_map(|(record, seen)| {
        let case = record.case.network()?;
        let both = seen.canary.iter().filter_map(|canary| canary.tile_macs_per_s);
        Some(((case.precision, case.threads), both))
    });
    let mut speeds: BTreeMap<(Precision, usize), Vec<f64>> = BTreeMap::new();
    for (kind, both) in rates {
        speeds.entry(kind).or_default().extend(both);
    }
    let spans = speeds
        .into_iter()
        .filter_map(|(kind, rates)| Some((kind, Span::of(rates.into_iter())?)));
    let (kind, span) = spans.max_by(|a, b| a.1.distance().total_cmp(&b.1.distance()))?;
    (span.distance() > 2.0 * APART).then_some(())?;
    let (precision, threads) = kind;
    item(
        "odd",
        "The speed of tiles changed",
        format!(
            "Tiles reached between {:.0} and {:.0} G multiply-accumulates per second in {precision} on {}: two threads of one \
             core share its matrix unit, also with other guests of the host. Verdicts correct for half of that, and call no \
             change of a cell that the other half may have made",
            span.low / 1e9,
            span.high / 1e9,
            counted(threads, "thread"),
        ),
    )
}

/// The distance of the machine's cores, which changed from cell to cell.
pub(super) fn handover(model: &Model) -> Option<Item> {
    let known = conditions(model).flat_map(|(_, seen)| seen.canary);
    let known = known.filter_map(|canary| canary.handover_ns);
    let Span { low, high } = Span::of(known)?;
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

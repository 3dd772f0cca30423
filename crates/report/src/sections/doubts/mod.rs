//! Why the numbers may be wrong, from the records themselves.

mod accuracy;
mod cells;
mod machine;
#[cfg(test)]
mod tests;

pub(super) use self::machine::noisy_night;
use harness::{Conditions, Record};

use crate::cells::{Cell, Model};
use crate::page::{Block, Item, Section};

/// Why the numbers may be wrong: what the records themselves say, and then what no record can.
pub(super) fn doubts(model: &Model) -> Section {
    let found = [
        cells::failed(model),
        accuracy::changed(model),
        accuracy::unreadable(model),
        machine::alarms(model),
        machine::load(model),
        machine::steal(model),
        machine::apart(model),
        machine::drift(model),
        machine::tiles(model),
        machine::handover(model),
        machine::unsteady(model),
        cells::few(model),
        cells::single(model),
        cells::unlike(model),
        machine::bare(model),
        cells::build(model),
        cells::seeded(model),
        cells::unpinned(model),
    ];
    let items: Vec<Item> = found.into_iter().flatten().collect();
    let lead = if items.is_empty() {
        "The records give no reason for doubt. The following holds for every night."
    } else {
        "First the doubts that the records give, then those that hold for every night."
    };
    let text = "Each cell prepares its network, runs it on a photo to check its logits, warms up, and then times single runs \
                until its time is spent; every run is recorded. A ± is the median absolute deviation of single runs. With one \
                process, an interval is a 95 % interval of its median and ignores how processes differ; with six or more it \
                is a 95 % interval of the median of processes, with two to five their range. Compare latencies on one page \
                before comparing pages.";
    let mut blocks = vec![Block::Text { text: lead.into() }];
    if !items.is_empty() {
        blocks.push(Block::List { items });
    }
    blocks.push(Block::Text { text: text.into() });
    blocks.extend(accuracy::claimed(model).map(|text| Block::Text { text }));
    Section {
        id: "doubt",
        title: "Why you should doubt this".into(),
        blocks,
    }
}

fn item(weight: &'static str, subject: &str, text: String) -> Option<Item> {
    Some(Item {
        weight,
        subject: subject.to_owned(),
        text,
    })
}

/// The records of the cells on the page.
pub(super) fn shown<'m, 'a>(model: &'m Model<'a>) -> impl Iterator<Item = &'a Record> + use<'m, 'a> {
    model.cells.iter().flat_map(|cell| cell.records.iter().copied())
}

fn conditions<'m, 'a>(
    model: &'m Model<'a>,
) -> impl Iterator<Item = (&'a Record, &'a Conditions)> + use<'m, 'a> {
    shown(model).filter_map(|record| Some((record, record.conditions.as_ref()?)))
}

fn measured<'m, 'a>(model: &'m Model<'a>) -> impl Iterator<Item = &'m Cell<'a>> {
    model.cells.iter().filter(|cell| cell.times.is_ok())
}

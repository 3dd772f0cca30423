//! What the page says, part by part.

mod claims;
mod facts;
mod latency;
mod preprocessing;

use harness::{NetworkCase, Outcome, Record, Summary};

use self::claims::{findings, networks, published};
pub(crate) use self::facts::{facts, notices};
use self::latency::latencies;
use self::preprocessing::preprocessing;
use crate::page::{Block, Figure, Item, Section};
use crate::{Input, peers};

/// Every section in the page's order.
pub(crate) fn all(input: &Input, charts: Vec<Figure>, races: Vec<Figure>) -> Vec<Section> {
    let mut sections = vec![self::charts(input, charts)];
    sections.extend(latencies(input));
    sections.extend(peers::section(input, races));
    sections.extend(preprocessing(input));
    sections.push(findings(input));
    sections.push(networks(input));
    sections.push(published(input));
    sections.push(method());
    sections
}

fn charts(input: &Input, figures: Vec<Figure>) -> Section {
    let mut blocks = vec![Block::Text {
        text: "Left what is published, right what this machine says: the same claimed accuracy against the network's own \
               counts and against latencies measured here. Variants that share a network share its point on the \
               horizontal axis."
            .into(),
    }];
    let unmeasured: Vec<&str> = input
        .zoo
        .variants
        .iter()
        .filter(|variant| {
            let network = &input.zoo.network_of(variant).name;
            network == &variant.name && !measured(input).any(|(case, _)| case.variant == *network)
        })
        .map(|variant| variant.name.as_str())
        .collect();
    if !unmeasured.is_empty() {
        blocks.push(Block::Text {
            text: format!("Not measured here: {}.", unmeasured.join(", ")),
        });
    }
    blocks.extend(pairs(figures));
    Section {
        title: "Accuracy against cost".into(),
        blocks,
    }
}

/// Charts two by two.
pub(crate) fn pairs(figures: Vec<Figure>) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut figures = figures.into_iter();
    loop {
        let pair: Vec<Figure> = figures.by_ref().take(2).collect();
        if pair.is_empty() {
            return blocks;
        }
        blocks.push(Block::Figures { figures: pair });
    }
}

fn measured<'a>(input: &Input<'a>) -> impl Iterator<Item = (&'a NetworkCase, Summary)> {
    input
        .records
        .iter()
        .filter_map(|record| Some((record.case.network()?, record.summary()?)))
}

/// The cells without times, and why.
pub(crate) fn failures<'a>(records: impl Iterator<Item = &'a Record>) -> Option<Block> {
    let items: Vec<Item> = records
        .filter_map(|record| match record.outcome() {
            Outcome::Failed(error) => Some(Item {
                weight: "failed",
                subject: record.case.to_string(),
                text: error.to_owned(),
            }),
            Outcome::Measured(_) => None,
        })
        .collect();
    (!items.is_empty()).then_some(Block::List { items })
}

fn method() -> Section {
    let text = "Each cell prepares its network, runs it on a photo once to see that the logits are finite, warms up, and \
                then times single runs until its budget is spent; every run is kept in records.jsonl. Cells run one \
                after the other in one process on a machine that may be doing other work, and no cell is repeated in \
                another process: drift between cells is not in the ± above. Compare latencies of one page with each \
                other before comparing pages.";
    Section {
        title: "How it was measured, and why to distrust it".into(),
        blocks: vec![Block::Text { text: text.into() }],
    }
}

/// A number with three to four digits that count.
pub(crate) fn digits(value: f64) -> String {
    digits_like(value, value)
}

/// A number with the decimals that another one of the same kind is shown with.
fn digits_like(value: f64, like: f64) -> String {
    let decimals = match like {
        like if like >= 1000.0 => 0,
        like if like >= 100.0 => 1,
        like if like >= 10.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

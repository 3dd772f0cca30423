//! The sections of the page.

mod claims;
mod doubts;
mod evaluated;
mod facts;
mod glossary;
mod history;
mod latency;
mod layers;
mod people;
mod pick;
mod pose;
mod precision;
mod preprocessing;
mod summary;

use harness::{Outcome, Record};
use registry::TaskKind;

use self::claims::{findings, networks, published};
use self::doubts::{doubts, shown};
use self::evaluated::evaluated;
pub(crate) use self::facts::{facts, notices};
use self::glossary::glossary;
use self::history::history;
use self::latency::latencies;
use self::layers::layers;
use self::pick::pick;
pub(crate) use self::pick::readme_table;
use self::pose::pose;
use self::precision::precisions;
use self::preprocessing::preprocessing;
pub(crate) use self::summary::summary;
use crate::cells::Model;
use crate::charts::{CHARTS, Chart, Part};
use crate::page::{Block, Figure, Item, Section};
use crate::peers;
use crate::pick::of_task;

/// Every section in the page's order.
pub(crate) fn all(model: &Model, figures: Vec<Figure>) -> Vec<Section> {
    let mut figures = figures;
    let mut of = |part: Option<Part>| -> Vec<Figure> {
        let (these, rest) = figures.drain(..).partition(|figure| figure.part == part);
        figures = rest;
        these
    };
    let mut sections = Vec::new();
    sections.extend(pick(model));
    sections.push(history(model));
    sections.extend(evaluated(model));
    sections.push(accuracy(model, of(Some(Part::Accuracy))));
    sections.extend(latencies(model, of(Some(Part::Latency))));
    sections.extend(precisions(model, of(Some(Part::Precision))));
    sections.extend(layers(model, of(Some(Part::Layers))));
    sections.extend(pose(model, of(Some(Part::Pose))));
    sections.extend(peers::section(model, of(None)));
    sections.extend(preprocessing(model, of(Some(Part::Preprocessing))));
    sections.push(doubts(model));
    sections.push(findings(model));
    sections.push(networks(model));
    sections.push(published(model));
    sections.push(glossary());
    sections
}

fn accuracy(model: &Model, figures: Vec<Figure>) -> Section {
    let mut blocks = vec![Block::Text {
        text: "Claimed accuracy against cost: as published, as counted from the networks, and as measured here. Variants that \
               share a network share its place on the horizontal axis."
            .into(),
    }];
    let missing = missing(model, &figures);
    blocks.extend(drawn(figures));
    blocks.extend(missing.map(|text| Block::Text { text }));
    Section {
        id: "accuracy",
        title: "Accuracy against cost".into(),
        blocks,
    }
}

/// The networks and the charts of accuracies for which nothing was measured, as a sentence.
fn missing(model: &Model, figures: &[Figure]) -> Option<String> {
    let is_drawn = |chart: &dyn Chart| figures.iter().any(|figure| figure.id == chart.id());
    let charts = CHARTS.iter().filter(|chart| chart.part() == Part::Accuracy);
    let charts = charts
        .filter(|chart| !is_drawn(**chart))
        .map(|chart| chart.title());
    let kinds = [
        ("networks", unmeasured(model, TaskKind::Classes).join(", ")),
        ("charts", charts.collect::<Vec<&str>>().join("; ")),
    ];
    let kinds = kinds.into_iter().filter(|(_, names)| !names.is_empty());
    let lists: Vec<String> = kinds.map(|(kind, names)| format!("{kind}: {names}")).collect();
    (!lists.is_empty()).then(|| {
        format!(
            "Nothing was measured here for these {}.",
            lists.join(". For these ")
        )
    })
}

/// The networks of a task that none of our engines was measured on, each by its first variant.
pub(crate) fn unmeasured<'a>(model: &Model<'a>, task: TaskKind) -> Vec<&'a str> {
    let zoo = model.input.zoo;
    let networks = of_task(zoo, task).map(|variant| &*variant.name);
    networks
        .filter(|name| {
            zoo.variant(name)
                .is_some_and(|variant| zoo.network_of(variant).name == *name)
        })
        .filter(|name| model.ours_of(name).next().is_none())
        .collect()
}

/// The charts, if there are any.
pub(crate) fn drawn(figures: Vec<Figure>) -> Option<Block> {
    (!figures.is_empty()).then_some(Block::Figures { figures })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{record, with};

    #[test]
    fn charts_come_before_one_list_of_what_was_not_measured() {
        let records = [record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[44; 8])];
        let blocks = with(&records, |model| {
            let figures = crate::figures(model).expect("drawn");
            let of_accuracy = figures
                .into_iter()
                .filter(|figure| figure.part == Some(Part::Accuracy));
            accuracy(model, of_accuracy.collect()).blocks
        });
        let [
            Block::Text { .. },
            Block::Figures { figures },
            Block::Text { text },
        ] = &blocks[..]
        else {
            panic!("{blocks:?}");
        };
        assert!(figures.iter().any(|figure| figure.id == "accuracy.local.f32.bs1"));
        assert!(
            text.starts_with("Nothing was measured here for these networks: HRNet_W30_C, ")
                && text.ends_with(". For these charts: Accuracy against latency here, f32, batch 4; Accuracy against latency here, f16, batch 4."),
            "{text}"
        );
    }
}

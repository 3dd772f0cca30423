use super::digits;
use crate::cells::{Model, P90_SAMPLES};
use crate::charts::threads;
use crate::page::{Block, Section, Table};
use crate::pick::{self, Choice};

/// Which one to use: claimed accuracy against the time measured here.
pub(super) fn pick(model: &Model) -> Option<Section> {
    let choices = pick::of(model, None);
    let batch = choices.first()?.case.batch;
    let few = choices.iter().filter(|choice| !choice.enough).count();
    let told = |choice: &Choice| {
        let ms = digits(choice.median_ns / 1e6);
        format!("{} ({} in {ms} ms)", choice.variant, choice.printed)
    };
    let best: Vec<String> = choices.iter().filter(|choice| choice.best).map(told).collect();
    let mut text = format!(
        "Worth considering at batch {batch}: {}. No other has both as short a median and as high an accuracy, each \
         variant at its fastest here. zoo pick --max-p90 60ms --min-top1 0.78 asks the same of these records.",
        best.join(", ")
    );
    if few > 0 {
        text.push_str(&format!(
            " Where a cell has fewer than {P90_SAMPLES} runs, too few for a 90th percentile, its slowest run stands in, \
             with a ≤ before it."
        ));
    }
    Some(Section {
        id: "pick",
        title: "Which one should I use?".into(),
        blocks: vec![Block::Text { text }, Block::Table(page_table(&choices))],
    })
}

/// A title, right-aligned after a `>`, and what stands below it.
type Column = (&'static str, fn(&Choice) -> String);

const VARIANT: Column = ("variant", |choice| choice.variant.clone());
const P90: Column = (">p90, ms", p90);
const IMAGES: Column = (">images/s", images);
const HOW: Column = ("how", how);

/// The choices that a README shows.
pub(crate) fn readme_table(choices: &[&Choice]) -> Table {
    let columns = [
        VARIANT,
        (">top-1, claimed", |choice| choice.printed.clone()),
        (">median, ms", |choice| median(choice, " ")),
        P90,
        IMAGES,
        HOW,
    ];
    table(&columns, choices.iter().copied())
}

/// The choices that a page shows, in narrower columns.
fn page_table(choices: &[Choice]) -> Table {
    let columns = [
        VARIANT,
        (">top-1,\nclaimed", |choice| choice.printed.clone()),
        (">median, ms", |choice| median(choice, "\n")),
        ("worth it", |choice| if choice.best { "yes" } else { "" }.into()),
        P90,
        IMAGES,
        HOW,
    ];
    table(&columns, choices.iter())
}

fn table<'a>(columns: &[Column], choices: impl Iterator<Item = &'a Choice>) -> Table {
    let titles: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
    let mut table = Table::new(&titles);
    for choice in choices {
        table.row(columns.iter().map(|(_, value)| value(choice)).collect());
    }
    table
}

fn median(choice: &Choice, between: &str) -> String {
    let within = choice.interval_ns.map_or(String::new(), |(low, high)| {
        format!("{between}[{}, {}]", digits(low / 1e6), digits(high / 1e6))
    });
    format!("{}{within}", digits(choice.median_ns / 1e6))
}

fn p90(choice: &Choice) -> String {
    let bound = if choice.enough { "" } else { "≤ " };
    format!("{bound}{}", digits(choice.p90_ns / 1e6))
}

fn images(choice: &Choice) -> String {
    digits(choice.case.batch as f64 / (choice.median_ns / 1e9))
}

fn how(choice: &Choice) -> String {
    let case = &choice.case;
    format!("{}, {}, {}", case.precision, case.backend, threads(case.threads))
}

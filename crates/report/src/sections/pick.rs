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
    let mut text = format!(
        "Every variant at its fastest here, batch {batch}. A variant is worth considering where no other is both as \
         fast and as accurate. zoo pick --max-p90 60ms --min-top1 0.78 asks the same of these records."
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
        blocks: vec![Block::Text { text }, Block::Table(table(&choices))],
    })
}

/// The same table for a README.
pub(crate) fn pick_table(model: &Model) -> Table {
    table(&pick::of(model, None))
}

fn table(choices: &[Choice]) -> Table {
    let mut table = Table::new(&[
        "variant",
        "worth it",
        ">top-1, claimed",
        ">p90, ms",
        ">median, ms",
        ">images/s",
        "how",
    ]);
    for choice in choices {
        let median = choice.median_ns / 1e6;
        let within = choice.interval_ns.map_or(String::new(), |(low, high)| {
            format!("\n[{}, {}]", digits(low / 1e6), digits(high / 1e6))
        });
        let p90 = digits(choice.p90_ns / 1e6);
        let case = &choice.case;
        table.row(vec![
            choice.variant.clone(),
            if choice.best { "yes" } else { "" }.into(),
            choice.printed.clone(),
            if choice.enough { p90 } else { format!("≤ {p90}") },
            format!("{}{within}", digits(median)),
            digits(case.batch as f64 / (choice.median_ns / 1e9)),
            format!("{}, {}, {}", case.precision, case.backend, threads(case.threads)),
        ]);
    }
    table
}

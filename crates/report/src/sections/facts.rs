use std::collections::BTreeSet;

use harness::{Provenance, counted};

use super::doubts::noisy_night;
use crate::cells::Model;

/// The records, the machine and the program of a page.
pub(crate) fn facts(model: &Model) -> Vec<(String, String)> {
    let records = model.input.records;
    let mut facts = Vec::new();
    let Some(record) = records.first() else {
        return facts;
    };
    let mut add = |name: &str, value: String| facts.push((name.to_owned(), value));
    let about = &record.provenance;
    let machine = &about.machine;
    add("machine", machine.in_words());
    add("CPU features", machine.cpu_features.join(" "));
    let begun = records.iter().map(|record| record.started.as_str()).min();
    add(
        "measured",
        format!(
            "{} from {} to {}",
            counted(records.len(), "record"),
            begun.unwrap_or_default(),
            model.input.measured().unwrap_or_default()
        ),
    );
    add("program", about.program());
    for (title, values) in [
        ("backends", values(model, |about| &about.backend)),
        ("weights", values(model, |about| &about.weights)),
    ] {
        if !values.is_empty() {
            add(title, values.join("; "));
        }
    }
    facts
}

/// The distinct values that network records have, in order.
pub(super) fn values<'a>(model: &Model<'a>, value: impl Fn(&'a Provenance) -> &'a String) -> Vec<&'a str> {
    let networks = model
        .input
        .records
        .iter()
        .filter(|record| record.case.network().is_some());
    let values: BTreeSet<&str> = networks
        .map(|record| value(&record.provenance).as_str())
        .collect();
    values.into_iter().filter(|value| !value.is_empty()).collect()
}

/// Warnings that a reader needs before the numbers.
pub(crate) fn notices(model: &Model) -> Vec<String> {
    let mut notices: Vec<String> = noisy_night(model).into_iter().collect();
    let records = model.input.records;
    if values(model, |about| &about.weights)
        .iter()
        .any(|weights| weights.starts_with("seeded:"))
    {
        let accuracies = if model.input.evaluations.is_empty() {
            "nothing on this page tests an accuracy. Accuracies are the publishers' claims."
        } else {
            "they have no accuracy. Accuracies are the publishers' claims, except where this page says that they were measured."
        };
        notices.push(format!(
            "Some networks ran on seeded (random) weights. These take as long as trained ones, but {accuracies}"
        ));
    }
    if records.is_empty() {
        notices.push("Nothing was measured: the page shows only what is published and counted.".into());
    }
    let failed = model.cells.iter().filter(|cell| cell.times.is_err()).count();
    if failed > 0 {
        notices.push(format!(
            "{failed} of {} failed; the list is below the latencies.",
            counted(model.cells.len(), "cell")
        ));
    }
    let machines: BTreeSet<&str> = records
        .iter()
        .map(|r| r.provenance.machine.cpu.as_str())
        .collect();
    if machines.len() > 1 {
        notices.push(format!(
            "The records come from {} machines; only the first is named above.",
            machines.len()
        ));
    }
    notices
}

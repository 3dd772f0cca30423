use std::collections::BTreeSet;

use crate::Input;

/// What the page was made on and by.
pub(crate) fn facts(input: &Input) -> Vec<(String, String)> {
    let mut facts = vec![
        ("made".to_owned(), input.date.to_owned()),
        ("by".into(), input.command.to_owned()),
    ];
    let Some(record) = input.records.first() else {
        return facts;
    };
    let about = &record.provenance;
    let machine = &about.machine;
    let gib = machine.memory_bytes as f64 / f64::from(1 << 30);
    facts.push((
        "machine".into(),
        format!(
            "{}, {} threads, {gib:.0} GiB, {}",
            machine.cpu, machine.threads, machine.os
        ),
    ));
    facts.push(("CPU features".into(), machine.cpu_features.join(" ")));
    let commit = about
        .commit
        .as_ref()
        .map_or("no commit known".to_owned(), |commit| {
            let dirty = if commit.dirty { " with changes" } else { "" };
            format!("commit {}{dirty}", &commit.hash[..commit.hash.len().min(12)])
        });
    facts.push((
        "program".into(),
        format!("zoo {}, {commit}, {}", about.zoo, about.build),
    ));
    for (title, values) in [
        ("backends", values(input, |p| &p.backend)),
        ("weights", values(input, |p| &p.weights)),
    ] {
        if !values.is_empty() {
            facts.push((title.into(), values.join("; ")));
        }
    }
    facts
}

/// The distinct values that network records have, in order.
fn values<'a>(input: &Input<'a>, value: impl Fn(&'a harness::Provenance) -> &'a String) -> Vec<&'a str> {
    let networks = input
        .records
        .iter()
        .filter(|record| record.case.network().is_some());
    let values: BTreeSet<&str> = networks
        .map(|record| value(&record.provenance).as_str())
        .collect();
    values.into_iter().filter(|value| !value.is_empty()).collect()
}

/// What must be known before the numbers are read.
pub(crate) fn notices(input: &Input) -> Vec<String> {
    let mut notices = Vec::new();
    if values(input, |about| &about.weights)
        .iter()
        .any(|weights| weights.starts_with("seeded:"))
    {
        notices.push(
            "Some networks ran on seeded stand-in weights: the same arithmetic as trained ones takes the same time, \
             but nothing on this page tests an accuracy. Accuracies are the publishers' claims."
                .into(),
        );
    }
    if input.records.is_empty() {
        notices.push("Nothing was measured: the page shows only what is published and counted.".into());
    }
    let failed = input
        .records
        .iter()
        .filter(|record| record.summary().is_none())
        .count();
    if failed > 0 {
        notices.push(format!(
            "{failed} of {} cells failed; they are listed below the latencies.",
            input.records.len()
        ));
    }
    let machines: BTreeSet<&str> = input
        .records
        .iter()
        .map(|r| r.provenance.machine.cpu.as_str())
        .collect();
    if machines.len() > 1 {
        notices.push(format!(
            "The records are of {} machines; only the first is named above.",
            machines.len()
        ));
    }
    notices
}

//! Races as a Markdown file that can be read alone: with the command, the machine, the date and the versions.

use std::collections::BTreeSet;

use harness::{Provenance, Record};
use hrnet::Precision;
use report::text::{markdown as md, visible};

use super::{Standing, summaries, titles};
use crate::output::markdown_table;

/// Explanation of the tables.
const LEGEND: &str = "Engines take turns, round by round. A ratio is the median over the rounds of an engine's time over the \
    time of the first engine of the table; above 1 the engine is slower. Brackets are its 95 % interval. ± is the median absolute \
    deviation. Errors are the largest difference of a value from the reference's: of logits in their standard deviations, and of \
    logits and heatmaps as a share of the largest. GMAC/s counts multiply-accumulates by the definition of the layers; Winograd's algorithm does with \
    fewer, so its share of the peak can pass 100 %.";

/// Writes the standings of races as a page.
pub(crate) fn markdown(command: &str, standings: &[Standing]) -> String {
    let mut text = format!("# {}\n\n", heading(standings));
    for (name, value) in facts(command, standings) {
        text.push_str(&format!("- **{name}**: {value}\n"));
    }
    text.push_str(&format!("\n{LEGEND}\n"));
    let (columns, rows) = summaries(standings);
    text.push_str(&format!("\n## Overview\n\n{}", markdown_table(&columns, rows)));
    for standing in standings {
        let over = standing.over();
        let rows = standing.records.iter().map(|record| standing.row(record));
        let table = markdown_table(&titles(&over), rows);
        text.push_str(&format!("\n## {}\n\n{table}", md::escape(&standing.title())));
        for remark in standing.remarks() {
            text.push_str(&format!("\n{}\n", md::paragraph(&remark)));
        }
    }
    visible(&text).into_owned()
}

fn heading(standings: &[Standing]) -> String {
    let precisions: BTreeSet<Precision> = standings.iter().map(|standing| standing.heat.precision).collect();
    let names: Vec<String> = precisions.iter().map(Precision::to_string).collect();
    format!("Engines in {}", names.join(", "))
}

/// The programs and the machine of the races.
fn facts(command: &str, standings: &[Standing]) -> Vec<(&'static str, String)> {
    let records = || standings.iter().flat_map(|standing| &standing.records);
    let mut facts = vec![("Command", md::code(command))];
    let Some(Record { provenance, .. }) = records().next() else {
        return facts;
    };
    let machine = &provenance.machine;
    let days: BTreeSet<&str> = records()
        .filter_map(|record| record.started.split('T').next())
        .collect();
    let values = |value: fn(&Provenance) -> &String| -> String {
        let values: BTreeSet<&str> = records()
            .filter(|record| record.summary().is_some())
            .map(|record| value(&record.provenance).as_str())
            .collect();
        values.into_iter().collect::<Vec<_>>().join("; ")
    };
    facts.extend([
        ("Machine", md::escape(&machine.in_words())),
        ("CPU features", md::escape(&machine.cpu_features.join(" "))),
        (
            "Date",
            md::escape(&days.into_iter().collect::<Vec<_>>().join(", ")),
        ),
        ("Program", md::escape(&provenance.program())),
        ("Engines", md::escape(&values(|about| &about.backend))),
        ("Weights", md::escape(&values(|about| &about.weights))),
    ]);
    facts
}

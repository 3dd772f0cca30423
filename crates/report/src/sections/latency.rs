use std::collections::BTreeSet;

use harness::{Case, NetworkCase, Outcome, Record, Summary};
use registry::Variant;

use super::{digits, digits_like, failures, measured};
use crate::page::{Block, Section, Table};
use crate::{Input, peers};

/// One table for each backend, thread count and size: networks down, precision and batch across.
pub(super) fn latencies(input: &Input) -> Option<Section> {
    let cases = || input.alone().filter_map(|record| record.case.network());
    let groups: BTreeSet<(&str, usize, usize)> = cases()
        .map(|case| (case.backend.as_str(), case.threads, case.crop))
        .collect();
    let mut blocks = vec![Block::Text {
        text: "Median of single runs in ms, ± the median absolute deviation, and below it images per second. The batch \
               is in memory; preprocessing is not in the time."
            .into(),
    }];
    for (backend, threads, crop) in &groups {
        let in_group = |case: &NetworkCase| {
            (case.backend.as_str(), case.threads, case.crop) == (*backend, *threads, *crop)
        };
        let columns: BTreeSet<_> = cases()
            .filter(|case| in_group(case))
            .map(|case| (case.precision, case.batch))
            .collect();
        let mut titles = vec!["network".to_owned()];
        titles.extend(
            columns
                .iter()
                .map(|(precision, batch)| format!(">{precision}, batch {batch}")),
        );
        let mut table = Table::new(&titles);
        for variant in &input.zoo.variants {
            if !cases().any(|case| in_group(case) && case.variant == variant.name) {
                continue;
            }
            let cell = |(precision, batch): &(hrnet::Precision, usize)| {
                let found = input.alone().filter(|record| {
                    let case = record
                        .case
                        .network()
                        .filter(|case| in_group(case) && case.variant == variant.name);
                    case.is_some_and(|case| (case.precision, case.batch) == (*precision, *batch))
                });
                // The latest, where a cell was measured again.
                found.last().map_or(String::new(), cell)
            };
            let mut row = vec![shared_name(input, variant)];
            row.extend(columns.iter().map(cell));
            table.rows.push(row);
        }
        blocks.push(Block::Text {
            text: format!("Backend {backend}, {threads} threads, {crop} x {crop} pixels:"),
        });
        blocks.push(Block::Table(table));
    }
    blocks.extend(spread(input));
    blocks.extend(failures(input.alone()));
    blocks.extend(peers::advice(input));
    (!groups.is_empty()).then(|| Section {
        title: "Latency on this machine".into(),
        blocks,
    })
}

fn cell(record: &Record) -> String {
    match record.outcome() {
        Outcome::Failed(_) => "failed".into(),
        Outcome::Measured(summary) => {
            let per_second = record.case.images() as f64 / (summary.median_ns / 1e9);
            let (median, spread) = (
                digits(summary.median_ms()),
                digits_like(summary.mad_ns / 1e6, summary.median_ms()),
            );
            format!("{median} ± {spread} ms\n{}/s", digits(per_second))
        }
    }
}

/// A variant's name with those that share its network.
fn shared_name(input: &Input, variant: &Variant) -> String {
    let twins = input
        .zoo
        .variants
        .iter()
        .filter(|other| other.spec == variant.spec);
    let names: Vec<&str> = twins.map(|twin| twin.name.as_str()).collect();
    names.join("\n")
}

/// How many samples a cell has, and how far they lie apart.
fn spread(input: &Input) -> Option<Block> {
    let summaries: Vec<Summary> = measured(input).map(|(_, summary)| summary).collect();
    let fewest = summaries.iter().map(|summary| summary.samples).min()?;
    let most = summaries.iter().map(|summary| summary.samples).max()?;
    let largest = summaries.iter().map(Summary::spread).fold(0.0, f64::max);
    let worst = measured(input).find(|(_, summary)| summary.spread() >= largest)?;
    let doubt = if largest > 0.1 {
        " Differences smaller than that mean nothing."
    } else {
        ""
    };
    Some(Block::Text {
        text: format!(
            "How sure is this: {fewest} to {most} runs a cell; the largest median absolute deviation is {:.1} % of its \
             median ({}).{doubt}",
            largest * 100.0,
            Case::Network(worst.0.clone())
        ),
    })
}

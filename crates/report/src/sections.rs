//! What the page says, part by part.

use std::collections::BTreeSet;

use harness::{Case, NetworkCase, Outcome, PreprocessCase, Record, Summary};
use hrnet::{CountingRule, Shape};
use registry::lint::Severity;
use registry::{Claim, Metric, Variant};

use crate::page::{Block, Figure, Item, Section, Table};
use crate::{Input, peers};

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

/// One table for each backend, thread count and size: networks down, precision and batch across.
fn latencies(input: &Input) -> Option<Section> {
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

fn preprocessing(input: &Input) -> Option<Section> {
    let mut table = Table::new(&["step", "precision", ">batch", ">median ms", ">±", ">images/s"]);
    for record in input.records {
        let (Case::Preprocess(case), Some(summary)) = (&record.case, record.summary()) else {
            continue;
        };
        let (step, precision, batch) = match case {
            PreprocessCase::Decode => ("decode JPEG, 451 x 300".to_owned(), String::new(), 1),
            PreprocessCase::Batch {
                resize,
                crop,
                precision,
                batch,
            } => (
                format!("short side {resize}, crop {crop}, normalise"),
                precision.to_string(),
                *batch,
            ),
        };
        let per_second = batch as f64 / (summary.median_ns / 1e9);
        let median = summary.median_ms();
        let spread = digits_like(summary.mad_ns / 1e6, median);
        table.rows.push(vec![
            step,
            precision,
            batch.to_string(),
            digits(median),
            spread,
            digits(per_second),
        ]);
    }
    let text = "One thread, pixels as OpenCV's INTER_LINEAR makes them.".into();
    (!table.rows.is_empty()).then(|| Section {
        title: "Preprocessing on this machine".into(),
        blocks: vec![Block::Text { text }, Block::Table(table)],
    })
}

fn findings(input: &Input) -> Section {
    let items = input.findings.iter().map(|finding| Item {
        weight: match finding.severity {
            Severity::Error => "wrong",
            Severity::Warning => "odd",
            Severity::Note => "note",
            Severity::Ok => "ok",
        },
        subject: finding.subject.clone(),
        text: finding.message.clone(),
    });
    let text = "Every published figure is held against the network's own counts, and publications against each other.";
    Section {
        title: "What the published tables get wrong".into(),
        blocks: vec![
            Block::Text { text: text.into() },
            Block::List {
                items: items.collect(),
            },
        ],
    }
}

/// The manifest's claims beside the counts of the graph.
fn networks(input: &Input) -> Section {
    let titles = [
        "variant",
        "widths",
        ">top-1",
        ">top-5",
        ">FLOPs G, claimed",
        ">by the same rule",
        ">MACs G",
        ">params M, claimed",
        ">trainable M",
    ];
    let mut table = Table::new(&titles);
    for variant in &input.zoo.variants {
        let Ok(graph) = variant.spec.graph(Shape::square(1, variant.preprocess.crop)) else {
            continue;
        };
        let profile = graph.profile();
        let claimed = |wanted: fn(&Metric) -> bool| page_claim(input, variant, wanted);
        let printed = |claim: Option<&Claim>| claim.map_or(String::new(), |claim| claim.printed.clone());
        let se = if variant.spec.se_reduction.is_some() {
            ", SE"
        } else {
            ""
        };
        let widths: Vec<String> = variant.spec.widths.iter().map(usize::to_string).collect();
        table.rows.push(vec![
            variant.name.clone(),
            format!("{}{se}", widths.join("-")),
            printed(claimed(|metric| *metric == Metric::Top1)),
            printed(claimed(|metric| *metric == Metric::Top5)),
            printed(claimed(|metric| matches!(metric, Metric::Flops { .. }))),
            format!("{:.2}", CountingRule::ModelStatFlops.count(&profile) as f64 / 1e9),
            format!("{:.3}", profile.macs().0 as f64 / 1e9),
            printed(claimed(|metric| matches!(metric, Metric::Params { .. }))),
            format!("{:.3}", profile.trainable().0 as f64 / 1e6),
        ]);
    }
    let text = "Claims are the reference page's, as printed. Its FLOPs follow the rule model-stat-flops (twice the \
                multiply-accumulates of convolutions, once those of the linear layer, two a batch-norm element, less one \
                a ReLU element); MACs are multiply-accumulates of convolutions and linear layers at 224 x 224.";
    Section {
        title: "Networks".into(),
        blocks: vec![Block::Text { text: text.into() }, Block::Table(table)],
    }
}

fn page_claim<'a>(input: &Input<'a>, variant: &'a Variant, wanted: fn(&Metric) -> bool) -> Option<&'a Claim> {
    let column = input.zoo.columns.iter().find(|column| wanted(&column.metric))?;
    variant.claim(&column.id)
}

/// The published latencies of every device.
fn published(input: &Input) -> Section {
    let columns: Vec<_> = input
        .zoo
        .columns
        .iter()
        .filter_map(|column| match &column.metric {
            Metric::Latency {
                device,
                precision,
                batch,
            } => Some((column, format!(">{device}\n{precision}, batch {batch}"))),
            _ => None,
        })
        .collect();
    let mut titles = vec!["variant".to_owned()];
    titles.extend(columns.iter().map(|(_, title)| title.clone()));
    let mut table = Table::new(&titles);
    for variant in &input.zoo.variants {
        let mut row = vec![variant.name.clone()];
        row.extend(columns.iter().map(|(column, _)| {
            variant
                .claim(&column.id)
                .map_or("–".to_owned(), |claim| claim.printed.clone())
        }));
        table.rows.push(row);
    }
    let text = "Milliseconds a batch at 224 x 224, as printed.".into();
    Section {
        title: "Published latencies".into(),
        blocks: vec![Block::Text { text }, Block::Table(table)],
    }
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

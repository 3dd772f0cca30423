use std::collections::HashMap;

use hrnet::CountingRule;
use registry::lint::Severity;
use registry::{Claim, ClaimedAccuracy, Column, Metric, Variant, Zoo};

use crate::cells::Model;
use crate::page::{Block, Item, Section, Table};

/// The text in place of a figure that nobody published.
pub(super) const NONE: &str = "–";

pub(super) fn findings(model: &Model) -> Section {
    let columns = Columns::of(model);
    let items = model.input.findings.iter().map(|finding| Item {
        weight: match finding.severity {
            Severity::Error => "wrong",
            Severity::Warning => "odd",
            Severity::Note => "note",
            Severity::Ok => "ok",
        },
        subject: columns.in_words(&finding.subject),
        text: columns.in_words(&finding.message),
    });
    let text = "Every published figure is compared with the network's own counts, and publications with each other. \
                `zoo lint` prints the same.";
    Section {
        id: "findings",
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
pub(super) fn networks(model: &Model) -> Section {
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
    let zoo = model.input.zoo;
    for variant in zoo.classifiers() {
        let Ok(graph) = variant.spec.graph(variant.input()) else {
            continue;
        };
        let profile = graph.profile();
        let page = |wanted: fn(&Metric) -> bool| {
            let claim = page_claim(model, variant, wanted);
            claim.map_or(NONE.to_owned(), |claim| claim.printed.clone())
        };
        let accuracy =
            |claimed: Option<ClaimedAccuracy>| claimed.map_or(NONE.to_owned(), |claimed| claimed.to_string());
        let se = if variant.spec.se_reduction.is_some() {
            ", SE"
        } else {
            ""
        };
        let widths: Vec<String> = variant.spec.widths.iter().map(usize::to_string).collect();
        table.row(vec![
            variant.name.clone(),
            format!("{}{se}", widths.join("-")),
            accuracy(zoo.claimed_top1(variant)),
            accuracy(zoo.claimed_top5(variant)),
            page(|metric| matches!(metric, Metric::Flops { .. })),
            format!("{:.2}", CountingRule::ModelStatFlops.count(&profile) as f64 / 1e9),
            format!("{:.3}", profile.macs().0 as f64 / 1e9),
            page(|metric| matches!(metric, Metric::Params { .. })),
            format!("{:.3}", profile.trainable().0 as f64 / 1e6),
        ]);
    }
    let text = "FLOPs and parameters claimed are the reference page's; a dash is not on that page. Its FLOPs follow the rule \
                `model-stat-flops`: twice the multiply-accumulates of convolutions, once those of the linear layer, two per \
                batch-norm element, less one per ReLU element. MACs are multiply-accumulates of convolutions and linear layers at \
                224 x 224.";
    Section {
        id: "networks",
        title: "Networks".into(),
        blocks: vec![
            Block::Text { text: whose(zoo) },
            Block::Text { text: text.into() },
            Block::Table(table),
        ],
    }
}

/// Whose accuracies are shown: publication by publication.
fn whose(zoo: &Zoo) -> String {
    let mut sources: Vec<(&str, Vec<&str>)> = Vec::new();
    for variant in zoo.classifiers() {
        let Some(top1) = zoo.claimed_top1(variant) else {
            continue;
        };
        let source = top1.column.source.as_str();
        match sources.iter_mut().find(|(known, _)| *known == source) {
            Some((_, names)) => names.push(&variant.name),
            None => sources.push((source, vec![&variant.name])),
        }
    }
    // The publication of most variants needs no list of them.
    let most = sources.iter().map(|(_, names)| names.len()).max();
    let told = sources.iter().map(|(source, names)| {
        let title = &zoo.sources[*source].title;
        match names.len() {
            count if Some(count) == most => title.clone(),
            _ => format!("for {}: {title}", names.join(" and ")),
        }
    });
    format!(
        "Accuracies are claims for each variant's default weights, from {}.",
        told.collect::<Vec<_>>().join("; ")
    )
}

/// The names of the manifest's columns in prose, by their ids.
struct Columns<'a>(HashMap<&'a str, String>);

impl<'a> Columns<'a> {
    fn of(model: &Model<'a>) -> Self {
        let columns = model.input.zoo.columns.iter();
        Self(columns.map(|column| (column.id.as_str(), name(column))).collect())
    }

    /// A text with the names of columns in place of their ids.
    fn in_words(&self, text: &str) -> String {
        let is_id = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let mut words = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !is_id(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            words.push_str(self.0.get(word).map_or(word, String::as_str));
            let between = after.find(is_id).unwrap_or(after.len());
            words.push_str(&after[..between]);
            rest = &after[between..];
        }
        words
    }
}

/// The content of a column and its source.
fn name(column: &Column) -> String {
    let what = match &column.metric {
        Metric::Top1 => "top-1".to_owned(),
        Metric::Top5 => "top-5".into(),
        Metric::Top1Error => "top-1 error".into(),
        Metric::Top5Error => "top-5 error".into(),
        Metric::Ap => "AP".into(),
        Metric::Ap50 => "AP50".into(),
        Metric::Ap75 => "AP75".into(),
        Metric::Ar => "AR".into(),
        Metric::Pckh => "PCKh".into(),
        Metric::Flops { .. } => "FLOPs".into(),
        Metric::Params { .. } => "parameters".into(),
        Metric::Latency {
            device,
            precision,
            batch,
        } => format!("{device} {precision} batch {batch}"),
    };
    let of = match column.weights.as_deref() {
        Some(weights) => format!(" of {weights} weights"),
        None => String::new(),
    };
    let on = column
        .data
        .as_ref()
        .map_or(String::new(), |data| format!(" on {data}"));
    format!("{what}{of}{on} [{}]", column.source)
}

fn page_claim<'a>(model: &Model<'a>, variant: &'a Variant, wanted: fn(&Metric) -> bool) -> Option<&'a Claim> {
    let column = model
        .input
        .zoo
        .columns
        .iter()
        .find(|column| wanted(&column.metric))?;
    variant.claim(&column.id)
}

/// The published latencies of every device.
pub(super) fn published(model: &Model) -> Section {
    let columns: Vec<_> = model
        .input
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
    for variant in model.input.zoo.classifiers() {
        let mut row = vec![variant.name.clone()];
        row.extend(columns.iter().map(|(column, _)| {
            variant
                .claim(&column.id)
                .map_or(NONE.to_owned(), |claim| claim.printed.clone())
        }));
        table.row(row);
    }
    let text = "Milliseconds per batch at 224 x 224, as printed; a dash was not published.".into();
    Section {
        id: "published",
        title: "Published latencies".into(),
        blocks: vec![Block::Text { text }, Block::Table(table)],
    }
}

use hrnet::{CountingRule, Shape};
use registry::lint::Severity;
use registry::{Claim, Metric, Variant};

use crate::cells::Model;
use crate::page::{Block, Item, Section, Table};

pub(super) fn findings(model: &Model) -> Section {
    let items = model.input.findings.iter().map(|finding| Item {
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
    for variant in &model.input.zoo.variants {
        let Ok(graph) = variant.spec.graph(Shape::square(1, variant.preprocess.crop)) else {
            continue;
        };
        let profile = graph.profile();
        let claimed = |wanted: fn(&Metric) -> bool| page_claim(model, variant, wanted);
        let printed = |claim: Option<&Claim>| claim.map_or(String::new(), |claim| claim.printed.clone());
        let se = if variant.spec.se_reduction.is_some() {
            ", SE"
        } else {
            ""
        };
        let widths: Vec<String> = variant.spec.widths.iter().map(usize::to_string).collect();
        table.row(vec![
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
        id: "networks",
        title: "Networks".into(),
        blocks: vec![Block::Text { text: text.into() }, Block::Table(table)],
    }
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
    for variant in &model.input.zoo.variants {
        let mut row = vec![variant.name.clone()];
        row.extend(columns.iter().map(|(column, _)| {
            variant
                .claim(&column.id)
                .map_or("–".to_owned(), |claim| claim.printed.clone())
        }));
        table.row(row);
    }
    let text = "Milliseconds a batch at 224 x 224, as printed.".into();
    Section {
        id: "published",
        title: "Published latencies".into(),
        blocks: vec![Block::Text { text }, Block::Table(table)],
    }
}

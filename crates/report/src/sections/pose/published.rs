use std::collections::BTreeSet;

use harness::counted;
use registry::{Claim, ClaimedAccuracy, Column, Metric, TaskKind, Variant, Zoo};

use crate::cells::Model;
use crate::charts::training;
use crate::page::{Block, Table};
use crate::pick::of_task;
use crate::sections::claims::NONE;

/// The claims of every variant beside its counts, and how they were measured.
pub(super) fn published(model: &Model) -> Vec<Block> {
    let zoo = model.input.zoo;
    let mut table = Table::new(&[
        "variant",
        "input",
        ">keypoints",
        "training",
        ">AP",
        ">AP50",
        ">AP75",
        ">AR",
        "data",
        ">params M",
        ">MACs G",
    ]);
    for variant in of_task(zoo, TaskKind::Pose) {
        table.row(row(zoo, variant));
    }
    table.folded = Some(format!(
        "All {} with published AP and counts",
        counted(table.rows.len(), "pose network")
    ));
    let mut blocks = vec![Block::Table(table)];
    let sources: Vec<String> = sources(zoo).into_iter().collect();
    if !sources.is_empty() {
        blocks.push(Block::Text {
            text: format!(
                "Published AP is of each variant's default weights. {}. A dash was not published by the same source; parameters and \
                 MACs are counted from the network.",
                sources.join("; ")
            ),
        });
    }
    blocks
}

fn row(zoo: &Zoo, variant: &Variant) -> Vec<String> {
    let ap = zoo.claimed_ap(variant);
    let beside = |metric: Metric| {
        let claim = ap.and_then(|ap| beside(zoo, variant, &ap, &metric));
        claim.map_or(NONE.to_owned(), |claim| claim.in_points())
    };
    let profile = variant.graph().profile();
    let pose = variant.pose();
    vec![
        variant.name.clone(),
        variant.preprocess.size().to_string(),
        pose.map_or(String::new(), |pose| pose.keypoints.count().to_string()),
        pose.map_or("", |pose| training(pose.decoder)).to_owned(),
        ap.map_or(NONE.to_owned(), |ap| ap.in_points()),
        beside(Metric::Ap50),
        beside(Metric::Ap75),
        beside(Metric::Ar),
        ap.and_then(|ap| ap.column.data.clone()).unwrap_or_default(),
        format!("{:.3}", profile.trainable().0 as f64 / 1e6),
        format!("{:.3}", profile.macs().0 as f64 / 1e9),
    ]
}

/// Another figure of the publication that an AP is from, of the same weights on the same data.
fn beside<'a>(
    zoo: &'a Zoo,
    variant: &'a Variant,
    ap: &ClaimedAccuracy,
    metric: &Metric,
) -> Option<ClaimedAccuracy<'a>> {
    let same = |column: &&Column| {
        let claim: Option<&Claim> = variant.claim(&column.id);
        let theirs = (&column.source, &column.data, &column.protocol);
        column.metric == *metric
            && theirs == (&ap.column.source, &ap.column.data, &ap.column.protocol)
            && claim.is_some_and(|claim| claim.weights == ap.claim.weights)
    };
    let column = zoo.columns.iter().find(same)?;
    zoo.accuracy(variant, &column.id)
}

/// The publications of the AP shown, each with its data and how it was measured.
fn sources(zoo: &Zoo) -> BTreeSet<String> {
    let column = |variant| zoo.claimed_ap(variant).map(|ap| ap.column);
    let columns = of_task(zoo, TaskKind::Pose).filter_map(column);
    let told = |column: &Column| {
        let title = &zoo.sources[&column.source].title;
        let parts = [column.data.as_deref(), column.protocol.as_deref()];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        format!("{}: {title}", parts.join(", "))
    };
    columns.map(told).collect()
}

//! The section of pose networks: choices, charts, times, precisions and published figures.

mod published;
#[cfg(test)]
mod tests;

use harness::counted;
use registry::TaskKind;

use self::published::published;
use super::latency::tables;
use super::pick::{pose_table, rivals};
use super::precision::{small, speed};
use super::{digits, drawn, unmeasured};
use crate::cells::Model;
use crate::charts::pose_data;
use crate::page::{Block, Figure, Section, Table};
use crate::pick::{self, of_task};
use crate::precisions::compared;

/// Rows that a table shows without being asked.
const SHOWN: usize = 12;

/// Everything about pose networks; `None` if the manifest has none and none was measured.
pub(super) fn pose(model: &Model, figures: Vec<Figure>) -> Option<Section> {
    of_task(model.input.zoo, TaskKind::Pose).next()?;
    let mut blocks = vec![Block::Text { text: lead(model) }];
    blocks.extend(choices(model));
    blocks.extend(drawn(figures));
    blocks.extend(missing(model));
    blocks.extend(tables(model, TaskKind::Pose));
    blocks.extend(precisions(model));
    blocks.extend(published(model));
    Some(Section {
        id: "pose",
        title: "Keypoints of a person".into(),
        blocks,
    })
}

/// The figures of this section, and whose they are.
fn lead(model: &Model) -> String {
    let data = pose_data(model.input.zoo).map_or(String::new(), |data| {
        format!(" AP on other data cannot be compared with it, so that the charts show {data} alone.")
    });
    let seeded = model
        .cells
        .iter()
        .filter(|cell| model.is_of(cell, TaskKind::Pose))
        .filter(|cell| cell.record().provenance.weights.starts_with("seeded:"))
        .count();
    let seeded = match seeded {
        0 => String::new(),
        count => format!(
            " {} ran on seeded (random) weights: the times hold for trained weights, the heatmaps mean nothing.",
            counted(count, "cell")
        ),
    };
    format!(
        "A pose network turns the crop of one person into a heatmap for each keypoint. Times are of the network alone, for one \
         crop per person; a flip test, with which most AP is published, runs each person twice. AP is the publisher's \
         claim for the default weights, in points of 100.{data}{seeded}"
    )
}

/// The choices, the best of them first if they are many; empty if none was measured.
fn choices(model: &Model) -> Vec<Block> {
    let choices = pick::of(model, TaskKind::Pose);
    let Some(first) = choices.first() else {
        return Vec::new();
    };
    let text = format!(
        "Worth considering at batch {}. {} `zoo pick --task pose --max-p90 100ms --min-ap 0.75` asks the same of these records.",
        first.case.batch,
        rivals(model, &choices)
    );
    let best = || choices.iter().filter(|choice| choice.best);
    let mut blocks = vec![Block::Text { text }];
    let mut all = pose_table(choices.iter());
    if choices.len() > SHOWN && best().next().is_some() {
        blocks.push(Block::Table(pose_table(best())));
        all.folded = Some(format!("All {}", counted(choices.len(), "choice")));
    }
    blocks.push(Block::Table(all));
    blocks
}

/// The networks that were not measured, and the command that measures them.
fn missing(model: &Model) -> Option<Block> {
    let networks = unmeasured(model, TaskKind::Pose);
    let all = model.ours(TaskKind::Pose).next().is_none();
    let text = match networks.as_slice() {
        [] => return None,
        _ if all => {
            "No pose network was measured here: `zoo bench -m poses` measures all of them.".to_owned()
        }
        names => format!(
            "Not measured here: {}. `zoo bench -m poses --resume` measures {}.",
            names.join(", "),
            if names.len() == 1 { "it" } else { "them" }
        ),
    };
    Some(Block::Text { text })
}

/// The gain and the cost of other number formats; empty if none was measured.
fn precisions(model: &Model) -> Vec<Block> {
    let compared = compared(model, TaskKind::Pose);
    if compared.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&[
        "network",
        "precision",
        ">batch",
        ">threads",
        ">ms",
        ">over f32",
        ">largest error,\nof the largest value",
    ]);
    for one in &compared {
        table.row(vec![
            one.case.variant.clone(),
            one.kind().name(),
            one.case.batch.to_string(),
            one.case.threads.to_string(),
            digits(one.times.median_ms()),
            speed(one),
            small(one.fidelity.map(|fidelity| fidelity.largest_error)),
        ]);
    }
    if compared.len() > SHOWN {
        table.folded = Some(format!(
            "All {} of this comparison in numbers",
            counted(compared.len(), "cell")
        ));
    }
    let text = "Other number formats: speed over our fastest f32 of the same network and batch, and the largest difference of a \
                heatmap value from f32 by direct convolutions, as a share of the largest value. It does not say \
                what AP is lost: `zoo eval` measures that.";
    vec![Block::Text { text: text.into() }, Block::Table(table)]
}

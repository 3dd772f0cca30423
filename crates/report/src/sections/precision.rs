use harness::counted;
use hrnet::{Precision, Size};
use registry::TaskKind;

use super::{digits, drawn};
use crate::cells::Model;
use crate::charts::threads;
use crate::page::{Block, Figure, Section, Table};
use crate::precisions::{Compared, compared, usual};

/// Rows that a table shows without being asked.
const SHOWN: usize = 12;

/// The gains and costs of other number formats; `None` if only f32 was measured.
pub(super) fn precisions(model: &Model, figures: Vec<Figure>) -> Option<Section> {
    let mut compared = compared(model, TaskKind::Classes);
    let (count, _, crop) = usual(&compared)?;
    compared.retain(|one| (one.case.threads, one.case.crop) == (count, crop));
    let mut blocks = vec![Block::Text {
        text: lead(count, crop),
    }];
    blocks.extend(drawn(figures));
    blocks.extend(doubt(&compared).map(|text| Block::Text { text }));
    blocks.push(Block::Table(table(&compared)));
    Some(Section {
        id: "precisions",
        title: "Precisions: speed and fidelity".into(),
        blocks,
    })
}

fn lead(count: usize, crop: Size) -> String {
    format!(
        "{}, {} x {} pixels. Speed is over our fastest f32 of the same network and batch. Fidelity compares the logits \
         of the batch that was timed with those of f32 by direct convolutions: the largest error in standard deviations of the \
         logits (σ), and the divergence of the class probabilities (KL).",
        threads(count),
        crop.h,
        crop.w
    )
}

/// The worth of the agreement of first classes here.
fn doubt(compared: &[Compared]) -> Option<String> {
    let images = compared.iter().map(|one| one.case.batch).max()?;
    let images = counted(images, "image");
    let text = if compared.iter().any(|one| one.seeded) {
        format!(
            "Top-1 agreement on {images} with random weights means little: near-ties flip easily. Go by σ and KL, or run \
             `zoo fidelity NAME --photos DIR` with trained weights; `zoo eval` measures what a precision costs in accuracy."
        )
    } else {
        format!(
            "Top-1 agreement on {images} means little: `zoo fidelity NAME --photos DIR` takes more photos, and `zoo eval` \
             measures what a precision costs in accuracy."
        )
    };
    Some(text)
}

fn table(compared: &[Compared]) -> Table {
    let mut table = Table::new(&[
        "network",
        "precision",
        ">batch",
        ">ms",
        ">over f32",
        ">largest error, σ",
        ">of the largest logit",
        ">KL, nats",
        ">same top-1",
    ]);
    for one in compared {
        table.row(row(one));
    }
    if compared.len() > SHOWN {
        table.folded = Some(format!(
            "All {} of this comparison in numbers",
            counted(compared.len(), "cell")
        ));
    }
    table
}

fn row(one: &Compared) -> Vec<String> {
    let agreeing = one.agreeing();
    vec![
        one.case.variant.clone(),
        one.kind().name(),
        one.case.batch.to_string(),
        digits(one.times.median_ms()),
        speed(one),
        small(one.fidelity.and_then(|fidelity| fidelity.error_in_deviations)),
        small(one.fidelity.map(|fidelity| fidelity.largest_error)),
        small(one.fidelity.and_then(|fidelity| fidelity.divergence)),
        agreeing.map_or(String::new(), |agreeing| agreeing.to_string()),
    ]
}

/// The speed over f32, with its interval; empty for f32 itself.
pub(super) fn speed(one: &Compared) -> String {
    match (one.case.precision, one.speed) {
        (Precision::F32, _) => String::new(),
        (_, (speed, None)) => format!("{speed:.2}"),
        (_, (speed, Some((low, high)))) => format!("{speed:.2}\n[{low:.2}, {high:.2}]"),
    }
}

/// An error in two digits; empty if it is not known.
pub(super) fn small(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(0.0) => "0".into(),
        Some(value) => format!("{value:.1e}"),
    }
}

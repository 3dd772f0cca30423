use hrnet::Precision;

use super::{digits, drawn};
use crate::cells::Model;
use crate::charts::threads;
use crate::page::{Block, Figure, Section, Table};
use crate::precisions::{Compared, compared, usual};

/// Rows that a table shows without being asked.
const SHOWN: usize = 12;

/// What other number formats gain and cost; none where there is only f32.
pub(super) fn precisions(model: &Model, figures: Vec<Figure>) -> Option<Section> {
    let mut compared = compared(model);
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

fn lead(count: usize, crop: usize) -> String {
    format!(
        "{}, {crop} x {crop} pixels. Speed is over our fastest f32 of the same network and batch. Fidelity is of the batch that \
         was timed: its logits beside those of f32 by direct convolutions. Errors are told in standard deviations of the \
         logits (σ), which mean the same for every network; KL is the divergence of the class probabilities.",
        threads(count)
    )
}

/// What the agreement of first classes is worth here.
fn doubt(compared: &[Compared]) -> Option<String> {
    let images = compared.iter().map(|one| one.case.batch).max()?;
    let mut text = format!(
        "At most {images} images a cell say little of a share of first classes: zoo fidelity NAME --photos DIR takes as \
         many as there are."
    );
    if compared.iter().any(|one| one.seeded) {
        text.push_str(
            " On seeded weights even many would be weak evidence: such a network prefers no class, its two largest logits \
             lie as close as two of a thousand drawn at random, and rounding turns the order of many pairs, which a \
             trained network would not notice. There the error in σ and KL are the measures; what a precision costs in \
             accuracy is told by trained weights and labels (zoo eval).",
        );
    }
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
        table.folded = Some(format!("All {} cells in numbers", compared.len()));
    }
    table
}

fn row(one: &Compared) -> Vec<String> {
    let small = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.1e}"));
    let speed = match (one.case.precision, one.speed) {
        (Precision::F32, _) => String::new(),
        (_, (speed, None)) => format!("{speed:.2}"),
        (_, (speed, Some((low, high)))) => format!("{speed:.2}\n[{low:.2}, {high:.2}]"),
    };
    let agreeing = one.agreeing();
    vec![
        one.case.variant.clone(),
        one.kind().name(),
        one.case.batch.to_string(),
        digits(one.times.median_ms()),
        speed,
        small(one.fidelity.and_then(|fidelity| fidelity.error_in_deviations)),
        small(one.fidelity.map(|fidelity| fidelity.largest_error)),
        small(one.fidelity.and_then(|fidelity| fidelity.divergence)),
        agreeing.map_or(String::new(), |(same, images)| format!("{same} of {images}")),
    ]
}

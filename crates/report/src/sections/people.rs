//! AP of keypoints, measured here.

use harness::eval::{Figure, PeopleClaim, PeopleSummary};

use super::digits;
use crate::cells::Model;
use crate::page::{Block, Table};
use crate::people::{Since, in_order};

/// Blocks on evaluations of keypoints; none if there are none.
pub(super) fn people(model: &Model) -> Vec<Block> {
    let input = &model.input;
    let evaluations = in_order(input);
    if evaluations.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(&[
        "network",
        ">AP\nwith 95 %",
        ">AP50",
        ">AP75",
        ">AR\nwith 95 %",
        "claims",
        "verdict",
        "since before",
        "precision",
        "protocol",
        ">images",
        ">people",
        ">images/s",
    ]);
    for evaluated in evaluations {
        let since = Since::of(&evaluated.summary, input.history);
        table.row(row(&evaluated.summary, since.as_ref()));
    }
    vec![
        Block::Table(table),
        Block::Text {
            text: "Keypoints are evaluated as COCO evaluates them. A claim is compared on all 5000 images of COCO val2017 with the \
                   boxes and the flip test that it is about; its printed digits decide. Intervals are 95 % bootstrap intervals \
                   over images."
                .into(),
        },
    ]
}

fn row(summary: &PeopleSummary, since: Option<&Since>) -> Vec<String> {
    let (header, tally) = (&summary.header, &summary.tally);
    let value = |figure: Figure| {
        let Some(estimate) = summary.figures.get(&figure) else {
            return "n/a".to_owned();
        };
        let interval = estimate
            .interval
            .filter(|_| matches!(figure, Figure::Ap | Figure::Ar));
        let interval = interval.map(|interval| format!("\n[{:.3}, {:.3}]", interval.low, interval.high));
        format!("{:.3}{}", estimate.value, interval.unwrap_or_default())
    };
    let mut images = format!("{} of {}", tally.images, header.key.data.images);
    if tally.unreadable > 0 {
        images.push_str(&format!("\n{} unreadable", tally.unreadable));
    }
    let claims = summary.claims.iter();
    let printed: Vec<String> = claims
        .clone()
        .map(|claim| format!("{} {}", claim.figure, claim.printed))
        .collect();
    let mut verdicts: Vec<String> = claims.map(PeopleClaim::verdict).collect();
    // One that is the same for all of them is printed once.
    if verdicts.iter().all(|verdict| *verdict == verdicts[0]) {
        verdicts.truncate(1);
    }
    vec![
        header.key.variant.clone(),
        value(Figure::Ap),
        value(Figure::Ap50),
        value(Figure::Ap75),
        value(Figure::Ar),
        if printed.is_empty() {
            "none".into()
        } else {
            printed.join("\n")
        },
        verdicts.join("\n"),
        since.map_or(String::new(), |since| since.verdict().replace(": ", ":\n")),
        header.key.precision.to_string(),
        summary.protocol().map_or(String::new(), ToString::to_string),
        images,
        tally.people.to_string(),
        summary
            .pace
            .map_or(String::new(), |pace| digits(pace.images_per_s())),
    ]
}

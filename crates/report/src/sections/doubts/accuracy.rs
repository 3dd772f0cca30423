//! Doubts about accuracies.

use super::item;
use crate::cells::Model;
use crate::evaluations::{Since, in_order};
use crate::page::Item;

/// Networks that answered otherwise than the night before, on the same images.
pub(super) fn changed(model: &Model) -> Option<Item> {
    let input = &model.input;
    let changed: Vec<String> = in_order(input)
        .into_iter()
        .filter_map(|evaluated| {
            let since = Since::of(&evaluated.summary, input.history).filter(|since| since.changed)?;
            let name = &evaluated.summary.header.key.variant;
            Some(format!("{name} since {}, {}", since.night, since.verdict()))
        })
        .collect();
    let first = changed.first()?;
    item(
        "wrong",
        "Accuracy changed",
        format!(
            "{} not answer as before on the same images, by the same weights and engine; the first is {first}",
            match changed.len() {
                1 => "1 network does".to_owned(),
                several => format!("{several} networks do"),
            }
        ),
    )
}

/// Images that have no answer.
pub(super) fn unreadable(model: &Model) -> Option<Item> {
    let done = &model.input.evaluations.done;
    let most = done
        .iter()
        .max_by_key(|evaluated| evaluated.summary.tally.unreadable)?;
    let tally = &most.summary.tally;
    (tally.unreadable > 0).then_some(())?;
    item(
        "odd",
        "Unreadable images",
        format!(
            "{} of {} images could not be read: accuracies are of the others",
            tally.unreadable,
            tally.images()
        ),
    )
}

/// That accuracies are claims, where none was measured.
pub(super) fn claimed(model: &Model) -> Option<String> {
    let evaluations = model.input.evaluations;
    evaluations.is_empty().then_some(())?;
    let why = match &evaluations.left_out[..] {
        [] => "no data set was given (`--data`)".into(),
        [only] => format!("{}: {}", only.variant, only.reason),
        [first, rest @ ..] => {
            format!(
                "{}: {}, and {} were left out",
                first.variant,
                first.reason,
                harness::counted(rest.len(), "other")
            )
        }
    };
    Some(format!(
        "No accuracy was measured: {why}. Every accuracy on this page is its publisher's claim."
    ))
}

//! Doubts about accuracies.

use super::item;
use crate::cells::Model;
use crate::evaluations::{Since, in_order};
use crate::page::Item;
use crate::people;

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
        .chain(people::in_order(input).into_iter().filter_map(|evaluated| {
            let since = people::Since::of(&evaluated.summary, input.history).filter(|since| since.changed)?;
            let name = &evaluated.summary.header.key.variant;
            Some(format!("{name} since {}, {}", since.night, since.verdict()))
        }))
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
    let evaluations = &model.input.evaluations;
    let classes = evaluations.done.iter().map(|evaluated| {
        let tally = &evaluated.summary.tally;
        (tally.unreadable, tally.images())
    });
    let people = evaluations.people.iter().map(|evaluated| {
        let tally = &evaluated.summary.tally;
        (tally.unreadable, tally.images + tally.unreadable)
    });
    let (unreadable, images) = classes.chain(people).max()?;
    (unreadable > 0).then_some(())?;
    item(
        "odd",
        "Unreadable images",
        format!("{unreadable} of {images} images could not be read: accuracies are of the others"),
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

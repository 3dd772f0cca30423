//! Doubts about cells: what they lack and what ran in them.

use std::collections::BTreeSet;

use harness::{Provenance, Record, Times, counted};
use registry::{Known, Zoo};

use super::{item, measured, shown};
use crate::cells::Model;
use crate::page::Item;

pub(super) fn failed(model: &Model) -> Option<Item> {
    let failed: Vec<&Record> = shown(model).filter(|record| record.summary().is_none()).collect();
    let first = failed.first()?;
    item(
        "failed",
        "Failed measurements",
        format!(
            "{} failed; the first is {}: {}",
            counted(failed.len(), "measurement"),
            first.case,
            first.error.as_deref().unwrap_or("no samples")
        ),
    )
}

pub(super) fn few(model: &Model) -> Option<Item> {
    let samples: Vec<usize> = measured(model)
        .filter_map(|cell| Some(cell.times.ok()?.samples))
        .filter(|samples| *samples < Times::P90_SAMPLES)
        .collect();
    let fewest = samples.iter().min()?;
    item(
        "note",
        "Too few samples for a 90th percentile",
        format!(
            "{} of {} have fewer than the {} runs that it needs, the fewest {fewest}",
            samples.len(),
            counted(measured(model).count(), "cell"),
            Times::P90_SAMPLES
        ),
    )
}

pub(super) fn single(model: &Model) -> Option<Item> {
    let single = measured(model)
        .filter(|cell| !cell.raced && cell.times.is_ok_and(|times| times.processes < 2))
        .count();
    (single > 0).then_some(())?;
    item(
        "note",
        "One process",
        format!(
            "{single} of {} ran in one process each: in another, memory and threads may be placed otherwise, which no ± here \
             covers",
            counted(measured(model).filter(|cell| !cell.raced).count(), "cell")
        ),
    )
}

/// Outputs that are not the reference's, or were never compared.
pub(super) fn unlike(model: &Model) -> Option<Item> {
    let networks = || measured(model).filter(|cell| !cell.raced && cell.case.network().is_some());
    let unchecked = networks().filter(|cell| cell.record().fidelity.is_none()).count();
    let other = networks()
        .filter(|cell| {
            cell.record()
                .fidelity
                .and_then(|fidelity| fidelity.top1_agreement)
                .is_some_and(|share| share < 1.0)
        })
        .count();
    (unchecked + other > 0).then_some(())?;
    let mut parts = Vec::new();
    if unchecked > 0 {
        parts.push(format!(
            "the outputs of {} were not compared with the reference's",
            counted(unchecked, "cell")
        ));
    }
    if other > 0 {
        parts.push(format!(
            "in {} the first class of some image is not the reference's",
            counted(other, "cell")
        ));
    }
    item("note", "Answers", parts.join("; "))
}

pub(super) fn build(model: &Model) -> Option<Item> {
    let provenances = || model.input.records.iter().map(|record| &record.provenance);
    let mut parts = Vec::new();
    if provenances().any(Provenance::is_debug_build) {
        parts.push("a debug build was measured, which optimises less".to_owned());
    }
    if provenances().any(|about| about.commit.as_ref().is_some_and(|commit| commit.dirty)) {
        parts.push("the source had changes that no commit has".into());
    }
    let commits: BTreeSet<&str> = provenances()
        .filter_map(|about| Some(about.commit.as_ref()?.hash.as_str()))
        .collect();
    if commits.len() > 1 {
        parts.push(format!("the records are of {} commits", commits.len()));
    }
    (!parts.is_empty()).then_some(())?;
    item("odd", "The program", parts.join("; "))
}

pub(super) fn seeded(model: &Model) -> Option<Item> {
    let seeded = measured(model)
        .filter(|cell| cell.record().provenance.weights.starts_with("seeded:"))
        .count();
    (seeded > 0).then_some(())?;
    item(
        "note",
        "Seeded weights",
        format!(
            "{} ran on seeded (random) weights: these take as long as trained ones, but have no accuracy, and their first classes \
             are near ties that any rounding may turn",
            counted(seeded, "cell")
        ),
    )
}

/// Files whose digests nobody published: the first download was taken on trust.
pub(super) fn unpinned(model: &Model) -> Option<Item> {
    let networks = shown(model).filter(|record| record.case.network().is_some());
    let used: BTreeSet<&str> = networks.map(|record| record.provenance.weights_name()).collect();
    let trusted: Vec<&str> = used
        .into_iter()
        .filter(|name| on_trust(model.input.zoo, name))
        .collect();
    (!trusted.is_empty()).then_some(())?;
    item(
        "note",
        "Weights taken on trust",
        format!("Nobody publishes a digest of {}", trusted.join(", ")),
    )
}

fn on_trust(zoo: &Zoo, file_name: &str) -> bool {
    let artifacts = zoo.variants.iter().flat_map(|variant| &variant.artifacts);
    let mut named = artifacts.filter(|artifact| artifact.file_name == file_name);
    // Hugging Face states the digest of a file when it is downloaded.
    named.any(|artifact| artifact.known == Known::Nothing && artifact.hub.is_none())
}

//! Lint of cached weights: whether the files are the networks that they are declared to be.

use std::collections::BTreeMap;

use hrnet_zoo::CopyState;
use registry::lint::{Finding, Severity};
use registry::{Artifact, Variant};

use crate::Failure;
use crate::context::Context;

/// Returns findings on the cached weight files and on digests that two sources share.
pub(crate) fn weights(cx: &Context) -> Result<Vec<Finding>, Failure> {
    let mut findings = shared_digests(cx)?;
    for variant in &cx.zoo()?.variants {
        for artifact in &variant.artifacts {
            findings.extend(file(cx, variant, artifact)?);
            findings.extend(copy(cx, variant, artifact)?);
        }
    }
    Ok(findings)
}

/// Checks that the bytes have the pinned digest, and that all tensors are there, of the right shape, finite and plausible.
fn file(cx: &Context, variant: &Variant, artifact: &Artifact) -> Result<Option<Finding>, Failure> {
    let graph = variant.spec.graph(variant.input())?;
    let wrong = match cx.door()?.open_file(artifact) {
        Ok(None) => return Ok(None),
        Err(error) => vec![error.to_string()],
        Ok(Some(file)) => match file.check_all().and_then(|()| file.bind(&graph)) {
            Err(error) => vec![error.to_string()],
            Ok(weights) => {
                let ailments = checkpoint::health(&graph, &weights)?;
                ailments.iter().map(ToString::to_string).collect()
            }
        },
    };
    let digest = match artifact.local {
        None => "cached file has the pinned digest and",
        Some(_) => "file has every digest that is stated of it and",
    };
    let good =
        &format!("The {digest} holds every tensor of the network, finite and with plausible variances.");
    Ok(Some(finding(variant, artifact, "weights", good, &wrong)))
}

/// Checks that the prepared copy holds the weights of the file.
fn copy(cx: &Context, variant: &Variant, artifact: &Artifact) -> Result<Option<Finding>, Failure> {
    let wrong = match cx.door()?.check_copy(variant, artifact, false)? {
        CopyState::Missing => return Ok(None),
        CopyState::Right(_) => Vec::new(),
        CopyState::Wrong(error) => vec![error.to_string()],
    };
    let good = "The prepared copy of the cached file has the digest that was noted when it was made.";
    Ok(Some(finding(variant, artifact, "prepared", good, &wrong)))
}

fn finding(
    variant: &Variant,
    artifact: &Artifact,
    rule: &'static str,
    good: &str,
    wrong: &[String],
) -> Finding {
    Finding {
        severity: if wrong.is_empty() {
            Severity::Ok
        } else {
            Severity::Error
        },
        rule,
        subject: format!("{} {}", variant.name, artifact.id),
        message: if wrong.is_empty() {
            good.to_owned()
        } else {
            wrong.join("; ")
        },
    }
}

/// Returns a finding for each pair of sources with the same pinned digest: one of them is not what it is declared to be.
fn shared_digests(cx: &Context) -> Result<Vec<Finding>, Failure> {
    let lock = cx.lock()?;
    let mut owners: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for variant in &cx.zoo()?.variants {
        for artifact in &variant.artifacts {
            if let Some(pin) = lock.pin(&artifact.url) {
                let owner = format!("{} {}", variant.name, artifact.id);
                owners.entry(pin.sha256.to_string()).or_default().push(owner);
            }
        }
    }
    let shared = owners.into_iter().filter(|(_, owners)| owners.len() > 1);
    Ok(shared
        .map(|(digest, owners)| Finding {
            severity: Severity::Warning,
            rule: "shared-digest",
            subject: owners.join(", "),
            message: format!("The files of these sources are one and the same, sha256 {digest}."),
        })
        .collect())
}

//! What lint can say once weights are there: whether cached files are the networks they are declared as.

use std::collections::BTreeMap;
use std::path::Path;

use hrnet::Shape;
use registry::lint::{Finding, Severity};
use registry::{Artifact, Variant};

use crate::Failure;
use crate::context::Context;

/// Findings on the cached weight files and on digests that two sources share.
pub(crate) fn weights(cx: &Context) -> Result<Vec<Finding>, Failure> {
    let mut findings = shared_digests(cx)?;
    for variant in &cx.zoo()?.variants {
        for artifact in &variant.artifacts {
            if let Some(path) = cx.cached(artifact)? {
                findings.push(file(&path, variant, artifact)?);
            }
        }
    }
    Ok(findings)
}

/// Every tensor there, of the right shape, finite and plausible; or what is not.
fn file(path: &Path, variant: &Variant, artifact: &Artifact) -> Result<Finding, Failure> {
    let graph = variant.spec.graph(Shape::square(1, variant.preprocess.crop))?;
    let wrong = match checkpoint::read(path).and_then(|file| file.bind(&graph)) {
        Err(error) => vec![error.to_string()],
        Ok(weights) => {
            let ailments = checkpoint::health(&graph, &weights);
            let ailments = ailments.map_err(|error| Failure::new(crate::Exit::Other, error))?;
            ailments.iter().map(ToString::to_string).collect()
        }
    };
    Ok(Finding {
        severity: if wrong.is_empty() {
            Severity::Ok
        } else {
            Severity::Error
        },
        rule: "weights",
        subject: format!("{} {}", variant.name, artifact.id),
        message: if wrong.is_empty() {
            "The cached file holds every tensor of the network, finite and with plausible variances.".into()
        } else {
            wrong.join("; ")
        },
    })
}

/// Sources whose pinned digests are one and the same: one of them is not what it is declared as.
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

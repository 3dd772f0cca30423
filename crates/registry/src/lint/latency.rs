use std::collections::BTreeMap;

use hrnet::{Precision, Shape};

use super::{Finding, Severity, names};
use crate::{Claim, Column, Metric, Variant, Zoo};

/// A published latency with what it was taken under.
struct Latency<'a> {
    column: &'a Column,
    claim: &'a Claim,
    device: &'a str,
    precision: Precision,
    batch: usize,
}

fn latencies<'a>(zoo: &'a Zoo, variant: &'a Variant) -> impl Iterator<Item = Latency<'a>> {
    variant.claims.iter().filter_map(|claim| {
        let column = zoo.column(&claim.column)?;
        match &column.metric {
            Metric::Latency {
                device,
                precision,
                batch,
            } => Some(Latency {
                column,
                claim,
                device,
                precision: *precision,
                batch: *batch,
            }),
            _ => None,
        }
    })
}

/// A narrower number format should not be slower on the same device.
pub(super) fn precision_order(zoo: &Zoo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for variant in &zoo.variants {
        for narrow in latencies(zoo, variant) {
            for wide in latencies(zoo, variant) {
                let same = (narrow.device, narrow.batch, &narrow.column.source)
                    == (wide.device, wide.batch, &wide.column.source);
                let slower = narrow.claim.value > wide.claim.value;
                if same && narrow.precision.bits() < wide.precision.bits() && slower {
                    findings.push(Finding {
                        severity: Severity::Warning,
                        rule: "precision-order",
                        subject: format!("{} {}", variant.name, narrow.column.id),
                        message: format!(
                            "{} ms in {} is slower than {} ms in {} on {} at batch {}.",
                            narrow.claim.printed,
                            narrow.precision,
                            wide.claim.printed,
                            wide.precision,
                            narrow.device,
                            narrow.batch
                        ),
                    });
                }
            }
        }
    }
    findings
}

/// Latencies that repeat another variant's to the last digit were not measured again.
pub(super) fn copied(zoo: &Zoo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for variant in &zoo.variants {
        let Some(base) = variant.base.as_deref().and_then(|base| zoo.find(base).ok()) else {
            continue;
        };
        let own: Vec<Latency> = latencies(zoo, variant).collect();
        let repeats = |own: &&Latency| {
            base.claim(&own.column.id)
                .is_some_and(|claim| claim.printed == own.claim.printed)
        };
        let repeated = own.iter().filter(repeats).count();
        if repeated > 0 {
            findings.push(Finding {
                severity: Severity::Warning,
                rule: "copied",
                subject: variant.name.clone(),
                message: format!(
                    "{repeated} of {} latencies repeat {}'s to the last digit: it is the same network, so they were \
                     copied and not measured.",
                    own.len(),
                    base.name
                ),
            });
        }
    }
    findings
}

/// A network with fewer multiply-accumulates that is slower than a larger one.
pub(super) fn size_order(zoo: &Zoo) -> Vec<Finding> {
    let macs = |variant: &Variant| {
        let graph = variant.spec.graph(Shape::square(1, variant.preprocess.crop));
        graph
            .expect("the manifest's networks are checked")
            .profile()
            .macs()
    };
    let mut networks: Vec<&Variant> = zoo
        .variants
        .iter()
        .filter(|variant| zoo.network_of(variant).name == variant.name)
        .collect();
    networks.sort_by_key(|variant| macs(variant));
    let mut findings = Vec::new();
    for (index, small) in networks.iter().enumerate() {
        for large in &networks[index + 1..] {
            let slower = |small: &Latency| {
                large
                    .claim(&small.column.id)
                    .is_some_and(|large| large.value < small.claim.value)
            };
            let columns: Vec<&str> = latencies(zoo, small)
                .filter(slower)
                .map(|latency| latency.column.id.as_str())
                .collect();
            if !columns.is_empty() {
                findings.push(Finding {
                    severity: Severity::Note,
                    rule: "size-order",
                    subject: names([*small, *large]),
                    message: format!(
                        "{} is slower than {} although it has fewer multiply-accumulates, in {}.",
                        small.name,
                        large.name,
                        columns.join(", ")
                    ),
                });
            }
        }
    }
    findings
}

/// Variants without a figure where others of the same publication and device have one.
pub(super) fn missing(zoo: &Zoo) -> Vec<Finding> {
    let mut devices: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for variant in &zoo.variants {
        for latency in latencies(zoo, variant) {
            let rows = devices
                .entry((latency.column.source.as_str(), latency.device))
                .or_default();
            if rows.last() != Some(&variant.name.as_str()) {
                rows.push(&variant.name);
            }
        }
    }
    let mut findings = Vec::new();
    for ((source, device), rows) in devices {
        let missing = zoo
            .variants
            .iter()
            .filter(|variant| !rows.contains(&variant.name.as_str()));
        findings.extend(missing.map(|variant| Finding {
            severity: Severity::Note,
            rule: "missing",
            subject: variant.name.clone(),
            message: format!("\"{}\" gives no latency on {device}.", zoo.sources[source].title),
        }));
    }
    findings
}

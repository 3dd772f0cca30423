use std::collections::BTreeMap;

use super::latency::latencies;
use super::{Finding, Severity};
use crate::Zoo;

/// Variants of a publication without a figure where others have one for the same device.
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
            .filter(|variant| zoo.lists(source, variant) && !rows.contains(&variant.name.as_str()));
        findings.extend(missing.map(|variant| Finding {
            severity: Severity::Note,
            rule: "missing",
            subject: variant.name.clone(),
            message: format!(
                "\"{}\" gives latencies on {device}, but none of this variant.",
                zoo.sources[source].title
            ),
        }));
    }
    findings
}

use super::latency::{Latency, latencies};
use super::{Finding, Severity};
use crate::Zoo;

/// Latencies that repeat another variant's to the last digit were not measured again.
pub(super) fn copied(zoo: &Zoo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for variant in &zoo.variants {
        let Some(base) = variant.base.as_deref().and_then(|base| zoo.variant(base)) else {
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
                    "{repeated} of {} latencies repeat those of {} to the last digit. The two share one network, but \
                     separate measurements hardly ever agree so closely: most likely they were copied.",
                    own.len(),
                    base.name
                ),
            });
        }
    }
    findings
}

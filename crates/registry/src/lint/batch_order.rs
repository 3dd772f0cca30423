use super::latency::latencies;
use super::{Finding, Severity};
use crate::Zoo;

/// A larger batch should not take less time than a smaller one on the same device.
pub(super) fn batch_order(zoo: &Zoo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for variant in &zoo.variants {
        for large in latencies(zoo, variant) {
            for small in latencies(zoo, variant) {
                let same = (large.device, large.precision, &large.column.source)
                    == (small.device, small.precision, &small.column.source);
                if same && large.batch > small.batch && large.claim.value < small.claim.value {
                    findings.push(Finding {
                        severity: Severity::Warning,
                        rule: "batch-order",
                        subject: format!("{} {}", variant.name, large.column.id),
                        message: format!(
                            "{} ms at batch {} is less than {} ms at batch {} on the same {} in {}: one of the two is \
                             most likely misprinted.",
                            large.claim.printed,
                            large.batch,
                            small.claim.printed,
                            small.batch,
                            large.device,
                            large.precision
                        ),
                    });
                }
            }
        }
    }
    findings
}

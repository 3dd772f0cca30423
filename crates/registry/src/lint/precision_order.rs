use super::latency::latencies;
use super::{Finding, Severity};
use crate::Zoo;

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
                            "{} ms in {} is slower than {} ms in {} on the same {} at batch {}, though a narrower number \
                             format is expected to be no slower.",
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

use super::latency::{Latency, latencies};
use super::{Finding, Severity, names};
use crate::{Variant, Zoo};

/// A network with fewer multiply-accumulates that is slower than a larger one.
pub(super) fn size_order(zoo: &Zoo) -> Vec<Finding> {
    let macs = |variant: &Variant| variant.graph().profile().macs();
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
                        "{} is printed as slower than {} although it has fewer multiply-accumulates, in {}.",
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

use hrnet::Precision;

use crate::{Claim, Column, Metric, Variant, Zoo};

/// A published latency with what it was taken under.
pub(super) struct Latency<'a> {
    pub(super) column: &'a Column,
    pub(super) claim: &'a Claim,
    pub(super) device: &'a str,
    pub(super) precision: Precision,
    pub(super) batch: usize,
}

pub(super) fn latencies<'a>(zoo: &'a Zoo, variant: &'a Variant) -> impl Iterator<Item = Latency<'a>> {
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

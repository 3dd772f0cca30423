use super::{Finding, Severity};
use crate::{Claim, Variant, Zoo};

/// Figures in a variant's row that belong to another variant's weights.
pub(super) fn borrowed(zoo: &Zoo) -> Vec<Finding> {
    let borrowed = |variant: &Variant| -> Option<Finding> {
        let claims: Vec<&Claim> = variant
            .claims
            .iter()
            .filter(|claim| {
                claim
                    .weights
                    .as_ref()
                    .is_some_and(|weights| weights.variant != variant.name)
            })
            .collect();
        let owner = &claims.first()?.weights.as_ref()?.variant;
        let columns: Vec<&str> = claims.iter().map(|claim| claim.column.as_str()).collect();
        Some(Finding {
            severity: Severity::Note,
            rule: "borrowed",
            subject: variant.name.clone(),
            message: format!(
                "{} are figures of {owner}'s weights: no reference of this variant's own is published.",
                columns.join(" and ")
            ),
        })
    };
    zoo.variants.iter().filter_map(borrowed).collect()
}

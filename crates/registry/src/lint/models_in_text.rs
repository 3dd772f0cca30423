use super::{Finding, Severity};
use crate::{Claim, Zoo};

/// The number of models a text speaks of against the rows of its tables.
pub(super) fn models_in_text(zoo: &Zoo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, source) in &zoo.sources {
        let Some(said) = source.models_in_text else {
            continue;
        };
        let theirs = |claim: &Claim| {
            zoo.column(&claim.column)
                .is_some_and(|column| column.source == *id)
        };
        let rows = zoo
            .variants
            .iter()
            .filter(|variant| variant.claims.iter().any(theirs))
            .count();
        if rows != said {
            findings.push(Finding {
                severity: Severity::Warning,
                rule: "models-in-text",
                subject: id.clone(),
                message: format!(
                    "The text of \"{}\" speaks of {said} models; its tables list {rows}.",
                    source.title
                ),
            });
        }
    }
    findings
}

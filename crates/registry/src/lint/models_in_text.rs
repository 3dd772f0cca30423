use super::{Finding, Severity};
use crate::Zoo;

/// The number of models a text speaks of against the rows of its tables.
pub(super) fn models_in_text(zoo: &Zoo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (id, source) in &zoo.sources {
        let Some(said) = source.models_in_text else {
            continue;
        };
        let rows = zoo
            .variants
            .iter()
            .filter(|variant| zoo.lists(id, variant))
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

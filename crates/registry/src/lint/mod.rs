//! Compares published figures with the networks and with each other.
//!
//! The rules know no variant by name: what they find in the shipped manifest they would find in another.

mod batch_order;
mod borrowed;
mod copied;
mod counts;
mod latency;
mod missing;
mod models_in_text;
mod precision_order;
mod second_figures;
mod size_order;

use serde::Serialize;

use crate::{Variant, Zoo};

/// The weight of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Checked and found right.
    Ok,
    /// Good to know when reading the figures.
    Note,
    /// Odd enough not to be relied on.
    Warning,
    /// Wrong.
    Error,
}

/// One finding of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its weight.
    pub severity: Severity,
    /// The rule that found it.
    pub rule: &'static str,
    /// The variants, columns or publications it is about.
    pub subject: String,
    /// The finding, in full sentences.
    pub message: String,
}

/// Every finding, the weightiest first.
pub fn lint(zoo: &Zoo) -> Vec<Finding> {
    let rules: [fn(&Zoo) -> Vec<Finding>; 9] = [
        counts::counts,
        second_figures::second_figures,
        borrowed::borrowed,
        precision_order::precision_order,
        batch_order::batch_order,
        copied::copied,
        size_order::size_order,
        missing::missing,
        models_in_text::models_in_text,
    ];
    let mut findings: Vec<Finding> = rules.iter().flat_map(|rule| rule(zoo)).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

/// The names of some variants, as a list.
fn names<'a>(variants: impl IntoIterator<Item = &'a Variant>) -> String {
    let names: Vec<&str> = variants
        .into_iter()
        .map(|variant| variant.name.as_str())
        .collect();
    names.join(", ")
}

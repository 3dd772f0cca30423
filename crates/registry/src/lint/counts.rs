use std::collections::BTreeMap;

use hrnet::{CountingRule, Profile, Shape};

use super::{Finding, Severity, names};
use crate::{Claim, Column, Unit, Variant, Zoo};

const RULE: &str = "counts";

/// One network's figure in a column, with every variant that prints it.
struct Row<'a> {
    variants: Vec<&'a Variant>,
    claim: &'a Claim,
    profile: Profile,
}

/// Holds every published count against the network's own, under the rule that its column was made by.
pub(super) fn counts(zoo: &Zoo) -> Vec<Finding> {
    zoo.columns
        .iter()
        .filter_map(|column| column.metric.rule().map(|rule| (column, rule)))
        .flat_map(|(column, rule)| column_findings(zoo, column, rule))
        .collect()
}

fn column_findings(zoo: &Zoo, column: &Column, rule: CountingRule) -> Vec<Finding> {
    let rows = rows(zoo, column);
    if rows.is_empty() {
        return Vec::new();
    }
    let (right, wrong): (Vec<&Row>, Vec<&Row>) =
        rows.iter().partition(|row| fits(row, column, rule, column.unit));
    let source = &zoo.sources[&column.source].title;
    let mut findings: Vec<Finding> = wrong
        .iter()
        .map(|row| wrong_count(row, column, rule, right.len()))
        .collect();
    let verdict = if wrong.is_empty() { "all" } else { "the others" };
    findings.push(Finding {
        severity: Severity::Ok,
        rule: RULE,
        subject: column.id.clone(),
        message: format!(
            "{} of {} networks: {verdict} agree with the figures of \"{source}\" under the rule `{rule}`, in units of \
             {}, to the digits printed.",
            right.len(),
            rows.len(),
            column.unit
        ),
    });
    findings
}

/// The column's figures, one a network and printed value.
fn rows<'a>(zoo: &'a Zoo, column: &Column) -> Vec<Row<'a>> {
    let mut rows: BTreeMap<(&str, &str), Row<'a>> = BTreeMap::new();
    for variant in &zoo.variants {
        let Some(claim) = variant.claim(&column.id) else {
            continue;
        };
        let key = (zoo.network_of(variant).name.as_str(), claim.printed.as_str());
        rows.entry(key)
            .or_insert_with(|| Row {
                variants: Vec::new(),
                claim,
                profile: profile(variant),
            })
            .variants
            .push(variant);
    }
    rows.into_values().collect()
}

fn profile(variant: &Variant) -> Profile {
    let input = Shape::square(1, variant.preprocess.crop);
    variant
        .spec
        .graph(input)
        .expect("the manifest's networks are checked")
        .profile()
}

/// Whether the count rounds to the printed digits.
fn fits(row: &Row, column: &Column, rule: CountingRule, unit: Unit) -> bool {
    let decimals = column.decimals.unwrap_or_else(|| row.claim.decimals());
    let step = 10_f64.powi(i32::try_from(decimals).unwrap_or(0));
    let count = rule.count(&row.profile) as f64 / unit.scale();
    (count * step).round() == (row.claim.value * step).round()
}

fn wrong_count(row: &Row, column: &Column, rule: CountingRule, agreeing: usize) -> Finding {
    let Row {
        variants,
        claim,
        profile,
    } = row;
    let unit = column.unit;
    let count = |rule: CountingRule, unit: Unit| rule.count(profile) as f64 / unit.scale();
    let own = count(rule, unit);
    let mut message = format!(
        "printed as {} {unit}; the network has {own:.3} {unit} under `{rule}`, the rule that {agreeing} other networks \
         of the column follow.",
        claim.printed
    );
    let tries = || {
        rule.alternatives()
            .flat_map(|rule| [Unit::G, Unit::Gi, Unit::M].map(|unit| (rule, unit)))
    };
    match tries().find(|(rule, unit)| fits(row, column, *rule, *unit)) {
        Some((rule, unit)) => {
            message.push_str(&format!(" It is the count under `{rule}` in units of {unit}."))
        }
        None => {
            let others: Vec<String> = rule
                .alternatives()
                .map(|rule| {
                    let (plain, binary) = (count(rule, unit), count(rule, Unit::Gi));
                    if unit == Unit::G {
                        format!("{rule} {plain:.3} ({binary:.3} Gi)")
                    } else {
                        format!("{rule} {plain:.3}")
                    }
                })
                .collect();
            message.push_str(&format!(
                " It is no count under any rule known here: {}.",
                others.join(", ")
            ));
        }
    }
    let off = (claim.value / own - 1.0).abs();
    let severity = if off > 0.005 {
        Severity::Error
    } else {
        Severity::Warning
    };
    Finding {
        severity,
        rule: RULE,
        subject: format!("{} {}", names(variants.iter().copied()), column.id),
        message,
    }
}

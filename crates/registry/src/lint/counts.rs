use std::collections::BTreeMap;

use hrnet::{CountingRule, Profile};

use super::{Finding, Severity, names};
use crate::{Claim, Column, Unit, Variant, Zoo};

const RULE: &str = "counts";

/// One network's figure in a column, with every variant that prints it.
struct Row<'a> {
    variants: Vec<&'a Variant>,
    claim: &'a Claim,
    profile: Profile,
}

impl Row<'_> {
    fn count(&self, rule: CountingRule, unit: Unit) -> f64 {
        rule.count(&self.profile) as f64 / unit.scale()
    }
}

/// Compares every published count with the network's own, by the rule of its column.
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
    if right.is_empty() && wrong.len() > 1 {
        return vec![wrong_rule(column, rule, &wrong)];
    }
    let mut findings: Vec<Finding> = wrong
        .iter()
        .map(|row| wrong_count(row, column, rule, right.len()))
        .collect();
    if !right.is_empty() {
        findings.push(agreement(zoo, column, rule, right.len(), &wrong));
    }
    findings
}

/// The unit of a count, in words after the rule; a count printed in full needs none.
fn in_units(unit: Unit) -> String {
    match unit {
        Unit::One => String::new(),
        unit => format!(" in units of {unit}"),
    }
}

/// Says which figures of the column agree.
fn agreement(zoo: &Zoo, column: &Column, rule: CountingRule, right: usize, wrong: &[&Row]) -> Finding {
    let but = match wrong
        .iter()
        .map(|row| names([row.variants[0]]))
        .collect::<Vec<_>>()
    {
        none if none.is_empty() => String::new(),
        one if one.len() == 1 => format!("; {} does not", one[0]),
        some => format!("; {} do not", some.join(" and ")),
    };
    Finding {
        severity: Severity::Ok,
        rule: RULE,
        subject: column.id.clone(),
        message: format!(
            "{right} of {} distinct networks agree with \"{}\", counted by the rule `{rule}`{} and \
             rounded as the table rounds{but}.",
            right + wrong.len(),
            zoo.sources[&column.source].title,
            in_units(column.unit)
        ),
    }
}

/// A column that no network agrees with is not printed wrong but declared wrong.
fn wrong_rule(column: &Column, rule: CountingRule, rows: &[&Row]) -> Finding {
    let agreeing =
        |(rule, unit): (CountingRule, Unit)| rows.iter().filter(|row| fits(row, column, rule, unit)).count();
    let better = match tries(rule).max_by_key(|tried| agreeing(*tried)) {
        Some(best) if agreeing(best) > 0 => format!(
            "{} do by `{}`{}: the column seems to be declared with the wrong rule or unit",
            agreeing(best),
            best.0,
            in_units(best.1)
        ),
        _ => "nor does any by another rule known here".into(),
    };
    Finding {
        severity: Severity::Error,
        rule: RULE,
        subject: column.id.clone(),
        message: format!(
            "None of {} distinct networks has the printed figure when counted by `{rule}`{}; {better}.",
            rows.len(),
            in_units(column.unit)
        ),
    }
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
                profile: variant.graph().profile(),
            })
            .variants
            .push(variant);
    }
    rows.into_values().collect()
}

/// Returns whether the count rounds to the printed digits.
fn fits(row: &Row, column: &Column, rule: CountingRule, unit: Unit) -> bool {
    let decimals = column.decimals.unwrap_or_else(|| row.claim.decimals());
    let step = 10_f64.powi(i32::try_from(decimals).unwrap_or(0));
    (row.count(rule, unit) * step).round() == (row.claim.value * step).round()
}

/// Every rule of this kind with every unit that a table may mean.
fn tries(rule: CountingRule) -> impl Iterator<Item = (CountingRule, Unit)> {
    rule.alternatives()
        .flat_map(|rule| [Unit::G, Unit::Gi, Unit::M, Unit::One].map(|unit| (rule, unit)))
}

fn wrong_count(row: &Row, column: &Column, rule: CountingRule, agreeing: usize) -> Finding {
    let (printed, unit) = (&row.claim.printed, column.unit);
    let own = row.count(rule, unit);
    let followed = match agreeing {
        0 => String::new(),
        1 => ", the rule that one other network of this column follows".into(),
        more => format!(", the rule that {more} other networks of this column follow"),
    };
    let explained = match tries(rule).find(|(rule, unit)| fits(row, column, *rule, *unit)) {
        Some((rule, unit)) => format!("The figure is what `{rule}` counts{}", in_units(unit)),
        None => format!(
            "No rule known here gives {printed}: {}",
            every_count(row, rule, unit)
        ),
    };
    let off = (row.claim.value / own - 1.0).abs();
    Finding {
        severity: if off > 0.005 {
            Severity::Error
        } else {
            Severity::Warning
        },
        rule: RULE,
        subject: format!("{} {}", names(row.variants.iter().copied()), column.id),
        message: format!(
            "The table prints {printed} {unit}, but the network has {own:.3} {unit} when counted by \
             `{rule}`{followed}. {explained}."
        ),
    }
}

/// Lists the count of each rule, so that a reader can judge.
fn every_count(row: &Row, rule: CountingRule, unit: Unit) -> String {
    let counts = rule.alternatives().map(|rule| {
        let plain = row.count(rule, unit);
        if unit == Unit::G {
            format!(
                "{rule} gives {plain:.3} ({:.3} in units of 2^30)",
                row.count(rule, Unit::Gi)
            )
        } else {
            format!("{rule} gives {plain:.3}")
        }
    });
    counts.collect::<Vec<_>>().join(", ")
}

use std::collections::BTreeMap;

use super::history::by_case;
use super::repeat::began;
use super::{Comparison, History, Repeat, Rule, compare, distance};
use crate::Case;

/// The verdicts on a night against the last of the nights before it, the oldest first; `None` without one. A case for which
/// the cores lay at another distance then is compared with the last night on which they lay as now, if there is one, and says so.
pub fn since(nights: &[Vec<Repeat>], now: &[Repeat], history: &History, rule: Rule) -> Option<Comparison> {
    let last = nights.last()?;
    let older = older(nights, now);
    let stays = |repeat: &&Repeat| !older.contains_key(&repeat.case);
    let mut before: Vec<Repeat> = last.iter().filter(stays).cloned().collect();
    for (case, night) in &older {
        before.extend(night.iter().filter(|repeat| repeat.case == **case).cloned());
    }
    let mut comparison = compare(&before, now, history, rule);
    comparison.before = began(last);
    for verdict in &mut comparison.verdicts {
        if let Some(night) = older.get(&verdict.case) {
            let began = began(night);
            verdict.why += &format!("; against {began}, the last night with the cores as far apart");
        }
    }
    Some(comparison)
}

/// The cases that are compared with an earlier night than the last, each with its night.
fn older<'a>(nights: &'a [Vec<Repeat>], now: &'a [Repeat]) -> BTreeMap<&'a Case, &'a [Repeat]> {
    let sets: Vec<_> = nights.iter().map(|night| by_case(night)).collect();
    let night = |(case, now): (&'a Case, Vec<&Repeat>)| {
        let is_alike = |index: &usize| {
            let before = sets[*index].get(case);
            before.is_some_and(|before| distance::alike(before, &now).is_ok())
        };
        let last = sets.len().checked_sub(1)?;
        // What the last night lacks is lost, whatever came before.
        let moved = sets[last].contains_key(case) && !is_alike(&last);
        let index = (0..last).rev().filter(|_| moved).find(is_alike)?;
        Some((case, nights[index].as_slice()))
    };
    by_case(now).into_iter().filter_map(night).collect()
}

use std::collections::{BTreeMap, BTreeSet};

use super::ThresholdSource;
use super::history::{by_case, measured, normalised};
use super::ranks::Ranks;
use super::repeat::began;
use super::spread::{STUDENT_95, centre, student};
use super::{
    Answer, Basis, Comparison, Estimate, History, Repeat, Rule, Side, Threshold, Verdict, comparable,
    distance,
};
use crate::stats::median;
use crate::{Case, Interval};

/// The level of intervals, and of "same".
const INTERVAL: f64 = 0.05;

/// Processes per side that can tell a steady change of 3 % among all cells of a night.
const ENOUGH: usize = 8;

/// The largest learned threshold within which a case is called the same: a cell that has two speeds learns one of half its
/// time, and nobody would call that no change.
const LARGEST_SAME: f64 = 0.1;

/// The verdict on every case that is in one of the two sets, by what earlier sets of the machine teach.
pub fn compare(before: &[Repeat], now: &[Repeat], history: &History, rule: Rule) -> Comparison {
    let (old, new) = (by_case(before), by_case(now));
    let cases: BTreeSet<&Case> = before.iter().chain(now).map(|repeat| &repeat.case).collect();
    let mut sets = Sets {
        before,
        now,
        old,
        new,
    };
    let mut verdicts: Vec<Verdict> = cases.into_iter().map(|case| sets.outset(case)).collect();
    let family = verdicts.iter().filter(|verdict| open(verdict)).count();
    let mut bench = Bench {
        ranks: Ranks::default(),
        history,
        rule,
        family,
    };
    for verdict in verdicts.iter_mut().filter(|verdict| open(verdict)) {
        let case = verdict.case.clone();
        bench.weigh(verdict, &sets.old[&case], &sets.new[&case]);
    }
    holm(&mut verdicts);
    for verdict in verdicts.iter_mut().filter(|verdict| open(verdict)) {
        bench.decide(verdict);
    }
    let mut ratios: Vec<f64> = verdicts
        .iter()
        .filter_map(|verdict| Some(verdict.ratio?.ratio))
        .collect();
    Comparison {
        before: began(before),
        now: began(now),
        rule,
        nights: history.nights(),
        family,
        common: median(&mut ratios),
        verdicts,
    }
}

/// Returns `true` if a case is still to be judged by its times.
fn open(verdict: &Verdict) -> bool {
    verdict.answer == Answer::Inconclusive
}

/// Holm's adjusted p-values over all that have one: the smallest times their number, the next times one fewer, and none
/// below the one before it.
pub(super) fn holm(verdicts: &mut [Verdict]) {
    let mut tested: Vec<&mut Verdict> = verdicts
        .iter_mut()
        .filter(|verdict| verdict.p.is_some())
        .collect();
    tested.sort_by(|a, b| a.p.unwrap_or(1.0).total_cmp(&b.p.unwrap_or(1.0)));
    let count = tested.len();
    let mut least = 0.0_f64;
    for (index, verdict) in tested.into_iter().enumerate() {
        least = least
            .max((count - index) as f64 * verdict.p.unwrap_or(1.0))
            .min(1.0);
        verdict.p_adjusted = Some(least);
    }
}

struct Sets<'a> {
    before: &'a [Repeat],
    now: &'a [Repeat],
    old: BTreeMap<&'a Case, Vec<&'a Repeat>>,
    new: BTreeMap<&'a Case, Vec<&'a Repeat>>,
}

impl<'a> Sets<'a> {
    /// The verdict as far as it needs no arithmetic: no data, incomparable, or inconclusive for now. Repeats that nothing on
    /// the other side is like are left out.
    fn outset(&mut self, case: &'a Case) -> Verdict {
        let mut failed = false;
        let (answer, why) = match (self.old.get(case), self.new.get(case)) {
            // Not two measurements that agree, but one.
            (Some(old), Some(new)) if old == new => {
                (Answer::Same, self.failures(case) + "both are the same records")
            }
            (Some(old), Some(new)) => match like_with_like(old, new) {
                Err(difference) => (Answer::Incomparable, difference),
                Ok([before, now]) => {
                    let other = [old.len() - before.len(), new.len() - now.len()];
                    let why =
                        self.failures(case) + &left_out("repeats with the cores at another distance", other);
                    self.old.insert(case, before);
                    self.new.insert(case, now);
                    (Answer::Inconclusive, why)
                }
            },
            (old, _) => {
                let (when, here, there) = match old {
                    None => ("before", self.before, self.now),
                    Some(_) => ("now", self.now, self.before),
                };
                failed = here.iter().any(|repeat| repeat.case == *case);
                self.absent(case, when, here, there)
            }
        };
        let same = (answer == Answer::Same).then_some(Estimate {
            ratio: 1.0,
            interval: Interval { low: 1.0, high: 1.0 },
        });
        Verdict {
            case: case.clone(),
            answer,
            why,
            before: self.old.get(case).and_then(|repeats| side(repeats)),
            now: self.new.get(case).and_then(|repeats| side(repeats)),
            ratio: same,
            normalised: None,
            threshold: None,
            p: None,
            p_adjusted: None,
            basis: None,
            failed,
        }
    }

    /// Why a case has no times in a set.
    fn absent(&self, case: &Case, when: &str, here: &[Repeat], there: &[Repeat]) -> (Answer, String) {
        let failed = here.iter().find(|repeat| repeat.case == *case);
        if let Some(failed) = failed {
            let error = failed.error.as_deref().unwrap_or("its times are zero");
            return (Answer::NoData, format!("failed {when}: {error}"));
        }
        // Only what the other set lacks can have taken the case's place.
        let others = here.iter().map(|repeat| &repeat.case);
        let alone = others.filter(|other| there.iter().all(|repeat| repeat.case != **other));
        match comparable::near(case, alone) {
            Some(difference) => (Answer::Incomparable, format!("{when} measured with {difference}")),
            None => (Answer::NoData, format!("not measured {when}")),
        }
    }

    /// The number of repeats that failed while others have times, in words.
    fn failures(&self, case: &Case) -> String {
        let count = |set: &[Repeat]| {
            let of_case = set.iter().filter(|repeat| repeat.case == *case);
            of_case.filter(|repeat| repeat.median_ns.is_none()).count()
        };
        left_out("failed repeats", [count(self.before), count(self.now)])
    }
}

/// The repeats of both sides that can be compared, or what differs.
fn like_with_like<'a>(old: &[&'a Repeat], new: &[&'a Repeat]) -> Result<[Vec<&'a Repeat>; 2], String> {
    let mut others = old[1..].iter().chain(new);
    match others.find_map(|repeat| comparable::difference(old[0], repeat)) {
        Some(difference) => Err(difference),
        None => distance::alike(old, new),
    }
}

/// The beginning of a verdict's reason: how many repeats of which kind it is not on.
fn left_out(kind: &str, [before, now]: [usize; 2]) -> String {
    match before + now {
        0 => String::new(),
        _ => format!("{kind} are left out: {before} before, {now} now; "),
    }
}

fn side(repeats: &[&Repeat]) -> Option<Side> {
    let mut medians: Vec<f64> = repeats.iter().filter_map(|repeat| repeat.median_ns).collect();
    Some(Side {
        median_ns: median(&mut medians)?,
        processes: repeats.len(),
        samples: repeats.iter().map(|repeat| repeat.samples).sum(),
    })
}

/// The evidence that all cases of a comparison share.
struct Bench<'a> {
    ranks: Ranks,
    history: &'a History,
    rule: Rule,
    family: usize,
}

impl Bench<'_> {
    /// Estimates the ratio and its p-value.
    fn weigh(&mut self, verdict: &mut Verdict, old: &[&Repeat], new: &[&Repeat]) {
        let threshold = match self.rule.threshold {
            Some(share) => Threshold {
                share,
                source: ThresholdSource::Given,
            },
            None => self.history.threshold(&verdict.case),
        };
        let spread = Spread {
            between: self.history.spread(&verdict.case).0,
            samples: [old, new].map(|side| match side {
                [only] => only.error_of_median(),
                _ => 0.0,
            }),
        };
        let raw = measured(old, new);
        verdict.ratio = self.estimate(&raw.0, &raw.1, spread);
        let canary = normalised(old, new);
        verdict.normalised = canary
            .as_ref()
            .and_then(|(old, new)| self.estimate(old, new, spread));
        verdict.threshold = Some(threshold);
        // Which test is used depends on counts alone, never on the times.
        let by_ranks = self.ranks.smallest(raw.0.len(), raw.1.len()) <= self.rule.alpha / self.family as f64;
        verdict.basis = Some(if by_ranks { Basis::Ranks } else { Basis::Spread });
        let mut test = |(old, new): &(Vec<f64>, Vec<f64>)| match by_ranks {
            true => Some(self.ranks.p(old, new, threshold.share.ln_1p())),
            false => spread
                .shift(old, new)
                .map(|(shift, error)| student(shift / error)),
        };
        verdict.p = match &canary {
            None => test(&raw),
            Some(canary) if by_ranks => test(canary),
            // One disturbed canary would make a change of a cell that was not: the times as measured must show it, too.
            Some(canary) => test(&raw).zip(test(canary)).map(|(raw, canary)| raw.max(canary)),
        };
    }

    fn estimate(&mut self, old: &[f64], new: &[f64], spread: Spread) -> Option<Estimate> {
        let (shift, low, high) = match self.ranks.shift(old, new, INTERVAL) {
            Some(shift) => (shift.estimate, shift.low, shift.high),
            None => {
                let (shift, error) = spread.shift(old, new)?;
                (shift, shift - STUDENT_95 * error, shift + STUDENT_95 * error)
            }
        };
        Some(Estimate {
            ratio: shift.exp(),
            interval: Interval {
                low: low.exp(),
                high: high.exp(),
            },
        })
    }

    /// The answer, once p-values are adjusted.
    fn decide(&mut self, verdict: &mut Verdict) {
        let (Some(estimate), Some(threshold), Some(p)) =
            (verdict.decisive(), verdict.threshold, verdict.p_adjusted)
        else {
            return;
        };
        let (most, least) = (1.0 + threshold.share, 1.0 / (1.0 + threshold.share));
        let Interval { low, high } = estimate.interval;
        let certain = p <= self.rule.alpha;
        let (answer, why) = if certain && estimate.ratio > most {
            (Answer::Regressed, "slower, beyond the threshold".to_owned())
        } else if certain && estimate.ratio < least {
            (Answer::Improved, "faster, beyond the threshold".to_owned())
        } else if low >= least && high <= most {
            if threshold.share <= LARGEST_SAME || threshold.source == ThresholdSource::Given {
                (Answer::Same, "no change beyond the threshold".to_owned())
            } else {
                let why = "this cell changes too much from night to night to be called the same";
                (Answer::Inconclusive, why.to_owned())
            }
        } else if estimate.ratio > most || estimate.ratio < least {
            (Answer::Inconclusive, "the change may be chance".to_owned())
        } else {
            (
                Answer::Inconclusive,
                "no change is proved, and none is ruled out".to_owned(),
            )
        };
        verdict.answer = answer;
        let rests_on = self.rests_on(verdict);
        verdict.why = format!("{}{why}{rests_on}", verdict.why);
    }

    /// The processes per side that can tell a steady change among all cells; at least as many as are recommended.
    fn enough(&mut self) -> usize {
        let chance = self.rule.alpha / self.family as f64;
        let needed = (ENOUGH..100).find(|n| self.ranks.smallest(*n, *n) <= chance);
        needed.unwrap_or(ENOUGH)
    }

    /// The evidence of a verdict, the advice and the machine's part in the change, in words.
    fn rests_on(&mut self, verdict: &Verdict) -> String {
        let mut text = String::new();
        if let (Some(Basis::Spread), Some(before), Some(now)) = (verdict.basis, verdict.before, verdict.now) {
            let a_side = match [before.processes, now.processes] {
                [1, 1] => "one process".to_owned(),
                [both, other] if both == other => format!("{both} processes"),
                [before, now] => format!("{before} and {now} processes"),
            };
            match verdict.answer {
                Answer::Inconclusive => text.push_str(&format!(
                    "; {a_side} a side cannot tell: measure both with `--processes {}`",
                    self.enough()
                )),
                _ => text.push_str(&format!("; by {a_side} a side")),
            }
        }
        if let (Some(ratio), Some(normalised)) = (verdict.ratio, verdict.normalised) {
            let machine = ratio.ratio / normalised.ratio - 1.0;
            if machine.abs() >= 0.01 {
                let word = if machine > 0.0 { "slower" } else { "faster" };
                text.push_str(&format!(
                    "; the machine itself was {:.0} % {word}, which is taken into account",
                    100.0 * machine.abs()
                ));
            }
        }
        text
    }
}

/// The known noise, in logarithms, for cases in which ranks say too little.
#[derive(Clone, Copy)]
struct Spread {
    /// The usual change between two sets.
    between: f64,
    /// The standard errors of the two medians by the samples of single processes.
    samples: [f64; 2],
}

impl Spread {
    /// The shift between the medians and its standard error.
    fn shift(&self, old: &[f64], new: &[f64]) -> Option<(f64, f64)> {
        let (old, old_error) = centre(old)?;
        let (new, new_error) = centre(new)?;
        let [before, now] = self.samples;
        let terms = [self.between, old_error, new_error, before, now];
        let error = terms.iter().map(|term| term * term).sum::<f64>().sqrt();
        Some((new - old, error))
    }
}

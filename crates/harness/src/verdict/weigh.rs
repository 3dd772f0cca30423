//! The arithmetic of a verdict: the change, its chance, and what follows from both.

use super::history::{ASSUMED_SHIFT, ASSUMED_SPREAD, measured, normalised};
use super::ranks::Ranks;
use super::setting::Setting;
use super::spread::{STUDENT_95, centre, student};
use super::{Answer, Basis, Estimate, History, Repeat, Rule, Threshold, ThresholdSource, Verdict, advice};
use crate::noise::APART;
use crate::{Case, Interval};

/// The level of intervals, and of "same".
const INTERVAL: f64 = 0.05;

/// Processes per side that can tell a steady change of 3 % among all cells of a night.
const ENOUGH: usize = 8;

/// The largest learned threshold within which a case is called the same: a cell that has two speeds learns one of half its
/// time, and nobody would call that no change.
pub(super) const LARGEST_SAME: f64 = 0.1;

/// The correction for the machine's speed may be off by this share of itself: a cell follows the canary only about as much as it
/// computes what the canary does.
const OFF: f64 = 1.0 / 3.0;

/// The same where a matrix unit's speed is part of the correction, which takes half of its change: a cell that computes with
/// tiles alone follows all of it, one that hardly does none.
const OFF_TILES: f64 = 1.0;

/// The evidence that all cases of a comparison share.
pub(super) struct Bench<'a> {
    pub(super) ranks: Ranks,
    pub(super) history: &'a History,
    pub(super) rule: Rule,
    /// Cases over which p-values are adjusted.
    pub(super) family: usize,
}

impl Bench<'_> {
    /// Estimates the ratio and its p-value.
    pub(super) fn weigh(&mut self, verdict: &mut Verdict, old: &[&Repeat], new: &[&Repeat]) {
        let threshold = match self.rule.threshold {
            Some(share) => Threshold {
                share,
                source: ThresholdSource::Given,
            },
            None => self.history.threshold(&verdict.case),
        };
        let setting = Setting::of(old, new);
        let spread = Spread {
            between: self.between(&verdict.case, setting),
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
        // Which test is used depends on counts and on what the machine did, never on the times.
        let by_ranks = self.ranks.smallest(raw.0.len(), raw.1.len()) <= self.chance();
        verdict.basis = Some(if by_ranks { Basis::Ranks } else { Basis::Spread });
        let by_spread = |(old, new): &(Vec<f64>, Vec<f64>)| {
            let shift = spread.shift(old, new);
            shift.map(|(shift, error)| student(shift / error))
        };
        let decisive = canary.as_ref().unwrap_or(&raw);
        // The larger of two p-values counts where a change must show in both ways.
        let both = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a.max(b));
        verdict.p = if by_ranks {
            let p = Some(self.ranks.p(&decisive.0, &decisive.1, threshold.share.ln_1p()));
            // Ranks know nothing of a shift that all repeats of a side share.
            if setting.shifts() {
                both(p, by_spread(decisive))
            } else {
                p
            }
        } else {
            // One disturbed canary would make a change of a cell that was not: the times as measured must show it, too.
            both(by_spread(&raw), by_spread(decisive))
        };
    }

    /// The usual change between the two sides of a case, in logarithms, without a change of the program.
    fn between(&self, case: &Case, setting: Setting) -> f64 {
        let learned = self.history.learned(case);
        if setting.in_turns {
            learned.unwrap_or(ASSUMED_SPREAD)
        } else if setting.noisy {
            learned.unwrap_or(0.0).max(ASSUMED_SHIFT)
        } else {
            learned.unwrap_or(ASSUMED_SHIFT)
        }
    }

    /// The largest p-value that one case of the family may have and be called changed.
    fn chance(&self) -> f64 {
        self.rule.alpha / self.family as f64
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

    /// The answer with its reason and what to do next, once p-values are adjusted.
    pub(super) fn decide(&mut self, verdict: &mut Verdict, old: &[&Repeat], new: &[&Repeat]) {
        let (Some(estimate), Some(threshold), Some(p)) =
            (verdict.decisive(), verdict.threshold, verdict.p_adjusted)
        else {
            return;
        };
        let setting = Setting::of(old, new);
        let (mut answer, mut why) = self.answer(estimate, threshold, p, setting);
        if matches!(answer, Answer::Regressed | Answer::Improved) && hidden(verdict, setting) {
            answer = Answer::Inconclusive;
            why = "the machine's own change is so large that correcting for it may have made this one".into();
        }
        verdict.answer = answer;
        verdict.why = [verdict.why.as_str(), &why, &processes(verdict), &machine(verdict)].concat();
        if answer == Answer::Inconclusive {
            let enough = self.enough();
            let advice = advice::of(verdict, estimate, threshold, setting, enough);
            verdict.why.push_str(&advice.gain);
            verdict.next = Some(advice.next);
        }
    }

    fn answer(&self, estimate: Estimate, threshold: Threshold, p: f64, setting: Setting) -> (Answer, String) {
        let limit = format!("the threshold of {:.1} %", 100.0 * threshold.share);
        let (most, least) = (1.0 + threshold.share, 1.0 / (1.0 + threshold.share));
        let Interval { low, high } = estimate.interval;
        let beyond = estimate.ratio > most || estimate.ratio < least;
        if beyond && p <= self.rule.alpha {
            let answer = match estimate.ratio > 1.0 {
                true => Answer::Regressed,
                false => Answer::Improved,
            };
            return (answer, format!("beyond {limit}"));
        }
        if low >= least && high <= most {
            let narrow = threshold.share <= LARGEST_SAME || threshold.source == ThresholdSource::Given;
            return match narrow {
                true => (Answer::Same, "the interval lies within the threshold".into()),
                false => {
                    let why = "this cell changes too much from night to night to be called the same";
                    (Answer::Inconclusive, why.into())
                }
            };
        }
        let why = if beyond && setting.shifts() {
            "the machine was noisy, and the sides were measured at different times".to_owned()
        } else if beyond {
            format!("beyond {limit}, but it may be chance")
        } else {
            format!("a change beyond {limit} is neither proved nor ruled out")
        };
        (Answer::Inconclusive, why)
    }

    /// The processes per side that can tell a steady change among all cells; at least as many as are recommended.
    fn enough(&mut self) -> usize {
        let chance = self.chance();
        let needed = (ENOUGH..100).find(|n| self.ranks.smallest(*n, *n) <= chance);
        needed.unwrap_or(ENOUGH)
    }
}

/// The machine's part in the times as measured, as a logarithm; 0 where nothing was corrected.
fn of_machine(verdict: &Verdict) -> f64 {
    let both = verdict.ratio.zip(verdict.normalised);
    both.map_or(0.0, |(ratio, normalised)| (ratio.ratio / normalised.ratio).ln())
}

/// Returns `true` if the correction for the machine's speed may have made the change.
pub(super) fn hidden(verdict: &Verdict, setting: Setting) -> bool {
    let machine = of_machine(verdict).abs();
    let change = verdict
        .decisive()
        .map_or(0.0, |estimate| estimate.ratio.ln().abs());
    let off = if setting.tiles { OFF_TILES } else { OFF };
    !setting.in_turns && machine > APART.ln_1p() && change < off * machine
}

/// The few processes that a verdict rests on, in words; those that are left are told of already if some were left out.
fn processes(verdict: &Verdict) -> String {
    if verdict.left_out != [0, 0] {
        return String::new();
    }
    let (Some(Basis::Spread), Some(before), Some(now)) = (verdict.basis, verdict.before, verdict.now) else {
        return String::new();
    };
    match [before.processes, now.processes] {
        [1, 1] => "; one process per side".to_owned(),
        [both, other] if both == other => format!("; {both} processes per side"),
        [before, now] => format!("; {before} and {now} processes"),
    }
}

/// The machine's part in the times as measured, in words.
fn machine(verdict: &Verdict) -> String {
    let machine = of_machine(verdict).exp_m1();
    if machine.abs() < 0.01 {
        return String::new();
    }
    let word = if machine > 0.0 { "slower" } else { "faster" };
    format!(
        "; the machine itself was {:.0} % {word}, which is taken into account",
        100.0 * machine.abs()
    )
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

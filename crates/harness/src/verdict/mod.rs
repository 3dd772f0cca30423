//! Tells if cells became slower: [`compare`] gives one [`Verdict`] per case from two sets of records.
//!
//! **The unit is a process.** Runs inside one process share its memory layout, thread placement and the machine's mood,
//! so a hundred of them say little about the next process. Each record is reduced to its median, a [`Repeat`], and all
//! arithmetic is on the logarithms of those: a ratio is then a difference.
//!
//! **The estimate** of a ratio is the median of all ratios of a repeat now to one before (Hodges and Lehmann), its 95 %
//! interval and its p-value come from the exact distribution of ranks (Mann and Whitney), which assumes nothing of
//! the shape of the noise. The hypothesis that must fall is not "nothing changed" but "it changed by no more than the
//! threshold": two nights always differ a little.
//!
//! **The threshold** is learned from earlier nights of the same machine, as four times the usual change of the case from
//! night to night (the one that nine in ten stay below, as a standard deviation), and at least 1 %. With fewer than [`MIN_CHANGES`] changes it is [`DEFAULT_THRESHOLD`].
//!
//! **Too few repeats.** Ranks of one process against one say nothing. There the usual change from night to night stands in
//! for the spread of processes, together with what the samples show, under Student's distribution with six degrees of freedom,
//! whose tails are heavy as the machine's are. Such a verdict says so ([`Basis::Spread`]); it finds large changes only.
//! Without history [`ASSUMED_SPREAD`] is taken if the two sides were measured in turns, else [`ASSUMED_SHIFT`]: all
//! processes of one time may share a shift, and a change of the program looks the same. One process per side then finds what
//! became more than 2.7 times as slow.
//!
//! **A noisy machine.** Where half of a side's repeats or more are noisy ([`crate::noise`]) and the sides were not measured in
//! turns, [`ASSUMED_SHIFT`] is the least that is assumed, whatever history says and however many repeats there are.
//!
//! **Many cells.** P-values are adjusted by Holm's rule over all cells that were compared. It bounds the chance of *any* false
//! alarm a night, which is what a job that fails at the first one needs, and it needs no independence: cells of one
//! night share a machine. Benjamini and Hochberg's bounds only the share of false ones among the alarms.
//!
//! **Drift.** Where both sides carry a canary, times are multiplied by what the machine reached then; the estimate is of
//! these, and both ratios are kept. With few repeats a change must show in the times as measured, too (the larger p-value
//! counts): one canary that was disturbed would otherwise make a change of a cell that was not. A change of less than a third of
//! the correction is not called one if the machine's speed changed by more than 5 %, unless the sides took turns: a cell follows the
//! canary only about as much as it computes what the canary does.
//!
//! **Cores that move.** A host moves a virtual machine's cores between its clusters, and a network on several threads takes up
//! to 1.7 times as long where they lie far from each other; no canary shows that but the time of a hand-over between two
//! threads. Where every repeat of a case has one, only repeats whose hand-overs are within a factor of [`FARTHER`] are compared,
//! and thresholds are learned from such alone. [`since`] compares a case with the last night with the cores as far apart.
//!
//! | answer | when |
//! |---|---|
//! | regressed, improved | the adjusted p-value is at most `alpha`, and the estimate is beyond the threshold |
//! | same | the 95 % interval lies inside the threshold, which is 10 % at most: a statement of equivalence; or both sides are the same records |
//! | inconclusive | neither |
//! | incomparable | another machine, thread count, size, kind of weights, build, vector unit or distance of the cores; it says which |
//! | no data | absent or failed on either side |

mod advice;
mod comparable;
mod distance;
mod history;
mod judge;
mod ranks;
mod repeat;
mod setting;
mod share;
#[cfg(test)]
mod simulation;
mod since;
mod spread;
#[cfg(test)]
mod tests;
mod weigh;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use distance::FARTHER;
pub use history::{ASSUMED_SHIFT, ASSUMED_SPREAD, DEFAULT_THRESHOLD, History, MIN_CHANGES};
pub use judge::compare;
pub use repeat::Repeat;
pub use share::share_interval;
pub use since::since;

use crate::{Case, Interval, Machine};

/// Returns `true` if times of the two machines can be compared.
pub fn same_machine(a: &Machine, b: &Machine) -> bool {
    comparable::machine(a, b).is_none()
}

/// The answer of two sets of records about a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Slower, beyond the threshold and beyond chance.
    Regressed,
    /// Faster, beyond the threshold and beyond chance.
    Improved,
    /// No change beyond the threshold.
    Same,
    /// The records cannot tell.
    Inconclusive,
    /// The records are of different things.
    Incomparable,
    /// A side has no times.
    NoData,
}

impl Answer {
    /// Every answer, the most urgent first.
    pub const ALL: [Self; 6] = [
        Self::Regressed,
        Self::NoData,
        Self::Incomparable,
        Self::Inconclusive,
        Self::Improved,
        Self::Same,
    ];
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Regressed => "slower",
            Self::Improved => "faster",
            Self::Same => "same",
            Self::Inconclusive => "cannot tell",
            Self::Incomparable => "not comparable",
            Self::NoData => "no data",
        })
    }
}

/// The certainty that a comparison must have.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// The largest chance of any false alarm over all cells of a comparison.
    pub alpha: f64,
    /// The change that matters, as a share; `None` to learn it from history.
    pub threshold: Option<f64>,
}

impl Default for Rule {
    /// 5 %, and a threshold that is learned.
    fn default() -> Self {
        Self {
            alpha: 0.05,
            threshold: None,
        }
    }
}

/// All verdicts of two sets of records, and what they rest on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// When the set before began, RFC 3339 in UTC; empty without records.
    pub before: String,
    /// When the set now began.
    pub now: String,
    /// The rule by which it was made.
    pub rule: Rule,
    /// Earlier sets of the same machine that thresholds were learned from.
    pub nights: usize,
    /// Cells over which p-values are adjusted.
    pub family: usize,
    /// Median over these cells of the ratios that their verdicts are on.
    pub common: Option<f64>,
    /// One a case, in order of their ids.
    pub verdicts: Vec<Verdict>,
}

/// The answer for one case, and all that led to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The measured case.
    pub case: Case,
    /// The answer.
    pub answer: Answer,
    /// Why, in words.
    pub why: String,
    /// The next useful step, in words, if the answer is that the records cannot tell or are not comparable; `None` if there
    /// is nothing to advise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Repeats before and now that the verdict leaves out, because the cores lay at another distance.
    #[serde(default)]
    pub left_out: [usize; 2],
    /// The set before; `None` if it has no times.
    pub before: Option<Side>,
    /// The set now; `None` if it has no times.
    pub now: Option<Side>,
    /// Time now over time before, as measured.
    pub ratio: Option<Estimate>,
    /// The same after both were normalised to their canaries; the verdict is on this one where it is there.
    pub normalised: Option<Estimate>,
    /// The change that matters, and where it is from.
    pub threshold: Option<Threshold>,
    /// The chance of such a difference without a change.
    pub p: Option<f64>,
    /// The same, adjusted for the number of cells.
    pub p_adjusted: Option<f64>,
    /// The evidence that `p` rests on.
    pub basis: Option<Basis>,
    /// A side has no times because its measurement failed.
    #[serde(default)]
    pub failed: bool,
}

impl Verdict {
    /// The estimate that the verdict is on.
    pub fn decisive(&self) -> Option<Estimate> {
        self.normalised.or(self.ratio)
    }

    /// Returns `true` if the case was measured on one side only, and nothing on the other is comparable with it.
    pub fn is_one_sided(&self) -> bool {
        self.answer == Answer::NoData && !self.failed
    }
}

/// One set's times of a case.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Median of the processes' medians, ns.
    pub median_ns: f64,
    /// Number of processes or other repeats.
    pub processes: usize,
    /// Samples of all of them.
    pub samples: usize,
}

/// A ratio of times, now over before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The ratio: above 1 is slower.
    pub ratio: f64,
    /// 95 % interval, not adjusted for the number of cells.
    pub interval: Interval,
}

/// The change that matters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// As a share: 0.03 is 3 %.
    pub share: f64,
    /// Its source.
    pub source: ThresholdSource,
}

/// The source of a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdSource {
    /// From earlier nights.
    Learned,
    /// There are too few of them.
    Default,
    /// From the rule.
    Given,
}

/// The evidence that a p-value rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Ranks of processes.
    Ranks,
    /// The usual change from night to night, for want of processes.
    Spread,
}

impl Comparison {
    /// The number of cells with this answer.
    pub fn count(&self, answer: Answer) -> usize {
        self.verdicts
            .iter()
            .filter(|verdict| verdict.answer == answer)
            .count()
    }

    /// The verdict on a case.
    pub fn of(&self, case: &Case) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| verdict.case == *case)
    }

    /// Cells that were measured before and have no times now.
    pub fn lost(&self) -> usize {
        let lost = |verdict: &&Verdict| {
            verdict.answer == Answer::NoData && verdict.before.is_some() && verdict.now.is_none()
        };
        self.verdicts.iter().filter(lost).count()
    }

    /// Cells that are called changed: between two sets of the same program, false alarms.
    pub fn changed(&self) -> usize {
        self.count(Answer::Regressed) + self.count(Answer::Improved)
    }

    /// One line: how many of each answer.
    pub fn summary(&self) -> String {
        let counts = Answer::ALL.iter().map(|answer| (self.count(*answer), answer));
        let parts: Vec<String> = counts
            .filter(|(count, _)| *count > 0)
            .map(|(count, answer)| format!("{count} {answer}"))
            .collect();
        if parts.is_empty() {
            "no cells".into()
        } else {
            parts.join(", ")
        }
    }
}

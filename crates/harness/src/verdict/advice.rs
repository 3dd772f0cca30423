//! The next useful step where records cannot tell: it depends on what they lack.

use super::setting::Setting;
use super::weigh::{LARGEST_SAME, hidden};
use super::{Basis, Estimate, Threshold, ThresholdSource, Verdict};
use crate::{Case, Interval};

/// Processes per side that are advised where more narrow the interval enough.
const STEPS: [usize; 3] = [16, 32, 64];

const IN_TURNS: &str = "measure both programs in turns: `zoo compare --run OLD_ZOO NEW_ZOO`";

/// A step, and what it gains.
pub(super) struct Advice {
    /// The step, in words.
    pub(super) next: String,
    /// The width that more processes would give the interval, as the end of a reason; empty if it is not known.
    pub(super) gain: String,
}

impl From<&str> for Advice {
    fn from(next: &str) -> Self {
        Self {
            next: next.to_owned(),
            gain: String::new(),
        }
    }
}

/// The step after cores that moved: on one thread their distance does not matter. `None` on one thread.
pub(super) fn cores_moved(case: &Case) -> Option<String> {
    let threads = case.network()?.threads;
    (threads > 1).then(|| "measure both with `--threads 1`: the cores moved".to_owned())
}

/// The step after a verdict that cannot tell; `enough` processes per side tell a steady change.
pub(super) fn of(
    verdict: &Verdict,
    estimate: Estimate,
    threshold: Threshold,
    setting: Setting,
    enough: usize,
) -> Advice {
    let moved = || cores_moved(&verdict.case).filter(|_| verdict.left_out != [0, 0]);
    let sides = [verdict.before, verdict.now].map(|side| side.map_or(0, |side| side.processes));
    let fewest = sides[0].min(sides[1]);
    // More processes leave a wide learned threshold as it is.
    let varies = threshold.share > LARGEST_SAME && threshold.source == ThresholdSource::Learned;
    if let Some(next) = moved() {
        Advice::from(&*next)
    } else if setting.shifts() || varies || hidden(verdict, setting) {
        Advice::from(&*format!("{IN_TURNS}, or on an idle machine"))
    } else if verdict.basis == Some(Basis::Spread) || fewest < enough {
        Advice {
            next: processes(enough, setting),
            gain: match setting.in_turns {
                true => gain(&Narrower::of(sides, estimate), enough, setting),
                false => String::new(),
            },
        }
    } else {
        more(&Narrower::of(sides, estimate), threshold, setting)
    }
}

/// The interval as it would be with more processes: half as wide with four times as many.
struct Narrower {
    estimate: Estimate,
    /// Processes per side now; where the sides have different numbers, their harmonic mean, which the error of a difference
    /// goes by.
    mean: f64,
}

impl Narrower {
    fn of(sides: [usize; 2], estimate: Estimate) -> Self {
        let mean = 2.0 / sides.map(|count| 1.0 / count.max(1) as f64).iter().sum::<f64>();
        Self { estimate, mean }
    }

    /// Half of the interval with so many processes per side, as a logarithm.
    fn half(&self, count: usize) -> f64 {
        let Interval { low, high } = self.estimate.interval;
        (high / low).ln() / 2.0 * (self.mean / count as f64).sqrt()
    }
}

/// More processes, if so many are enough that a user would wait for them; else a quieter way to measure.
fn more(narrower: &Narrower, threshold: Threshold, setting: Setting) -> Advice {
    // The change is told once the interval lies on one side of the threshold.
    let limit = threshold.share.ln_1p();
    let wanted = (narrower.estimate.ratio.ln().abs() - limit)
        .abs()
        .max(limit / 3.0);
    let mut steps = STEPS.into_iter().filter(|count| *count as f64 > narrower.mean);
    let most = steps.clone().next_back();
    match (steps.find(|count| narrower.half(*count) <= wanted), most) {
        (Some(count), _) => Advice {
            next: processes(count, setting),
            gain: gain(narrower, count, setting),
        },
        // In turns is the quietest way to measure on this machine, so that only longer is left.
        (None, Some(count)) if setting.in_turns => Advice {
            next: format!("{}, or on an idle machine", processes(count, setting)),
            gain: gain(narrower, count, setting),
        },
        (None, None) if setting.in_turns => "measure on an idle machine".into(),
        (None, _) => Advice::from(&*format!("{IN_TURNS}, or on an idle machine")),
    }
}

/// The width that so many processes per side would give the interval, as the end of a reason.
fn gain(narrower: &Narrower, count: usize, setting: Setting) -> String {
    let what = match setting.in_turns {
        true => format!("`--blocks {}`", blocks(count)),
        false => {
            let more = count - narrower.mean as usize;
            format!("{more} more processes per side")
        }
    };
    let width = 100.0 * narrower.half(count).exp_m1();
    format!("; {what} would narrow the interval to about ± {width:.1} %")
}

fn processes(count: usize, setting: Setting) -> String {
    match setting.in_turns {
        true => format!("measure longer: `--blocks {}`", blocks(count)),
        false => format!("measure both with `--processes {count}`"),
    }
}

/// Blocks of `zoo compare --run` that give so many processes per side: a block has two.
fn blocks(count: usize) -> usize {
    count.div_ceil(2)
}

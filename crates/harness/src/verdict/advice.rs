//! The next useful step where records cannot tell: it depends on what they lack.

use super::setting::Setting;
use super::weigh::{LARGEST_SAME, hidden};
use super::{Basis, Estimate, Threshold, ThresholdSource, Verdict};
use crate::Case;

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
        Advice::from(&*processes(enough, setting))
    } else {
        more(sides, estimate, threshold, setting)
    }
}

/// More processes, if so many are enough that a user would wait for them; else a quieter way to measure.
fn more(sides: [usize; 2], estimate: Estimate, threshold: Threshold, setting: Setting) -> Advice {
    let half = (estimate.interval.high / estimate.interval.low).ln() / 2.0;
    // The change is told once the interval lies on one side of the threshold.
    let limit = threshold.share.ln_1p();
    let wanted = (estimate.ratio.ln().abs() - limit).abs().max(limit / 3.0);
    let both = 2.0 / sides.map(|count| 1.0 / count as f64).iter().sum::<f64>();
    let at = |count: usize| half * (both / count as f64).sqrt();
    let steps = STEPS.into_iter().filter(|count| *count as f64 > both);
    match steps.clone().find(|count| at(*count) <= wanted) {
        Some(count) => Advice {
            next: processes(count, setting),
            gain: format!(
                "; {} more processes per side would narrow the interval to about ± {:.1} %",
                count - both as usize,
                100.0 * at(count).exp_m1()
            ),
        },
        None if setting.in_turns => "measure on an idle machine".into(),
        None => Advice::from(&*format!("{IN_TURNS}, or on an idle machine")),
    }
}

fn processes(count: usize, setting: Setting) -> String {
    match setting.in_turns {
        // A block is two processes per side.
        true => format!("measure longer: `--blocks {}`", count.div_ceil(2)),
        false => format!("measure both with `--processes {count}`"),
    }
}

use std::collections::{BTreeMap, BTreeSet};

use super::history::by_case;
use super::ranks::Ranks;
use super::repeat::began;
use super::weigh::Bench;
use super::{
    Answer, Comparison, Estimate, History, Repeat, Rule, Side, Verdict, advice, comparable, distance,
};
use crate::stats::median;
use crate::{Case, Interval};

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
        let case = verdict.case.clone();
        bench.decide(verdict, &sets.old[&case], &sets.new[&case]);
    }
    let mut ratios: Vec<f64> = verdicts
        .iter()
        .filter_map(|verdict| Some(verdict.decisive()?.ratio))
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
        let mut verdict = blank(case);
        match (self.old.get(case), self.new.get(case)) {
            // Not two measurements that agree, but one.
            (Some(old), Some(new)) if old == new => {
                verdict.answer = Answer::Same;
                verdict.why = self.failures(case) + "both are the same records";
                verdict.ratio = Some(Estimate {
                    ratio: 1.0,
                    interval: Interval { low: 1.0, high: 1.0 },
                });
            }
            (Some(_), Some(_)) => self.match_up(&mut verdict, case),
            (None, _) => self.absent(&mut verdict, "before", self.before, self.now),
            (_, None) => self.absent(&mut verdict, "now", self.now, self.before),
        }
        verdict.before = self.old.get(case).and_then(|repeats| side(repeats));
        verdict.now = self.new.get(case).and_then(|repeats| side(repeats));
        verdict
    }

    /// Keeps the repeats of both sides that can be compared, or says what differs.
    fn match_up(&mut self, verdict: &mut Verdict, case: &'a Case) {
        let (old, new) = (&self.old[case], &self.new[case]);
        let mut others = old[1..].iter().chain(new);
        let difference = others.find_map(|repeat| comparable::difference(old[0], repeat));
        if let Some(difference) = difference {
            verdict.answer = Answer::Incomparable;
            verdict.why = difference;
            return;
        }
        match distance::alike(old, new) {
            Err(difference) => {
                verdict.answer = Answer::Incomparable;
                verdict.why = difference;
                verdict.next = advice::cores_moved(case);
            }
            Ok([before, now]) => {
                let all = [old.len(), new.len()];
                verdict.left_out = [all[0] - before.len(), all[1] - now.len()];
                verdict.why = self.failures(case) + &moved(all, verdict.left_out);
                self.old.insert(case, before);
                self.new.insert(case, now);
            }
        }
    }

    /// Says why a case has no times in a set.
    fn absent(&self, verdict: &mut Verdict, when: &str, here: &[Repeat], there: &[Repeat]) {
        let case = &verdict.case;
        let failed = here.iter().find(|repeat| repeat.case == *case);
        // Only what the other set lacks can have taken the case's place.
        let others = here.iter().map(|repeat| &repeat.case);
        let alone = others.filter(|other| there.iter().all(|repeat| repeat.case != **other));
        let near = comparable::near(case, alone);
        verdict.failed = failed.is_some();
        (verdict.answer, verdict.why) = match (failed, near) {
            (Some(failed), _) => {
                let error = failed.error.as_deref().unwrap_or("its times are zero");
                (Answer::NoData, format!("failed {when}: {error}"))
            }
            (None, Some(difference)) => (Answer::Incomparable, format!("{when} measured with {difference}")),
            (None, None) => (Answer::NoData, format!("not measured {when}")),
        };
    }

    /// The number of repeats that failed while others have times, in words.
    fn failures(&self, case: &Case) -> String {
        let count = |set: &[Repeat]| {
            let of_case = set.iter().filter(|repeat| repeat.case == *case);
            of_case.filter(|repeat| repeat.median_ns.is_none()).count()
        };
        match [count(self.before), count(self.now)] {
            [0, 0] => String::new(),
            [before, now] => format!("failed repeats are left out: {before} before, {now} now; "),
        }
    }
}

/// A verdict that nothing is known for yet.
fn blank(case: &Case) -> Verdict {
    Verdict {
        case: case.clone(),
        answer: Answer::Inconclusive,
        why: String::new(),
        next: None,
        left_out: [0, 0],
        before: None,
        now: None,
        ratio: None,
        normalised: None,
        threshold: None,
        p: None,
        p_adjusted: None,
        basis: None,
        failed: false,
    }
}

/// The beginning of a verdict's reason: how many repeats it is not on, because the cores lay at another distance.
fn moved([before, now]: [usize; 2], left_out: [usize; 2]) -> String {
    match left_out {
        [0, 0] => String::new(),
        [old, new] => {
            format!("of {before} and {now} processes, {old} and {new} are left out because the cores moved; ")
        }
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

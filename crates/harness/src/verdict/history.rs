use std::collections::{BTreeMap, HashMap};

use super::setting::Setting;
use super::spread::centre;
use super::{Repeat, Threshold, ThresholdSource, comparable, distance};
use crate::Case;
use crate::stats::median;

/// The change that matters where too few nights are known, as a share.
pub const DEFAULT_THRESHOLD: f64 = 0.03;

/// The usual change of one process to another, in logarithms, where too few nights are known. Wide: networks were seen to take a
/// quarter longer in one process than in the next, with the same program on an idle machine.
pub const ASSUMED_SPREAD: f64 = 0.1;

/// The usual change of all processes of a case together from one time to another, in logarithms, where too few nights are
/// known or the machine was noisy. It bounds false alarms if the times of a night lie between half and one and a half times the
/// usual ones: the machine of a busy host was seen to call the same program 54 % slower.
pub const ASSUMED_SHIFT: f64 = 0.4;

/// Changes from night to night that a spread is learned from, at least.
pub const MIN_CHANGES: usize = 5;

/// The threshold over the usual change: what lies farther out than chance alone goes.
const WIDTH: f64 = 4.0;

/// The smallest threshold that is learned, as a share: less is of no use to anybody.
const SMALLEST: f64 = 0.01;

/// Nine in ten values of a normal distribution lie within this many standard deviations.
const NINE_IN_TEN: f64 = 1.644_854;

/// The value that nine in ten are at most as large as.
fn nine_in_ten(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values
        .get((9 * values.len()).div_ceil(10).checked_sub(1)?)
        .copied()
}

/// The usual change of each case from night to night on a machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    nights: usize,
    spreads: HashMap<Case, f64>,
    /// The median of all cases' spreads.
    usual: Option<f64>,
}

impl History {
    /// Learns from sets of one machine, the oldest first. The spread of a case is chosen so that nine in ten of its changes, each
    /// against the last set with the cores as far apart, are at most as large. Changes of the program are among them, but fewer than
    /// one in ten. Nights on which a cell with two speeds ran at its other one may be more; a median would pass over them.
    pub fn of(sets: &[Vec<Repeat>]) -> Self {
        let mut changes: BTreeMap<&Case, Vec<f64>> = BTreeMap::new();
        let nights: Vec<BTreeMap<&Case, Vec<&Repeat>>> = sets.iter().map(|set| by_case(set)).collect();
        let mut earlier: HashMap<&Case, Vec<&[&Repeat]>> = HashMap::new();
        for (case, now) in nights.iter().flatten() {
            let earlier = earlier.entry(*case).or_default();
            let mut alike = earlier.iter().rev().map(|before| distance::alike(before, now));
            let last = alike.find_map(Result::ok);
            if let Some(change) = last.and_then(|[before, now]| change(&before, &now)) {
                changes.entry(*case).or_default().push(change.abs());
            }
            earlier.push(now);
        }
        let spreads: HashMap<Case, f64> = changes
            .into_iter()
            .filter(|(_, changes)| changes.len() >= MIN_CHANGES)
            .filter_map(|(case, mut changes)| Some((case.clone(), nine_in_ten(&mut changes)? / NINE_IN_TEN)))
            .collect();
        let mut all: Vec<f64> = spreads.values().copied().collect();
        Self {
            nights: sets.len(),
            usual: median(&mut all),
            spreads,
        }
    }

    /// The number of sets that it was learned from.
    pub fn nights(&self) -> usize {
        self.nights
    }

    /// The usual change of a case in logarithms: its own or, if that is larger, the median case's, for the spread of a few
    /// changes is itself uncertain.
    pub(super) fn learned(&self, case: &Case) -> Option<f64> {
        let own = self.spreads.get(case).copied();
        let usual = self.usual?;
        Some(own.map_or(usual, |own| own.max(usual)).max(SMALLEST / WIDTH))
    }

    /// The change of a case that matters.
    pub fn threshold(&self, case: &Case) -> Threshold {
        match self.learned(case) {
            Some(spread) => Threshold {
                share: (WIDTH * spread).exp_m1(),
                source: ThresholdSource::Learned,
            },
            None => Threshold {
                share: DEFAULT_THRESHOLD,
                source: ThresholdSource::Default,
            },
        }
    }
}

/// The measured repeats of each case; those of races only where there are no others.
pub(super) fn by_case(set: &[Repeat]) -> BTreeMap<&Case, Vec<&Repeat>> {
    let mut cases: BTreeMap<&Case, Vec<&Repeat>> = BTreeMap::new();
    for repeat in set.iter().filter(|repeat| repeat.log().is_some()) {
        cases.entry(&repeat.case).or_default().push(repeat);
    }
    for repeats in cases.values_mut() {
        if repeats.iter().any(|repeat| !repeat.raced) {
            repeats.retain(|repeat| !repeat.raced);
        }
    }
    cases
}

/// The normalised logarithms of both sides; `None` unless every repeat has a canary.
pub(super) fn normalised(before: &[&Repeat], now: &[&Repeat]) -> Option<(Vec<f64>, Vec<f64>)> {
    let tiles = Setting::of(before, now).tiles;
    let logs = |side: &[&Repeat]| -> Option<Vec<f64>> {
        side.iter().map(|repeat| repeat.normalised_log(tiles)).collect()
    };
    Some((logs(before)?, logs(now)?))
}

/// The logarithms of both sides as measured.
pub(super) fn measured(before: &[&Repeat], now: &[&Repeat]) -> (Vec<f64>, Vec<f64>) {
    let logs = |side: &[&Repeat]| side.iter().filter_map(|repeat| repeat.log()).collect();
    (logs(before), logs(now))
}

fn change(before: &[&Repeat], now: &[&Repeat]) -> Option<f64> {
    if comparable::difference(before.first()?, now.first()?).is_some() {
        return None;
    }
    let (before, now) = normalised(before, now).unwrap_or_else(|| measured(before, now));
    Some(centre(&now)?.0 - centre(&before)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Provenance, Record};

    fn night(times: &[(&str, u64)]) -> Vec<Repeat> {
        let record = |(case, ns): &(&str, u64)| {
            let case = case.parse().expect("a case");
            Record::new(case, String::new(), Ok(vec![*ns]), Provenance::default())
        };
        times
            .iter()
            .map(record)
            .map(|record| Repeat::from(&record))
            .collect()
    }

    const STEADY: &str = "preprocess/decode";
    const NOISY: &str = "HRNet_W18_C/f32/bs1/crop224/cpu/t1";

    #[test]
    fn a_threshold_is_learned_from_changes_and_not_from_one_step() {
        // The steady case moves by 0.5 % and once by half, when somebody made it faster; the other has two speeds.
        let steady = (0..14).map(|day| (1_000_000 + 5_000 * (day % 2)) / if day < 7 { 1 } else { 2 });
        let noisy = (0..14).map(|day| if day % 6 == 5 { 1_250_000 } else { 1_000_000 });
        let alone: Vec<Vec<Repeat>> = steady.clone().map(|ns| night(&[(STEADY, ns)])).collect();
        let both: Vec<Vec<Repeat>> = steady
            .zip(noisy)
            .map(|(steady, noisy)| night(&[(STEADY, steady), (NOISY, noisy)]))
            .collect();
        let learned = |sets: &[Vec<Repeat>], case: &str| {
            let threshold = History::of(sets).threshold(&case.parse().expect("a case"));
            assert_eq!(threshold.source, ThresholdSource::Learned);
            threshold.share
        };
        let steady = learned(&alone, STEADY);
        assert!(
            (steady - (4.0 * 1.005_f64.ln() / NINE_IN_TEN).exp_m1()).abs() < 1e-4,
            "{steady}"
        );
        let noisy = learned(&both, NOISY);
        assert!(
            (noisy - (4.0 * 1.25_f64.ln() / NINE_IN_TEN).exp_m1()).abs() < 1e-9,
            "{noisy}"
        );
        let drawn = learned(&both, STEADY);
        assert!(
            steady < drawn && drawn < noisy,
            "drawn to the median case: {drawn}"
        );
    }

    #[test]
    fn nights_with_the_cores_far_apart_teach_nothing_of_those_with_them_near() {
        let night = |day: u64| {
            let far = day.is_multiple_of(2);
            let mut night = night(&[(
                NOISY,
                if far { 1_700_000 } else { 1_000_000 } + 5_000 * (day / 2 % 2),
            )]);
            night[0].handover_ns = Some([if far { 217.0 } else { 55.0 }; 2]);
            night
        };
        let mut nights: Vec<Vec<Repeat>> = (0..14).map(night).collect();
        let share = |nights: &[Vec<Repeat>]| {
            let threshold = History::of(nights).threshold(&NOISY.parse().expect("a case"));
            assert_eq!(threshold.source, ThresholdSource::Learned);
            threshold.share
        };
        assert!(
            share(&nights) < 0.02,
            "the half per cent of like nights: {}",
            share(&nights)
        );
        for night in &mut nights {
            night[0].handover_ns = None;
        }
        assert!(share(&nights) > 1.0, "{}", share(&nights));
    }

    #[test]
    fn few_nights_and_other_machines_teach_nothing() {
        let case = STEADY.parse().expect("a case");
        let few: Vec<Vec<Repeat>> = (0..MIN_CHANGES as u64)
            .map(|day| night(&[(STEADY, 1000 + day)]))
            .collect();
        let default = Threshold {
            share: DEFAULT_THRESHOLD,
            source: ThresholdSource::Default,
        };
        assert_eq!(History::of(&few).threshold(&case), default);
        assert_eq!(History::default().threshold(&case), default);
        let mut others: Vec<Vec<Repeat>> = (0..20).map(|day| night(&[(STEADY, 1000 + day)])).collect();
        for (day, set) in others.iter_mut().enumerate() {
            set[0].provenance.machine.cpu = format!("machine {}", day % 2);
        }
        assert_eq!(History::of(&others).threshold(&case), default);
        // The steadiest machine does not lead to a threshold below the smallest.
        let same: Vec<Vec<Repeat>> = (0..9).map(|_| night(&[(STEADY, 1000)])).collect();
        let threshold = History::of(&same).threshold(&case);
        assert!((threshold.share - 0.01).abs() < 1e-4, "{threshold:?}");
    }
}

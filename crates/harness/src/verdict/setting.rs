use super::Repeat;

/// The circumstances in which the two sides of a case were measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The sides took turns: what the machine did to one it did to the other.
    pub(super) in_turns: bool,
    /// Half of a side's repeats or more are noisy.
    pub(super) noisy: bool,
    /// The speed of a matrix unit's tiles is known around every repeat.
    pub(super) tiles: bool,
}

impl Setting {
    /// The setting of the repeats before and now.
    pub(super) fn of(before: &[&Repeat], now: &[&Repeat]) -> Self {
        let noisy = |side: &[&Repeat]| {
            let count = side.iter().filter(|repeat| repeat.noisy).count();
            count > 0 && 2 * count >= side.len()
        };
        Self {
            in_turns: spans(before, now) || spans(now, before),
            noisy: noisy(before) || noisy(now),
            tiles: before
                .iter()
                .chain(now)
                .all(|repeat| repeat.tile_macs_per_s.is_some()),
        }
    }

    /// Returns `true` if all repeats of a side may share a shift that nothing here bounds.
    pub(super) fn shifts(self) -> bool {
        self.noisy && !self.in_turns
    }
}

/// Returns `true` if at least half of the others began between the first and the last of these.
fn spans(these: &[&Repeat], others: &[&Repeat]) -> bool {
    let starts = || these.iter().map(|repeat| repeat.started.as_str());
    let (Some(first), Some(last)) = (starts().min(), starts().max()) else {
        return false;
    };
    let inside = |repeat: &&&Repeat| (first..=last).contains(&repeat.started.as_str());
    let count = others.iter().filter(inside).count();
    first < last && 2 * count >= others.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Provenance, Record};

    fn side(minutes: &[u32], noisy: usize) -> Vec<Repeat> {
        let repeat = |(index, minute): (usize, &u32)| {
            let case = "preprocess/decode".parse().expect("a case");
            let started = format!("2026-11-29T03:{minute:02}:00Z");
            let mut repeat = Repeat::from(&Record::new(case, started, Ok(vec![1]), Provenance::default()));
            repeat.noisy = index < noisy;
            repeat
        };
        minutes.iter().enumerate().map(repeat).collect()
    }

    fn setting(before: &[Repeat], now: &[Repeat]) -> (bool, bool) {
        let [before, now] = [before, now].map(|side| side.iter().collect::<Vec<_>>());
        let Setting { in_turns, noisy, .. } = Setting::of(&before, &now);
        (in_turns, noisy)
    }

    #[test]
    fn sides_took_turns_if_they_began_among_each_other() {
        let turns = |before: &[u32], now: &[u32]| setting(&side(before, 0), &side(now, 0)).0;
        assert!(
            turns(&[0, 3, 4, 7], &[1, 2, 5, 6]),
            "as `zoo compare --run` measures"
        );
        assert!(turns(&[1, 2], &[0, 3]), "the other way round");
        assert!(turns(&[0, 2, 4], &[1, 3, 5]), "cells measured twice in a night");
        assert!(!turns(&[0, 1, 2, 3], &[3, 4, 5, 6]), "one after the other");
        assert!(!turns(&[0], &[0]), "one each takes no turns");
    }

    #[test]
    fn a_side_is_noisy_if_half_of_it_is() {
        let quiet = side(&[0, 1, 2, 3], 0);
        let noisy = |count: usize| setting(&quiet, &side(&[5, 6, 7, 8], count)).1;
        assert!(!noisy(0) && !noisy(1) && noisy(2) && noisy(4));
        assert!(setting(&side(&[0], 1), &quiet).1);
    }
}

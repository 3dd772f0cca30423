//! Two groups compared by ranks alone: exact, and the same for every distribution.

use std::collections::HashMap;

/// A shift between two groups: Hodges and Lehmann's estimate and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shift {
    /// Median of all differences.
    pub(super) estimate: f64,
    /// The interval's ends at the asked level.
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Mann and Whitney's distributions, computed once for each pair of sizes.
#[derive(Default)]
pub(super) struct Ranks(HashMap<(usize, usize), Vec<f64>>);

impl Ranks {
    /// The chance that of the `before * now` pairs at least `u` have the larger value now, where nothing differs.
    fn tail(&mut self, before: usize, now: usize, u: usize) -> f64 {
        let tails = self.0.entry((before, now)).or_insert_with(|| tails(before, now));
        tails.get(u).copied().unwrap_or(0.0)
    }

    /// The smallest two-sided p-value that groups of these sizes can have.
    pub(super) fn smallest(&mut self, before: usize, now: usize) -> f64 {
        if before == 0 || now == 0 {
            return 1.0;
        }
        (2.0 * self.tail(before, now, before * now)).min(1.0)
    }

    /// The two-sided p-value of "the shift is between `-margin` and `margin`".
    pub(super) fn p(&mut self, before: &[f64], now: &[f64], margin: f64) -> f64 {
        let pairs = || {
            before
                .iter()
                .flat_map(|before| now.iter().map(move |now| now - before))
        };
        // Ties count half, rounded against the alarm.
        let count = |sign: f64| {
            let halves: usize = pairs()
                .map(|difference| match (sign * difference).total_cmp(&margin) {
                    std::cmp::Ordering::Greater => 2,
                    std::cmp::Ordering::Equal => 1,
                    std::cmp::Ordering::Less => 0,
                })
                .sum();
            halves / 2
        };
        let (slower, faster) = (count(1.0), count(-1.0));
        let one_sided =
            self.tail(before.len(), now.len(), slower)
                .min(self.tail(before.len(), now.len(), faster));
        (2.0 * one_sided).min(1.0)
    }

    /// The shift from one group to the other; `None` where groups are too small for an interval of this level.
    pub(super) fn shift(&mut self, before: &[f64], now: &[f64], alpha: f64) -> Option<Shift> {
        if self.smallest(before.len(), now.len()) > alpha {
            return None;
        }
        let mut differences: Vec<f64> = before
            .iter()
            .flat_map(|before| now.iter().map(move |now| now - before))
            .collect();
        differences.sort_by(f64::total_cmp);
        let pairs = differences.len();
        // As many differences are left out on each side as the shift lies beyond with a chance of alpha / 2.
        let left_out = (1..pairs / 2)
            .take_while(|left| self.tail(before.len(), now.len(), pairs - left) <= alpha / 2.0)
            .count();
        Some(Shift {
            estimate: f64::midpoint(differences[(pairs - 1) / 2], differences[pairs / 2]),
            low: differences[left_out],
            high: differences[pairs - 1 - left_out],
        })
    }
}

/// `tails[u]`: the chance that at least `u` pairs have the larger value in the second group, over all ways in which `n`
/// of `m + n` ranks can be the second group's.
fn tails(m: usize, n: usize) -> Vec<f64> {
    // ways[k][s]: choices of k of the ranks so far, whose places above the smallest possible sum to s.
    let mut ways = vec![vec![0.0_f64; m * n + 1]; n + 1];
    ways[0][0] = 1.0;
    for rank in 0..m + n {
        for k in (1..=n.min(rank + 1)).rev() {
            // The k-th chosen rank has rank - (k - 1) unchosen ones below it.
            let below = rank + 1 - k;
            if below > m {
                continue;
            }
            let (fewer, more) = ways.split_at_mut(k);
            for s in below..=m * n {
                more[0][s] += fewer[k - 1][s - below];
            }
        }
    }
    let total: f64 = ways[n].iter().sum();
    let mut tail = 0.0;
    let mut tails: Vec<f64> = ways[n]
        .iter()
        .rev()
        .map(|ways| {
            tail += ways / total;
            tail.min(1.0)
        })
        .collect();
    tails.reverse();
    tails
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_counted_over_all_choices() {
        // Of 3 and 2: ten choices, U = 0..6 in 1, 1, 2, 2, 2, 1, 1 ways.
        let expected = [1.0, 0.9, 0.8, 0.6, 0.4, 0.2, 0.1];
        for (tail, expected) in tails(3, 2).iter().zip(expected) {
            assert!((tail - expected).abs() < 1e-12, "{tail}, not {expected}");
        }
        let mut ranks = Ranks::default();
        assert!((ranks.smallest(8, 8) - 2.0 / 12_870.0).abs() < 1e-12);
        assert!((ranks.smallest(4, 4) - 2.0 / 70.0).abs() < 1e-12);
        assert_eq!((ranks.smallest(1, 1), ranks.smallest(0, 5)), (1.0, 1.0));
        assert_eq!(tails(60, 60).len(), 3601, "sizes that no integer could count");
    }

    #[test]
    fn tails_are_those_of_counting_by_hand() {
        // Every choice of 3 of 7 ranks, counted one by one.
        let (m, n) = (4, 3);
        let mut counts = vec![0; m * n + 1];
        for mask in 0_u32..1 << (m + n) {
            if mask.count_ones() == 3 {
                let pairs: usize = (0..7)
                    .filter(|bit| mask & (1 << bit) != 0)
                    .map(|bit| (0..bit).filter(|low| mask & (1 << low) == 0).count())
                    .sum();
                counts[pairs] += 1;
            }
        }
        for (u, tail) in tails(m, n).iter().enumerate() {
            let expected = counts[u..].iter().sum::<i32>() as f64 / 35.0;
            assert!((tail - expected).abs() < 1e-12, "u = {u}");
        }
    }

    #[test]
    fn p_values_of_tables() {
        let mut ranks = Ranks::default();
        let before = [1.0, 2.0, 3.0, 4.0];
        let now = [5.0, 6.0, 7.0, 8.0];
        assert!((ranks.p(&before, &now, 0.0) - 2.0 / 70.0).abs() < 1e-12);
        assert!((ranks.p(&now, &before, 0.0) - 2.0 / 70.0).abs() < 1e-12);
        assert_eq!(ranks.p(&before, &before, 0.0), 1.0, "ties");
        assert!(
            ranks.p(&before, &now, 2.5) > 0.1,
            "the margin is taken off the shift"
        );
    }

    #[test]
    fn the_interval_is_that_of_the_tables() {
        let mut ranks = Ranks::default();
        let before = [0.0; 5];
        let now = [10.0, 11.0, 12.0, 13.0, 14.0];
        let shift = ranks.shift(&before, &now, 0.05).expect("large enough");
        // For 5 and 5 the table leaves out 2 differences on each side, which are all of the same value here.
        assert_eq!((shift.estimate, shift.low, shift.high), (12.0, 10.0, 14.0));
        assert_eq!(ranks.shift(&[1.0; 3], &[1.0; 3], 0.05), None);
        let wide: Vec<f64> = (0..8).map(f64::from).collect();
        let shift = ranks.shift(&wide, &wide, 0.05).expect("large enough");
        assert!(
            shift.low < 0.0 && shift.high > 0.0 && shift.estimate == 0.0,
            "{shift:?}"
        );
        assert_eq!(shift.low, -shift.high);
    }
}

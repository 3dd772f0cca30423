use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::stats::median;
use crate::{Budget, Cell};

impl Budget {
    /// The samples of each cell in ns, taken in turns: a round gives every cell a turn, and each round begins with another
    /// cell, so that whatever slows the machine down for a while falls on all of them alike.
    ///
    /// A turn is two runs, of which the second is the sample. After the others' turns caches are cold and threads that
    /// slept may wake on one core: there are engines whose first run takes twice as long as all that follow, which
    /// depends on the race and not on the engine.
    ///
    /// A cell that fails has its error in place of samples and leaves the race; the others go on. All cells with
    /// samples have as many, and samples of the same index are of the same round.
    pub fn race(&self, cells: &mut [Cell]) -> Vec<Result<Vec<u64>, String>> {
        let mut results: Vec<Result<Vec<u64>, String>> = cells.iter().map(|_| Ok(Vec::new())).collect();
        let mut turn = |results: &mut [Result<Vec<u64>, String>], index: usize, kept: bool| {
            if let Ok(samples) = &mut results[index] {
                let cell = &mut cells[index];
                match cell.time().and_then(|_| cell.time()) {
                    Ok(ns) if kept => samples.push(ns),
                    Ok(_) => {}
                    Err(error) => results[index] = Err(error),
                }
            }
        };
        let count = results.len();
        for _ in 0..self.warm_up {
            (0..count).for_each(|index| turn(&mut results, index, false));
        }
        let begin = Instant::now();
        let mut rounds = 0;
        while results.iter().any(Result::is_ok) && self.goes_on(rounds, begin) {
            (0..count).for_each(|place| turn(&mut results, (rounds + place) % count, true));
            rounds += 1;
        }
        results
    }
}

/// The ratio of two cells' times in a race: above 1 the first takes longer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Median of the rounds' ratios.
    pub median: f64,
    /// 95 % interval of the median; `None` if there are too few rounds.
    pub interval: Option<Interval>,
}

/// An interval that holds the true median with a probability of at least 95 %, whatever the distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Ratio {
    /// `cell` over `first`, round by round, or `None` if there is no round or the rounds are not the same.
    pub fn of(cell: &[u64], first: &[u64]) -> Option<Self> {
        if cell.len() != first.len() {
            return None;
        }
        let mut ratios: Vec<f64> = cell
            .iter()
            .zip(first)
            .map(|(cell, first)| *cell as f64 / (*first).max(1) as f64)
            .collect();
        let median = median(&mut ratios)?;
        let interval = rank(ratios.len()).map(|rank| Interval {
            low: ratios[rank],
            high: ratios[ratios.len() - 1 - rank],
        });
        Some(Self { median, interval })
    }
}

/// The index of the sorted value at which a two-sided 95 % interval of the median begins, by the binomial
/// distribution of how many of `n` values lie below the median; `None` for fewer than six values.
fn rank(n: usize) -> Option<usize> {
    let mut ln_chance = -(n as f64) * std::f64::consts::LN_2;
    let mut below = 0.0;
    let mut rank = None;
    for k in 0..n / 2 {
        below += ln_chance.exp();
        if 2.0 * below > 0.05 {
            break;
        }
        rank = Some(k);
        ln_chance += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    rank
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;

    type Log = Rc<RefCell<String>>;

    /// A cell that writes its name and takes 1, 2, 3 ... ns times `scale`; it fails at run `fails`.
    fn fake(log: &Log, name: char, scale: u64, fails: u64) -> Cell {
        let log = Rc::clone(log);
        let mut runs = 0;
        Cell::clocked(move || {
            runs += 1;
            log.borrow_mut().push(name);
            if runs == fails {
                Err(format!("{name} broke"))
            } else {
                Ok(runs * scale)
            }
        })
    }

    const THREE: Budget = Budget {
        warm_up: 1,
        min_samples: 3,
        max_samples: 3,
        time: Duration::ZERO,
    };

    #[test]
    fn cells_take_turns_and_each_round_begins_with_another() {
        let log = Log::default();
        let mut cells = [
            fake(&log, 'a', 1, 0),
            fake(&log, 'b', 10, 0),
            fake(&log, 'c', 100, 0),
        ];
        let results = THREE.race(&mut cells);
        assert_eq!(
            *log.borrow(),
            "aabbccaabbccbbccaaccaabb",
            "one warm-up round, then three of the race"
        );
        // The second run of each turn is kept, but for the warm-up's.
        assert_eq!(results[0], Ok(vec![4, 6, 8]));
        assert_eq!(results[2], Ok(vec![400, 600, 800]));
    }

    #[test]
    fn a_cell_that_fails_leaves_and_the_others_go_on() {
        let log = Log::default();
        let mut cells = [
            fake(&log, 'a', 1, 0),
            fake(&log, 'b', 10, 3),
            fake(&log, 'c', 1, 1),
        ];
        let results = THREE.race(&mut cells);
        assert_eq!(
            results,
            [Ok(vec![4, 6, 8]), Err("b broke".into()), Err("c broke".into())]
        );
        assert_eq!(*log.borrow(), "aabbcaabaaaa");
        assert!(THREE.race(&mut []).is_empty());
    }

    #[test]
    fn ratios_are_of_rounds_and_their_interval_is_of_the_binomial() {
        let first = [10, 20, 40, 10, 20, 40, 10, 20, 40];
        let cell: Vec<u64> = first.iter().map(|ns| ns * 2).collect();
        let ratio = Ratio::of(&cell, &first).expect("rounds");
        let interval = Interval { low: 2.0, high: 2.0 };
        assert_eq!(
            (ratio.median, ratio.interval),
            (2.0, Some(interval)),
            "drift is shared"
        );
        let spread = Ratio::of(&[10, 11, 12, 13, 14, 15, 16], &[10; 7]).expect("rounds");
        // Of seven values the smallest and the largest: 1 - 2/128 = 98.4 %.
        assert_eq!(spread.interval, Some(Interval { low: 1.0, high: 1.6 }));
        assert_eq!(Ratio::of(&[1; 5], &[1; 5]).expect("rounds").interval, None);
        assert_eq!(Ratio::of(&[1, 2], &[1]), None);
        assert_eq!(Ratio::of(&[], &[]), None);
    }

    #[test]
    fn ranks_are_those_of_the_tables_of_the_sign_test() {
        let table = [(5, None), (6, Some(0)), (8, Some(0)), (9, Some(1)), (12, Some(2))];
        for (n, expected) in table
            .into_iter()
            .chain([(20, Some(5)), (25, Some(7)), (100, Some(39))])
        {
            assert_eq!(rank(n), expected, "{n} values");
        }
        assert!(rank(5000).is_some_and(|rank| rank > 2400));
    }
}

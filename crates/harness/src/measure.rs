use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{Cell, WarmUp};

/// The budget of one cell: runs, samples and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Runs, or rounds of a race, that are not recorded, before the first sample; more where a cell is not steady yet.
    pub warm_up: usize,
    /// Samples taken even when the time is over.
    pub min_samples: usize,
    /// Samples after which the cell ends though time is left.
    pub max_samples: usize,
    /// Time for the samples.
    pub time: Duration,
}

/// Runs in a row that must take equally long before the first sample.
const STEADY: usize = 3;

/// The largest difference between times that count as equal, as a share.
const APART: f64 = 0.05;

/// Runs after which a cell is measured even if it is not steady.
const MOST_WARM_UP: usize = 20;

fn alike(times: &[u64]) -> bool {
    let (least, most) = times.iter().fold((u64::MAX, 0), |(least, most), time| {
        (least.min(*time), most.max(*time))
    });
    most as f64 <= least as f64 * (1.0 + APART)
}

impl WarmUp {
    /// The warm-up of these runs, ns in order.
    pub(crate) fn of(times: &[u64]) -> Self {
        let last = times.len().checked_sub(STEADY).map(|begin| &times[begin..]);
        Self {
            runs: times.len(),
            steady: last.is_some_and(alike),
        }
    }
}

impl Budget {
    /// The default of `zoo bench`: enough for a median and its spread.
    pub const STANDARD: Self = Self {
        warm_up: 2,
        min_samples: 7,
        max_samples: 100,
        time: Duration::from_secs(5),
    };

    /// A few samples a cell, for a look at every network in minutes.
    pub const QUICK: Self = Self {
        warm_up: 1,
        min_samples: 3,
        max_samples: 15,
        time: Duration::from_millis(500),
    };

    /// One process of several, whose medians count rather than their samples.
    pub const NIGHT: Self = Self {
        warm_up: 1,
        min_samples: 3,
        max_samples: 100,
        time: Duration::from_secs(2),
    };

    /// Rounds of a race: enough for an interval around the median of the ratios.
    pub const RACE: Self = Self {
        warm_up: 1,
        min_samples: 7,
        max_samples: 200,
        time: Duration::from_secs(10),
    };

    /// The duration of each sample in ns, one run each, and the runs before them.
    ///
    /// # Errors
    /// The first error of the cell; samples taken until then are dropped.
    pub fn measure(&self, cell: &mut Cell) -> Result<(WarmUp, Vec<u64>), String> {
        let warm_up = self.warm(cell)?;
        let mut samples = Vec::with_capacity(self.min_samples);
        let begin = Instant::now();
        while self.goes_on(samples.len(), begin) {
            samples.push(cell.time()?);
        }
        Ok((warm_up, samples))
    }

    /// Runs until the last ones took equally long, but not for longer than a quarter of the time.
    fn warm(&self, cell: &mut Cell) -> Result<WarmUp, String> {
        let begin = Instant::now();
        let mut times = Vec::new();
        loop {
            times.push(cell.time()?);
            let warm_up = WarmUp::of(&times);
            let over = warm_up.runs >= MOST_WARM_UP || begin.elapsed() >= self.time / 4;
            if warm_up.runs >= self.warm_up && (warm_up.steady || over) {
                return Ok(warm_up);
            }
        }
    }

    /// Returns `true` if another sample is to be taken after this many since `begin`.
    pub(crate) fn goes_on(&self, samples: usize, begin: Instant) -> bool {
        samples < self.min_samples || (samples < self.max_samples && begin.elapsed() < self.time)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell as Count;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn takes_as_many_samples_as_the_budget_says() {
        let runs = Rc::new(Count::new(0));
        let budget = Budget {
            warm_up: 3,
            min_samples: 4,
            max_samples: 9,
            time: Duration::ZERO,
        };
        let counted = Rc::clone(&runs);
        let mut count = Cell::new(move || {
            counted.set(counted.get() + 1);
            Ok(())
        });
        let samples = |budget: &Budget, cell: &mut Cell| budget.measure(cell).expect("never fails").1.len();
        assert_eq!(samples(&budget, &mut count), 4, "time is over at once");
        assert_eq!(runs.get(), 3 + 4, "and the warm-up as short as it may be");
        let longer = Budget {
            time: Duration::from_secs(60),
            ..budget
        };
        assert_eq!(samples(&longer, &mut count), 9, "the count ends it");
    }

    #[test]
    fn the_warm_up_ends_when_the_times_stop_falling() {
        const FALLING: [u64; 8] = [900, 500, 300, 200, 103, 101, 100, 100];
        let cell = |times: &'static [u64]| {
            let mut index = 0;
            Cell::clocked(move || {
                index += 1;
                Ok(times[(index - 1).min(times.len() - 1)])
            })
        };
        let warm_up = |times| Budget::STANDARD.measure(&mut cell(times)).expect("never fails").0;
        assert_eq!(
            warm_up(&FALLING),
            WarmUp {
                runs: 7,
                steady: true
            }
        );
        assert_eq!(
            warm_up(&[100]),
            WarmUp {
                runs: 3,
                steady: true
            }
        );
        let restless = [100, 200, 100, 200, 100, 200, 100, 200, 100, 200, 100, 200];
        let [a, b] = [restless, restless];
        let long: &'static [u64] = Box::leak([a, b].concat().into_boxed_slice());
        assert_eq!(
            warm_up(long),
            WarmUp {
                runs: MOST_WARM_UP,
                steady: false
            }
        );
    }

    #[test]
    fn a_failing_run_ends_the_cell() {
        let runs = Rc::new(Count::new(0));
        let counted = Rc::clone(&runs);
        let mut broken = Cell::new(move || {
            counted.set(counted.get() + 1);
            if counted.get() == 4 {
                Err("broken".into())
            } else {
                Ok(())
            }
        });
        let result = Budget::STANDARD.measure(&mut broken);
        assert_eq!((result, runs.get()), (Err("broken".into()), 4));
    }
}

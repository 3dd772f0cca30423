use std::time::{Duration, Instant};

use crate::Cell;

/// How long one cell may be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Runs, or rounds of a race, that are not recorded, before the first sample.
    pub warm_up: usize,
    /// Samples taken even when the time is over.
    pub min_samples: usize,
    /// Samples after which the cell ends though time is left.
    pub max_samples: usize,
    /// Time for the samples.
    pub time: Duration,
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
        time: Duration::from_secs(1),
    };

    /// Rounds of a race: enough for an interval around the median of the ratios.
    pub const RACE: Self = Self {
        warm_up: 1,
        min_samples: 7,
        max_samples: 200,
        time: Duration::from_secs(10),
    };

    /// The duration of each sample in ns, one run each.
    ///
    /// # Errors
    /// The first error of the cell; samples taken until then are dropped.
    pub fn measure(&self, cell: &mut Cell) -> Result<Vec<u64>, String> {
        for _ in 0..self.warm_up {
            cell.time()?;
        }
        let mut samples = Vec::with_capacity(self.min_samples);
        let begin = Instant::now();
        while self.goes_on(samples.len(), begin) {
            samples.push(cell.time()?);
        }
        Ok(samples)
    }

    /// Whether another sample is taken after so many since `begin`.
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
        assert_eq!(
            budget.measure(&mut count).expect("never fails").len(),
            4,
            "time is over at once"
        );
        let longer = Budget {
            time: Duration::from_secs(60),
            ..budget
        };
        assert_eq!(
            longer.measure(&mut count).expect("never fails").len(),
            9,
            "the count ends it"
        );
        assert_eq!(runs.get(), 3 + 4 + 3 + 9);
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

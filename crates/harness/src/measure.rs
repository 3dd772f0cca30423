use std::time::{Duration, Instant};

/// How long one cell may be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Runs that are not recorded, before the first sample.
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

    /// The duration of each sample in ns, one run each.
    ///
    /// # Errors
    /// The first error of `run`; samples taken until then are dropped.
    pub fn measure<E>(&self, mut run: impl FnMut() -> Result<(), E>) -> Result<Vec<u64>, E> {
        for _ in 0..self.warm_up {
            run()?;
        }
        let mut samples = Vec::with_capacity(self.min_samples);
        let begin = Instant::now();
        while samples.len() < self.min_samples
            || (samples.len() < self.max_samples && begin.elapsed() < self.time)
        {
            samples.push(time_once(&mut run)?);
        }
        Ok(samples)
    }
}

/// The duration of one run, ns.
pub(crate) fn time_once<E>(run: &mut impl FnMut() -> Result<(), E>) -> Result<u64, E> {
    let start = Instant::now();
    run()?;
    Ok(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_as_many_samples_as_the_budget_says() {
        let mut runs = 0;
        let budget = Budget {
            warm_up: 3,
            min_samples: 4,
            max_samples: 9,
            time: Duration::ZERO,
        };
        let mut count = || {
            runs += 1;
            Ok::<(), ()>(())
        };
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
        assert_eq!(runs, 3 + 4 + 3 + 9);
    }

    #[test]
    fn a_failing_run_ends_the_cell() {
        let mut runs = 0;
        let result = Budget::STANDARD.measure(|| {
            runs += 1;
            if runs == 4 { Err("broken") } else { Ok(()) }
        });
        assert_eq!((result, runs), (Err("broken"), 4));
    }
}

use std::time::Instant;

/// A prepared benchmark cell: each call is one run.
pub struct Cell(Clock);

enum Clock {
    Ours(Box<dyn FnMut() -> Result<(), String>>),
    Its(Box<dyn FnMut() -> Result<u64, String>>),
}

impl Cell {
    /// A cell that is run here and timed from call to return.
    pub fn new(run: impl FnMut() -> Result<(), String> + 'static) -> Self {
        Self(Clock::Ours(Box::new(run)))
    }

    /// A cell that gives each run's duration in ns itself: what runs in another process has its clock there, so that
    /// the way to it is not in the time.
    pub fn clocked(run: impl FnMut() -> Result<u64, String> + 'static) -> Self {
        Self(Clock::Its(Box::new(run)))
    }

    /// The duration of one run, ns.
    ///
    /// # Errors
    /// The error of the run.
    pub fn time(&mut self) -> Result<u64, String> {
        match &mut self.0 {
            Clock::Ours(run) => {
                let start = Instant::now();
                run()?;
                Ok(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))
            }
            Clock::Its(run) => run(),
        }
    }

    /// The duration of one run with a busy wait of `delay_ns` after it, ns: a slow-down of known size.
    ///
    /// # Errors
    /// The error of the run.
    pub fn time_delayed(&mut self, delay_ns: u64) -> Result<u64, String> {
        let run = self.time()?;
        let start = Instant::now();
        let waited = || u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        while waited() < delay_ns {
            std::hint::spin_loop();
        }
        Ok(run.saturating_add(if delay_ns == 0 { 0 } else { waited() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_adds_as_much_as_it_says() {
        let mut cell = Cell::clocked(|| Ok(1_000));
        assert_eq!(cell.time_delayed(0), Ok(1_000));
        let delayed = cell.time_delayed(2_000_000).expect("never fails");
        assert!(delayed >= 2_001_000, "{delayed}");
        let mut broken = Cell::new(|| Err("broken".into()));
        assert_eq!(broken.time_delayed(1), Err("broken".into()));
    }
}

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
    /// What the run says.
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
}

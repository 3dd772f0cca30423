use std::time::{Duration, Instant};

/// Tells how long things take, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start or the last lap, which goes on.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// The time since the start or the last lap, ns.
    pub fn lap_ns(&mut self) -> u64 {
        let now = Instant::now();
        let lap = now - std::mem::replace(&mut self.0, now);
        u64::try_from(lap.as_nanos()).unwrap_or(u64::MAX)
    }
}

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Keeps the threads of a program in step. Steps are short, so a thread spins a while before it gives its core away.
#[derive(Debug)]
pub(in crate::engine) struct Barrier {
    threads: usize,
    waiting: AtomicUsize,
    generation: AtomicUsize,
    /// A thread has panicked and will not come.
    broken: AtomicBool,
}

const SPINS: usize = 2000;

impl Barrier {
    pub(in crate::engine) fn new(threads: usize) -> Self {
        Self {
            threads,
            waiting: AtomicUsize::new(0),
            generation: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// Has the other threads panic too if this one does while the guard lives: they would wait for ever.
    pub(in crate::engine) fn guard(&self) -> Guard<'_> {
        Guard(self)
    }

    /// Returns once every thread has come here; what they wrote before is seen by all afterwards.
    pub(in crate::engine) fn wait(&self) {
        let generation = self.generation.load(Ordering::Acquire);
        if self.waiting.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.waiting.store(0, Ordering::Relaxed);
            self.generation.store(generation + 1, Ordering::Release);
            return;
        }
        let mut spins = 0;
        while self.generation.load(Ordering::Acquire) == generation {
            assert!(
                !self.broken.load(Ordering::Relaxed),
                "another thread of the program has panicked"
            );
            if spins < SPINS {
                std::hint::spin_loop();
                spins += 1;
            } else {
                std::thread::yield_now();
            }
        }
    }
}

/// See [`Barrier::guard`].
pub(in crate::engine) struct Guard<'a>(&'a Barrier);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_goes_on_before_all_have_come() {
        let barrier = Barrier::new(3);
        let arrived = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for round in 1..=200 {
                        arrived.fetch_add(1, Ordering::Relaxed);
                        barrier.wait();
                        assert!(arrived.load(Ordering::Relaxed) >= 3 * round);
                        barrier.wait();
                    }
                });
            }
        });
    }
}

//! What the machine can do at the moment: the yardstick beside every cell.

use std::sync::OnceLock;

use harness::{Canary, Cell, Stopwatch};
use kernels::engine::{Isa, fma_macs};

/// Rounds of the multiply-add loop, for about a millisecond on one thread.
const ROUNDS: usize = 500_000;

/// Tries, of which the fastest counts: one in which two threads woke on one core is no peak, and would flatter whoever
/// is held against it.
const TRIES: usize = 8;

/// Bytes of the memory sweep, which stay allocated: more than last-level caches hold.
pub(super) const SWEEP: usize = 128 << 20;

/// Fused multiply-adds on registers alone, and a sweep over memory, on so many threads.
pub(crate) fn canary(isa: Isa, threads: usize) -> Canary {
    Canary {
        macs_per_s: macs_per_s(isa, threads),
        bytes_per_s: best(2, || sweep(threads), SWEEP as f64),
    }
}

/// Multiply-accumulates a second in the best of several tries, on so many threads.
pub(crate) fn macs_per_s(isa: Isa, threads: usize) -> f64 {
    let macs = fma_macs(isa, 1) as f64 * ROUNDS as f64 * threads as f64;
    best(TRIES, || spin(isa, ROUNDS, threads), macs)
}

/// The multiply-add loop as a cell of a race, for about ten milliseconds a run, and what it does in one.
pub(super) fn cell(isa: Isa, threads: usize) -> (Cell, f64) {
    let rounds = 10 * ROUNDS;
    let macs = fma_macs(isa, 1) as f64 * rounds as f64 * threads as f64;
    let run = move || {
        spin(isa, rounds, threads);
        Ok(())
    };
    (Cell::new(run), macs)
}

/// Work a second in the best of so many tries.
fn best(tries: usize, mut work: impl FnMut(), amount: f64) -> f64 {
    let rate = |_| {
        let mut watch = Stopwatch::start();
        work();
        amount / (watch.lap_ns().max(1) as f64 / 1e9)
    };
    (0..tries).map(rate).fold(0.0, f64::max)
}

fn spin(isa: Isa, rounds: usize, threads: usize) {
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| fma_macs(isa, rounds));
        }
        fma_macs(isa, rounds);
    });
}

/// Reads the whole sweep once, each thread its part.
fn sweep(threads: usize) {
    static MEMORY: OnceLock<Vec<u64>> = OnceLock::new();
    // Written, so that it is memory and not one page of zeros.
    let memory = MEMORY.get_or_init(|| (0..SWEEP as u64 / 8).collect());
    std::thread::scope(|scope| {
        for part in memory.chunks(memory.len().div_ceil(threads.max(1))) {
            scope.spawn(|| std::hint::black_box(part.iter().fold(0, |sum, number| sum ^ number)));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_of_this_planet() {
        let canary = canary(Isa::best(), 1);
        assert!((1e8..1e13).contains(&canary.macs_per_s), "{canary:?}");
        assert!((1e7..1e13).contains(&canary.bytes_per_s), "{canary:?}");
        let (mut cell, macs) = cell(Isa::best(), 2);
        assert!(macs > 1e6 && cell.time().expect("it cannot fail") > 0);
    }
}

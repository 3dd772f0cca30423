//! The present performance of the machine: the yardstick beside every cell.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::{Canary, Cell, SWEEP, Stopwatch, sweep_memory};
use hrnet::Precision;
use kernels::engine::{Format, Isa, peak_macs};

/// Rounds of the multiply-add loop, for about a millisecond on one thread.
const ROUNDS: usize = 500_000;

/// The rounds that tell how many of a format's take [`PEAK_S`].
const FIRST_ROUNDS: usize = 1_000;

/// Seconds of a try at a format's peak: long beside the start of a thread.
const PEAK_S: f64 = 0.003;

/// Tries, of which the fastest counts: one in which two threads woke on one core is no peak, and would flatter whatever is
/// compared with it.
const TRIES: usize = 8;

/// Hand-overs in all.
const HANDOVERS: usize = 24_000;

/// Hand-overs that are timed together: some ten microseconds, in which no other process gets a core in most cases.
const TOGETHER: usize = 200;

/// The number of polls by a thread before it yields its core.
const PATIENCE: usize = 20_000;

/// Fused multiply-adds on registers alone, products of tiles if the unit multiplies the format by them, and a sweep over memory,
/// on so many threads.
pub(crate) fn canary(isa: Isa, format: Format, threads: usize) -> Canary {
    // A matrix unit multiplies by an instruction of its own what it multiplies at all.
    let on_tiles = isa.multiplies(format) != isa.vectors().multiplies(format);
    let tiles = on_tiles.then(|| peak(isa, format, threads));
    Canary {
        macs_per_s: macs_per_s(isa, threads),
        tile_macs_per_s: tiles.flatten(),
        bytes_per_s: best(2, || sweep_memory(threads), SWEEP as f64),
        handover_ns: (threads > 1).then(handover_ns),
    }
}

/// The time that a cache line takes from one thread to another and back, halved, ns: the best of many short times of two threads that
/// wait for each other.
pub(crate) fn handover_ns() -> f64 {
    let turn = AtomicUsize::new(0);
    let take = |mine: usize| {
        let mut spins = 0;
        while turn.load(Ordering::Acquire) != mine {
            spins += 1;
            // The other may wait for this core.
            if spins % PATIENCE == 0 {
                std::thread::yield_now();
            }
        }
        turn.store(mine + 1, Ordering::Release);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| (1..HANDOVERS).step_by(2).for_each(take));
        let mut watch = Stopwatch::start();
        let mut times = (0..HANDOVERS / TOGETHER).map(|block| {
            let first = block * TOGETHER;
            (first..first + TOGETHER).step_by(2).for_each(take);
            watch.lap_ns()
        });
        let first = times.next().unwrap_or(u64::MAX);
        times.fold(first, u64::min) as f64 / TOGETHER as f64
    })
}

/// Multiply-accumulates a second of f32 in the best of several tries, on so many threads.
pub(crate) fn macs_per_s(isa: Isa, threads: usize) -> f64 {
    let macs = spun(isa, Format::F32, ROUNDS, threads).unwrap_or(0.0);
    best(TRIES, || spin(isa, Format::F32, ROUNDS, threads), macs)
}

/// The same of every precision whose operands the unit multiplies.
pub(crate) fn peaks(isa: Isa, threads: usize) -> BTreeMap<Precision, f64> {
    let of = |precision| Some((precision, peak(isa, runtime::operands(precision, isa), threads)?));
    Precision::ALL.into_iter().filter_map(of).collect()
}

/// The same of one format, by tiles if the unit has some for it; `None` if it does not multiply the format.
pub(crate) fn peak(isa: Isa, format: Format, threads: usize) -> Option<f64> {
    let few = spun(isa, format, FIRST_ROUNDS, 1)?;
    // Plain code may be a hundred times slower than an instruction.
    let rate = best(TRIES, || spin(isa, format, FIRST_ROUNDS, 1), few);
    let rounds = (FIRST_ROUNDS as f64 * (PEAK_S * rate / few).max(1.0)) as usize;
    let macs = spun(isa, format, rounds, threads)?;
    Some(best(TRIES, || spin(isa, format, rounds, threads), macs))
}

/// The multiply-add loop as a cell of a race, for about ten milliseconds a run, and what it does in one.
pub(super) fn cell(isa: Isa, threads: usize) -> (Cell, f64) {
    let rounds = 10 * ROUNDS;
    let macs = spun(isa, Format::F32, rounds, threads).unwrap_or(0.0);
    let run = move || {
        spin(isa, Format::F32, rounds, threads);
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

fn spin(isa: Isa, format: Format, rounds: usize, threads: usize) {
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| peak_macs(isa, format, rounds));
        }
        peak_macs(isa, format, rounds);
    });
}

/// The multiply-accumulates of a [`spin`]; none where the unit does not multiply the format.
fn spun(isa: Isa, format: Format, rounds: usize, threads: usize) -> Option<f64> {
    Some(peak_macs(isa, format, 1)? as f64 * rounds as f64 * threads as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_of_this_planet() {
        let canary = canary(Isa::best(), Format::Int8, 1);
        assert!((1e8..1e13).contains(&canary.macs_per_s), "{canary:?}");
        assert!((1e7..1e13).contains(&canary.bytes_per_s), "{canary:?}");
        assert_eq!((canary.handover_ns, canary.tile_macs_per_s), (None, None));
        // Plain code in the place of tiles is slower than any instruction, and is measured all the same.
        let twin = super::canary(Isa::with_twin(), Format::Int8, 1);
        assert!(
            twin.tile_macs_per_s
                .is_some_and(|rate| (1e6..1e14).contains(&rate)),
            "{twin:?}"
        );
        assert_eq!(
            super::canary(Isa::with_twin(), Format::F32, 1).tile_macs_per_s,
            None
        );
        let handover = handover_ns();
        assert!((1.0..1e7).contains(&handover), "{handover} ns");
        let peaks = peaks(Isa::best(), 1);
        assert!(peaks.values().all(|peak| (1e6..1e14).contains(peak)), "{peaks:?}");
        assert!(peaks.contains_key(&Precision::F32) && peaks.contains_key(&Precision::F16));
        let (mut cell, macs) = cell(Isa::best(), 2);
        assert!(macs > 1e6 && cell.time().expect("it cannot fail") > 0);
    }
}

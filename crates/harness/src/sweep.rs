//! A sweep over memory: what a canary measures of it.

use std::sync::OnceLock;

/// Bytes of the memory sweep, which stay allocated: more than last-level caches hold.
pub const SWEEP: usize = 128 << 20;

/// Reads [`SWEEP`] bytes once, each thread its part.
pub fn sweep_memory(threads: usize) {
    static MEMORY: OnceLock<Vec<u64>> = OnceLock::new();
    // Written, so that it is memory and not one page of zeros.
    let memory = MEMORY.get_or_init(|| (0..SWEEP as u64 / 8).collect());
    std::thread::scope(|scope| {
        for part in memory.chunks(memory.len().div_ceil(threads.max(1))) {
            scope.spawn(|| std::hint::black_box(part.iter().fold(0, |sum, number| sum ^ number)));
        }
    });
}

//! The cut of a product of many output channels and vectors of places into blocks that the registers hold, and its shares.

use std::ops::Range;

use crate::engine::micro::gemm::{ROW_KERNELS, largest};
use crate::engine::simd::isa::Target;

/// One thread's part of an operation.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Part {
    /// From 0.
    pub(in crate::engine) index: usize,
    /// The number of parts.
    pub(in crate::engine) of: usize,
}

impl Part {
    /// Returns the part's share of `count` items.
    pub(in crate::engine) fn range(self, count: usize) -> Range<usize> {
        count * self.index / self.of..count * (self.index + 1) / self.of
    }
}

/// The cut of one convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Tiling {
    /// Output channels that are held at a time: a block.
    pub(in crate::engine) rows: usize,
    /// Vectors of places that are held at a time, at most.
    pub(in crate::engine) most: usize,
    /// Vectors of places.
    pub(in crate::engine) vectors: usize,
    /// Blocks of output channels.
    pub(in crate::engine) blocks: usize,
    /// `true` if threads share the blocks, `false` if they share the vectors.
    by_blocks: bool,
}

/// Sharing blocks repeats the transform or the gathering of pixels in each thread.
const REPEATED: f64 = 1.1;

impl Tiling {
    /// The cut that takes the busiest thread the fewest instructions by an estimate.
    pub(in crate::engine) fn new(outputs: usize, vectors: usize, target: Target) -> Self {
        let candidates = largest(ROW_KERNELS, target.isa.registers()).flat_map(|tile| {
            let blocks = outputs.div_ceil(tile.rows);
            [false, true].map(|by_blocks| Self {
                rows: tile.rows,
                most: tile.vectors,
                vectors,
                blocks,
                by_blocks,
            })
        });
        candidates
            .min_by(|a, b| a.cost(target.threads).total_cmp(&b.cost(target.threads)))
            .expect("some kernel fits every unit")
    }

    /// The division of `vectors` vectors and `blocks` blocks of `rows` outputs, of which `most` vectors and one block are held at a time:
    /// threads share what is shared more evenly.
    pub(in crate::engine) fn of(
        rows: usize,
        most: usize,
        vectors: usize,
        blocks: usize,
        threads: usize,
    ) -> Self {
        let [by_vectors, by_blocks] = [false, true].map(|by_blocks| Self {
            rows,
            most,
            vectors,
            blocks,
            by_blocks,
        });
        let share = |tiling: &Self| {
            let (vectors, blocks) = tiling.largest(threads);
            vectors.next_multiple_of(most) * blocks
        };
        if share(&by_blocks) as f64 * REPEATED < share(&by_vectors) as f64 {
            by_blocks
        } else {
            by_vectors
        }
    }

    fn cost(&self, threads: usize) -> f64 {
        let (vectors, blocks) = self.largest(threads);
        let held = vectors.div_ceil(vectors.div_ceil(self.most));
        let sums = self.rows * held;
        // Few sums leave the multipliers waiting for each other; each step loads its rows and vectors once.
        let waiting = if sums < 12 { 12.0 / sums as f64 } else { 1.0 };
        let loads = 1.0 + 0.25 * (1.0 / self.rows as f64 + 1.0 / held as f64);
        let repeated = if self.by_blocks && threads > 1 {
            REPEATED
        } else {
            1.0
        };
        (self.rows * blocks * vectors) as f64 * waiting * loads * repeated
    }

    /// Vectors and blocks of the largest part.
    pub(in crate::engine) fn largest(&self, parts: usize) -> (usize, usize) {
        match self.by_blocks {
            true => (self.vectors, self.blocks.div_ceil(parts)),
            false => (self.vectors.div_ceil(parts), self.blocks),
        }
    }

    /// The vectors and blocks of one part.
    pub(in crate::engine) fn share(&self, part: Part) -> (Range<usize>, Range<usize>) {
        match self.by_blocks {
            true => (0..self.vectors, part.range(self.blocks)),
            false => (part.range(self.vectors), 0..self.blocks),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Isa;

    #[test]
    fn parts_are_the_whole_and_none_is_larger_than_said() {
        for isa in Isa::available() {
            for (outputs, vectors, threads) in [(18, 13, 1), (18, 13, 2), (72, 1, 2), (5, 1, 4), (200, 7, 3)]
            {
                let tiling = Tiling::new(outputs, vectors, Target { isa, threads });
                let largest = tiling.largest(threads);
                let mut cells = vec![0; vectors * tiling.blocks];
                for part in 0..threads {
                    let (vectors, blocks) = tiling.share(Part {
                        index: part,
                        of: threads,
                    });
                    assert!(
                        vectors.len() <= largest.0 && blocks.len() <= largest.1,
                        "{tiling:?}"
                    );
                    for (v, b) in vectors.flat_map(|v| blocks.clone().map(move |b| (v, b))) {
                        cells[b * tiling.vectors + v] += 1;
                    }
                }
                assert!(cells.iter().all(|times| *times == 1), "{tiling:?}");
            }
        }
    }

    #[test]
    fn two_threads_get_the_same_number_of_blocks() {
        for isa in Isa::available() {
            let tiling = Tiling::new(72, 1, Target { isa, threads: 2 });
            let shares = [0, 1].map(|part| tiling.share(Part { index: part, of: 2 }).1.len() * tiling.rows);
            assert!(tiling.by_blocks, "{}: {tiling:?}", isa.name());
            assert_eq!(shares, [36, 36], "{}: {tiling:?}", isa.name());
            if isa.registers() == 32 {
                assert_eq!(tiling.rows, 12, "{}", isa.name());
            }
        }
    }
}

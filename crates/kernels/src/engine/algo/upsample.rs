//! Nearest-neighbour upsampling.

use crate::engine::layout::grid::Grid;
use crate::engine::simd::Simd;

/// Where each place of an upsampled map finds its pixel on the small one's grid.
#[derive(Debug)]
pub(in crate::engine) struct Nearest {
    sources: Vec<Source>,
    /// Elements of one of the large map's phases.
    phase: usize,
    /// Which places of each vector lie inside the map.
    inside: Vec<u32>,
}

/// What several phases of the large map find alike: neighbours come from one pixel.
#[derive(Debug)]
struct Source {
    /// The pixel's place for each tile.
    index: Vec<i32>,
    phases: Vec<usize>,
}

impl Nearest {
    pub(in crate::engine) fn new(small: Grid, large: Grid, factor: usize, lanes: usize) -> Self {
        let index = |phase: usize, tile: usize| {
            let (n, row, column) = large.tile(tile);
            let y = (row * large.p + phase / large.p) / factor;
            let x = (column * large.p + phase % large.p) / factor;
            // Outside of the map any pixel does.
            let place = small.place(n, y.min(small.h - 1), x.min(small.w - 1));
            i32::try_from(place).expect("a map of fewer than two thousand million pixels")
        };
        let mut sources: Vec<Source> = Vec::new();
        for phase in 0..large.p * large.p {
            let mut of_phase: Vec<i32> = (0..large.tiles()).map(|tile| index(phase, tile)).collect();
            of_phase.resize(large.phase(), 0);
            match sources.iter_mut().find(|source| source.index == of_phase) {
                Some(source) => source.phases.push(phase),
                None => sources.push(Source {
                    index: of_phase,
                    phases: vec![phase],
                }),
            }
        }
        Self {
            sources,
            phase: large.phase(),
            inside: large.flat_masks(lanes),
        }
    }

    /// `y = sum + upsampled small`, or its ReLU, for one channel; a null `sum` stands for zeros.
    ///
    /// # Safety
    /// The pointers are to a channel of their grids; nobody else writes `y`; `S` has the lanes that the table was made for.
    #[inline(always)]
    pub(in crate::engine) unsafe fn run<S: Simd>(
        &self,
        s: S,
        small: *const f32,
        sum: *const f32,
        y: *mut f32,
        relu: bool,
    ) {
        let zero = s.splat(0.0);
        for Source { index, phases } in &self.sources {
            for tile in (0..self.phase).step_by(S::LANES) {
                // SAFETY: every index is a place of the small map's grid; a phase is whole vectors, so that each lies in the index, which has
                // an element a place, in the masks, one a vector of the large grid, and in the channels, which are there by the contract
                // above.
                unsafe {
                    let pixels = s.gather(small, index.as_ptr().add(tile));
                    for phase in phases {
                        let at = phase * self.phase + tile;
                        let mut v = s.keep(*self.inside.get_unchecked(at / S::LANES), pixels);
                        if !sum.is_null() {
                            v = s.add(v, s.load(sum.add(at)));
                        }
                        if relu {
                            v = s.max(v, zero);
                        }
                        s.store(y.add(at), v);
                    }
                }
            }
        }
    }
}

//! What is not a convolution: elementwise sums, enlargement, pooling, gates and linear layers.

use std::ops::Range;

use crate::engine::layout::grid::{Grid, first};
use crate::engine::layout::map::Map;
use crate::engine::layout::slots::{Outside, Piece, pieces};
use crate::engine::quant::format::Packing;
use crate::engine::simd::Simd;

/// One thread's part of `count` things.
pub(in crate::engine) fn cut(count: usize, (part, parts): (usize, usize)) -> Range<usize> {
    count * part / parts..count * (part + 1) / parts
}

/// Pairs each pixel's place in the memory with its place in `[n, channels, h, w]`, for one channel.
#[inline(always)]
pub(in crate::engine) fn exchange(map: Map, channel: usize, mut pair: impl FnMut(usize, usize)) {
    let Grid { n, h, w, p } = map.grid;
    let base = map.offset + channel * map.grid.stride();
    for image in 0..n {
        for y in 0..h {
            let row = ((image * map.channels + channel) * h + y) * w;
            for x in 0..p.min(w) {
                let first = base + map.grid.place(image, y, x);
                debug_assert!(first < base + map.grid.positions());
                for (tile, x) in (x..w).step_by(p).enumerate() {
                    pair(first + tile, row + x);
                }
            }
        }
    }
}

/// `y = a + b`, or `max(a + b, 0)`; a null `b` stands for zeros.
///
/// # Safety
/// All point to `count` elements, of which nobody else writes `y`'s; the CPU has the unit.
#[inline(always)]
pub(in crate::engine) unsafe fn add<S: Simd>(
    a: *const f32,
    b: *const f32,
    y: *mut f32,
    count: usize,
    relu: bool,
) {
    // SAFETY: the CPU has the unit.
    let zero = unsafe { S::splat(0.0) };
    let mut at = 0;
    while at < count {
        let mask = first(count - at) & first(S::LANES);
        // SAFETY: the caller's; lanes past the end are not touched.
        unsafe {
            let mut v = S::load_masked(a.add(at), mask);
            if !b.is_null() {
                v = S::add(v, S::load_masked(b.add(at), mask));
            }
            if relu {
                v = S::max(v, zero);
            }
            S::store_masked(y.add(at), mask, v);
        }
        at += S::LANES;
    }
}

/// Where the places of one grid go on another grid of the same map.
#[derive(Debug)]
pub(in crate::engine) struct Moves {
    /// Those of each vector.
    pieces: Vec<Vec<Piece>>,
    /// The places outside the map on the other grid.
    outside: Outside,
}

impl Moves {
    pub(in crate::engine) fn new(from: Grid, to: Grid, lanes: usize) -> Self {
        let place = |place: usize| {
            let (n, y, x) = from.pixel(place)?;
            u32::try_from(to.place(n, y, x)).ok()
        };
        let vector = |at: usize| pieces(&(at..at + lanes).map(place).collect::<Vec<_>>());
        Self {
            pieces: (0..from.positions()).step_by(lanes).map(vector).collect(),
            outside: Outside::of(to, lanes),
        }
    }

    /// Stores a vector of the one grid on a channel of the other.
    ///
    /// # Safety
    /// `to` points to a channel of the other grid, which nobody else writes; the CPU has the unit.
    #[inline(always)]
    unsafe fn store<S: Simd>(&self, to: *mut f32, vector: usize, v: S::V) {
        for piece in &self.pieces[vector] {
            // SAFETY: the caller's; the places are of the other grid.
            unsafe { S::store_masked(to.add(piece.place), piece.there, piece.of::<S>(v)) };
        }
    }
}

/// One element of each place from `count` channels, a stride apart, which are the packing's from `first_channel` on, on the
/// same grid or moved to another.
///
/// # Safety
/// `x` points to `count` channels, at most as many as an element holds, of `positions` elements and up to a vector more,
/// and `y` to one, which nobody else writes; the CPU has the unit.
#[inline(always)]
pub(in crate::engine) unsafe fn pack<S: Simd>(
    (packing, first_channel): (&Packing, usize),
    ((x, stride), count): ((*const f32, usize), usize),
    (y, moves): (*mut f32, Option<&Moves>),
    positions: usize,
) {
    // SAFETY: the caller's; a channel's positions are whole cache lines.
    unsafe {
        let limits = packing.limits;
        let mut scales = [S::splat(1.0); 4];
        for (scale, step) in scales.iter_mut().zip(packing.steps.iter().skip(first_channel)) {
            *scale = S::splat(1.0 / step);
        }
        let (low, high) = (S::splat(limits.0), S::splat(limits.1));
        for at in (0..positions).step_by(S::LANES) {
            let mut channels = [S::splat(0.0); 4];
            for (c, channel) in channels.iter_mut().enumerate().take(count) {
                *channel = S::load(x.add(c * stride + at));
                if packing.format.whole() {
                    *channel = S::min(S::max(S::mul(scales[c], *channel), low), high);
                }
            }
            let element = packing.format.packed::<S>(channels);
            match moves {
                None => S::store(y.add(at), element),
                Some(moves) => moves.store::<S>(y, at / S::LANES, element),
            }
        }
        if let Some(moves) = moves {
            moves.outside.clear::<S>(y, 0..1);
        }
    }
}

/// Where each place of an enlarged map finds its pixel on the small one's grid.
#[derive(Debug)]
pub(in crate::engine) struct Enlargement {
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

impl Enlargement {
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

    /// `y = sum + enlarged small`, or its ReLU, for one channel; a null `sum` stands for zeros.
    ///
    /// # Safety
    /// The pointers are to a channel of their grids; nobody else writes `y`; the CPU has the unit.
    #[inline(always)]
    pub(in crate::engine) unsafe fn run<S: Simd>(
        &self,
        small: *const f32,
        sum: *const f32,
        y: *mut f32,
        relu: bool,
    ) {
        // SAFETY: the CPU has the unit.
        let zero = unsafe { S::splat(0.0) };
        for Source { index, phases } in &self.sources {
            for tile in (0..self.phase).step_by(S::LANES) {
                // SAFETY: the caller's; every index is a place of the small map, and a phase is whole vectors.
                unsafe {
                    let pixels = S::gather(small, index.as_ptr().add(tile));
                    for phase in phases {
                        let at = phase * self.phase + tile;
                        let mut v = S::keep(*self.inside.get_unchecked(at / S::LANES), pixels);
                        if !sum.is_null() {
                            v = S::add(v, S::load(sum.add(at)));
                        }
                        if relu {
                            v = S::max(v, zero);
                        }
                        S::store(y.add(at), v);
                    }
                }
            }
        }
    }
}

/// The mean of each image of one channel; zeros outside the map add nothing.
///
/// # Safety
/// `x` points to a channel of the grid; the CPU has the unit.
#[inline(always)]
pub(in crate::engine) unsafe fn mean<S: Simd>(grid: Grid, x: *const f32, image: usize) -> f32 {
    let tiles = grid.tiles() / grid.n;
    // SAFETY: the CPU has the unit.
    let mut sum = unsafe { S::splat(0.0) };
    for phase in 0..grid.p * grid.p {
        let start = phase * grid.phase() + image * tiles;
        let mut at = 0;
        while at < tiles {
            let mask = first(tiles - at) & first(S::LANES);
            // SAFETY: the caller's; lanes past the end are not touched.
            unsafe { sum = S::add(sum, S::load_masked(x.add(start + at), mask)) };
            at += S::LANES;
        }
    }
    // SAFETY: the CPU has the unit.
    unsafe { total::<S>(sum) / (grid.h * grid.w) as f32 }
}

/// `y = x * gate[image] + sum`, or its ReLU, for one channel.
///
/// # Safety
/// The pointers are to a channel of the grid, the gates to one an image, `gate_stride` apart; nobody else writes `y`;
/// the CPU has the unit.
#[inline(always)]
pub(in crate::engine) unsafe fn gated<S: Simd>(
    grid: Grid,
    x: *const f32,
    (gate, gate_stride): (*const f32, usize),
    sum: *const f32,
    y: *mut f32,
    relu: bool,
) {
    let tiles = grid.tiles() / grid.n;
    // SAFETY: the CPU has the unit.
    let zero = unsafe { S::splat(0.0) };
    for phase in 0..grid.p * grid.p {
        for image in 0..grid.n {
            let start = phase * grid.phase() + image * tiles;
            // SAFETY: the caller's; lanes past the end are not touched.
            unsafe {
                let factor = S::splat(*gate.add(image * gate_stride));
                let mut at = start;
                while at < start + tiles {
                    let mask = first(start + tiles - at) & first(S::LANES);
                    let mut v = S::mul(factor, S::load_masked(x.add(at), mask));
                    if !sum.is_null() {
                        v = S::add(v, S::load_masked(sum.add(at), mask));
                    }
                    if relu {
                        v = S::max(v, zero);
                    }
                    S::store_masked(y.add(at), mask, v);
                    at += S::LANES;
                }
            }
        }
    }
}

/// The sum of a vector's lanes.
#[inline(always)]
unsafe fn total<S: Simd>(v: S::V) -> f32 {
    let mut lanes = [0.0_f32; crate::engine::simd::MAX_LANES];
    // SAFETY: there is room for the widest vector.
    unsafe { S::store(lanes.as_mut_ptr(), v) };
    lanes[..S::LANES].iter().sum()
}

/// As [`dot`] of a row of f16.
///
/// # Safety
/// Both point to `count` elements, and `a` to a vector more; the CPU has the unit.
#[inline(always)]
pub(in crate::engine) unsafe fn dot_halves<S: Simd>(a: *const u16, b: *const f32, count: usize) -> f32 {
    // SAFETY: the CPU has the unit.
    let mut sums = [unsafe { S::splat(0.0) }; 4];
    // SAFETY: the caller's; lanes past the end are not touched or multiplied with zero.
    unsafe {
        let mut at = 0;
        while at < count {
            for (i, sum) in sums.iter_mut().enumerate() {
                let here = at + i * S::LANES;
                let mask = first(count.saturating_sub(here)) & first(S::LANES);
                if mask != 0 {
                    *sum = S::fma(S::widen(a.add(here)), S::load_masked(b.add(here), mask), *sum);
                }
            }
            at += 4 * S::LANES;
        }
        total::<S>(S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3])))
    }
}

/// The scalar product of two rows of `count` elements.
///
/// # Safety
/// Both point to `count` elements; the CPU has the unit.
#[inline(always)]
pub(in crate::engine) unsafe fn dot<S: Simd>(a: *const f32, b: *const f32, count: usize) -> f32 {
    // SAFETY: the CPU has the unit.
    let mut sums = [unsafe { S::splat(0.0) }; 4];
    let step = 4 * S::LANES;
    let whole = count / step * step;
    // SAFETY: the caller's; lanes past the end are not touched.
    unsafe {
        let mut at = 0;
        while at < whole {
            for (i, sum) in sums.iter_mut().enumerate() {
                let here = at + i * S::LANES;
                *sum = S::fma(S::load(a.add(here)), S::load(b.add(here)), *sum);
            }
            at += step;
        }
        while at < count {
            let mask = first(count - at) & first(S::LANES);
            sums[0] = S::fma(
                S::load_masked(a.add(at), mask),
                S::load_masked(b.add(at), mask),
                sums[0],
            );
            at += S::LANES;
        }
        total::<S>(S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3])))
    }
}

//! Sums, gates and means of maps, one channel at a time.

use crate::engine::layout::grid::{Grid, first};
use crate::engine::simd::{Simd, total};

/// `y = a + b`, or `max(a + b, 0)`; a null `b` stands for zeros.
///
/// # Safety
/// All point to `count` elements, of which nobody else writes `y`'s.
#[inline(always)]
pub(in crate::engine) unsafe fn add<S: Simd>(
    s: S,
    a: *const f32,
    b: *const f32,
    y: *mut f32,
    count: usize,
    relu: bool,
) {
    let zero = s.splat(0.0);
    let mut at = 0;
    while at < count {
        let mask = first(count - at) & first(S::LANES);
        // SAFETY: there are `count` elements, by the contract above; lanes past the last are not in the mask.
        unsafe {
            let mut v = s.load_masked(a.add(at), mask);
            if !b.is_null() {
                v = s.add(v, s.load_masked(b.add(at), mask));
            }
            if relu {
                v = s.max(v, zero);
            }
            s.store_masked(y.add(at), mask, v);
        }
        at += S::LANES;
    }
}

/// The mean of an image of one channel of the grid; zeros outside the map add nothing.
#[inline(always)]
pub(in crate::engine) fn mean<S: Simd>(s: S, grid: Grid, x: &[f32], image: usize) -> f32 {
    assert!(
        x.len() == grid.positions() && image < grid.n,
        "a channel with the image"
    );
    let tiles = grid.tiles() / grid.n;
    let x = x.as_ptr();
    let mut sum = s.splat(0.0);
    for phase in 0..grid.p * grid.p {
        let start = phase * grid.phase() + image * tiles;
        let mut at = 0;
        while at < tiles {
            let mask = first(tiles - at) & first(S::LANES);
            // SAFETY: the image has `tiles` elements in each phase of the channel, as was checked; lanes past the last are not in the
            // mask.
            sum = s.add(sum, unsafe { s.load_masked(x.add(start + at), mask) });
            at += S::LANES;
        }
    }
    total(s, sum) / (grid.h * grid.w) as f32
}

/// The factors of one channel, one per image.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Gates {
    /// The first image's.
    pub(in crate::engine) start: *const f32,
    /// Elements from one image's to the next.
    pub(in crate::engine) stride: usize,
}

/// `y = x * gate[image] + sum`, or its ReLU, for one channel; a null `sum` stands for zeros.
///
/// # Safety
/// The pointers are to a channel of the grid, the gates to one per image of it; nobody else writes `y`.
#[inline(always)]
pub(in crate::engine) unsafe fn gated<S: Simd>(
    s: S,
    grid: Grid,
    x: *const f32,
    gates: Gates,
    sum: *const f32,
    y: *mut f32,
    relu: bool,
) {
    let tiles = grid.tiles() / grid.n;
    let zero = s.splat(0.0);
    for phase in 0..grid.p * grid.p {
        for image in 0..grid.n {
            let start = phase * grid.phase() + image * tiles;
            // SAFETY: the image has a gate, and `tiles` elements in each phase of each channel, by the contract above; lanes past the
            // last are not in the mask.
            unsafe {
                let factor = s.splat(*gates.start.add(image * gates.stride));
                let mut at = start;
                while at < start + tiles {
                    let mask = first(start + tiles - at) & first(S::LANES);
                    let mut v = s.mul(factor, s.load_masked(x.add(at), mask));
                    if !sum.is_null() {
                        v = s.add(v, s.load_masked(sum.add(at), mask));
                    }
                    if relu {
                        v = s.max(v, zero);
                    }
                    s.store_masked(y.add(at), mask, v);
                    at += S::LANES;
                }
            }
        }
    }
}

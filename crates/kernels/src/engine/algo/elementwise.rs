//! Sums, gates and means of maps, one channel at a time.

use crate::engine::layout::grid::{Grid, first};
use crate::engine::simd::{Simd, total};

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

//! The ways there and back, over channels and vectors of tiles.

use std::ops::Range;

use super::{Transform, Winograd};
use crate::engine::algo::conv::{Epilogue, Io};
use crate::engine::simd::{Simd, Work};

/// Transforms all channels of some vectors of tiles.
pub(in crate::engine) struct Forward<'a, T> {
    pub(in crate::engine) conv: &'a Winograd,
    pub(in crate::engine) tiles: &'a T,
    pub(in crate::engine) input: *const f32,
    pub(in crate::engine) vectors: Range<usize>,
    pub(in crate::engine) to: *mut f32,
}

impl<S: Simd, T: Transform> Work<S> for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run(self) {
        let Self { conv, tiles, .. } = self;
        let width = self.vectors.len() * S::LANES;
        let plane = conv.plane(width);
        for (v, vector) in self.vectors.enumerate() {
            for ci in 0..conv.inputs {
                // SAFETY: the caller's, see `Winograd::run`.
                unsafe {
                    let to = self.to.add(ci * width + v * S::LANES);
                    let channel = self.input.add(ci * conv.stride);
                    tiles.forward::<S>(conv.format, channel, vector, to, plane);
                }
            }
        }
    }
}

/// Transforms back a block of channels of some vectors of tiles.
pub(in crate::engine) struct Backward<'a, T> {
    pub(in crate::engine) tiles: &'a T,
    pub(in crate::engine) from: *const f32,
    /// Rows of the block, absent ones included.
    pub(in crate::engine) rows: usize,
    pub(in crate::engine) channels: Range<usize>,
    pub(in crate::engine) vectors: Range<usize>,
    pub(in crate::engine) io: Io,
    pub(in crate::engine) epilogue: Epilogue,
}

impl<S: Simd, T: Transform> Work<S> for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    unsafe fn run(self) {
        let width = self.vectors.len() * S::LANES;
        let step = self.rows * width;
        for (r, channel) in self.channels.enumerate() {
            for (v, vector) in self.vectors.clone().enumerate() {
                // SAFETY: the caller's, see `Winograd::run`.
                unsafe {
                    let from = self.from.add(r * width + v * S::LANES);
                    self.tiles
                        .backward::<S>((from, step), vector, channel, self.io, self.epilogue);
                }
            }
        }
    }
}

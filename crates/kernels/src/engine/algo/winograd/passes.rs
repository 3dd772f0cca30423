//! The transforms there and back, of one vector of tiles and over channels and vectors.

use std::ops::Range;

use super::Winograd;
use crate::engine::algo::conv::{Epilogue, Io};
use crate::engine::quant::format::Format;
use crate::engine::simd::{Simd, Work};

/// The transforms of one kind of tile.
pub(in crate::engine) trait Transform {
    /// Elements of a transformed tile.
    const ELEMENTS: usize;

    /// Transforms the tiles of vector `vector` of one channel, or of a pair; the elements go `plane` apart.
    ///
    /// # Safety
    /// `channel` points to a channel of the input's grid, which has the vector, `to` to room for the elements; `S` is the unit that
    /// the tiles were made for, which multiplies the format.
    unsafe fn forward<S: Simd>(
        &self,
        s: S,
        format: Format,
        channel: *const f32,
        vector: usize,
        to: *mut f32,
        plane: usize,
    );

    /// Transforms back the tiles of vector `vector` and stores them as a channel.
    ///
    /// # Safety
    /// `io` points to maps of the grids, which and `epilogue` have the channel, and nobody else writes it; `from` has the elements;
    /// `S` is the unit that the tiles were made for.
    unsafe fn backward<S: Simd>(
        &self,
        s: S,
        from: Elements,
        vector: usize,
        channel: usize,
        io: Io,
        epilogue: Epilogue,
    );
}

/// The elements of a vector of transformed tiles.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Elements {
    pub(in crate::engine) start: *const f32,
    /// From one element's vector to the next.
    pub(in crate::engine) step: usize,
}

/// Transforms all channels of some vectors of tiles.
pub(in crate::engine) struct Forward<'a, T> {
    conv: &'a Winograd,
    tiles: &'a T,
    input: *const f32,
    vectors: Range<usize>,
    to: *mut f32,
}

impl<'a, T> Forward<'a, T> {
    /// # Safety
    /// `input` points to a map of the convolution's input with the vectors, `to` to room for `T::ELEMENTS` matrices
    /// [`Winograd::plane`] apart, until the work has run, on the convolution's unit, which multiplies the format.
    pub(in crate::engine) unsafe fn new(
        conv: &'a Winograd,
        tiles: &'a T,
        input: *const f32,
        vectors: Range<usize>,
        to: *mut f32,
    ) -> Self {
        Self {
            conv,
            tiles,
            input,
            vectors,
            to,
        }
    }
}

impl<S: Simd, T: Transform> Work<S> for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self, s: S) {
        let Self { conv, tiles, .. } = self;
        let width = self.vectors.len() * S::LANES;
        let plane = conv.plane(width);
        for (v, vector) in self.vectors.enumerate() {
            for ci in 0..conv.inputs {
                // SAFETY: `new` was promised the map, which has channel `ci` and the vector, and the matrices, each of which has a row
                // for `ci` and room in it for each of the vectors.
                unsafe {
                    let to = self.to.add(ci * width + v * S::LANES);
                    let channel = self.input.add(ci * conv.stride);
                    tiles.forward(s, conv.format, channel, vector, to, plane);
                }
            }
        }
    }
}

/// The products of a block of channels with some vectors of tiles, `[element][row][vector]`.
#[derive(Clone)]
pub(in crate::engine) struct Products {
    pub(in crate::engine) start: *const f32,
    /// Rows of the block, absent ones included.
    pub(in crate::engine) rows: usize,
    /// The channels of the rows that exist.
    pub(in crate::engine) channels: Range<usize>,
    pub(in crate::engine) vectors: Range<usize>,
}

/// Transforms products back.
pub(in crate::engine) struct Backward<'a, T> {
    tiles: &'a T,
    products: Products,
    io: Io,
    epilogue: Epilogue,
}

impl<'a, T> Backward<'a, T> {
    /// # Safety
    /// The products are those of `T::ELEMENTS` elements; `io` points to maps of the convolution's grids, and they and `epilogue`
    /// have the channels, which nobody else writes. All that until the work has run, on the convolution's unit.
    pub(in crate::engine) unsafe fn new(
        tiles: &'a T,
        products: Products,
        io: Io,
        epilogue: Epilogue,
    ) -> Self {
        Self {
            tiles,
            products,
            io,
            epilogue,
        }
    }
}

impl<S: Simd, T: Transform> Work<S> for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self, s: S) {
        let Products {
            start,
            rows,
            channels,
            vectors,
        } = self.products;
        let width = vectors.len() * S::LANES;
        for (r, channel) in channels.enumerate() {
            for (v, vector) in vectors.clone().enumerate() {
                // SAFETY: `new` was promised the products, which have row `r` and the vector, and the maps, which have the channel.
                unsafe {
                    let from = Elements {
                        start: start.add(r * width + v * S::LANES),
                        step: rows * width,
                    };
                    self.tiles
                        .backward(s, from, vector, channel, self.io, self.epilogue);
                }
            }
        }
    }
}

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

    /// Matrices of transformed kernels.
    const MATRICES: usize = Self::ELEMENTS;

    /// The matrix that an element is multiplied with.
    #[inline(always)]
    fn matrix(element: usize) -> usize {
        element
    }

    /// Transforms the tiles of a vector of one channel, or of a pair. `S` is the unit that the tiles were made for.
    fn forward<S: Simd>(&self, s: S, tiles: Inputs);

    /// Transforms back the tiles of a vector and stores them as a channel. `S` is the unit that the tiles were made for.
    fn backward<S: Simd>(&self, s: S, tiles: Outputs);
}

/// A vector of tiles of one channel of the input, or of a pair, and room for their elements: [`Forward`] alone makes one, under
/// the contract of [`Forward::new`].
#[derive(Clone, Copy)]
pub(in crate::engine) struct Inputs {
    /// The unit multiplies it.
    pub(in crate::engine) format: Format,
    pub(in crate::engine) vector: usize,
    /// The first pixels of the tiles.
    from: *const f32,
    /// Room for the elements, `plane` apart.
    to: *mut f32,
    plane: usize,
}

impl Inputs {
    /// The pixels so far from the first ones of the tiles: of all tiles, or of those that have such neighbours.
    #[inline(always)]
    pub(in crate::engine) fn pixels<S: Simd>(self, s: S, offset: isize, there: Option<u32>) -> S::V {
        let at = self.from.wrapping_offset(offset);
        // SAFETY: each phase has a whole vector of the tiles' own pixels, and of their neighbours' those in the mask; no other lane
        // is touched.
        unsafe {
            match there {
                None => s.load(at),
                Some(mask) => s.load_masked(at, mask),
            }
        }
    }

    /// Stores an element of the transformed tiles.
    #[inline(always)]
    pub(in crate::engine) fn put<S: Simd>(self, s: S, element: usize, v: S::V) {
        // SAFETY: there is room for each of the elements.
        unsafe { s.store(self.to.add(element * self.plane), v) };
    }
}

/// A vector of transformed tiles of one channel of the output: [`Backward`] alone makes one, under the contract of
/// [`Backward::new`].
#[derive(Clone, Copy)]
pub(in crate::engine) struct Outputs {
    pub(in crate::engine) vector: usize,
    pub(in crate::engine) channel: usize,
    pub(in crate::engine) io: Io,
    pub(in crate::engine) epilogue: Epilogue,
    /// The first element's vector.
    from: *const f32,
    /// Elements from one vector to the next.
    step: usize,
}

impl Outputs {
    /// An element of the transformed tiles.
    #[inline(always)]
    pub(in crate::engine) fn element<S: Simd>(self, s: S, element: usize) -> S::V {
        // SAFETY: there is a vector of each of the elements.
        unsafe { s.load(self.from.add(element * self.step)) }
    }
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
                // `new` was promised the map, which has channel `ci` and the vector, and the matrices, each of which has a row for `ci`
                // and room in it for each of the vectors.
                let tiles_of_channel = Inputs {
                    format: conv.format,
                    vector,
                    from: self.input.wrapping_add(ci * conv.stride + vector * S::LANES),
                    to: self.to.wrapping_add(ci * width + v * S::LANES),
                    plane,
                };
                tiles.forward(s, tiles_of_channel);
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
                // `new` was promised the products, which have row `r` and the vector, and the maps, which have the channel.
                let tiles_of_channel = Outputs {
                    vector,
                    channel,
                    io: self.io,
                    epilogue: self.epilogue,
                    from: start.wrapping_add(r * width + v * S::LANES),
                    step: rows * width,
                };
                self.tiles.backward(s, tiles_of_channel);
            }
        }
    }
}

//! Packing: maps as operands of convolutions, by choice moved to another grid or ordered as planes.

use crate::engine::layout::grid::{Grid, Rows, first};
use crate::engine::layout::map::Map;
use crate::engine::layout::planes::{PIXELS, Planes, Spot};
use crate::engine::layout::slots::{Outside, Piece, pieces};
use crate::engine::quant::format::{Format, Packing};
use crate::engine::simd::Simd;

/// How the places of a map become those of its operands.
#[derive(Debug)]
pub(in crate::engine) enum Repack {
    /// On the same grid, from one operand's channel to the next so many elements.
    Same { stride: usize },
    /// On another grid of the same map.
    Moved { moves: Moves, stride: usize },
    /// In planes.
    Planes(Planes),
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
    fn new(from: Grid, to: Grid, lanes: usize) -> Self {
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
}

/// The channels of a map that become one element of its operands.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Channels {
    /// The begin of the first channel.
    pub(in crate::engine) start: *const f32,
    /// Elements from one channel to the next.
    pub(in crate::engine) stride: usize,
    /// The first channel.
    pub(in crate::engine) first: usize,
    /// At most as many as an element holds.
    pub(in crate::engine) count: usize,
    /// The digit of them that the element has, the high one first.
    pub(in crate::engine) digit: usize,
    pub(in crate::engine) grid: Grid,
}

/// The channels of an element as they are rounded.
struct Rounding<V> {
    scales: [V; 4],
    low: V,
    high: V,
}

impl<V: Copy> Rounding<V> {
    fn new<S: Simd<V = V>>(s: S, packing: &Packing, first: usize) -> Self {
        let mut scales = [s.splat(1.0); 4];
        for (scale, step) in scales.iter_mut().zip(packing.steps.iter().skip(first)) {
            *scale = s.splat(1.0 / step);
        }
        let (low, high) = (s.splat(packing.limits.0), s.splat(packing.limits.1));
        Self { scales, low, high }
    }

    /// The vector at a place of each channel as a vector of elements.
    ///
    /// # Safety
    /// The channels exist and have a vector at the place.
    #[inline(always)]
    unsafe fn element<S: Simd<V = V>>(&self, s: S, packing: &Packing, from: Channels, at: usize) -> V {
        let mut channels = [s.splat(0.0); 4];
        for (c, channel) in channels.iter_mut().enumerate().take(from.count) {
            // SAFETY: the channel has a vector at the place, by the contract above.
            *channel = unsafe { s.load(from.start.add(c * from.stride + at)) };
            if packing.format.whole() {
                *channel = s.min(s.max(s.mul(self.scales[c], *channel), self.low), self.high);
            }
        }
        packing.format.packed(s, channels, from.digit)
    }
}

impl Repack {
    /// From the places of one map to those of its operands.
    pub(in crate::engine) fn new(from: &Map, to: &Map, format: Format, lanes: usize) -> Self {
        if to.grid.rows == Rows::Planes {
            return Self::Planes(Planes::new(to.grid, to.channels, format.digits()));
        }
        let stride = to.grid.stride();
        match from.grid == to.grid {
            true => Self::Same { stride },
            false => Self::Moved {
                moves: Moves::new(from.grid, to.grid, lanes),
                stride,
            },
        }
    }

    /// Packs some channels into one element of operands.
    ///
    /// # Safety
    /// `from` describes channels that exist, with up to a vector more behind each; `to` points to operands of the map and grid that
    /// this was made for, whose element nobody else writes.
    #[inline(always)]
    pub(in crate::engine) unsafe fn run<S: Simd>(
        &self,
        s: S,
        packing: &Packing,
        from: Channels,
        to: *mut f32,
        element: usize,
    ) {
        let rounding = Rounding::new(s, packing, from.first);
        let vectors = (0..from.grid.positions()).step_by(S::LANES);
        // SAFETY: the channels of `from` exist with a vector more, and the operands have the element, by the contract above; a
        // channel's positions are whole cache lines, and the places that `moves` names are of the grid that it leads to.
        unsafe {
            match self {
                Self::Same { stride } => {
                    let to = to.add(element * stride);
                    for at in vectors {
                        s.store(to.add(at), rounding.element(s, packing, from, at));
                    }
                }
                Self::Moved { moves, stride } => {
                    let to = to.add(element * stride);
                    for at in vectors {
                        let word = rounding.element(s, packing, from, at);
                        for piece in &moves.pieces[at / S::LANES] {
                            s.store_masked(to.add(piece.place), piece.there, piece.of(s, word));
                        }
                    }
                    moves.outside.clear(s, to, 0..1);
                }
                Self::Planes(planes) => {
                    let word = |at: usize| rounding.element(s, packing, from, at);
                    ordered(s, planes, from.grid, to, element, word);
                }
            }
        }
    }
}

/// Stores an element's words, which `word` gives for each vector of the map's grid, in planes.
///
/// # Safety
/// `to` points to operands in planes of the grid, which have the element; nobody else writes it. The grid's rows are aligned.
#[inline(always)]
unsafe fn ordered<S: Simd>(
    s: S,
    planes: &Planes,
    grid: Grid,
    to: *mut f32,
    element: usize,
    word: impl Fn(usize) -> S::V,
) {
    // What fills up a row is zeros in the map, too; an operation may leave less than zeros there, and neighbours are made of them.
    let columns = first(grid.tile_columns());
    for phase in 0..grid.p * grid.p {
        for vector in 1..=planes.vectors() {
            let Some(row) = planes.row(vector) else { continue };
            let mut words = [s.splat(0.0); PIXELS / 4];
            for (part, out) in words.iter_mut().enumerate().take(PIXELS / S::LANES) {
                let lane = part * S::LANES;
                let at = phase * grid.phase() + row * grid.pitch() + lane;
                *out = s.keep(columns >> lane, word(at));
            }
            let spot = Spot {
                y: phase / grid.p,
                x: phase % grid.p,
                element,
                vector,
            };
            // SAFETY: the operands have the element, by the contract above, and the spot's phases and vector.
            unsafe { planes.store(s, to, spot, &words) };
        }
    }
    // SAFETY: the operands have the element, which nobody else writes.
    unsafe { planes.clear(s, to, element..element + 1) };
}

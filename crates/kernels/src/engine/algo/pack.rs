//! Packing: maps as operands of convolutions, by choice moved to another grid or ordered as planes.

use crate::engine::layout::grid::{Grid, Rows, first};
use crate::engine::layout::map::Map;
use crate::engine::layout::planes::{PIXELS, Planes, Words};
use crate::engine::layout::slots::{Outside, Piece, pieces};
use crate::engine::quant::format::{Format, Packing};
use crate::engine::simd::Simd;

/// The way from the places of a map to those of its operands.
#[derive(Debug)]
pub(in crate::engine) enum Repack {
    /// On the same grid; `stride` elements from one channel of operands to the next.
    Same { stride: usize },
    /// On another grid of the same map.
    Moved { moves: Moves, stride: usize },
    /// In planes.
    Planes(Planes),
}

/// The places of one grid as places of another grid of the same map.
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

/// The channels of an element as they are rounded: [`Repack::run`] alone makes one, of channels that exist.
struct Rounded<'a, V> {
    packing: &'a Packing,
    from: Channels,
    scales: [V; 4],
    low: V,
    high: V,
}

impl<'a, V: Copy> Rounded<'a, V> {
    fn new<S: Simd<V = V>>(s: S, packing: &'a Packing, from: Channels) -> Self {
        let mut scales = [s.splat(1.0); 4];
        for (scale, step) in scales.iter_mut().zip(packing.steps.iter().skip(from.first)) {
            *scale = s.splat(1.0 / step);
        }
        Self {
            packing,
            from,
            scales,
            low: s.splat(packing.limits.0),
            high: s.splat(packing.limits.1),
        }
    }

    /// The vector at a place of each channel, one of the grid's vectors, as a vector of elements.
    #[inline(always)]
    fn element<S: Simd<V = V>>(&self, s: S, at: usize) -> V {
        let Self { packing, from, .. } = self;
        let mut channels = [s.splat(0.0); 4];
        for (c, channel) in channels.iter_mut().enumerate().take(from.count) {
            // SAFETY: the channels exist, with a vector more behind each than their places, by the contract of `Repack::run`.
            *channel = unsafe { s.load(from.start.add(c * from.stride + at)) };
            if packing.format.whole() {
                *channel = s.min(s.max(s.mul(self.scales[c], *channel), self.low), self.high);
            }
        }
        packing.format.packed(s, channels, from.digit)
    }

    /// The words of a row of tiles in a phase, counted through all images.
    #[inline(always)]
    fn row<S: Simd<V = V>>(&self, s: S, phase: usize, row: usize) -> Words<V> {
        let grid = self.from.grid;
        // What fills up a row is zeros in the map, too; an operation may leave less than zeros there, and neighbours are made of them.
        let columns = first(grid.tile_columns());
        let mut words = [s.splat(0.0); PIXELS / 4];
        for (part, out) in words.iter_mut().enumerate().take(PIXELS / S::LANES) {
            let lane = part * S::LANES;
            let at = phase * grid.phase() + row * grid.pitch() + lane;
            *out = s.keep(columns >> lane, self.element(s, at));
        }
        words
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
        let rounded = Rounded::new(s, packing, from);
        let vectors = (0..from.grid.positions()).step_by(S::LANES);
        // SAFETY: the operands have the element, by the contract above. A channel's positions are whole cache lines, the places that
        // `moves` names are of the grid that it leads to, and `planes` has a line for each phase and vector.
        unsafe {
            match self {
                Self::Same { stride } => {
                    let to = to.add(element * stride);
                    for at in vectors {
                        s.store(to.add(at), rounded.element(s, at));
                    }
                }
                Self::Moved { moves, stride } => {
                    let to = to.add(element * stride);
                    for at in vectors {
                        let word = rounded.element(s, at);
                        for piece in &moves.pieces[at / S::LANES] {
                            s.store_masked(to.add(piece.place), piece.there, piece.of(s, word));
                        }
                    }
                    moves.outside.clear(s, to, 0..1);
                }
                Self::Planes(planes) => {
                    let p = from.grid.p;
                    for phase in 0..p * p {
                        let lines = planes.phase(phase / p, phase % p);
                        for vector in 1..=planes.vectors() {
                            let Some(row) = planes.row(vector) else { continue };
                            let words = rounded.row(s, phase, row);
                            lines.store(s, to, planes.line_of(element, vector), &words);
                        }
                    }
                    planes.clear(s, to, element..element + 1);
                }
            }
        }
    }
}

//! Packing: maps as operands of convolutions, by choice moved to another grid.

use crate::engine::layout::grid::Grid;
use crate::engine::layout::slots::{Outside, Piece, pieces};
use crate::engine::quant::format::Packing;
use crate::engine::simd::Simd;

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
}

/// The channels of a map that become one element of its operands.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Channels {
    /// The first channel.
    pub(in crate::engine) start: *const f32,
    /// Elements from one channel to the next.
    pub(in crate::engine) stride: usize,
    /// At most as many as an element holds.
    pub(in crate::engine) count: usize,
    /// Elements of a channel.
    pub(in crate::engine) positions: usize,
}

/// Packs the channels from `first` on into one channel of operands, on the same grid or moved to another.
///
/// # Safety
/// `from` describes channels that exist, with up to a vector more behind each; `to` points to a channel of operands, which nobody
/// else writes, on the grid that `moves` lead to where there are any.
#[inline(always)]
pub(in crate::engine) unsafe fn pack<S: Simd>(
    s: S,
    packing: &Packing,
    first: usize,
    from: Channels,
    to: *mut f32,
    moves: Option<&Moves>,
) {
    let limits = packing.limits;
    let mut scales = [s.splat(1.0); 4];
    for (scale, step) in scales.iter_mut().zip(packing.steps.iter().skip(first)) {
        *scale = s.splat(1.0 / step);
    }
    let (low, high) = (s.splat(limits.0), s.splat(limits.1));
    // SAFETY: the channels of `from` exist with a vector more, and a channel of operands is behind `to`, by the contract above; a
    // channel's positions are whole cache lines, and the places that `moves` names are of the grid that it leads to.
    unsafe {
        for at in (0..from.positions).step_by(S::LANES) {
            let mut channels = [s.splat(0.0); 4];
            for (c, channel) in channels.iter_mut().enumerate().take(from.count) {
                *channel = s.load(from.start.add(c * from.stride + at));
                if packing.format.whole() {
                    *channel = s.min(s.max(s.mul(scales[c], *channel), low), high);
                }
            }
            let element = packing.format.packed(s, channels);
            let Some(moves) = moves else {
                s.store(to.add(at), element);
                continue;
            };
            for piece in &moves.pieces[at / S::LANES] {
                s.store_masked(to.add(piece.place), piece.there, piece.of(s, element));
            }
        }
        if let Some(moves) = moves {
            moves.outside.clear(s, to, 0..1);
        }
    }
}

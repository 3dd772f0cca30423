//! The end of the sums of a group: scale, bias, a map that is added, ReLU, and stores as a map and as operands.

use super::{Piece, PlaneTiles};
use crate::engine::algo::conv::{Epilogue, Io};
use crate::engine::layout::grid::first;
use crate::engine::layout::map::Map;
use crate::engine::layout::planes::{PIXELS, Planes, Spot, Words};
use crate::engine::layout::tiling::Part;
use crate::engine::micro::matrix::{Line, Operand, ROWS, SUMS, VECTORS, joined};
use crate::engine::quant::format::Packing;
use crate::engine::simd::{Simd, Work};

/// The conversion of the output of a convolution to operands, in planes.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) planes: Planes,
    /// Elements of all channels and digits.
    pub(super) elements: usize,
    digits: usize,
    /// The factor of each channel; empty for a format with a point of its own.
    scales: Vec<f32>,
    /// The least and the largest whole number.
    limits: (f32, f32),
}

impl Outgoing {
    /// Operands of a map.
    pub(super) fn new(packing: &Packing, to: &Map) -> Self {
        Self {
            planes: Planes::new(to.grid, to.channels, packing.format.digits()),
            elements: to.channels,
            digits: packing.format.digits(),
            scales: packing.steps.iter().map(|step| 1.0 / step).collect(),
            limits: packing.limits,
        }
    }

    /// A vector of a channel in steps, saturated.
    ///
    /// # Safety
    /// The format has steps, and the channel is one of the layer's.
    #[inline(always)]
    unsafe fn scaled<S: Simd>(&self, s: S, channel: usize, v: S::V) -> S::V {
        // SAFETY: `Op::check` has counted the scales of a format of whole numbers.
        let scale = s.splat(unsafe { *self.scales.get_unchecked(channel) });
        s.min(
            s.max(s.mul(scale, v), s.splat(self.limits.0)),
            s.splat(self.limits.1),
        )
    }
}

/// Finishes the sums of a piece: [`PlaneTiles::run`] alone makes one, of its own part.
pub(super) struct Finish<'a> {
    pub(super) conv: &'a PlaneTiles,
    pub(super) io: Io,
    pub(super) epilogue: Epilogue,
    pub(super) piece: Piece,
    /// See [`PlaneTiles::sums`].
    pub(super) sums: &'a [[Line; SUMS]],
    /// The part of its blocks in rows of tiles.
    pub(super) part: Part,
}

impl<S: Simd> Work<S> for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self, s: S) {
        // What is the same for all vectors is decided once, not for each.
        let sum = !self.io.residual.is_null();
        let map = !self.io.output.is_null();
        macro_rules! units {
            ($q:literal, $d:literal) => {
                match (sum, map, &self.conv.outgoing) {
                    (false, true, None) => self.units::<S, $q, $d, false, true>(s, None),
                    (true, true, None) => self.units::<S, $q, $d, true, true>(s, None),
                    (false, true, to) => self.units::<S, $q, $d, false, true>(s, to.as_ref()),
                    (true, true, to) => self.units::<S, $q, $d, true, true>(s, to.as_ref()),
                    (false, false, to) => self.units::<S, $q, $d, false, false>(s, to.as_ref()),
                    (true, false, to) => self.units::<S, $q, $d, true, false>(s, to.as_ref()),
                }
            };
        }
        match (self.conv.operand, self.conv.digits) {
            (Operand::Bf16, _) => units!(2, 1),
            (Operand::I8U8 | Operand::I8I8 | Operand::U8I8 | Operand::U8U8, 1) => units!(4, 1),
            (Operand::I8U8 | Operand::I8I8 | Operand::U8I8 | Operand::U8U8, _) => units!(4, 2),
        }
    }
}

impl Finish<'_> {
    /// Finishes `Q` channels at a time, those of an element, of numbers of `D` digits: whether there is a map to add (`SUM`) and one
    /// to store (`MAP`), and operands to write.
    #[inline(always)]
    fn units<S: Simd, const Q: usize, const D: usize, const SUM: bool, const MAP: bool>(
        &self,
        s: S,
        outgoing: Option<&Outgoing>,
    ) {
        let (conv, Piece { group, phase, pair }) = (self.conv, self.piece);
        let start = group * conv.rows();
        let rows = conv.shape.rows();
        let (y, x) = (phase / conv.output.p, phase % conv.output.p);
        let columns = first(conv.output.tile_columns());
        let blocks = conv.shape.blocks();
        let own = self.part.range(VECTORS * blocks);
        for (v, of) in conv.pairs[pair].iter().enumerate() {
            let Some(of) = of else { continue };
            // Rows below the map are zeros, as is what fills up a line.
            let inside = if of.y + y < conv.output.h { columns } else { 0 };
            let place = phase * conv.output.phase() + of.place;
            for block in own.start.max(v * blocks)..own.end.min((v + 1) * blocks) {
                let block = block - v * blocks;
                let first = (block * VECTORS + v) * ROWS;
                for unit in 0..rows / Q {
                    let channel = start + block * rows + unit * Q;
                    if channel >= conv.outputs {
                        break;
                    }
                    let unit = Unit {
                        channel,
                        count: Q.min(conv.outputs - channel),
                        line: first + unit * Q,
                        place,
                        inside,
                    };
                    let words = self.unit::<S, Q, D, SUM, MAP>(s, &unit, outgoing);
                    let Some(outgoing) = outgoing else { continue };
                    let of_digit = outgoing.elements / outgoing.digits;
                    for (digit, words) in words.iter().enumerate().take(outgoing.digits) {
                        let spot = Spot {
                            y,
                            x,
                            element: digit * of_digit + channel / Q,
                            vector: 1 + pair * VECTORS + v,
                        };
                        // SAFETY: the operands are the layer's, with an element for each digit of `Q` channels and a line for each vector with a row
                        // of tiles, which this part alone computes.
                        unsafe { outgoing.planes.store(s, self.io.operands, spot, words) };
                    }
                }
            }
        }
    }

    /// Finishes some channels of a vector; returns them as operands, digit by digit.
    #[inline(always)]
    fn unit<S: Simd, const Q: usize, const D: usize, const SUM: bool, const MAP: bool>(
        &self,
        s: S,
        unit: &Unit,
        outgoing: Option<&Outgoing>,
    ) -> [Words<S::V>; 2] {
        let Io { output, residual, .. } = self.io;
        let stride = self.conv.output.stride();
        let mut words = [[s.splat(0.0); PIXELS / 4]; 2];
        for part in 0..PIXELS / S::LANES {
            let lane = part * S::LANES;
            let mut values = [s.splat(0.0); 4];
            for c in 0..Q {
                if c >= unit.count {
                    break;
                }
                let channel = unit.channel + c;
                let at = channel * stride + unit.place + lane;
                // SAFETY: a line of sums has a vector at each multiple of the lanes, and there are `Q` of them in each of the piece's sums.
                // The channel is one of the layer's, with a bias and, where there are any, scales; the maps have a line at the place,
                // which this part alone writes. A map that is added is not null.
                unsafe {
                    let sum = |index: usize| {
                        let line = self.sums.get_unchecked(index).get_unchecked(unit.line + c);
                        s.load(line.0.as_ptr().cast::<f32>().add(lane))
                    };
                    let mut y = match (Q, D) {
                        (2, _) => self.epilogue.biased(s, sum(0), channel),
                        (_, 1) => self.epilogue.scaled_and_biased(s, s.to_f32(sum(0)), channel),
                        _ => {
                            let sum = joined(s, [0, 1, 2].map(sum));
                            self.epilogue.scaled_and_biased(s, sum, channel)
                        }
                    };
                    if SUM {
                        y = s.add(y, s.load(residual.add(at)));
                    }
                    y = s.keep(unit.inside >> lane, self.epilogue.rectified(s, y));
                    if MAP {
                        s.store(output.add(at), y);
                    }
                    values[c] = match outgoing {
                        Some(outgoing) if Q == 4 => outgoing.scaled(s, channel, y),
                        Some(_) | None => y,
                    };
                }
            }
            if let Some(outgoing) = outgoing {
                match (Q, outgoing.digits) {
                    (2, _) => words[0][part] = s.pairs_bf16(values[0], values[1]),
                    (_, 1) => words[0][part] = s.quads(values),
                    _ => [words[0][part], words[1][part]] = s.digits(values),
                }
            }
        }
        words
    }
}

/// The channels of an element in one row of tiles.
struct Unit {
    /// The first channel.
    channel: usize,
    /// As many as the element has.
    count: usize,
    /// The line of the first one's sums; the others' follow it.
    line: usize,
    /// The place of the row of tiles in a channel.
    place: usize,
    /// Lanes inside the map.
    inside: u32,
}

//! The end of the sums of a group: scale, bias, a map that is added, ReLU, and stores as a map and as operands.

use super::{Piece, PlaneTiles};
use crate::engine::algo::conv::{Epilogue, Io};
use crate::engine::layout::grid::first;
use crate::engine::layout::map::Map;
use crate::engine::layout::planes::{PIXELS, Phase, Planes, Words};
use crate::engine::micro::matrix::{Ahead, Beside, Line, Operand, ROWS, Sums, VECTORS, joined};
use crate::engine::quant::format::Packing;
use crate::engine::simd::{Simd, Step};

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
}

/// Finishes the sums of pieces, a few elements of outputs in each step: [`PlaneTiles::run`] alone makes one, of its own part.
///
/// A step is short, and what it reads first lies together here.
pub(super) struct Finish<'a, S> {
    s: S,
    io: Io,
    epilogue: Epilogue,
    /// Elements of one step.
    at_once: usize,
    /// Elements from one channel of a map to the next.
    stride: usize,
    /// The element that is finished next, all that a step changes: several numbers that the compiler stores as a vector and loads one
    /// by one would have the next step wait until the products before it have ended.
    element: usize,
    /// Elements of the piece.
    elements: usize,
    /// Elements of a block, and lines of sums from its last element to the next block.
    of_block: usize,
    behind_block: usize,
    /// The first channel.
    channel: usize,
    /// Channels of the layer.
    channels: usize,
    /// The line of operands of the first element and vector.
    line: usize,
    vectors: [Option<Vector>; VECTORS],
    /// See [`PlaneTiles::sums`].
    sums: [*const Line; 3],
    /// The line of the first element and vector of operands that are added, and lines from one element to the next.
    added: usize,
    added_pitch: usize,
    to: Option<To>,
    /// Weights that are fetched beside, too.
    pub(super) ahead: Ahead,
    /// Pairs of products between steps.
    every: usize,
    conv: &'a PlaneTiles,
}

/// A row of tiles in a phase of the output.
#[derive(Clone, Copy)]
struct Vector {
    /// Its place in a channel.
    place: usize,
    /// Lanes inside the map.
    inside: u32,
}

/// Where and how operands are written.
#[derive(Clone, Copy)]
struct To {
    phase: Phase,
    scales: *const f32,
    limits: [f32; 2],
    digits: usize,
    /// Lines from one digit to the next, and from one element.
    digit: usize,
    pitch: usize,
}

impl<'a, S: Simd> Finish<'a, S> {
    pub(super) fn new(s: S, conv: &'a PlaneTiles, io: Io, epilogue: Epilogue) -> Self {
        let (every, at_once) = conv.pace();
        let to = |Outgoing {
                      planes,
                      digits,
                      scales,
                      limits,
                      ..
                  }: &Outgoing| To {
            phase: Phase::default(),
            scales: scales.as_ptr(),
            limits: (*limits).into(),
            digits: *digits,
            digit: planes.digit(),
            pitch: planes.pitch(),
        };
        Self {
            s,
            io,
            epilogue,
            at_once,
            stride: conv.output.stride(),
            element: 0,
            elements: 0,
            of_block: conv.of_block(),
            behind_block: VECTORS * ROWS - conv.shape.rows(),
            channel: 0,
            channels: conv.outputs,
            line: 0,
            vectors: [None; VECTORS],
            sums: [std::ptr::null(); 3],
            added: 0,
            added_pitch: conv.own.map_or(0, |own| own.pitch()),
            to: conv.outgoing.as_ref().map(to),
            ahead: Ahead::NONE,
            every,
            conv,
        }
    }

    /// Goes on to a piece, whose sums these are.
    pub(super) fn begin(&mut self, Piece { group, phase, pair }: Piece, sums: &[Sums]) {
        debug_assert_eq!(self.element, self.elements, "the piece before has elements left");
        let conv = self.conv;
        let (channel, (y, x)) = (group * conv.rows(), conv.phases[phase]);
        let columns = first(conv.output.tile_columns());
        self.vectors = conv.pairs[pair].map(|row| {
            row.map(|row| Vector {
                place: phase * conv.output.phase() + row.place,
                // Rows below the map are zeros, as is what fills up a line.
                inside: if row.y + y < conv.output.h { columns } else { 0 },
            })
        });
        for (start, sums) in self.sums.iter_mut().zip(sums) {
            *start = sums.start();
        }
        let of_element = conv.operand.channels();
        self.element = 0;
        self.elements = conv.units().min((conv.outputs - channel).div_ceil(of_element));
        self.channel = channel;
        let (element, vector) = (channel / of_element, 1 + pair * VECTORS);
        let added = |own: Planes| own.phase(y, x).own + own.line_of(element, vector);
        self.added = conv.own.map_or(0, added);
        if let (Some(to), Some(Outgoing { planes, .. })) = (&mut self.to, &conv.outgoing) {
            to.phase = planes.phase(y, x);
            self.line = planes.line_of(element, vector);
        }
    }

    /// The steps that finish the piece.
    pub(super) fn beside(&mut self) -> Beside<'_> {
        // What is the same for all vectors is decided once, not for each.
        let map = !self.io.output.is_null();
        let sum = match (self.io.residual.is_null(), self.io.added.is_null()) {
            (true, true) => NOTHING,
            (false, _) => MAP,
            (true, false) => OPERANDS,
        };
        macro_rules! ends {
            ($q:literal, $d:literal, $sum:expr) => {
                if map {
                    self.as_ends::<$q, $d, { $sum }, true>()
                } else {
                    self.as_ends::<$q, $d, { $sum }, false>()
                }
            };
        }
        match (self.conv.operand, self.conv.digits, sum) {
            (Operand::Bf16, _, NOTHING) => ends!(2, 1, NOTHING),
            (Operand::Bf16, _, MAP) => ends!(2, 1, MAP),
            (Operand::Bf16, _, _) => ends!(2, 1, OPERANDS),
            (_, 1, NOTHING) => ends!(4, 1, NOTHING),
            (_, 1, _) => ends!(4, 1, MAP),
            (_, _, NOTHING) => ends!(4, 2, NOTHING),
            (_, _, _) => ends!(4, 2, MAP),
        }
    }

    fn as_ends<const Q: usize, const D: usize, const SUM: u8, const TO: bool>(&mut self) -> Beside<'_> {
        let (s, every) = (self.s, self.every);
        // SAFETY: the one is the other, transparently.
        let ends = unsafe { &mut *std::ptr::from_mut(self).cast::<Ends<'_, S, Q, D, SUM, TO>>() };
        Beside::new(s, every, ends)
    }

    /// Finishes the piece, with nothing beside.
    pub(super) fn all(&mut self) {
        for _ in 0..self.conv.units().div_ceil(self.at_once) {
            self.beside().step();
        }
    }
}

/// What a sum is added to, as parameters of [`Ends`].
const NOTHING: u8 = 0;
const MAP: u8 = 1;
const OPERANDS: u8 = 2;

/// The same for elements of `Q` channels of numbers of `D` digits, what is added (`SUM`) and whether a map is stored (`TO`).
#[repr(transparent)]
struct Ends<'a, S, const Q: usize, const D: usize, const SUM: u8, const TO: bool>(Finish<'a, S>);

impl<S: Simd, const Q: usize, const D: usize, const SUM: u8, const TO: bool> Step
    for Ends<'_, S, Q, D, SUM, TO>
{
    #[inline(always)]
    fn step(&mut self) {
        self.0.ahead.fetch(self.0.s);
        for _ in 0..self.0.at_once {
            let finish = &mut self.0;
            let element = finish.element;
            if element == finish.elements {
                return;
            }
            finish.element += 1;
            match finish.vectors {
                [Some(first), Some(second)] => self.element(element, [first, second], 0),
                [Some(vector), None] => self.element(element, [vector], 0),
                [None, Some(vector)] => self.element(element, [vector], 1),
                [None, None] => {}
            }
        }
    }
}

impl<S: Simd, const Q: usize, const D: usize, const SUM: u8, const TO: bool> Ends<'_, S, Q, D, SUM, TO> {
    /// Finishes an element of `N` vectors, of which the first is the piece's vector `from`.
    #[inline(always)]
    fn element<const N: usize>(&self, element: usize, vectors: [Vector; N], from: usize) {
        // Copies: what is stored might change what lies behind a reference, for all the compiler knows.
        let Finish {
            s,
            io,
            epilogue,
            stride,
            of_block,
            sums,
            to,
            ..
        } = self.0;
        let first = self.0.channel + element * Q;
        // Of three at most.
        let block = usize::from(element >= of_block) + usize::from(element >= 2 * of_block);
        let first_line = element * Q + block * self.0.behind_block;
        let [low, high] = to.map_or([0.0; 2], |to| to.limits).map(|limit| s.splat(limit));
        let left = self.0.channels - first;
        let mut words: [[Words<S::V>; 2]; N] = [[[s.splat(0.0); PIXELS / 4]; 2]; N];
        for part in 0..PIXELS / S::LANES {
            let lane = part * S::LANES;
            let mut values = [[s.splat(0.0); 4]; N];
            let mut added = [[s.splat(0.0); 2]; N];
            if SUM == OPERANDS {
                for (v, added) in added.iter_mut().enumerate() {
                    let line = self.0.added + element * self.0.added_pitch + from + v;
                    // SAFETY: operands that are added are not null, and have a line for each element and row of tiles, as `Op::check` found.
                    *added = s.widen_bf16(unsafe { s.load(io.added.add(line * PIXELS + lane)) });
                }
            }
            for c in 0..Q {
                if c >= left {
                    break;
                }
                let channel = first + c;
                for (v, Vector { place, inside }) in vectors.iter().enumerate() {
                    let at = channel * stride + place + lane;
                    // SAFETY: a line of sums has a vector at each multiple of the lanes, and there are `Q` of them in each of the piece's sums.
                    // The channel is one of the layer's, with a bias and, where there are any, scales: `Op::check` has counted those of
                    // operands of whole numbers. The maps have a line at the place, which this part alone writes. A map that is added is
                    // not null.
                    unsafe {
                        let sum = |index: usize| {
                            let line = sums[index].add(first_line + c + (from + v) * ROWS);
                            s.load(line.cast::<f32>().add(lane))
                        };
                        let mut y = match (Q, D) {
                            (2, _) => epilogue.biased(s, sum(0), channel),
                            (_, 1) => epilogue.scaled_and_biased(s, s.to_f32(sum(0)), channel),
                            _ => epilogue.scaled_and_biased(s, joined(s, [0, 1, 2].map(sum)), channel),
                        };
                        match SUM {
                            MAP => y = s.add(y, s.load(io.residual.add(at))),
                            OPERANDS => y = s.add(y, added[v][c % 2]),
                            _ => {}
                        }
                        y = s.keep(inside >> lane, epilogue.rectified(s, y));
                        if TO {
                            s.store(io.output.add(at), y);
                        }
                        values[v][c] = match to {
                            Some(To { scales, .. }) if Q == 4 => {
                                let scaled = s.mul(s.splat(*scales.add(channel)), y);
                                s.min(s.max(scaled, low), high)
                            }
                            Some(_) | None => y,
                        };
                    }
                }
            }
            let Some(to) = to else { continue };
            for (words, values) in words.iter_mut().zip(values) {
                match (Q, to.digits) {
                    (2, _) => words[0][part] = s.pairs_bf16(values[0], values[1]),
                    (_, 1) => words[0][part] = s.quads(values),
                    _ => [words[0][part], words[1][part]] = s.digits(values),
                }
            }
        }
        let Some(to) = to else { return };
        for (v, words) in words.iter().enumerate() {
            for (digit, words) in words.iter().enumerate().take(to.digits) {
                let line = self.0.line + element * to.pitch + digit * to.digit + from + v;
                // SAFETY: the operands are the layer's, with an element for each digit of `Q` channels and a line for each vector with a
                // row of tiles, which this part alone computes.
                unsafe { to.phase.store(s, io.operands, line, words) };
            }
        }
    }
}

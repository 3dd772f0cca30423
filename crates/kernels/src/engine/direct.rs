//! Convolutions as one matrix product: the pixels that each output needs are gathered into a panel first, or, where a
//! 1x1 convolution takes them as they lie, not at all.

use std::ops::Range;

use super::conv::{Epilogue, Io};
use super::gemm;
use super::grid::{Grid, first};
use super::packed::Packed;
use super::simd::{MAX_LANES, Simd};

/// A prepared convolution.
#[derive(Debug)]
pub(super) struct Direct {
    input: Grid,
    output: Grid,
    inputs: usize,
    outputs: usize,
    rows: usize,
    most: usize,
    /// `[block of rows][tap][input][row]`.
    weights: Packed,
    slots: Vec<Slot>,
    /// The taps of each output phase; none where the input is taken as it lies.
    taps: Vec<Vec<Tap>>,
    /// Where the lanes of each slot go, if they do not lie together on the output's grid.
    scatter: Option<Scatter>,
}

/// Stores to places that do not lie together.
#[derive(Debug)]
struct Scatter {
    /// The place of each lane of each slot.
    targets: Vec<[u32; MAX_LANES]>,
    /// The places of a channel outside the map, which no slot stores.
    outside: Vec<u32>,
}

/// A vector of output places.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The output phase on the input's tiles.
    phase: usize,
    /// The vector of tiles, or of places where the input is taken as it lies.
    vector: usize,
    /// The first lane's place in an output channel.
    place: usize,
    /// Lanes that exist.
    there: u32,
    /// Lanes that lie inside the map.
    inside: u32,
}

/// Where one element of a 3x3 kernel finds its pixels.
#[derive(Debug)]
struct Tap {
    /// From a place of the slot's vector to the pixel's.
    offset: isize,
    /// Which tiles of each vector have it.
    masks: Vec<u32>,
}

/// The longest sum that is kept in one register: a sum of sums rounds less than one long sum.
const RUN: usize = 288;

/// A place that is not stored.
const NOWHERE: u32 = u32::MAX;

impl Direct {
    /// A convolution of `kernel` 1 or 3 with weights `[outputs, inputs, kernel, kernel]`.
    pub(super) fn new(
        (input, output): (Grid, Grid),
        (inputs, outputs): (usize, usize),
        (kernel, stride): (usize, usize),
        weights: &[f32],
        lanes: usize,
        wide: bool,
    ) -> Self {
        let flat = kernel == 1 && stride == 1;
        // What comes out on the tiles of the input, whatever grid it is stored on.
        let natural = Grid {
            p: input.p / stride,
            ..output
        };
        let slots = if flat {
            flat_slots(output, lanes)
        } else {
            phase_slots(natural, lanes)
        };
        let (rows, most) = gemm::rows(outputs, slots.len(), wide);
        let scattered = natural.p != output.p || natural.tiles() != output.tiles();
        let taps = if flat {
            Vec::new()
        } else {
            taps(input, natural.p, (kernel, stride), lanes)
        };
        Self {
            input,
            output,
            inputs,
            outputs,
            rows,
            most,
            weights: Packed::new(packed((inputs, outputs), kernel * kernel, rows, weights)),
            scatter: scattered.then(|| Scatter {
                targets: slots
                    .iter()
                    .map(|slot| targets(natural, output, slot, lanes))
                    .collect(),
                outside: outside(output),
            }),
            slots,
            taps,
        }
    }

    pub(super) fn vectors(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn blocks(&self) -> usize {
        self.outputs.div_ceil(self.rows)
    }

    pub(super) fn weights(&self) -> &Packed {
        &self.weights
    }

    pub(super) fn weights_mut(&mut self) -> &mut Packed {
        &mut self.weights
    }

    fn depth(&self) -> usize {
        self.inputs * self.taps.first().map_or(1, Vec::len)
    }

    /// Elements of scratch memory that a thread needs.
    pub(super) fn scratch(&self, lanes: usize) -> usize {
        let width = self.most.min(self.vectors()) * lanes;
        (self.depth() + self.rows) * width
    }

    /// Computes the places of the slots `vectors` for the channels of `blocks`.
    ///
    /// # Safety
    /// As for `Winograd::run`.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(
        &self,
        io: Io,
        epilogue: Epilogue,
        (vectors, blocks): (Range<usize>, Range<usize>),
        scratch: *mut f32,
    ) {
        let count = vectors.len().div_ceil(self.most);
        let mut start = vectors.start;
        for part in 0..count {
            let nv = (vectors.end - start).div_ceil(count - part);
            let width = nv * S::LANES;
            // SAFETY: the caller's.
            unsafe {
                let sums = scratch.add(self.depth() * self.most.min(self.vectors()) * S::LANES);
                let panel = if self.taps.is_empty() {
                    (io.input.add(self.slots[start].place), self.input.stride())
                } else {
                    self.gather::<S>(io.input, start, nv, scratch);
                    (scratch.cast_const(), width)
                };
                for block in blocks.clone() {
                    let a = self.weights.at(io.weights).add(block * self.depth() * self.rows);
                    for at in (0..self.depth()).step_by(RUN) {
                        gemm::product::<S>(
                            (self.rows, nv),
                            a.add(at * self.rows),
                            (panel.0.add(at * panel.1), panel.1),
                            RUN.min(self.depth() - at),
                            (sums, width),
                            at > 0,
                        );
                    }
                    self.finish::<S>(io, epilogue, block, start, nv, sums);
                }
            }
            start += nv;
        }
    }

    /// Copies the pixels of `nv` slots into a panel `[tap][input][lane]`.
    #[inline(always)]
    unsafe fn gather<S: Simd>(&self, input: *const f32, start: usize, nv: usize, panel: *mut f32) {
        let width = nv * S::LANES;
        let stride = self.input.stride();
        for v in 0..nv {
            let slot = &self.slots[start + v];
            for (t, tap) in self.taps[slot.phase].iter().enumerate() {
                let mask = tap.masks[slot.vector];
                // SAFETY: the caller's; a masked lane is not touched.
                unsafe {
                    let from = input.add(slot.vector * S::LANES).wrapping_offset(tap.offset);
                    let to = panel.add(t * self.inputs * width + v * S::LANES);
                    for ci in 0..self.inputs {
                        let pixels = S::load_masked(from.wrapping_add(ci * stride), mask);
                        S::store(to.add(ci * width), pixels);
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn finish<S: Simd>(
        &self,
        io: Io,
        epilogue: Epilogue,
        block: usize,
        start: usize,
        nv: usize,
        sums: *const f32,
    ) {
        let rows = self.rows.min(self.outputs - block * self.rows);
        let stride = self.output.stride();
        for r in 0..rows {
            let channel = block * self.rows + r;
            for v in 0..nv {
                let slot = &self.slots[start + v];
                // SAFETY: the caller's; only lanes that exist are stored.
                unsafe {
                    let sum = S::load(sums.add((r * nv + v) * S::LANES));
                    if let Some(scatter) = &self.scatter {
                        scatter.store::<S>(io, epilogue, (channel, channel * stride), start + v, sum);
                    } else {
                        let at = channel * stride + slot.place;
                        let y = epilogue.apply::<S>(sum, channel, io.residual, at, slot.there);
                        S::store_masked(io.output.add(at), slot.there, S::keep(slot.inside, y));
                    }
                }
            }
        }
    }
}

impl Scatter {
    /// Stores one slot of a channel that begins at `base`, and with the first slot the zeros outside the map.
    #[inline(always)]
    unsafe fn store<S: Simd>(
        &self,
        io: Io,
        epilogue: Epilogue,
        (channel, base): (usize, usize),
        slot: usize,
        sum: S::V,
    ) {
        let mut lanes = [0.0_f32; MAX_LANES];
        // SAFETY: the caller's; every target is a place of the output's channel.
        unsafe {
            S::store(lanes.as_mut_ptr(), sum);
            for lane in 0..S::LANES {
                let place = self.targets[slot][lane];
                if place != NOWHERE {
                    let at = base + place as usize;
                    *io.output.add(at) = epilogue.apply_one(lanes[lane], channel, io.residual, at);
                }
            }
            if slot == 0 {
                for place in &self.outside {
                    *io.output.add(base + *place as usize) = 0.0;
                }
            }
        }
    }
}

fn flat_slots(grid: Grid, lanes: usize) -> Vec<Slot> {
    let inside = grid.flat_masks(lanes);
    let slot = |(vector, inside): (usize, u32)| Slot {
        phase: 0,
        vector,
        place: vector * lanes,
        there: first(grid.positions() - vector * lanes) & first(lanes),
        inside,
    };
    inside.into_iter().enumerate().map(slot).collect()
}

fn phase_slots(natural: Grid, lanes: usize) -> Vec<Slot> {
    let tiles = natural.tiles();
    (0..natural.p * natural.p)
        .flat_map(|phase| {
            let masks = natural.inside_masks(phase, lanes);
            masks.into_iter().enumerate().map(move |(vector, inside)| Slot {
                phase,
                vector,
                place: phase * tiles + vector * lanes,
                there: first(tiles - vector * lanes) & first(lanes),
                inside,
            })
        })
        .collect()
}

/// For each output phase, where each element of the kernel finds its pixels on the input's grid.
fn taps(input: Grid, phases: usize, (kernel, stride): (usize, usize), lanes: usize) -> Vec<Vec<Tap>> {
    let p = input.p.cast_signed();
    let pad = (kernel.cast_signed() - 1) / 2;
    let columns = input.tile_columns().cast_signed();
    let along = |phase: usize, i: usize| {
        let pixel = (stride * phase + i).cast_signed() - pad;
        (pixel.rem_euclid(p), pixel.div_euclid(p))
    };
    (0..phases * phases)
        .map(|phase| {
            (0..kernel * kernel)
                .map(|t| {
                    let (py, dy) = along(phase / phases, t / kernel);
                    let (px, dx) = along(phase % phases, t % kernel);
                    Tap {
                        offset: (py * p + px) * input.tiles().cast_signed() + dy * columns + dx,
                        masks: input.neighbour_masks(dy, dx, lanes),
                    }
                })
                .collect()
        })
        .collect()
}

/// The places of a channel that lie outside the map.
fn outside(grid: Grid) -> Vec<u32> {
    (0..grid.positions())
        .filter(|place| grid.pixel(*place).is_none())
        .map(|place| u32::try_from(place).expect("a map of fewer than four thousand million pixels"))
        .collect()
}

/// Where the lanes of a slot on the natural grid go on the output's.
fn targets(natural: Grid, output: Grid, slot: &Slot, lanes: usize) -> [u32; MAX_LANES] {
    std::array::from_fn(|lane| {
        let pixel = (lane < lanes && slot.there >> lane & 1 == 1).then(|| natural.pixel(slot.place + lane));
        pixel.flatten().map_or(NOWHERE, |(n, y, x)| {
            u32::try_from(output.place(n, y, x)).expect("a map of fewer than four thousand million pixels")
        })
    })
}

/// Weights as `[block of rows][tap][input][row]` with absent rows at 0.
fn packed((inputs, outputs): (usize, usize), taps: usize, rows: usize, weights: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; outputs.div_ceil(rows) * taps * inputs * rows];
    for (index, weight) in weights.iter().enumerate() {
        let (output, input, tap) = (index / taps / inputs, index / taps % inputs, index % taps);
        out[((output / rows * taps + tap) * inputs + input) * rows + output % rows] = *weight;
    }
    out
}

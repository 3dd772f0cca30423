use std::ops::Range;

use super::{Avx2, BLOCK, CHANNELS, Extent, Geometry, Image, LANES};

/// Fraction bits of a weight; Pillow's `PRECISION_BITS`, which leaves 8 bits for the pixel and two for sums.
pub(super) const PRECISION: u32 = 32 - 8 - 2;
/// Half of the last bit that is kept.
pub(super) const HALF: i32 = 1 << (PRECISION - 1);
/// Vectors multiply 16-bit numbers, so a weight is two of them: what is above this bit, and what is below.
pub(super) const SPLIT: u32 = 11;

/// A filter: how far it reaches at a scale of 1, and its weight at a distance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    support: f64,
    weight: fn(f64) -> f64,
}

pub(super) const BILINEAR: Filter = Filter {
    support: 1.0,
    weight: |x| (1.0 - x.abs()).max(0.0),
};

pub(super) const BICUBIC: Filter = Filter {
    support: 2.0,
    weight: |x| {
        const A: f64 = -0.5;
        match x.abs() {
            x if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            x if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        }
    },
};

/// The axis that is filtered first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Rows, as Pillow does up to 12.
    Across,
    /// Columns where the image is tall, as Pillow 13 does.
    ByShape,
}

/// Pillow's `Image.resize` of 8-bit images, after its `Resample.c`.
#[derive(Clone, Debug)]
pub(super) struct Antialiased {
    filter: Filter,
    order: Order,
    /// Columns are filtered first.
    down_first: bool,
    columns: Axis,
    rows: Axis,
    fours: Fours,
    ring: Ring,
    down: Down,
}

impl Antialiased {
    pub(super) fn new(filter: Filter, order: Order) -> Self {
        Self {
            filter,
            order,
            down_first: false,
            down: Down::default(),
            columns: Axis::default(),
            rows: Axis::default(),
            fours: Fours::default(),
            ring: Ring::default(),
        }
    }

    pub(super) fn prepare(&mut self, geometry: &Geometry) {
        let Geometry {
            source,
            target,
            window,
        } = geometry;
        let columns = window.left..window.left + window.extent.width;
        let rows = window.top..window.top + window.extent.height;
        self.columns
            .prepare(self.filter, source.width, target.width, columns);
        self.rows.prepare(self.filter, source.height, target.height, rows);
        self.down_first = self.order == Order::ByShape && is_tall(*source, *target);
        self.fours.prepare(&self.columns);
        self.ring.resize(self.rows.taps, window.extent.width * LANES);
    }

    pub(super) fn run(
        &mut self,
        unit: Option<Avx2>,
        image: Image,
        line: &mut [u8],
        mut row: impl FnMut(usize, &[u8]),
    ) {
        let Self {
            columns,
            rows,
            fours,
            ring,
            down,
            ..
        } = self;
        if self.down_first {
            for y in 0..rows.spans.len() {
                filter_columns(down.row(image, columns, rows.at(y)), columns, line);
                row(y, line);
            }
            return;
        }
        let (first, end) = rows.reach();
        let mut made = first;
        for y in 0..rows.spans.len() {
            let (span, weights) = rows.at(y);
            while made < span.end {
                let count = ROWS.min(end - made);
                let sources: [&[u8]; ROWS] =
                    std::array::from_fn(|i| image.rows_from(made + i.min(count - 1)));
                let lines = ring.block(made - first);
                match unit {
                    Some(unit) if unit.filter_columns(sources, fours, lines) => {}
                    _ => {
                        let lines = lines.chunks_exact_mut(lines.len() / ROWS);
                        for (source, line) in sources.into_iter().zip(lines).take(count) {
                            filter_columns(source, columns, line);
                        }
                    }
                }
                made += ROWS;
            }
            let parts = ring.rows(span.start - first, weights);
            match unit {
                Some(unit) => unit.filter_rows(parts, line),
                None => filter_rows(parts, line),
            }
            row(y, line);
        }
    }
}

/// Returns `true` if Pillow 13 filters the columns of an image first: its height is reduced by more than twice what its width is.
fn is_tall(source: Extent, target: Extent) -> bool {
    let down = source.height.saturating_sub(target.height);
    let across = source.width.saturating_sub(target.width);
    down > 2 * across
}

/// A row of the image that is filtered downwards, and not yet across.
#[derive(Clone, Debug, Default)]
struct Down {
    sums: Vec<i32>,
    bytes: Vec<u8>,
}

impl Down {
    /// The row of these source rows and weights, as wide as the image; only what the columns need is there.
    fn row(&mut self, image: Image, columns: &Axis, (span, weights): (Range<usize>, &[i32])) -> &[u8] {
        let (first, end) = columns.reach();
        let needed = first * CHANNELS..end * CHANNELS;
        self.sums.clear();
        self.sums.resize(needed.len(), HALF);
        for (row, weight) in span.zip(weights) {
            for (sum, value) in self.sums.iter_mut().zip(&image.rows_from(row)[needed.clone()]) {
                *sum += i32::from(*value) * weight;
            }
        }
        self.bytes.resize(needed.end, 0);
        for (byte, sum) in self.bytes[needed].iter_mut().zip(&self.sums) {
            *byte = self::byte(*sum);
        }
        &self.bytes
    }
}

/// The source pixels and weights of the positions of one side of the window.
#[derive(Clone, Debug, Default)]
struct Axis {
    /// Source positions of each.
    spans: Vec<Range<usize>>,
    /// Their weights, [`Axis::taps`] for each; those beyond its span are 0.
    weights: Vec<i32>,
    /// The most positions that one needs.
    taps: usize,
    floats: Vec<f64>,
}

impl Axis {
    fn prepare(&mut self, filter: Filter, source: usize, target: usize, window: Range<usize>) {
        let scale = source as f64 / target as f64;
        let stretch = scale.max(1.0);
        let support = filter.support * stretch;
        let shrink = 1.0 / stretch;
        let centre = |i: usize| (i as f64 + 0.5) * scale;
        let span = |i: usize| {
            // As C truncates: what is negative is 0.
            let start = (centre(i) - support + 0.5) as usize;
            let end = (centre(i) + support + 0.5) as usize;
            start..end.min(source)
        };
        self.spans.clear();
        self.spans.extend(window.clone().map(span));
        self.taps = self.spans.iter().map(Range::len).max().unwrap_or(0);
        self.weights.clear();
        self.weights.resize(self.taps * self.spans.len(), 0);
        let weights = self.weights.chunks_exact_mut(self.taps.max(1));
        for ((i, span), weights) in window.zip(&self.spans).zip(weights) {
            self.floats.clear();
            self.floats.extend(
                span.clone()
                    .map(|x| (filter.weight)((x as f64 - centre(i) + 0.5) * shrink)),
            );
            let sum: f64 = self.floats.iter().sum();
            for (weight, float) in weights.iter_mut().zip(&self.floats) {
                let float = if sum == 0.0 { *float } else { float / sum };
                *weight = (float * f64::from(1 << PRECISION) + 0.5_f64.copysign(float)) as i32;
            }
        }
    }

    fn at(&self, i: usize) -> (Range<usize>, &[i32]) {
        let span = self.spans[i].clone();
        let weights = &self.weights[i * self.taps..][..span.len()];
        (span, weights)
    }

    /// The first source position that any needs, and the one after the last.
    fn reach(&self) -> (usize, usize) {
        let first = self.spans.first().map_or(0, |span| span.start);
        (first, self.spans.last().map_or(first, |span| span.end))
    }
}

/// The weights of columns as vectors want them: taps by fours, in two halves of two, each two for three channels.
#[derive(Clone, Debug, Default)]
pub(super) struct Fours {
    /// The offset of each column's first pixel, bytes.
    pub(super) bytes: Vec<usize>,
    /// Fours of each column.
    pub(super) count: usize,
    /// High and low parts, [`Fours::count`] for each column.
    pub(super) weights: Vec<[[i16; 16]; 2]>,
}

impl Fours {
    fn prepare(&mut self, columns: &Axis) {
        self.count = columns.taps.div_ceil(4);
        self.bytes.clear();
        self.bytes
            .extend(columns.spans.iter().map(|span| span.start * CHANNELS));
        self.weights.clear();
        for i in 0..columns.spans.len() {
            let (_, weights) = columns.at(i);
            for four in 0..self.count {
                let weight = |lane: usize| {
                    let tap = 4 * four + 2 * (lane / 8) + lane % 2;
                    // The fourth channel counts nothing: it would be the next pixel's.
                    let counts = lane % 8 < 2 * CHANNELS;
                    weights.get(tap).copied().filter(|_| counts).unwrap_or(0)
                };
                let high = std::array::from_fn(|lane| (weight(lane) >> SPLIT) as i16);
                let low = std::array::from_fn(|lane| (weight(lane) & ((1 << SPLIT) - 1)) as i16);
                self.weights.push([high, low]);
            }
        }
    }
}

/// The rows that are filtered at a time, so that weights are loaded once for all of them.
pub(super) const ROWS: usize = 4;

/// The horizontally filtered rows that are still needed, in a ring.
#[derive(Clone, Debug, Default)]
struct Ring {
    bytes: Vec<u8>,
    stride: usize,
    slots: usize,
}

impl Ring {
    /// Room for `taps` rows and the block that is being made.
    fn resize(&mut self, taps: usize, bytes: usize) {
        self.stride = bytes.next_multiple_of(BLOCK);
        self.slots = (taps + ROWS).next_multiple_of(ROWS);
        self.bytes.resize(self.slots * self.stride, 0);
    }

    /// The block that begins with this row, a multiple of [`ROWS`].
    fn block(&mut self, row: usize) -> &mut [u8] {
        &mut self.bytes[row % self.slots * self.stride..][..ROWS * self.stride]
    }

    /// The rows from `row` on with their weights, in two parts: those to the ring's end, and those from its beginning.
    fn rows<'a>(&'a self, row: usize, weights: &'a [i32]) -> [Weighted<'a>; 2] {
        let slot = row % self.slots;
        let (before, after) = weights.split_at(weights.len().min(self.slots - slot));
        let part = |slot: usize, weights| Weighted {
            rows: &self.bytes[slot * self.stride..],
            weights,
        };
        [part(slot, before), part(0, after)]
    }
}

/// Rows one after the other, and a weight for each of the first.
#[derive(Clone, Copy)]
pub(super) struct Weighted<'a> {
    rows: &'a [u8],
    weights: &'a [i32],
}

fn filter_columns(source: &[u8], columns: &Axis, line: &mut [u8]) {
    for (i, out) in line.chunks_exact_mut(LANES).take(columns.spans.len()).enumerate() {
        let (span, weights) = columns.at(i);
        let pixels = &source[span.start * CHANNELS..span.end * CHANNELS];
        let mut sums = [HALF; CHANNELS];
        for (pixel, weight) in pixels.chunks_exact(CHANNELS).zip(weights) {
            for c in 0..CHANNELS {
                sums[c] += i32::from(pixel[c]) * weight;
            }
        }
        for c in 0..CHANNELS {
            out[c] = byte(sums[c]);
        }
    }
}

#[inline(always)]
pub(super) fn filter_rows(parts: [Weighted; 2], line: &mut [u8]) {
    let stride = line.len();
    for (block, out) in line.chunks_exact_mut(BLOCK).enumerate() {
        let mut sums = [HALF; BLOCK];
        for Weighted { rows, weights } in parts {
            for (row, weight) in rows.chunks_exact(stride).zip(weights) {
                for (sum, value) in sums.iter_mut().zip(&row[block * BLOCK..][..BLOCK]) {
                    *sum += i32::from(*value) * weight;
                }
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = byte(sum);
        }
    }
}

#[inline(always)]
fn byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

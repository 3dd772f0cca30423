//! Upsampling by an integer factor.

use crate::engine::layout::grid::Grid;
use crate::engine::simd::Simd;

/// The rule by which pixels are made that lie between those of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// Output pixel `i` is input pixel `floor(i / factor)`.
    Nearest,
    /// Linear in both directions between the centres of the nearest input pixels; beyond the outermost centres their values.
    Bilinear {
        /// `true` if the centres of the corner pixels lie on each other, `false` if their outer corners do.
        align_corners: bool,
    },
}

impl Interpolation {
    /// Returns the end of the operation's name.
    pub(in crate::engine) fn suffix(self) -> &'static str {
        match self {
            Self::Nearest => "",
            Self::Bilinear { align_corners: false } => " bilinear",
            Self::Bilinear { align_corners: true } => " bilinear, corners aligned",
        }
    }
}

/// The source of each output pixel.
#[derive(Debug)]
pub(in crate::engine) enum Upsampling {
    Nearest(Nearest),
    Bilinear(Bilinear),
}

impl Upsampling {
    /// From the grid of the small map to that of the large one, whose sides are the same multiple of the small one's.
    pub(in crate::engine) fn new(
        interpolation: Interpolation,
        small: Grid,
        large: Grid,
        lanes: usize,
    ) -> Self {
        match interpolation {
            Interpolation::Nearest => Self::Nearest(Nearest::new(small, large, large.h / small.h, lanes)),
            Interpolation::Bilinear { align_corners } => {
                Self::Bilinear(Bilinear::new(small, large, align_corners, lanes))
            }
        }
    }

    /// `y = sum + upsampled small`, or its ReLU, for one channel; a null `sum` stands for zeros.
    ///
    /// # Safety
    /// The pointers are to a channel of their grids; nobody else writes `y`; `S` has the lanes that the table was made for.
    #[inline(always)]
    pub(in crate::engine) unsafe fn run<S: Simd>(
        &self,
        s: S,
        small: *const f32,
        sum: *const f32,
        y: *mut f32,
        relu: bool,
    ) {
        let channel = Channel { small, sum, y, relu };
        match self {
            Self::Nearest(nearest) => nearest.run(s, channel),
            Self::Bilinear(bilinear) => bilinear.run(s, channel),
        }
    }
}

/// One channel of the maps, made by [`Upsampling::run`] alone, under its contract.
#[derive(Clone, Copy)]
struct Channel {
    small: *const f32,
    /// Null for zeros.
    sum: *const f32,
    y: *mut f32,
    relu: bool,
}

/// For each place of an upsampled map its pixel on the grid of the small one.
#[derive(Debug)]
pub(in crate::engine) struct Nearest {
    sources: Vec<Source>,
    /// Elements of one of the large map's phases.
    phase: usize,
    /// For each vector the places inside the map.
    inside: Vec<u32>,
}

/// The source that several phases of the large map share: neighbours come from one pixel.
#[derive(Debug)]
struct Source {
    /// The pixel's place for each tile.
    index: Vec<i32>,
    phases: Vec<usize>,
}

impl Nearest {
    pub(in crate::engine) fn new(small: Grid, large: Grid, factor: usize, lanes: usize) -> Self {
        let index = |phase: usize, tile: usize| {
            let (n, row, column) = large.tile(tile);
            let y = (row * large.p + phase / large.p) / factor;
            let x = (column * large.p + phase % large.p) / factor;
            // Outside of the map any pixel does.
            let place = small.place(n, y.min(small.h - 1), x.min(small.w - 1));
            i32::try_from(place).expect("a map of fewer than two thousand million pixels")
        };
        let mut sources: Vec<Source> = Vec::new();
        for phase in 0..large.p * large.p {
            let mut of_phase: Vec<i32> = (0..large.tiles()).map(|tile| index(phase, tile)).collect();
            of_phase.resize(large.phase(), 0);
            match sources.iter_mut().find(|source| source.index == of_phase) {
                Some(source) => source.phases.push(phase),
                None => sources.push(Source {
                    index: of_phase,
                    phases: vec![phase],
                }),
            }
        }
        Self {
            sources,
            phase: large.phase(),
            inside: large.flat_masks(lanes),
        }
    }

    /// As [`Upsampling::run`].
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, channel: Channel) {
        let Channel { small, sum, y, relu } = channel;
        let zero = s.splat(0.0);
        for Source { index, phases } in &self.sources {
            for tile in (0..self.phase).step_by(S::LANES) {
                // SAFETY: every index is a place of the small map's grid; a phase is whole vectors, so that each lies in the index, which has
                // an element a place, in the masks, one a vector of the large grid, and in the channels, which are there by the contract of
                // `Upsampling::run`.
                unsafe {
                    let pixels = s.gather(small, index.as_ptr().add(tile));
                    for phase in phases {
                        let at = phase * self.phase + tile;
                        let mut v = s.keep(*self.inside.get_unchecked(at / S::LANES), pixels);
                        if !sum.is_null() {
                            v = s.add(v, s.load(sum.add(at)));
                        }
                        if relu {
                            v = s.max(v, zero);
                        }
                        s.store(y.add(at), v);
                    }
                }
            }
        }
    }
}

/// For each place of the large map the four pixels between which it lies, and the shares of the lower and right ones.
#[derive(Debug)]
pub(in crate::engine) struct Bilinear {
    /// `[vector][upper left, upper right, lower left, lower right][lane]`: places on the small map's grid.
    index: Vec<i32>,
    /// `[vector][lower, right][lane]`.
    shares: Vec<f32>,
    /// For each vector the places inside the map.
    inside: Vec<u32>,
}

/// Two neighbouring pixels of an axis, and the second one's share.
#[derive(Clone, Copy, Default)]
struct Between {
    pixels: [usize; 2],
    share: f32,
}

impl Between {
    /// The pixels between which output pixel `i` lies, of an axis of `from` pixels that becomes one of `to`.
    ///
    /// Pixel `i` covers `i` to `i + 1` of the output, so its centre lies at `(i + 1/2) from / to` of the input, which is
    /// `(i + 1/2) from / to - 1/2` counted in centres. With aligned corners the centres of pixel 0 and of the last one lie on
    /// each other.
    fn of(i: usize, from: usize, to: usize, align_corners: bool) -> Self {
        let last = (from - 1) as f64;
        let position = match (align_corners, to) {
            (true, 0 | 1) => 0.0,
            (true, _) => i as f64 * last / (to - 1) as f64,
            (false, _) => (i as f64 + 0.5) * from as f64 / to as f64 - 0.5,
        };
        let position = position.clamp(0.0, last);
        let first = position.floor() as usize;
        Self {
            pixels: [first, (first + 1).min(from - 1)],
            share: (position - position.floor()) as f32,
        }
    }
}

impl Bilinear {
    fn new(small: Grid, large: Grid, align_corners: bool, lanes: usize) -> Self {
        let vectors = large.positions() / lanes;
        let mut table = Self {
            index: vec![0; vectors * 4 * lanes],
            shares: vec![0.0; vectors * 2 * lanes],
            inside: large.flat_masks(lanes),
        };
        for at in 0..large.positions() {
            // Outside of the map any pixel does.
            let Some((n, y, x)) = large.pixel(at) else {
                continue;
            };
            let row = Between::of(y, small.h, large.h, align_corners);
            let column = Between::of(x, small.w, large.w, align_corners);
            let (vector, lane) = (at / lanes, at % lanes);
            for (corner, [i, j]) in [[0, 0], [0, 1], [1, 0], [1, 1]].into_iter().enumerate() {
                let place = small.place(n, row.pixels[i], column.pixels[j]);
                let place = i32::try_from(place).expect("a map of fewer than two thousand million pixels");
                table.index[(vector * 4 + corner) * lanes + lane] = place;
            }
            table.shares[vector * 2 * lanes + lane] = row.share;
            table.shares[(vector * 2 + 1) * lanes + lane] = column.share;
        }
        table
    }

    /// As [`Upsampling::run`].
    #[inline(always)]
    fn run<S: Simd>(&self, s: S, channel: Channel) {
        let Channel { small, sum, y, relu } = channel;
        for (vector, inside) in self.inside.iter().enumerate() {
            let at = vector * S::LANES;
            // SAFETY: every index is a place of the small map; `new` has put four vectors of indices and two of shares in the
            // tables for each of `inside`; `y`, and `sum` where it is not null, hold the channel's whole vectors, by the contract of
            // `Upsampling::run`.
            unsafe {
                let index = self.index.as_ptr().add(4 * at);
                let pixel = |corner: usize| s.gather(small, index.add(corner * S::LANES));
                let shares = self.shares.as_ptr().add(2 * at);
                let (lower, right) = (s.load(shares), s.load(shares.add(S::LANES)));
                let upper_row = s.fma(right, s.sub(pixel(1), pixel(0)), pixel(0));
                let lower_row = s.fma(right, s.sub(pixel(3), pixel(2)), pixel(2));
                let mut v = s.fma(lower, s.sub(lower_row, upper_row), upper_row);
                v = s.keep(*inside, v);
                if !sum.is_null() {
                    v = s.add(v, s.load(sum.add(at)));
                }
                if relu {
                    v = s.max(v, s.splat(0.0));
                }
                s.store(y.add(at), v);
            }
        }
    }
}

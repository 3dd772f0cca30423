//! The layout of a map in memory: by channel, and within a channel by phase, so that a convolution's neighbours and a
//! Winograd tile's pixels are whole vectors.

use crate::engine::simd::MAX_LANES;

/// The place of every pixel of a batch of maps.
///
/// Pixel `(y, x)` of image `n` belongs to the tile `(y / p, x / p)`, `p` pixels wide, and to the phase
/// `(y % p, x % p)`. A channel holds its phases one after the other, each with the tiles of all images in order, from
/// one cache line's begin; channels lie [`Grid::stride`] elements apart. Pixels of a tile that lie outside the map are
/// kept at zero, and so is what fills up aligned rows of tiles; what fills up a phase's last line may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Grid {
    /// Images.
    pub n: usize,
    /// Rows of a map.
    pub h: usize,
    /// Columns of a map.
    pub w: usize,
    /// Side of a tile, pixels.
    pub p: usize,
    /// The order of the rows of tiles.
    pub rows: Rows,
}

/// The order of the rows of tiles of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rows {
    /// One after the other.
    Dense,
    /// Each from a cache line's begin.
    Aligned,
    /// As operands of tiles of a matrix unit, whose order is not by channel: packing writes them and convolutions alone read them.
    Planes,
}

impl Grid {
    /// Rows of tiles of one image.
    pub fn tile_rows(&self) -> usize {
        self.h.div_ceil(self.p)
    }

    /// Columns of tiles of one image.
    pub fn tile_columns(&self) -> usize {
        self.w.div_ceil(self.p)
    }

    /// The grid of the map whose operands lie on this one.
    pub(in crate::engine) fn of_map(self) -> Self {
        let rows = match self.rows {
            Rows::Dense => Rows::Dense,
            Rows::Aligned | Rows::Planes => Rows::Aligned,
        };
        Self { rows, ..self }
    }

    /// Tiles from one row of them to the next.
    pub fn pitch(&self) -> usize {
        match self.rows {
            Rows::Dense => self.tile_columns(),
            Rows::Aligned | Rows::Planes => self.tile_columns().next_multiple_of(MAX_LANES),
        }
    }

    /// Tiles of all images, with those that fill up aligned rows.
    pub fn tiles(&self) -> usize {
        self.n * self.tile_rows() * self.pitch()
    }

    /// Elements of a phase: its tiles, filled up to whole cache lines, which two threads then do not share.
    pub fn phase(&self) -> usize {
        self.tiles().next_multiple_of(MAX_LANES)
    }

    /// Elements of a channel, those outside the map included.
    pub fn positions(&self) -> usize {
        self.p * self.p * self.phase()
    }

    /// Elements from one channel to the next: an odd number of cache lines, so that the same pixel of many channels
    /// does not crowd few cache sets.
    pub fn stride(&self) -> usize {
        (self.positions().div_ceil(MAX_LANES) | 1) * MAX_LANES
    }

    /// [`Grid::stride`], or `None` where a side is 0 or there are more elements than can be counted.
    pub(in crate::engine) fn checked_stride(&self) -> Option<usize> {
        let Self { n, h, w, p, rows } = *self;
        if [n, h, w, p].contains(&0) {
            return None;
        }
        let columns = w.div_ceil(p);
        let pitch = match rows {
            Rows::Dense => columns,
            Rows::Aligned | Rows::Planes => columns.checked_next_multiple_of(MAX_LANES)?,
        };
        let tiles = n.checked_mul(h.div_ceil(p))?.checked_mul(pitch)?;
        let phase = tiles.checked_next_multiple_of(MAX_LANES)?;
        let positions = phase.checked_mul(p.checked_mul(p)?)?;
        (positions.div_ceil(MAX_LANES) | 1).checked_mul(MAX_LANES)
    }

    /// The place of a pixel in its channel.
    pub fn place(&self, n: usize, y: usize, x: usize) -> usize {
        let (p, rows) = (self.p, self.tile_rows());
        ((y % p) * p + x % p) * self.phase() + (n * rows + y / p) * self.pitch() + x / p
    }

    /// As [`Grid::place`], continued over the borders by whole tiles.
    pub(in crate::engine) fn signed_place(&self, n: usize, y: isize, x: isize) -> isize {
        let [p, rows, pitch] = [self.p, self.tile_rows(), self.pitch()].map(usize::cast_signed);
        let phase = y.rem_euclid(p) * p + x.rem_euclid(p);
        let row = n.cast_signed() * rows + y.div_euclid(p);
        phase * self.phase().cast_signed() + row * pitch + x.div_euclid(p)
    }

    /// The pixel at a place of a channel, or `None` where it lies outside the map.
    pub fn pixel(&self, place: usize) -> Option<(usize, usize, usize)> {
        let (phase, tile) = (place / self.phase(), place % self.phase());
        if tile >= self.tiles() {
            return None;
        }
        let (n, row, column) = self.tile(tile);
        let (y, x) = (row * self.p + phase / self.p, column * self.p + phase % self.p);
        (y < self.h && x < self.w).then_some((n, y, x))
    }

    /// Image, row and column of a tile; what fills up a row lies beyond the last column.
    pub(in crate::engine) fn tile(&self, tile: usize) -> (usize, usize, usize) {
        let (rows, pitch) = (self.tile_rows(), self.pitch());
        (tile / (rows * pitch), tile / pitch % rows, tile % pitch)
    }

    /// Returns `true` if the tile `(dy, dx)` away from this one exists.
    fn has_neighbour(&self, tile: usize, dy: isize, dx: isize) -> bool {
        let (_, row, column) = self.tile(tile);
        row.checked_add_signed(dy)
            .is_some_and(|row| row < self.tile_rows())
            && column
                .checked_add_signed(dx)
                .is_some_and(|column| column < self.tile_columns())
    }

    /// For each vector of `lanes` tiles, which of them have a neighbour `(dy, dx)` away.
    pub(in crate::engine) fn neighbour_masks(&self, dy: isize, dx: isize, lanes: usize) -> Vec<u32> {
        self.masks(self.tiles(), lanes, |tile| self.has_neighbour(tile, dy, dx))
    }

    /// For each vector of `lanes` tiles, which of them have their pixel of this phase inside the map.
    pub(in crate::engine) fn inside_masks(&self, phase: usize, lanes: usize) -> Vec<u32> {
        self.masks(self.tiles(), lanes, |tile| {
            self.pixel(phase * self.phase() + tile).is_some()
        })
    }

    /// For each vector of `lanes` places of a channel, which of them are inside the map.
    pub(in crate::engine) fn flat_masks(&self, lanes: usize) -> Vec<u32> {
        self.masks(self.positions(), lanes, |place| self.pixel(place).is_some())
    }

    fn masks(&self, count: usize, lanes: usize, bit: impl Fn(usize) -> bool) -> Vec<u32> {
        (0..count.div_ceil(lanes))
            .map(|vector| {
                let lanes = (0..lanes).filter(|lane| {
                    let index = vector * lanes + lane;
                    index < count && bit(index)
                });
                lanes.fold(0, |mask, lane| mask | 1 << lane)
            })
            .collect()
    }
}

/// Bits of the first `count` lanes.
pub(in crate::engine) fn first(count: usize) -> u32 {
    if count >= 32 { u32::MAX } else { (1 << count) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_has_its_own_place() {
        for (n, h, w, p) in [(1, 56, 56, 4), (2, 7, 7, 2), (3, 14, 10, 4), (1, 5, 3, 1)] {
            let grid = Grid {
                n,
                h,
                w,
                p,
                rows: Rows::Dense,
            };
            let mut seen = vec![false; grid.positions()];
            for (image, y, x) in (0..n * h * w).map(|i| (i / (h * w), i / w % h, i % w)) {
                let place = grid.place(image, y, x);
                assert!(
                    !std::mem::replace(&mut seen[place], true),
                    "{grid:?} {image} {y} {x}"
                );
                assert_eq!(grid.pixel(place), Some((image, y, x)));
            }
            let outside = (0..grid.positions()).filter(|place| grid.pixel(*place).is_none());
            assert!(outside.clone().all(|place| !seen[place]));
            assert_eq!(outside.count() + n * h * w, grid.positions());
            assert!(grid.stride() >= grid.positions() && grid.stride() / MAX_LANES % 2 == 1);
            assert_eq!(grid.checked_stride(), Some(grid.stride()));
        }
    }

    #[test]
    fn neighbours_end_at_the_border_of_each_image() {
        let grid = Grid {
            n: 2,
            h: 8,
            w: 12,
            p: 4,
            rows: Rows::Dense,
        };
        // Two rows of three tiles an image.
        assert_eq!(grid.neighbour_masks(0, 0, 16), [0b111_111_111_111]);
        assert_eq!(grid.neighbour_masks(-1, 0, 16), [0b111_000_111_000]);
        assert_eq!(grid.neighbour_masks(1, 0, 16), [0b000_111_000_111]);
        assert_eq!(grid.neighbour_masks(0, -1, 16), [0b110_110_110_110]);
        assert_eq!(grid.neighbour_masks(1, 1, 8), [0b1100_0011, 0]);
    }
}

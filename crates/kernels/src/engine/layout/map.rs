//! The values of a program: batches of maps and of vectors, and where they lie in its memory.

use crate::engine::layout::grid::{Grid, Rows};
use crate::engine::layout::planes::{PIXELS, Planes};

/// A batch of maps in a program's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    /// Its first element.
    pub offset: usize,
    /// Channels.
    pub channels: usize,
    /// The layout of a channel.
    pub grid: Grid,
}

impl Map {
    /// Elements it takes.
    pub fn elements(&self) -> usize {
        match self.grid.rows {
            Rows::Dense | Rows::Aligned => self.channels * self.grid.stride(),
            Rows::Planes => self.checked_elements().expect("operands that can be counted"),
        }
    }

    /// [`Map::elements`], or `None` where a side is 0 or there are more than can be counted.
    pub(in crate::engine) fn checked_elements(&self) -> Option<usize> {
        let stride = self.grid.checked_stride()?;
        match self.grid.rows {
            Rows::Dense | Rows::Aligned => stride.checked_mul(self.channels),
            Rows::Planes => {
                let lines = Planes::checked(self.grid, self.channels, 1)?.lines();
                lines.checked_mul(PIXELS).filter(|_| self.channels > 0)
            }
        }
    }

    /// Elements of its pixels as `[n, channels, h, w]`, without what the grid adds.
    pub fn pixels(&self) -> usize {
        self.channels * self.grid.n * self.grid.h * self.grid.w
    }

    /// Calls `pair` with each pixel's place in the memory and its place in `[n, channels, h, w]`, for one channel.
    #[inline(always)]
    pub(in crate::engine) fn exchange(self, channel: usize, mut pair: impl FnMut(usize, usize)) {
        let Grid { n, h, w, p, .. } = self.grid;
        let base = self.offset + channel * self.grid.stride();
        for image in 0..n {
            for y in 0..h {
                let row = ((image * self.channels + channel) * h + y) * w;
                for x in 0..p.min(w) {
                    let first = base + self.grid.place(image, y, x);
                    debug_assert!(first < base + self.grid.positions());
                    for (tile, x) in (x..w).step_by(p).enumerate() {
                        pair(first + tile, row + x);
                    }
                }
            }
        }
    }
}

/// A batch of vectors in a program's memory, `[n, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its first element.
    pub offset: usize,
    /// Images.
    pub n: usize,
    /// Elements an image.
    pub channels: usize,
}

impl Row {
    /// Elements it takes.
    pub fn elements(&self) -> usize {
        self.n * self.channels
    }
}

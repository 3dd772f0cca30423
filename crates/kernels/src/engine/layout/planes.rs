//! The operands of a matrix unit in an order in which every pixel that a 3x3 kernel needs lies in a whole line: a row of a tile
//! that crosses a cache line takes three to six times as long to load.
//!
//! ```text
//! [digit][phase of y: p][phase of x: -1 .. p][element][vector]
//!
//! vector 0      zeros                                    above the first row of tiles
//!        1 ..   one row of tiles, 16 lanes at most       ┐
//!        ..     zeros                                    ┘ for each image
//! ```
//!
//! A neighbour above or below is in another phase of y, or in the vector before or after. A neighbour to the left or right is in
//! another phase of x. Phase -1 of a tile is phase `p - 1` of the tile before it, and phase `p`, phase 0 of the tile after it: both
//! are stored once more, moved by one lane. So the three pixels of a row of the kernel lie in phases one after the other, and
//! their elements are `3 * elements` rows of tiles at one distance: one sum. A format whose numbers have two digits has planes of
//! the high digits and planes of the low ones, for the digits of an element are multiplied apart.

use crate::engine::layout::grid::Grid;
use crate::engine::simd::{MAX_LANES, Simd};

/// Pixels of a vector: a row of tiles of the map.
pub(in crate::engine) const PIXELS: usize = 16;

/// The order of some elements of channels on a grid.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Planes {
    grid: Grid,
    rows: usize,
    /// Those of one digit.
    elements: usize,
    pitch: usize,
    lines: usize,
}

/// Where vectors of a phase lie: the first line of the phase, and those of the phases that hold it once more, moved by a lane.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct Phase {
    pub(in crate::engine) own: usize,
    /// Phase -1, for the last phase of x.
    before: Option<usize>,
    /// Phase `p`, for the first.
    behind: Option<usize>,
}

/// For each lane the next one, and the one before.
const NEXT: [i32; MAX_LANES] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15];
const PREVIOUS: [i32; MAX_LANES] = [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14];

/// The words of a vector, by vectors of a unit: one of 16 lanes to four of four.
pub(in crate::engine) type Words<V> = [V; PIXELS / 4];

impl Phase {
    /// Stores the words of a vector at [`Planes::line_of`], and once more where they are neighbours of other phases.
    ///
    /// # Safety
    /// `to` points to operands in this order, which have the phase and the line; nobody else writes it or its copies.
    #[inline(always)]
    pub(in crate::engine) unsafe fn store<S: Simd>(
        self,
        s: S,
        to: *mut f32,
        line: usize,
        words: &Words<S::V>,
    ) {
        let Self { own, before, behind } = self;
        let at = |phase: usize| (phase + line) * PIXELS;
        let parts = &words[..PIXELS / S::LANES];
        // SAFETY: the spot's line and its copies lie in the operands, by the contract above, and a line is as long as the words.
        unsafe {
            for (i, word) in parts.iter().enumerate() {
                s.store(to.add(at(own) + i * S::LANES), *word);
            }
            if let [word] = parts {
                if let Some(behind) = behind {
                    let next = s.keep(0x7fff, s.permute(*word, &NEXT));
                    s.store(to.add(at(behind)), next);
                }
                if let Some(before) = before {
                    let previous = s.keep(0xfffe, s.permute(*word, &PREVIOUS));
                    s.store(to.add(at(before)), previous);
                }
                return;
            }
            if before.or(behind).is_none() {
                return;
            }
            // Lanes that move from one vector to another go through memory.
            let mut line = [0.0; PIXELS + 2];
            for (i, word) in parts.iter().enumerate() {
                s.store(line.as_mut_ptr().add(1 + i * S::LANES), *word);
            }
            for i in 0..parts.len() {
                let part = |first: usize| s.load(line.as_ptr().add(first + i * S::LANES));
                if let Some(behind) = behind {
                    s.store(to.add(at(behind) + i * S::LANES), part(2));
                }
                if let Some(before) = before {
                    s.store(to.add(at(before) + i * S::LANES), part(0));
                }
            }
        }
    }
}

impl Planes {
    /// The order of `elements` elements, each of several channels, of all digits on a grid; `None` if there are more lines than can be
    /// counted.
    pub(in crate::engine) fn checked(grid: Grid, elements: usize, digits: usize) -> Option<Self> {
        let rows = grid.tile_rows();
        // A pair of vectors may begin with the last one, and its neighbours end one later.
        let vectors = grid.n.checked_mul(rows.checked_add(1)?)?.checked_add(2)?;
        let pitch = vectors | 1;
        let planes = grid.p.checked_mul(grid.p.checked_add(2)?)?;
        Some(Self {
            grid,
            rows,
            elements: elements / digits,
            pitch,
            lines: planes.checked_mul(elements)?.checked_mul(pitch)?,
        })
    }

    /// The same for operands that were counted before.
    pub(in crate::engine) fn new(grid: Grid, elements: usize, digits: usize) -> Self {
        Self::checked(grid, elements, digits).expect("`Op::check` counted the operands")
    }

    /// Returns `true` if maps on a grid can have this order: a row of tiles is one vector, and no tile is cut at the right.
    pub(in crate::engine) fn suit(grid: Grid) -> bool {
        grid.tile_columns() <= PIXELS && grid.w.is_multiple_of(grid.p)
    }

    /// Vectors from the first row of the first image to the last of the last one, with the zeros between images.
    pub(in crate::engine) fn vectors(&self) -> usize {
        self.grid.n * (self.rows + 1) - 1
    }

    /// Lines from one element to the next: an odd number, so that rows of a tile lie in different sets of the first cache.
    pub(in crate::engine) fn pitch(&self) -> usize {
        self.pitch
    }

    /// Lines from those of a digit to those of the next one.
    pub(in crate::engine) fn digit(&self) -> usize {
        self.grid.p * (self.grid.p + 2) * self.elements * self.pitch
    }

    /// Lines of all operands.
    pub(in crate::engine) fn lines(&self) -> usize {
        self.lines
    }

    /// The line of vector 0 of the first element of the first digit, of a phase of y and a phase of x, counted from -1 on as 0.
    pub(in crate::engine) fn line(&self, y: usize, column: usize) -> usize {
        (y * (self.grid.p + 2) + column) * self.elements * self.pitch
    }

    /// The row of tiles of a vector, counted through all images; `None` for a vector of zeros.
    pub(in crate::engine) fn row(&self, vector: usize) -> Option<usize> {
        let rows = self.rows;
        let (image, row) = ((vector - 1) / (rows + 1), (vector - 1) % (rows + 1));
        (row < rows && image < self.grid.n).then_some(image * rows + row)
    }

    /// Where vectors of a phase of y and a phase of x, 0 to `p - 1`, lie.
    pub(in crate::engine) fn phase(&self, y: usize, x: usize) -> Phase {
        let p = self.grid.p;
        Phase {
            own: self.line(y, x + 1),
            before: (x + 1 == p).then(|| self.line(y, 0)),
            behind: (x == 0).then(|| self.line(y, p + 1)),
        }
    }

    /// The line of a vector of an element, which is counted through all digits, from the begin of its phase on.
    pub(in crate::engine) fn line_of(&self, element: usize, vector: usize) -> usize {
        // Elements of a digit follow each other in a phase, and digits as a whole.
        let (digit, element) = match element.checked_sub(self.elements) {
            Some(low) => (self.digit(), low),
            None => (0, element),
        };
        digit + element * self.pitch + vector
    }

    /// Stores the zeros above the first image and below each, of these elements.
    ///
    /// # Safety
    /// `to` points to operands in this order, which have the elements; nobody else writes their zeros.
    #[inline(always)]
    pub(in crate::engine) unsafe fn clear<S: Simd>(
        &self,
        s: S,
        to: *mut f32,
        elements: std::ops::Range<usize>,
    ) {
        let (pitch, p) = (self.pitch, self.grid.p);
        for plane in 0..p * (p + 2) {
            for element in elements.clone() {
                let (digit, element) = (element / self.elements, element % self.elements);
                let first = digit * self.digit() + (plane * self.elements + element) * pitch;
                for image in 0..=self.grid.n {
                    let line = first + image * (self.rows + 1);
                    for lane in (0..PIXELS).step_by(S::LANES) {
                        // SAFETY: the element has a vector of zeros before each image and after the last one.
                        unsafe { s.store(to.add(line * PIXELS + lane), s.splat(0.0)) };
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Rows;

    #[test]
    fn every_vector_and_every_zero_has_a_line_of_its_own() {
        for (n, h, w, p, elements, digits) in [
            (1, 56, 56, 4, 5, 1),
            (2, 15, 14, 1, 16, 2),
            (3, 10, 24, 2, 9, 1),
            (1, 28, 28, 2, 9, 2),
        ] {
            let rows = Rows::Planes;
            let planes = Planes::new(Grid { n, h, w, p, rows }, digits * elements, digits);
            let mut seen = vec![false; planes.lines()];
            for y in 0..p {
                for column in 0..p + 2 {
                    for element in 0..digits * elements {
                        let (digit, element) = (element / elements, element % elements);
                        let first =
                            planes.line(y, column) + digit * planes.digit() + element * planes.pitch();
                        let vectors = (0..n).flat_map(|image| {
                            (0..h.div_ceil(p)).map(move |row| 1 + image * (h.div_ceil(p) + 1) + row)
                        });
                        let zeros = (0..=n).map(|image| image * (h.div_ceil(p) + 1));
                        for vector in vectors.chain(zeros) {
                            assert!(!std::mem::replace(&mut seen[first + vector], true));
                        }
                    }
                }
            }
            assert_eq!(planes.pitch() % 2, 1);
            let rows: Vec<_> = (1..=planes.vectors()).filter_map(|v| planes.row(v)).collect();
            assert_eq!(rows, (0..n * h.div_ceil(p)).collect::<Vec<_>>());
        }
    }
}

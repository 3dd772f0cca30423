use std::fmt;

/// The shape of an activation, `[n, c, h, w]`; vectors have `h = w = 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Images in the batch.
    pub n: usize,
    /// Channels.
    pub c: usize,
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
}

impl Shape {
    /// Returns a shape of these four extents.
    pub const fn new(n: usize, c: usize, h: usize, w: usize) -> Self {
        Self { n, c, h, w }
    }

    /// Returns the shape of `n` RGB images of `size` x `size` pixels.
    pub const fn square(n: usize, size: usize) -> Self {
        Self::new(n, 3, size, size)
    }

    /// Returns the number of elements.
    pub const fn elements(self) -> usize {
        self.n * self.c * self.h * self.w
    }

    /// Returns the number of elements of one image.
    pub const fn image_elements(self) -> usize {
        self.c * self.h * self.w
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}x{}", self.n, self.c, self.h, self.w)
    }
}

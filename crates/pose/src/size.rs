/// The extent of a photo, a network's input or a heatmap, pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Size {
    /// Returns an extent of these columns and rows.
    pub const fn new(width: usize, height: usize) -> Self {
        Self { width, height }
    }

    /// Returns the number of pixels.
    pub fn pixels(self) -> usize {
        self.width * self.height
    }
}

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

    /// Returns the shape of `n` RGB images of this size.
    pub const fn images(n: usize, size: Size) -> Self {
        Self::new(n, 3, size.h, size.w)
    }

    /// Returns the rows and columns.
    pub const fn size(self) -> Size {
        Size::new(self.h, self.w)
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

/// The size of an image, rows before columns. Its text is `224` if it is square, else `256x192`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Size {
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
}

impl Size {
    /// Returns a size of these rows and columns.
    pub const fn new(h: usize, w: usize) -> Self {
        Self { h, w }
    }

    /// Returns the size of a square.
    pub const fn square(side: usize) -> Self {
        Self::new(side, side)
    }

    /// Returns the side of a square; `None` for any other size.
    pub const fn side(self) -> Option<usize> {
        if self.h == self.w { Some(self.h) } else { None }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.side() {
            Some(side) => f.pad(&side.to_string()),
            None => f.pad(&format!("{}x{}", self.h, self.w)),
        }
    }
}

/// A text that is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a size: expected a side above 0, as in 224, or rows and columns, as in 256x192", .0.escape_debug())]
pub struct ParseSizeError(String);

impl FromStr for Size {
    type Err = ParseSizeError;

    fn from_str(text: &str) -> Result<Self, ParseSizeError> {
        let number = |part: &str| part.parse().ok().filter(|number| *number > 0);
        let size = match text.split_once('x') {
            None => number(text).map(Self::square),
            Some((h, w)) => number(h).zip(number(w)).map(|(h, w)| Self { h, w }),
        };
        size.ok_or_else(|| ParseSizeError(text.to_owned()))
    }
}

/// A square is the number of its side, any other size the text.
impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.side() {
            Some(side) => side.serialize(serializer),
            None => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Side(usize),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Side(side) => side.to_string(),
            Written::Text(text) => text,
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_side_or_rows_and_columns() {
        for (text, size) in [("224", Size::square(224)), ("256x192", Size::new(256, 192))] {
            assert_eq!(text.parse(), Ok(size));
            assert_eq!(size.to_string(), text);
        }
        assert_eq!("224x224".parse(), Ok(Size::square(224)));
        assert_eq!(Shape::images(2, Size::new(64, 32)), Shape::new(2, 3, 64, 32));
        for text in ["", "0", "256x", "x192", "256x0", "-1", "256x192x3", "256 x 192"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}

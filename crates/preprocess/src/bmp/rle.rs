use crate::{PreprocessError, Reader};

/// Unpacks runs of palette indices, row by row as they lie in the file.
///
/// The two readers agree on files that fill every row and end it. OpenCV fills what is left out with index 0 and refuses
/// runs beyond a row's end; Pillow cuts those off, passes over rows that are empty and refuses what is not filled.
pub(super) fn unpack(
    data: &[u8],
    nibbles: bool,
    (width, height): (usize, usize),
    reader: Reader,
) -> Result<Vec<u8>, PreprocessError> {
    let mut rows = Rows::new(width, height)?;
    let mut input = data;
    let opencv = reader == Reader::OpenCv;
    while rows.indices.len() < rows.size {
        let Some(([count, value], rest)) = input.split_first_chunk() else {
            break;
        };
        input = rest;
        match (*count, *value) {
            (0, 0) => rows.end_row(opencv),
            // OpenCV reads on after the end of an image in nibbles that it has not filled.
            (0, 1) if opencv && !nibbles => rows.fill(rows.size - rows.indices.len()),
            (0, 1) => break,
            (0, 2) => {
                let Some(([right, down], rest)) = input.split_first_chunk() else {
                    break;
                };
                input = rest;
                let down = if opencv && nibbles { 0 } else { usize::from(*down) };
                rows.fill(usize::from(*right) + down * width);
                rows.x = rows.indices.len() % width;
            }
            (0, count) => {
                let bytes = match (nibbles, opencv) {
                    (false, _) => usize::from(count),
                    (true, true) => usize::from(count).div_ceil(2),
                    (true, false) => usize::from(count) / 2,
                };
                let Some((stored, rest)) = input.split_at_checked(bytes) else {
                    break;
                };
                input = rest.get(bytes % 2..).unwrap_or_default();
                let count = if nibbles {
                    usize::from(count).min(2 * bytes)
                } else {
                    bytes
                };
                let index = |i: usize| {
                    if nibbles {
                        nibble(stored[i / 2], i)
                    } else {
                        stored[i]
                    }
                };
                rows.write(count, opencv, index)?;
            }
            (count, value) => {
                let index = |i: usize| if nibbles { nibble(value, i) } else { value };
                rows.write(usize::from(count), opencv, index)?;
                // A run of bytes that ends with its row begins the next.
                if opencv && !nibbles && rows.x == width {
                    (rows.x, rows.wrapped) = (0, true);
                }
            }
        }
    }
    if rows.indices.len() < rows.size {
        return Err(PreprocessError::decode("the bitmap's runs are cut off"));
    }
    rows.indices.truncate(rows.size);
    Ok(rows.indices)
}

fn nibble(byte: u8, i: usize) -> u8 {
    if i.is_multiple_of(2) { byte >> 4 } else { byte & 15 }
}

struct Rows {
    indices: Vec<u8>,
    size: usize,
    width: usize,
    /// Pixels of the row that are there.
    x: usize,
    /// The row before was ended by a run that filled it.
    wrapped: bool,
}

impl Rows {
    fn new(width: usize, height: usize) -> Result<Self, PreprocessError> {
        let size = width * height;
        let mut indices = Vec::new();
        // A jump may lead 255 rows beyond the end; that is cut off as it is filled.
        let bytes = size as u64;
        indices
            .try_reserve_exact(size + usize::from(u8::MAX))
            .map_err(|_| PreprocessError::Memory { bytes })?;
        Ok(Self {
            indices,
            size,
            width,
            x: 0,
            wrapped: false,
        })
    }

    fn fill(&mut self, count: usize) {
        let end = (self.indices.len() + count).min(self.size);
        self.indices.resize(end, 0);
        self.wrapped = false;
    }

    /// Goes to the next row.
    fn end_row(&mut self, opencv: bool) {
        let rest = match self.indices.len() % self.width {
            0 if opencv && self.x == 0 && !self.wrapped => self.width,
            0 => 0,
            begun => self.width - begun,
        };
        self.fill(rest);
        self.x = 0;
    }

    fn write(
        &mut self,
        count: usize,
        strict: bool,
        index: impl Fn(usize) -> u8,
    ) -> Result<(), PreprocessError> {
        let room = self.width.saturating_sub(self.x);
        if strict && count > room {
            return Err(PreprocessError::decode("a run goes beyond its row"));
        }
        let kept = if strict { count } else { count.min(room) };
        self.indices.extend((0..kept).map(index));
        self.x += kept;
        self.wrapped = false;
        Ok(())
    }
}

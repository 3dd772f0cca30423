//! The orientation of a photo, as OpenCV's `ExifReader` finds it: it looks at neither the type nor the count of the tag,
//! and gives up at the first entry whose value lies outside.

/// The orientation of an image, by its number in EXIF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Orientation {
    /// Rows become columns, before anything is mirrored.
    pub(crate) transposed: bool,
    /// Left and right change places.
    pub(crate) across: bool,
    /// Top and bottom change places.
    pub(crate) down: bool,
}

impl Orientation {
    /// As the image lies in the file.
    pub(crate) const NONE: Self = Self {
        transposed: false,
        across: false,
        down: false,
    };

    fn of(number: u16) -> Self {
        let [transposed, across, down] = match number {
            2 => [false, true, false],
            3 => [false, true, true],
            4 => [false, false, true],
            5 => [true, false, false],
            6 => [true, true, false],
            7 => [true, true, true],
            8 => [true, false, true],
            _ => [false; 3],
        };
        Self {
            transposed,
            across,
            down,
        }
    }

    /// The orientation that these EXIF data ask for, which begin with the byte order; nothing where they do not speak of it.
    pub(crate) fn from_exif(data: &[u8]) -> Option<Self> {
        orientation(data).map(Self::of)
    }
}

const ORIENTATION: u16 = 0x0112;

fn orientation(data: &[u8]) -> Option<u16> {
    let order = (data.first()?, data.get(1)?);
    let exif = Exif {
        data,
        // Whatever is not said to be Intel's is read as Motorola's.
        little: order == (&b'I', &b'I'),
    };
    if exif.u16(2)? != 42 {
        return None;
    }
    let directory = exif.u32(4)?;
    let entries = usize::from(exif.u16(directory)?);
    for entry in 0..entries {
        let at = directory + 2 + 12 * entry;
        let tag = exif.u16(at)?;
        if tag == ORIENTATION {
            return exif.u16(at + 8);
        }
        exif.value(tag, at)?;
    }
    None
}

struct Exif<'a> {
    data: &'a [u8],
    little: bool,
}

impl Exif<'_> {
    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.data.get(at..)?.first_chunk()?;
        Some(if self.little {
            u16::from_le_bytes(*bytes)
        } else {
            u16::from_be_bytes(*bytes)
        })
    }

    fn u32(&self, at: usize) -> Option<usize> {
        let bytes = self.data.get(at..)?.first_chunk()?;
        let value = if self.little {
            u32::from_le_bytes(*bytes)
        } else {
            u32::from_be_bytes(*bytes)
        };
        Some(value as usize)
    }

    /// Nothing if the value of an entry that OpenCV reads as well does not lie within the data.
    fn value(&self, tag: u16, at: usize) -> Option<()> {
        match tag {
            // Description, make, model, software, time, copyright: texts, in the entry up to 4 bytes, else elsewhere.
            0x010E | 0x010F | 0x0110 | 0x0131 | 0x0132 | 0x8298 => {
                let length = self.u32(at + 4)?;
                let begin = if length > 4 { self.u32(at + 8)? } else { 8 };
                (begin + length <= self.data.len()).then_some(())
            }
            // Resolutions, white point, colours: so many fractions.
            0x011A | 0x011B => self.fractions(at, 1),
            0x013E => self.fractions(at, 2),
            0x0211 => self.fractions(at, 3),
            0x013F | 0x0214 => self.fractions(at, 6),
            0x0128 | 0x0213 => self.u16(at + 8).map(|_| ()),
            _ => Some(()),
        }
    }

    fn fractions(&self, at: usize, count: usize) -> Option<()> {
        let begin = self.u32(at + 8)?;
        (begin + 8 * count <= self.data.len()).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of one entry: tag, type, count, and the four bytes of its value.
    fn exif(little: bool, entries: &[(u16, u16, u32, [u8; 4])]) -> Vec<u8> {
        let u16 = |value: u16| {
            if little {
                value.to_le_bytes()
            } else {
                value.to_be_bytes()
            }
        };
        let u32 = |value: u32| {
            if little {
                value.to_le_bytes()
            } else {
                value.to_be_bytes()
            }
        };
        let mut data = if little { b"II".to_vec() } else { b"MM".to_vec() };
        data.extend(u16(42));
        data.extend(u32(8));
        data.extend(u16(entries.len() as u16));
        for (tag, kind, count, value) in entries {
            data.extend(u16(*tag));
            data.extend(u16(*kind));
            data.extend(u32(*count));
            data.extend(value);
        }
        data.extend(u32(0));
        data
    }

    #[test]
    fn the_tag_counts_whatever_its_type_and_count() {
        let number =
            |little, kind, count, value| orientation(&exif(little, &[(ORIENTATION, kind, count, value)]));
        assert_eq!(number(true, 3, 1, [6, 0, 0, 0]), Some(6));
        assert_eq!(number(false, 3, 1, [0, 6, 0, 0]), Some(6));
        assert_eq!(number(true, 4, 1, [6, 0, 0, 0]), Some(6), "LONG");
        assert_eq!(
            number(false, 4, 1, [0, 0, 0, 6]),
            Some(0),
            "LONG of Motorola: the upper half, as OpenCV"
        );
        assert_eq!(number(true, 3, 2, [6, 0, 8, 0]), Some(6), "two of them");
    }

    #[test]
    fn an_entry_that_points_outside_ends_the_search() {
        let tag = (ORIENTATION, 3, 1, [6, 0, 0, 0]);
        let make = |begin: u8| (0x010F, 2, 10, [begin, 0, 0, 0]);
        assert_eq!(orientation(&exif(true, &[make(8), tag])), Some(6));
        assert_eq!(orientation(&exif(true, &[make(200), tag])), None);
        assert_eq!(orientation(&exif(true, &[tag, make(200)])), Some(6));
        assert_eq!(
            orientation(&exif(true, &[(0x011A, 5, 1, [255, 0, 0, 0]), tag])),
            None
        );
    }

    #[test]
    fn data_that_end_early_ask_for_nothing() {
        let whole = exif(true, &[(ORIENTATION, 3, 1, [6, 0, 0, 0])]);
        for end in 0..18 {
            assert_eq!(Orientation::from_exif(&whole[..end]), None, "{end}");
        }
        for number in [0, 1, 9, 65535] {
            assert_eq!(Orientation::of(number), Orientation::NONE);
        }
    }
}

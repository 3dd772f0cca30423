//! Windows bitmaps, after `grfmt_bmp.cpp` and `BmpImagePlugin.py`, which differ in how they widen 5 bits and in what they
//! forgive.

mod rle;

use crate::budget::resize;
use crate::decode::{Decoded, Job};
use crate::exif::Orientation;
use crate::{PreprocessError, Reader};

/// The first bytes of every bitmap.
pub(crate) const MAGIC: &[u8] = b"BM";

/// Decodes a bitmap. Transparency is dropped.
pub(crate) fn decode(bytes: &[u8], job: Job) -> Result<Decoded, PreprocessError> {
    let header = Header::of(bytes, job.reader)?;
    let Header { width, height, .. } = header;
    let need = 4 * width as u64 * height as u64 + (1 << 16);
    let _taken = job.take(need, (width, height), Orientation::NONE)?;
    let data = bytes.get(header.begin..).unwrap_or_default();
    let unpacked = match header.packing {
        Packing::Runs { nibbles } => Some(rle::unpack(data, nibbles, (width, height), job.reader)?),
        _ => None,
    };
    let (data, bits) = unpacked
        .as_ref()
        .map_or((data, header.bits), |unpacked| (unpacked, 8));
    // Rows are whole words.
    let stride = match unpacked {
        Some(_) => width,
        None => (width * bits).div_ceil(32) * 4,
    };
    let used = (width * bits).div_ceil(8);
    // Pillow does not miss the padding of the last row.
    let last = if job.reader == Reader::Pillow {
        used
    } else {
        stride
    };
    if data.len() < stride * (height - 1) + last {
        return Err(PreprocessError::decode("the bitmap is cut off"));
    }
    let pixels = &mut job.image.pixels;
    resize(pixels, 3 * width * height)?;
    for (y, out) in pixels.chunks_exact_mut(3 * width).enumerate() {
        let y = if header.downward { y } else { height - 1 - y };
        header.row(&data[y * stride..][..used], bits, job.reader, out);
    }
    (job.image.width, job.image.height) = (width, height);
    Ok(Decoded {
        icc: false,
        orientation: Orientation::NONE,
    })
}

/// The storage of a pixel.
enum Packing {
    /// An index of the palette, the leftmost pixel in the upper bits.
    Indices,
    /// The same in runs.
    Runs { nibbles: bool },
    /// Sixteen bits; whether green has six of them.
    Sixteen { wide_green: bool },
    /// Bytes; which is red, green and blue.
    Bytes([usize; 3]),
}

struct Header {
    width: usize,
    height: usize,
    /// The first row is the upper one.
    downward: bool,
    /// Bits of a pixel.
    bits: usize,
    packing: Packing,
    palette: [[u8; 3]; 256],
    /// The offset of the pixels.
    begin: usize,
}

const RUNS_OF_BYTES: usize = 1;
const RUNS_OF_NIBBLES: usize = 2;
const MASKS: usize = 3;

impl Header {
    fn of(bytes: &[u8], reader: Reader) -> Result<Self, PreprocessError> {
        let short = || PreprocessError::decode("the bitmap's header is cut off");
        let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize);
        let half = |at: usize| Some(usize::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)));
        let word = |at| word(at).ok_or_else(short);
        let half = |at| half(at).ok_or_else(short);

        let (begin, size) = (word(10)?, word(14)?);
        let old = size == 12;
        let known = match reader {
            Reader::OpenCv => old || size >= 36,
            Reader::Pillow => [12, 40, 52, 56, 64, 108, 124].contains(&size),
        };
        if !known {
            return Err(refused(format!("a header of {size} bytes")));
        }
        let (width, tall, bits) = if old {
            (half(18)?, (half(20)? as u32).cast_signed(), half(24)?)
        } else {
            (word(18)?, (word(22)? as u32).cast_signed(), half(28)?)
        };
        let (compression, colours) = if old { (0, 0) } else { (word(30)?, word(46)?) };
        let after = 14 + size;
        let mut begin = begin;
        let entry = if old { 3 } else { 4 };
        let colours = match colours {
            0 if bits <= 8 => 1 << bits,
            colours => colours,
        };
        if reader == Reader::Pillow && (begin == 0 || begin == after && bits <= 8) {
            begin = after + if bits <= 8 { entry * colours } else { 0 };
        }
        let packing = match (bits, compression) {
            (1 | 4 | 8, 0) => Packing::Indices,
            (8, RUNS_OF_BYTES) => Packing::Runs { nibbles: false },
            (4, RUNS_OF_NIBBLES) => Packing::Runs { nibbles: true },
            (16, 0) => Packing::Sixteen { wide_green: false },
            (24 | 32, 0) => Packing::Bytes([2, 1, 0]),
            // OpenCV takes masks of 32 bits from headers that have a place for them only, and those of 16 from behind.
            (32, MASKS) if reader == Reader::OpenCv && size == 40 => Packing::Bytes([2, 1, 0]),
            (16 | 32, MASKS) => {
                let behind = bits == 16 && reader == Reader::OpenCv;
                let at = if behind { after } else { 54 };
                masks(bits, [word(at)?, word(at + 4)?, word(at + 8)?])?
            }
            _ => {
                return Err(refused(format!(
                    "{bits} bits a pixel in compression {compression}"
                )));
            }
        };
        let mut palette = [[0; 3]; 256];
        if bits <= 8 {
            if colours > 256 {
                return Err(refused(format!("a palette of {colours} colours")));
            }
            let entries = bytes.get(after..).unwrap_or_default().chunks_exact(entry);
            for (colour, entry) in palette.iter_mut().zip(entries.take(colours)) {
                *colour = [entry[2], entry[1], entry[0]];
            }
        }
        Ok(Self {
            width,
            height: tall.unsigned_abs() as usize,
            downward: tall < 0,
            bits,
            packing,
            palette,
            begin,
        })
    }

    fn row(&self, row: &[u8], bits: usize, reader: Reader, out: &mut [u8]) {
        let pixels = out.chunks_exact_mut(3).enumerate();
        match &self.packing {
            Packing::Indices | Packing::Runs { .. } => {
                let per_byte = 8 / bits;
                for (x, out) in pixels {
                    let shift = 8 - bits - bits * (x % per_byte);
                    let index = usize::from(row[x / per_byte] >> shift) & ((1 << bits) - 1);
                    out.copy_from_slice(&self.palette[index]);
                }
            }
            Packing::Sixteen { wide_green } => {
                for ((_, out), pair) in pixels.zip(row.chunks_exact(2)) {
                    let pixel = u32::from(u16::from_le_bytes([pair[0], pair[1]]));
                    let green = if *wide_green { 6 } else { 5 };
                    let part =
                        |shift: u32, bits: u32| widened(pixel >> shift & ((1 << bits) - 1), bits, reader);
                    out.copy_from_slice(&[part(5 + green, 5), part(5, green), part(0, 5)]);
                }
            }
            Packing::Bytes(places) => {
                for ((_, out), pixel) in pixels.zip(row.chunks_exact(bits / 8)) {
                    out.copy_from_slice(&places.map(|place| pixel[place]));
                }
            }
        }
    }
}

/// OpenCV leaves the lower bits empty; Pillow stretches the range.
fn widened(value: u32, bits: u32, reader: Reader) -> u8 {
    match reader {
        Reader::OpenCv => (value << (8 - bits)) as u8,
        Reader::Pillow => (value * 255 / ((1 << bits) - 1)) as u8,
    }
}

/// Masks of red, green and blue.
fn masks(bits: usize, masks: [usize; 3]) -> Result<Packing, PreprocessError> {
    let place = |mask: usize| (0..4).find(|byte| mask == 0xFF << (8 * byte));
    match (bits, masks) {
        (16, [0xF800, 0x07E0, 0x1F]) => Ok(Packing::Sixteen { wide_green: true }),
        (16, [0x7C00, 0x03E0, 0x1F]) => Ok(Packing::Sixteen { wide_green: false }),
        (32, [0, 0, 0]) => Ok(Packing::Bytes([2, 1, 0])),
        (32, [red, green, blue]) => match (place(red), place(green), place(blue)) {
            (Some(red), Some(green), Some(blue)) => Ok(Packing::Bytes([red, green, blue])),
            _ => Err(refused(format!("masks {masks:X?}"))),
        },
        _ => Err(refused(format!("masks {masks:X?}"))),
    }
}

fn refused(what: String) -> PreprocessError {
    PreprocessError::decode(format!(
        "a bitmap with {what}, which neither OpenCV nor Pillow reads alike"
    ))
}

use std::io::Cursor;

use png::{BitDepth, ColorType, DecodeOptions, Limits, Transformations};

use crate::budget::resize;
use crate::decode::{Decoded, Job};
use crate::exif::Orientation;
use crate::{PreprocessError, Reader};

/// The first bytes of every PNG.
pub(crate) const MAGIC: &[u8] = b"\x89PNG\r\n\x1A\n";

/// The bytes that decompressing and the chunks before the image may take beside rows.
const BESIDE: u64 = 1 << 20;

/// Decodes a PNG row by row into its final pixels. Colour profiles and texts are not unpacked, and transparency is dropped.
pub(crate) fn decode(bytes: &[u8], job: Job) -> Result<Decoded, PreprocessError> {
    let header = Header::of(bytes, job.reader)?;
    let Header { width, height, .. } = header;
    let rows = 4 * 8 * width as u64 + BESIDE;
    let need = 3 * width as u64 * height as u64 + rows;
    let _taken = job.take(need, (width, height), header.orientation)?;

    // Pillow unpacks an image without looking at its chunks' checksums.
    let mut options = DecodeOptions::default();
    options.set_ignore_crc(job.reader == Reader::Pillow);
    options.set_ignore_iccp_chunk(true);
    options.set_ignore_text_chunk(true);
    let known = header.unknown.then(|| without_unknown(bytes));
    let bytes = known.as_deref().unwrap_or(bytes);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_limits(Limits { bytes: rows as usize });
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info()?;
    let interlaced = reader.info().interlaced;
    let samples = Samples::of(reader.output_color_type(), reader.info().color_type, job.reader);
    let mut row = Vec::new();
    resize(&mut row, 8 * width)?;
    let pixels = &mut job.image.pixels;
    resize(pixels, 3 * width * height)?;
    for pass in if interlaced { &INTERLACED[..] } else { &[WHOLE] } {
        if pass.left >= width {
            continue;
        }
        for y in (pass.top..height).step_by(pass.down) {
            reader.read_row(&mut row)?;
            samples.write(&row, &mut pixels[3 * y * width..][..3 * width], pass);
        }
    }
    // What is left of the compressed data is their checksum, for which Pillow does not stay.
    if job.reader == Reader::OpenCv {
        reader.read_row(&mut row)?;
    }
    (job.image.width, job.image.height) = (width, height);
    Ok(Decoded {
        icc: header.icc,
        orientation: header.orientation,
    })
}

/// The pixels of an image that are stored together.
struct Pass {
    left: usize,
    across: usize,
    top: usize,
    down: usize,
}

const fn pass(left: usize, across: usize, top: usize, down: usize) -> Pass {
    Pass {
        left,
        across,
        top,
        down,
    }
}

const WHOLE: Pass = pass(0, 1, 0, 1);

/// Adam7.
const INTERLACED: [Pass; 7] = [
    pass(0, 8, 0, 8),
    pass(4, 8, 0, 8),
    pass(0, 4, 4, 8),
    pass(2, 4, 0, 4),
    pass(0, 2, 2, 4),
    pass(1, 2, 0, 2),
    pass(0, 1, 1, 2),
];

/// The samples of the decoder's rows.
struct Samples {
    /// Bytes of a pixel.
    bytes: usize,
    /// Bytes from one colour to the next; 0 for gray.
    step: usize,
    /// Pillow's gray of 16 bits is a mode of its own, which is clipped to 8. Of all others the upper byte is taken.
    clipped: bool,
}

impl Samples {
    fn of((colour, depth): (ColorType, BitDepth), stored: ColorType, reader: Reader) -> Self {
        let sample = if depth == BitDepth::Sixteen { 2 } else { 1 };
        let gray = matches!(colour, ColorType::Grayscale | ColorType::GrayscaleAlpha);
        Self {
            bytes: colour.samples() * sample,
            step: if gray { 0 } else { sample },
            clipped: sample == 2 && stored == ColorType::Grayscale && reader == Reader::Pillow,
        }
    }

    fn write(&self, row: &[u8], out: &mut [u8], pass: &Pass) {
        let Self { bytes, step, clipped } = *self;
        if bytes == 3 && pass.across == 1 {
            out.copy_from_slice(&row[..out.len()]);
            return;
        }
        let pixels = out.chunks_exact_mut(3).skip(pass.left).step_by(pass.across);
        for (from, to) in row.chunks_exact(bytes).zip(pixels) {
            let colour = |c: usize| match from[c * step] {
                high if clipped && high > 0 => 255,
                _ if clipped => from[1],
                high => high,
            };
            to.copy_from_slice(&[colour(0), colour(1), colour(2)]);
        }
    }
}

/// The information in the chunks before anything is unpacked.
struct Header {
    width: usize,
    height: usize,
    icc: bool,
    /// It has chunks that must be understood and are not, which Pillow passes over.
    unknown: bool,
    orientation: Orientation,
}

/// The file without such chunks.
fn without_unknown(bytes: &[u8]) -> Vec<u8> {
    let mut known = MAGIC.to_vec();
    for chunk in Chunks(&bytes[MAGIC.len()..]).filter(|chunk| !chunk.is_unknown()) {
        known.extend((chunk.data.len() as u32).to_be_bytes());
        known.extend(chunk.name);
        known.extend(chunk.data);
        known.extend(chunk.checksum);
    }
    known
}

impl Header {
    fn of(bytes: &[u8], reader: Reader) -> Result<Self, PreprocessError> {
        let chunks = || Chunks(&bytes[MAGIC.len()..]);
        let sides = chunks().next().filter(|chunk| chunk.name == b"IHDR");
        let side = |at: usize| {
            let side = sides.as_ref()?.data.get(at..)?.first_chunk();
            side.map(|side| u32::from_be_bytes(*side) as usize)
        };
        let (Some(width), Some(height)) = (side(0), side(4)) else {
            return Err(PreprocessError::decode("a PNG without a header"));
        };
        let mut before = chunks().take_while(|chunk| chunk.name != b"IDAT");
        let refused = match reader {
            // OpenCV reads to the end, and stops at what it must know and does not.
            Reader::OpenCv if !chunks().any(|chunk| chunk.name == b"IEND") => Some("a PNG without its end"),
            Reader::OpenCv if chunks().any(|chunk| chunk.is_unknown()) => {
                Some("a PNG with a chunk that nobody knows")
            }
            Reader::Pillow if !before.all(|chunk| chunk.is_sound()) => Some("a PNG with a damaged chunk"),
            _ => None,
        };
        if let Some(why) = refused {
            return Err(PreprocessError::decode(why));
        }
        let exif = chunks().find(|chunk| chunk.name == b"eXIf");
        Ok(Self {
            width,
            height,
            unknown: chunks().any(|chunk| chunk.is_unknown()),
            icc: chunks().any(|chunk| chunk.name == b"iCCP"),
            orientation: exif
                .and_then(|chunk| Orientation::from_exif(chunk.data))
                .unwrap_or(Orientation::NONE),
        })
    }
}

struct Chunk<'a> {
    name: &'a [u8; 4],
    data: &'a [u8],
    checksum: [u8; 4],
}

impl Chunk<'_> {
    /// Returns true if it is unknown, and must be understood by the case of its name.
    fn is_unknown(&self) -> bool {
        self.name[0].is_ascii_uppercase() && !matches!(self.name, b"IHDR" | b"PLTE" | b"IDAT" | b"IEND")
    }

    /// Returns true if it has the CRC-32 of its name and data.
    fn is_sound(&self) -> bool {
        let bytes = self.name.iter().chain(self.data);
        let sum = bytes.fold(u32::MAX, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
                (sum >> 1) ^ ((sum & 1) * 0xEDB8_8320)
            })
        });
        (!sum).to_be_bytes() == self.checksum
    }
}

/// Chunks, as far as they are whole.
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let (length, rest) = self.0.split_first_chunk()?;
        let (name, rest) = rest.split_first_chunk()?;
        let (data, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        let (checksum, rest) = rest.split_first_chunk()?;
        self.0 = rest;
        Some(Chunk {
            name,
            data,
            checksum: *checksum,
        })
    }
}

use crate::budget::{Budget, Taken};
use crate::exif::Orientation;
use crate::turn::turn;
use crate::{PreprocessError, bmp, jpeg, png, webp};

/// The decoders that read photos, and their settings: decoders round differently, so an accuracy holds for one of them.
pub const DECODER: &str =
    "libjpeg-turbo-rs 0.8, png 0.18, image-webp 0.2, with the habits of the profile's library";

/// The largest side that is decoded; beyond it an image is taken for an attack on memory.
pub(crate) const LARGEST_SIDE: usize = 1 << 15;

/// The most pixels that Pillow opens: beyond them an image is an attack to it, too.
const MOST_PIXELS_OF_PILLOW: u64 = 2 * (1024 * 1024 * 1024 / 4 / 3);

/// A decoded photo: 8-bit RGB, interleaved, row by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RgbImage {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height, width, 3]`.
    pub pixels: Vec<u8>,
}

/// The library whose behaviour decoding follows, if decoders differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// OpenCV's `imdecode(…, IMREAD_COLOR)`: photos are turned as EXIF says.
    OpenCv,
    /// Pillow's `Image.open(…).convert("RGB")`: EXIF is ignored, gray of 16 bits is clipped to 8.
    Pillow,
}

/// Notes on the decoding of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// It has an ICC profile, which is ignored: neither OpenCV nor Pillow converts colours.
    pub icc: bool,
    /// It was turned or mirrored as EXIF says.
    pub turned: bool,
}

/// Returns the pixels of a JPEG, PNG, WebP or BMP file as OpenCV does; see [`decode_into`].
///
/// # Errors
/// If the bytes are not such a file, are damaged, or the image has no or absurdly many pixels.
pub fn decode(bytes: &[u8]) -> Result<RgbImage, PreprocessError> {
    let mut image = RgbImage::default();
    decode_into(bytes, Reader::OpenCv, &mut image)?;
    Ok(image)
}

/// Decodes into an image whose memory is used again, as this reader does.
///
/// Gray becomes RGB, of 16 bits the upper 8 are taken, transparency is dropped, and JPEGs are to the bit those of
/// libjpeg-turbo, which both readers use. After an error the content of the image is undefined. Decoding may take as much memory
/// as [`Budget::default`] has.
///
/// # Errors
/// If the bytes are not such a file, are damaged, or the image has no or absurdly many pixels.
pub fn decode_into(bytes: &[u8], reader: Reader, image: &mut RgbImage) -> Result<Notes, PreprocessError> {
    decode_within(bytes, reader, image, &Budget::default())
}

/// Decodes as [`decode_into`] does, within a budget that decoders share: it waits while others have too much.
///
/// # Errors
/// As [`decode_into`].
pub fn decode_within(
    bytes: &[u8],
    reader: Reader,
    image: &mut RgbImage,
    budget: &Budget,
) -> Result<Notes, PreprocessError> {
    let job = Job {
        reader,
        image: &mut *image,
        budget,
    };
    let decoded = match bytes {
        _ if bytes.starts_with(jpeg::MAGIC) => jpeg::decode(bytes, job)?,
        _ if bytes.starts_with(png::MAGIC) => png::decode(bytes, job)?,
        _ if bytes.starts_with(bmp::MAGIC) => bmp::decode(bytes, job)?,
        _ if webp::is(bytes) => webp::decode(bytes, job)?,
        _ => return Err(PreprocessError::decode("it begins as none of them")),
    };
    let turned = reader == Reader::OpenCv && decoded.orientation != Orientation::NONE;
    if turned {
        turn(image, decoded.orientation)?;
    }
    Ok(Notes {
        icc: decoded.icc,
        turned,
    })
}

/// The request to a decoder.
pub(crate) struct Job<'a> {
    pub(crate) reader: Reader,
    pub(crate) image: &'a mut RgbImage,
    pub(crate) budget: &'a Budget,
}

/// The information in a file beside its pixels.
pub(crate) struct Decoded {
    pub(crate) icc: bool,
    pub(crate) orientation: Orientation,
}

impl<'a> Job<'a> {
    /// Takes the bytes that decoding an image of this extent needs, or refuses it. An image that is turned exists twice.
    pub(crate) fn take(
        &self,
        need: u64,
        (width, height): (usize, usize),
        orientation: Orientation,
    ) -> Result<Taken<'a>, PreprocessError> {
        if width == 0 || height == 0 {
            return Err(PreprocessError::Empty { width, height });
        }
        if width.max(height) > LARGEST_SIDE {
            let why = format!("{width} x {height} pixels, expected sides of at most {LARGEST_SIDE}");
            return Err(PreprocessError::decode(why));
        }
        let pixels = width as u64 * height as u64;
        if self.reader == Reader::Pillow && pixels > MOST_PIXELS_OF_PILLOW {
            let why =
                format!("{width} x {height} pixels, of which Pillow opens at most {MOST_PIXELS_OF_PILLOW}");
            return Err(PreprocessError::decode(why));
        }
        let twice = self.reader == Reader::OpenCv && orientation.transposed;
        let turned = if twice {
            6 * width as u64 * height as u64
        } else {
            0
        };
        self.budget.take(need.max(turned), (width, height))
    }
}

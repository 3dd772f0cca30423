use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageReader, Limits, Rgb};

use crate::{PreprocessError, jpeg};

/// Which decoders read photos, and how: decoders round differently, so this is a part of what an accuracy is of.
pub const DECODER: &str = "libjpeg-turbo-rs 0.8, image 0.25, with the habits of the profile's library";

/// The largest side that is decoded; beyond it an image is taken for an attack on memory.
pub(crate) const LARGEST_SIDE: u32 = 1 << 15;
/// The most memory a decoder may take.
pub(crate) const LARGEST_BYTES: u64 = 1 << 30;

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

/// Whose habits decoding follows, where decoders differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// OpenCV's `imdecode(…, IMREAD_COLOR)`: photos are turned as EXIF says.
    OpenCv,
    /// Pillow's `Image.open(…).convert("RGB")`: EXIF is ignored, gray of 16 bits is clipped to 8.
    Pillow,
}

/// What happened to an image, or did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// It has an ICC profile, which is ignored: neither OpenCV nor Pillow converts colours.
    pub icc: bool,
    /// It was turned or mirrored as EXIF says.
    pub turned: bool,
}

/// The pixels of a JPEG, PNG, WebP or BMP file as OpenCV gives them; see [`decode_into`].
///
/// # Errors
/// If the bytes are not such a file, are damaged, or the image has no or absurdly many pixels.
pub fn decode(bytes: &[u8]) -> Result<RgbImage, PreprocessError> {
    let mut image = RgbImage::default();
    decode_into(bytes, Reader::OpenCv, &mut image)?;
    Ok(image)
}

/// The same into an image whose memory is used again, in the way of a reader.
///
/// Gray becomes RGB, of 16 bits the upper 8 are taken, transparency is dropped, and JPEGs are to the bit those of
/// libjpeg-turbo, which both readers use. After an error the image holds anything.
///
/// # Errors
/// If the bytes are not such a file, are damaged, or the image has no or absurdly many pixels.
pub fn decode_into(bytes: &[u8], reader: Reader, image: &mut RgbImage) -> Result<Notes, PreprocessError> {
    let (mut notes, orientation) = if bytes.starts_with(jpeg::MAGIC) {
        jpeg::decode(bytes, reader, image)?
    } else {
        others(bytes, reader, image)?
    };
    let RgbImage { width, height, .. } = *image;
    if width == 0 || height == 0 {
        return Err(PreprocessError::Empty { width, height });
    }
    if reader == Reader::OpenCv && orientation != Orientation::NoTransforms {
        turn(image, orientation);
        notes.turned = true;
    }
    Ok(notes)
}

fn others(
    bytes: &[u8],
    reader: Reader,
    image: &mut RgbImage,
) -> Result<(Notes, Orientation), PreprocessError> {
    let mut input = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(image::ImageError::IoError)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(LARGEST_BYTES);
    input.limits(limits);
    let mut decoder = input.into_decoder()?;
    let orientation = decoder.orientation()?;
    let notes = Notes {
        icc: decoder.icc_profile()?.is_some(),
        turned: false,
    };
    let decoded = rgb(DynamicImage::from_decoder(decoder)?, reader);
    *image = RgbImage {
        width: decoded.width() as usize,
        height: decoded.height() as usize,
        pixels: decoded.into_raw(),
    };
    Ok((notes, orientation))
}

/// Both readers take the upper byte of 16 bits, where the image crate would round; but Pillow's gray of 16 bits is a
/// mode of its own, which it clips.
fn rgb(decoded: DynamicImage, reader: Reader) -> image::RgbImage {
    let (width, height) = (decoded.width(), decoded.height());
    let wide: Vec<u16> = match decoded {
        DynamicImage::ImageLuma16(gray) if reader == Reader::Pillow => {
            let bytes = gray.into_raw().into_iter().map(|value| value.min(255) as u8);
            return ImageBuffer::from_raw(width, height, bytes.flat_map(|byte| [byte; 3]).collect())
                .expect("three bytes a pixel");
        }
        DynamicImage::ImageLuma16(_)
        | DynamicImage::ImageLumaA16(_)
        | DynamicImage::ImageRgb16(_)
        | DynamicImage::ImageRgba16(_) => decoded.into_rgb16().into_raw(),
        narrow => return narrow.into_rgb8(),
    };
    let bytes = wide.into_iter().map(|value| (value >> 8) as u8).collect();
    ImageBuffer::from_raw(width, height, bytes).expect("three bytes a pixel")
}

fn turn(image: &mut RgbImage, orientation: Orientation) {
    let (width, height) = (image.width as u32, image.height as u32);
    let pixels = std::mem::take(&mut image.pixels);
    let buffer = ImageBuffer::<Rgb<u8>, _>::from_raw(width, height, pixels).expect("three bytes a pixel");
    let mut turned = DynamicImage::ImageRgb8(buffer);
    turned.apply_orientation(orientation);
    *image = RgbImage {
        width: turned.width() as usize,
        height: turned.height() as usize,
        pixels: turned.into_rgb8().into_raw(),
    };
}

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

use crate::PreprocessError;

/// Which decoders read photos, and how: decoders round differently, so this is a part of what an accuracy is of.
pub const DECODER: &str = "image 0.25 (zune-jpeg), EXIF orientation applied, ICC profiles ignored;";

/// The largest side that is decoded; beyond it an image is taken for an attack on memory.
const LARGEST_SIDE: u32 = 1 << 15;
/// The most memory a decoder may take.
const LARGEST_BYTES: u64 = 1 << 30;

/// A decoded photo: 8-bit RGB, interleaved, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbImage {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `[height, width, 3]`.
    pub pixels: Vec<u8>,
}

/// The pixels of a JPEG or PNG file, turned as its EXIF orientation says.
///
/// Gray becomes RGB and transparency is dropped, as OpenCV's colour mode does.
///
/// # Errors
/// If the bytes are not such a file, are damaged, or the image has no or absurdly many pixels.
pub fn decode(bytes: &[u8]) -> Result<RgbImage, PreprocessError> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(image::ImageError::IoError)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(LARGEST_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    let image = image.into_rgb8();
    let (width, height) = image.dimensions();
    if width == 0 || height == 0 {
        return Err(PreprocessError::Empty { width, height });
    }
    Ok(RgbImage {
        width: width as usize,
        height: height as usize,
        pixels: image.into_raw(),
    })
}

use png::{BitDepth, ColorType, Encoder};

use crate::{PreprocessError, RgbImage};

/// Returns an image as a PNG file, 8 bits of RGB; [`decode`](crate::decode()) gives the same pixels back.
///
/// # Errors
/// If the image has no pixels.
///
/// # Panics
/// If the length of the pixels is not `height * width * 3`, or a side is beyond 32 bits.
pub fn encode_png(image: &RgbImage) -> Result<Vec<u8>, PreprocessError> {
    let RgbImage {
        width,
        height,
        ref pixels,
    } = *image;
    if width == 0 || height == 0 {
        return Err(PreprocessError::Empty { width, height });
    }
    assert_eq!(pixels.len(), width * height * 3, "three bytes a pixel");
    let side = |side: usize| u32::try_from(side).expect("a side of 32 bits");
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, side(width), side(height));
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().expect("memory takes all bytes");
    writer.write_image_data(pixels).expect("as many bytes as pixels");
    writer.finish().expect("memory takes all bytes");
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_read_as_it_was_written() {
        let image = RgbImage {
            width: 7,
            height: 5,
            pixels: (0..105).map(|i| (i * 89 % 256) as u8).collect(),
        };
        let file = encode_png(&image).expect("a file");
        assert_eq!(crate::decode(&file).expect("an image"), image);
        let error = encode_png(&RgbImage::default()).expect_err("no pixels");
        assert!(error.to_string().contains("0 x 0"), "{error}");
    }
}

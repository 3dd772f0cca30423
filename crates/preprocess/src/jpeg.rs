use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use libjpeg_turbo_rs::{Decoder, PixelFormat};

use crate::decode::{LARGEST_BYTES, LARGEST_SIDE};
use crate::{Notes, PreprocessError, Reader, RgbImage};

/// What every JPEG begins with.
pub(crate) const MAGIC: &[u8] = b"\xFF\xD8\xFF";

/// The most scans of a progressive file; beyond them it is taken for an attack on time.
const MOST_SCANS: usize = 500;

/// Decodes a JPEG as it lies in the file; how it is to be turned is said beside it.
///
/// The decoder is young: should it panic on a damaged file that no fuzzing has met, that is the file's error, and not the
/// end of an evaluation of fifty thousand others.
pub(crate) fn decode(
    bytes: &[u8],
    reader: Reader,
    image: &mut RgbImage,
) -> Result<(Notes, Orientation), PreprocessError> {
    let caught = catch_unwind(AssertUnwindSafe(|| decode_or_panic(bytes, reader, image)));
    caught.unwrap_or_else(|_| Err(PreprocessError::Decode("the decoder gave up on it".into())))
}

fn decode_or_panic(
    bytes: &[u8],
    reader: Reader,
    image: &mut RgbImage,
) -> Result<(Notes, Orientation), PreprocessError> {
    let mut decoder = Decoder::new_with_limits(bytes, limits())?;
    let orientation = decoder.exif_orientation().and_then(Orientation::from_exif);
    let header = decoder.header();
    let (width, height) = (usize::from(header.width), usize::from(header.height));
    if width == 0 || height == 0 {
        // libjpeg refuses heights that only come after the first scan as well.
        return Err(PreprocessError::Empty { width, height });
    }
    let four = header.components.len() == 4;
    if four && !sampled_as_usual(&decoder) {
        let why = "four inks, sampled in a way that no program writes";
        return Err(PreprocessError::Decode(why.into()));
    }
    let inks = four && reader == Reader::OpenCv;
    decoder.set_output_format(if inks { PixelFormat::Cmyk } else { PixelFormat::Rgb });
    image.pixels.resize(decoder.output_buffer_size()?, 0);
    let info = decoder.decode_image_into(&mut image.pixels)?;
    image.pixels.truncate(info.bytes_written);
    (image.width, image.height) = (info.width, info.height);
    if inks {
        image.pixels = opencv_rgb(&image.pixels);
    }
    let notes = Notes {
        icc: info.icc_profile.is_some(),
        turned: false,
    };
    Ok((notes, orientation.unwrap_or(Orientation::NoTransforms)))
}

/// The decoder panics on other samplings of four components, which only damaged headers have.
fn sampled_as_usual(decoder: &Decoder) -> bool {
    let sampling: Vec<[u8; 2]> = decoder
        .header()
        .components
        .iter()
        .map(|component| [component.horizontal_sampling, component.vertical_sampling])
        .collect();
    let [first, second, third, fourth] = sampling.as_slice() else {
        return false;
    };
    let divides = |i: usize| second[i] > 0 && first[i] % second[i] == 0;
    first == fourth && second == third && divides(0) && divides(1)
}

fn limits() -> libjpeg_turbo_rs::DecodeLimits {
    libjpeg_turbo_rs::DecodeLimits {
        max_width: LARGEST_SIDE as usize,
        max_height: LARGEST_SIDE as usize,
        max_scans: MOST_SCANS,
        max_memory: Some(LARGEST_BYTES),
        ..Default::default()
    }
}

/// OpenCV's way from inverted inks to RGB, which takes 256 for 255; Pillow's is the decoder's own.
fn opencv_rgb(inks: &[u8]) -> Vec<u8> {
    let light = |ink: u8, black: u8| {
        let (ink, black) = (u32::from(ink), u32::from(black));
        (black - (((255 - ink) * black) >> 8)) as u8
    };
    inks.chunks_exact(4)
        .flat_map(|pixel| [0, 1, 2].map(|c| light(pixel[c], pixel[3])))
        .collect()
}

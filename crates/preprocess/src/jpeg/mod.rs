//! JPEGs as libjpeg-turbo reads them.
//!
//! The decoder, libjpeg-turbo-rs, has libjpeg-turbo's bits for files that are whole. What libjpeg forgives beside, it does
//! not; so a file is first taken apart as libjpeg does ([`stream`]) and written anew for the decoder ([`rewrite`]), without
//! what lies between its segments and with nothing but what decoding needs.

mod bits;
mod coefficients;
mod damaged;
mod encode;
mod huffman;
mod planes;
mod rewrite;
mod stream;

use std::panic::{AssertUnwindSafe, catch_unwind};

use libjpeg_turbo_rs::{DecodeLimits, Decoder, PixelFormat};

use self::stream::{Colours, Stream};
use crate::budget::resize;
use crate::decode::{Decoded, Job};
use crate::{PreprocessError, Reader, RgbImage};

/// The first bytes of every JPEG.
pub(crate) const MAGIC: &[u8] = b"\xFF\xD8\xFF";

/// The reason for which libjpeg refuses a file.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    /// There is no more of it.
    CutOff,
    Damaged(&'static str),
}

impl From<Refusal> for PreprocessError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::CutOff => Self::decode("unexpected end of data: the file is cut off"),
            Refusal::Damaged(why) => Self::decode(why),
        }
    }
}

/// Decodes a JPEG as it lies in the file; how it is to be turned is said beside it.
///
/// The decoder is young: should it panic on a damaged file that no fuzzing has met, that is the file's error, and not the
/// end of an evaluation of fifty thousand others.
pub(crate) fn decode(bytes: &[u8], job: Job) -> Result<Decoded, PreprocessError> {
    let stream = Stream::of(bytes)?;
    let frame = &stream.frame;
    let (width, height) = (frame.width, frame.height);
    if frame.precision != 8 {
        // Both libraries are built for 8 bits.
        let why = format!("{} bits a sample, expected 8", frame.precision);
        return Err(PreprocessError::decode(why));
    }
    if !stream.ended && !stream.one_scan() {
        // Libjpeg has no pixels before the end.
        return Err(Refusal::CutOff.into());
    }
    let only_opencv = stream.after.or(stream
        .without_data
        .then_some(Refusal::Damaged("a marker without data")));
    if let (Some(refusal), Reader::Pillow) = (only_opencv, job.reader) {
        return Err(refusal.into());
    }
    let colours = stream.colours;
    let converted = matches!(colours, Colours::YCbCr | Colours::Ycck)
        || colours == Colours::Gray && job.reader == Reader::OpenCv;
    if frame.lossless() && converted {
        return Err(PreprocessError::decode(
            "a lossless file whose colours would be converted",
        ));
    }
    let plain = need(&stream, stream.one_scan());
    let taken = job.take(plain, (width, height), stream.orientation)?;
    let mut decoded = caught(|| match is_plain(&stream) {
        true => pixels(&rewrite::rewrite(&stream)?, &stream, job.reader, job.image),
        false => Err(Refusal::CutOff.into()),
    });
    drop(taken);
    // The rest is taken from libjpeg's understanding of it; of arithmetic codes there is no other.
    let understood = frame.huffman() && !matches!(decoded, Err(PreprocessError::Memory { .. }));
    if decoded.is_err() && understood {
        let _taken = job.take(need(&stream, false), (width, height), stream.orientation)?;
        decoded = caught(|| damaged::decode(&stream, job.reader, job.image));
    }
    decoded?;
    Ok(Decoded {
        icc: stream.icc,
        orientation: stream.orientation,
    })
}

/// Returns true if the decoder reads a file as libjpeg does, or reports that it does not. It reports missing data only in an
/// only scan of several components without restarts; other files are first read through.
fn is_plain(stream: &Stream) -> bool {
    let tells = stream.frame.components.len() > 1 && stream.interval() == 0;
    match stream.frame.huffman() {
        true => stream.is_whole() && stream.one_scan() && (tells || coefficients::are_complete(stream)),
        false => stream.ended,
    }
}

fn caught(decode: impl FnOnce() -> Result<(), PreprocessError>) -> Result<(), PreprocessError> {
    let caught = catch_unwind(AssertUnwindSafe(decode));
    caught.unwrap_or_else(|_| Err(PreprocessError::decode("the decoder gave up on it")))
}

/// Bytes that decoding takes, the result among them; more where not all is decoded at once.
fn need(stream: &Stream, at_once: bool) -> u64 {
    let frame = &stream.frame;
    let (across, down) = frame.sampling();
    let units = frame.width.div_ceil(8 * across) as u64 * frame.height.div_ceil(8 * down) as u64;
    let blocks: u64 = frame.components.iter().map(|c| (c.across * c.down) as u64).sum();
    let samples = 64 * units * blocks;
    // Coefficients of two bytes are kept until the last scan is read.
    let coefficients = if at_once { 0 } else { 2 * samples + samples / 32 };
    let pixels = frame.width as u64 * frame.height as u64;
    let inks = if frame.components.len() == 4 { 8 } else { 0 };
    (3 + inks) * pixels + samples + coefficients + stream.bytes.len() as u64
}

/// Decodes a file as it was written anew.
fn pixels(
    bytes: &[u8],
    stream: &Stream,
    reader: Reader,
    image: &mut RgbImage,
) -> Result<(), PreprocessError> {
    let limits = DecodeLimits {
        max_memory: None,
        ..Default::default()
    };
    let mut decoder = Decoder::new_with_limits(bytes, limits)?;
    // What scans leave open is guessed as libjpeg does, whose default that is.
    decoder.set_block_smoothing(true);
    if !planes::are_usual(stream) {
        return planes::decode(decoder, stream, reader, image);
    }
    let four = matches!(stream.colours, Colours::Cmyk | Colours::Ycck);
    let inks = four && reader == Reader::OpenCv;
    decoder.set_output_format(if inks { PixelFormat::Cmyk } else { PixelFormat::Rgb });
    resize(&mut image.pixels, decoder.output_buffer_size()?)?;
    let info = decoder.decode_image_into(&mut image.pixels)?;
    image.pixels.truncate(info.bytes_written);
    (image.width, image.height) = (info.width, info.height);
    if inks {
        opencv_rgb(&mut image.pixels);
    }
    Ok(())
}

/// OpenCV's way from inverted inks to RGB, in place; Pillow's is the decoder's own.
fn opencv_rgb(pixels: &mut Vec<u8>) {
    let count = pixels.len() / 4;
    for i in 0..count {
        let [cyan, magenta, yellow, black] = [0, 1, 2, 3].map(|c| pixels[4 * i + c]);
        let colours = [cyan, magenta, yellow].map(|ink| opencv_light(ink, black));
        pixels[3 * i..][..3].copy_from_slice(&colours);
    }
    pixels.truncate(3 * count);
}

/// The light that an ink and black leave; it takes 256 for 255.
fn opencv_light(ink: u8, black: u8) -> u8 {
    let (ink, black) = (u32::from(ink), u32::from(black));
    (black - (((255 - ink) * black) >> 8)) as u8
}

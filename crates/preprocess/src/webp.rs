use std::io::Cursor;

use image_webp::WebPDecoder;

use crate::PreprocessError;
use crate::budget::resize;
use crate::decode::{Decoded, Job};
use crate::exif::Orientation;

/// Returns true if the bytes begin as every WebP does.
pub(crate) fn is(bytes: &[u8]) -> bool {
    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP")
}

/// Decodes a WebP, of an animation the first frame. Transparency is dropped.
pub(crate) fn decode(bytes: &[u8], job: Job) -> Result<Decoded, PreprocessError> {
    let mut decoder = WebPDecoder::new(Cursor::new(bytes))?;
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    let exif = decoder.exif_metadata()?;
    let orientation = exif
        .and_then(|exif| Orientation::from_exif(&exif))
        .unwrap_or(Orientation::NONE);
    let pixels = largest(bytes).max(width as u64 * height as u64);
    let _taken = job.take(need(&mut decoder, pixels), (width, height), orientation)?;

    let icc = decoder.icc_profile()?.is_some();
    let samples = if decoder.has_alpha() { 4 } else { 3 };
    let pixels = &mut job.image.pixels;
    resize(pixels, samples * width * height)?;
    decoder.read_image(pixels)?;
    if samples == 4 {
        drop_alpha(pixels);
    }
    (job.image.width, job.image.height) = (width, height);
    Ok(Decoded { icc, orientation })
}

/// Bytes that decoding so many pixels takes, the result among them.
fn need(decoder: &mut WebPDecoder<Cursor<&[u8]>>, pixels: u64) -> u64 {
    let result = if decoder.has_alpha() { 4 } else { 3 };
    // Lossy files have planes of 1.5 bytes a pixel, and their transparency is unpacked as an image of four bytes and one of
    // one; animations are drawn on a canvas.
    let unpacked = match (decoder.is_lossy(), decoder.has_alpha()) {
        (true, false) => 2,
        (true, true) => 2 + 5,
        (false, _) => 5,
    };
    let drawn = if decoder.is_animated() { 4 + 4 } else { 0 };
    pixels * (result + unpacked + drawn) + (1 << 20)
}

/// From four bytes a pixel to the first three of them, in place.
fn drop_alpha(pixels: &mut Vec<u8>) {
    let count = pixels.len() / 4;
    for i in 1..count {
        pixels.copy_within(4 * i..4 * i + 3, 3 * i);
    }
    pixels.truncate(3 * count);
}

/// The pixels of the largest picture that is stored: a frame is unpacked before it is held against the canvas.
fn largest(bytes: &[u8]) -> u64 {
    let frames = Chunks(bytes.get(12..).unwrap_or_default()).flat_map(|(name, data)| match name {
        // A frame's place, its sides and its duration go before its chunks.
        b"ANMF" => Chunks(data.get(16..).unwrap_or_default()).collect(),
        _ => vec![(name, data)],
    });
    frames
        .filter_map(|(name, data)| area(name, data))
        .max()
        .unwrap_or(0)
}

fn area(name: &[u8; 4], data: &[u8]) -> Option<u64> {
    match name {
        b"VP8 " => {
            let sides = data.get(6..)?.first_chunk::<4>()?;
            let side = |at: usize| u64::from(u16::from_le_bytes([sides[at], sides[at + 1]]) & 0x3FFF);
            Some(side(0) * side(2))
        }
        b"VP8L" => {
            let bits = u64::from(u32::from_le_bytes(*data.get(1..)?.first_chunk()?));
            Some((1 + (bits & 0x3FFF)) * (1 + (bits >> 14 & 0x3FFF)))
        }
        _ => None,
    }
}

/// Names and data of RIFF's chunks; of one that is cut off, what there is.
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = (&'a [u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, rest) = self.0.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let length = u32::from_le_bytes(*length) as usize;
        let (data, rest) = rest.split_at(length.min(rest.len()));
        self.0 = rest.get(length % 2..).unwrap_or_default();
        Some((name, data))
    }
}

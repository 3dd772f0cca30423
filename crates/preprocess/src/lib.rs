//! Photos to batches: [`decode`] returns pixels, a [`Transform`] resizes, crops and normalises them as PaddleClas or timm
//! does. The result equals that of OpenCV or Pillow to the bit (`tests/goldens.rs`), JPEGs included.
//!
//! ```
//! use preprocess::{Filter, Profile, RgbImage, Transform};
//!
//! # fn main() -> Result<(), preprocess::PreprocessError> {
//! let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
//! let transform = Transform::new(256, 224, Profile::Timm(Filter::Bilinear), mean, std)?;
//! let white = RgbImage { width: 500, height: 375, pixels: vec![255; 500 * 375 * 3] };
//! let mut batch = vec![0.0_f32; transform.output_elements()];
//! transform.batch([&white], &mut batch);
//! assert!((batch[0] - (1.0 - 0.485) / 0.229).abs() < 1e-5);
//! # Ok(())
//! # }
//! ```
//!
//! # Speed
//!
//! `PYTHON=python cargo bench --bench preprocess_peers`: the fastest of all runs in ms, one thread of an AMD EPYC (Zen 4),
//! 4:2:0 JPEGs in memory to `[3, 224, 224]` of f32. Only pixels that survive the crop are resized, and each row is
//! normalised while it is in the first cache; a [`Worker`] keeps its memory from image to image.
//!
//! | library | decode 500 x 375 | prepare | decode 4000 x 3000 | prepare |
//! |---|---|---|---|---|
//! | ours, `paddle` | 0.61 | 0.056 | 42.2 | 0.085 |
//! | OpenCV 4.14, bilinear | 0.66 | 0.824 | 60.0 | 0.890 |
//! | ours, `timm`, bilinear | 0.61 | 0.168 | 42.3 | 2.905 |
//! | Pillow 12.3, bilinear | 0.70 | 1.835 | 72.5 | 34.743 |
//! | torchvision 0.29, tensors, antialiased | 0.68 | 0.575 | 56.3 | 4.521 |
//!
//! Ours decodes into the memory of the image before, which spares page faults. torchvision's tensors are not to the bit
//! Pillow's.
//!
//! # Damaged and rare files
//!
//! `tests/odd.rs` holds 644 of them against OpenCV 4.14 and Pillow 12.3 (libjpeg-turbo 3): each is read to the same pixels,
//! or refused where the library refuses it. What they do, and so do we:
//!
//! | file | OpenCV | Pillow |
//! |---|---|---|
//! | JPEG with stray bytes, fill bytes or `FF 00` before a marker | passed over | passed over |
//! | JPEG that ends before its last row, or without an end marker | refused | refused |
//! | the same, closed by an end marker | missing blocks are gray | gray |
//! | progressive JPEG without its end marker | refused | refused |
//! | progressive JPEG without some scans, or with holes in them | guessed from neighbours (block smoothing) | the same |
//! | restart markers lost, swapped, repeated, with stray bytes before them | libjpeg's resynchronisation | the same |
//! | an unknown marker behind the compressed data | read | refused |
//! | bytes behind the end, a second image (MPF) | ignored | ignored |
//! | EXIF orientation: any type and count, Intel's LONG too; of Motorola's LONG the upper half, which is none | turned | not turned |
//! | RGB JPEG (Adobe's transform 0, or components R, G, B without JFIF), however sampled | as RGB | as RGB |
//! | CMYK and YCCK, inverted | 256 for 255 | 255 |
//! | arithmetic codes | read | read |
//! | lossless JPEG | RGB | RGB, gray |
//! | 12 bits, hierarchical, lossless with arithmetic codes | refused | refused |
//! | PNG of 16-bit gray, with `tRNS` or without | the upper byte | clipped to 255 |
//! | transparency of PNG, WebP and BMP | dropped | dropped |
//! | PNG without its end, with a wrong CRC of its image, or with an unknown critical chunk | refused | read |
//! | PNG with a wrong CRC before its image | read | refused |
//! | EXIF orientation in PNG and WebP | turned | not turned |
//! | animations | the first frame | the first frame |
//! | BMP of 15 or 16 bits | lower bits 0 | stretched to 255 |
//! | BMP in runs that leave pixels out | index 0 | refused |
//!
//! Of 1500 JPEGs damaged at random (bits, cuts, insertions, markers), read twice each, 24 readings were others: 12 of a false
//! segment behind the pixels that leads beyond the end, which Pillow sometimes forgives and we do not, 4 of Huffman tables that
//! are missing, for which libjpeg has standard ones, and 8 not looked into. Damaged arithmetic codes are refused, and were not
//! compared. [`Profile::Timm13`] is Pillow 13, which decodes the 644 alike but for one bitmap in runs of an odd number of nibbles.
//!
//! # Memory
//!
//! The memory of a photo is known from its header, and taken from a [`Budget`] before anything is allocated: a photo that asks
//! for more than all of it (1 GiB) is refused, and decoders of one [`Transform`] wait for each other. Colour profiles and
//! texts are not unpacked. Pixels for which the machine has no memory are an error.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod bmp;
mod budget;
mod decode;
mod encode;
mod error;
mod exif;
mod jpeg;
mod png;
mod transform;
mod turn;
mod webp;
mod worker;

pub use budget::Budget;
pub use decode::{DECODER, Notes, Reader, RgbImage, decode, decode_into, decode_within};
pub use encode::encode_png;
pub use error::PreprocessError;
pub use kernels::Element;
pub use transform::{Filter, Profile, Transform};
pub use worker::Worker;

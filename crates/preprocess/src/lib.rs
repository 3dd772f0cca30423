//! Photos to batches: [`decode`] gives pixels, a [`Transform`] resizes, crops and normalises them as PaddleClas or timm
//! does. The result equals that of OpenCV or Pillow to the bit (`tests/goldens.rs`), JPEGs included.
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

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod decode;
mod error;
mod jpeg;
mod transform;
mod worker;

pub use decode::{DECODER, Notes, Reader, RgbImage, decode, decode_into};
pub use error::PreprocessError;
pub use kernels::Element;
pub use transform::{Filter, Profile, Transform};
pub use worker::Worker;

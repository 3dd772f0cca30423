//! Photos to batches: [`decode`] gives pixels, a [`Transform`] resizes, crops and normalises them as PaddleClas or timm
//! does. The result equals that of OpenCV or Pillow to the bit (`tests/goldens.rs`), JPEGs included.

mod decode;
mod error;
mod jpeg;
mod transform;
mod worker;

pub use decode::{Notes, Reader, RgbImage, decode, decode_into};
pub use error::PreprocessError;
pub use kernels::Element;
pub use transform::{Filter, Profile, Transform};
pub use worker::Worker;

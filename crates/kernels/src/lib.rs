//! Kernels: slices in, slices out, and the CPU features they may use; and [`FileMap`], the other thing that takes
//! `unsafe`.
//!
//! [`Resizer`] and [`Normalize`] prepare photos, [`engine`] runs networks. Code for one instruction set belongs here and
//! nowhere else.

// A format or an op that is added must be looked at in each place: `_` would run it as another.
#![deny(clippy::wildcard_enum_match_arm)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod engine;
mod features;
mod lost;
mod map;
mod normalize;
mod resize;

pub use features::cpu_features;
pub use lost::end_in_words;
pub use map::FileMap;
pub use normalize::{Element, Normalize};
pub use resize::{Extent, Geometry, Resampling, Resizer, Window};

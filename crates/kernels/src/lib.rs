//! Kernels: slices in, slices out, and the CPU features they may use; and [`FileMap`], the other thing that takes
//! `unsafe`.
//!
//! [`Resizer`] and [`Normalize`] prepare photos, [`engine`] runs networks. Code for one instruction set belongs here and
//! nowhere else.
//!
//! ```
//! let normalize = kernels::Normalize::<f32>::new([0.5; 3], [0.25; 3]);
//! let white = [255; 2 * 4]; // a row of two pixels of four bytes
//! let mut planes = [0.0; 3 * 2];
//! normalize.row(0, &white, &mut planes);
//! assert!(planes.iter().all(|value| (value - 2.0).abs() < 1e-6)); // (1 - 0.5) / 0.25
//! ```

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

//! HRNets from a Rust program: [`Model`] loads a variant of the zoo, classifies photos and computes feature maps; [`PoseModel`]
//! finds the keypoints of people.
//!
//! ```no_run
//! use hrnet_zoo::Model;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let photo = std::fs::read("cat.jpg")?;
//! let mut model = Model::load("HRNet_W18_C")?;
//! for class in model.classify(&photo)? {
//!     println!("{:5.1} %  {}", 100.0 * class.probability, class.name);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `zoo fetch HRNet_W18_C` downloads the weights. [`Model::load`] finds them in the cache that the `zoo` program uses, compares
//! them with the digest of the first download, and prepares photos as the publisher of the weights does. [`Model::builder`]
//! takes other weights, precisions, threads and sizes. Nothing here uses the network or prints.
//!
//! The crates below are one job each, and public: [`registry`] reads `zoo.toml`, [`checkpoint`] weight files,
//! [`preprocess`] photos, [`pose`] boxes and heatmaps; [`hrnet`] is the architecture, [`runtime`] runs it. [`Door`] opens cached weights.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod builder;
mod class;
mod door;
mod error;
mod keypoints;
mod labels;
mod model;
mod profile;

pub use builder::Builder;
pub use class::{Class, top};
pub use door::{CopyState, Door, Notice, Opened};
pub use error::Error;
pub use hrnet::{Features, Precision, Shape};
pub use keypoints::{PoseModel, PoseOptions, skeleton};
pub use labels::{Labels, imagenet, wnids};
pub use model::{FeatureMap, Model};
pub use profile::{find_profile, sources_by_naming, transform};
pub use registry::Preprocess;
pub use runtime::Calibration;

/// The examples of the guide compile, too.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/rust.md")]
struct Guide;

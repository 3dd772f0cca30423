//! Pose from top down, around the network: a person's box becomes the network's input, heatmaps become keypoints.
//!
//! | step | where | equal to |
//! |---|---|---|
//! | box to placement | [`PersonBox`], [`Placement`] | mmpose 1.3.2, to the bit |
//! | placement to crop and tensor | [`Affine`], [`warp()`], [`Levels`], [`Cropper`] | mmpose on OpenCV 4, to the bit |
//! | flip test | [`mirror`], [`flip_mean`] | mmpose, to the bit |
//! | heatmaps to keypoints | [`Decoder`] | mmpose, to 1e-4 pixels of the input on smooth maps |
//! | keypoints of data sets | [`skeleton`] | mmpose's rows |
//! | people of an image to results | [`results`], [`oks`] | mmpose's scores and OKS-NMS |
//! | keypoints to a picture | [`draw()`] | |
//! | COCO's files | [`coco`] | |
//! | AP and AR | [`ap`] | pycocotools' `COCOeval`, to 1e-9 |
//!
//! ```
//! use pose::{Cropper, Decoder, Levels, PersonBox, Size, skeleton};
//! use preprocess::RgbImage;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let photo = RgbImage { width: 640, height: 480, pixels: vec![0; 640 * 480 * 3] };
//! let (input, maps) = (Size::new(192, 256), Size::new(48, 64));
//! let person = PersonBox::detected([100.0, 80.0, 120.0, 300.0], Size::new(640, 480))?.place(input);
//! let mut tensor = vec![0.0; 3 * input.pixels()];
//! Cropper::new(input, Decoder::Msra.unbiased(), Levels::imagenet()).tensor(&photo, &person, &mut tensor);
//!
//! // A network of 17 heatmaps would turn the tensor into these.
//! let heatmaps = vec![0.5; 17 * maps.pixels()];
//! let people = Decoder::Msra.people(&heatmaps, maps, input, skeleton::COCO.keypoints.len(), &[person])?;
//! assert!(people[0].iter().all(Option::is_some));
//! # Ok(())
//! # }
//! ```

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod affine;
pub mod ap;
mod boxes;
pub mod coco;
mod decode;
pub mod draw;
mod flip;
mod heatmaps;
mod input;
pub mod oks;
mod people;
mod size;
pub mod skeleton;
mod warp;

pub use affine::Affine;
pub use boxes::{BoxError, PersonBox, Placement, place_all};
pub use decode::{BLUR_TAPS, Decoder, Keypoint};
pub use draw::draw;
pub use flip::flip_mean;
pub use heatmaps::{HeatmapError, Heatmaps};
pub use input::{Cropper, Levels, mirror};
pub use oks::Oks;
pub use people::{Found, results};
pub use size::Size;
pub use warp::warp;

//! Top-down pose without the network: a person's box becomes the network's input, and heatmaps become keypoints.
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
//! [`TopDown`] is the whole way in one call, for a network that the caller runs:
//!
//! ```
//! use pose::oks::{NMS_THRESHOLD, Oks};
//! use pose::{Decoder, HeatmapError, PersonBox, Scored, Size, TopDown, skeleton};
//! use preprocess::RgbImage;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut photo = RgbImage { width: 640, height: 480, pixels: vec![0; 640 * 480 * 3] };
//! let person = PersonBox::detected([100.0, 80.0, 120.0, 300.0], Size::new(640, 480))?;
//! let mut way = TopDown::new(Size::new(192, 256), Decoder::Msra, &skeleton::COCO, true);
//! let people = way.find(&photo, &[Scored { person, score: 1.0 }], 8, |batch, people| {
//!     // A network would turn `[people, 3, 256, 192]` into these heatmaps.
//!     assert_eq!(batch.len(), people * 3 * 256 * 192);
//!     Ok::<_, HeatmapError>(vec![0.5; people * 17 * 64 * 48])
//! })?;
//!
//! let results = pose::results(1, &people, &Oks::new(skeleton::COCO.sigmas), Some(NMS_THRESHOLD));
//! println!("{}", pose::coco::write_detections(&results));
//! let keypoints: Vec<_> = people.into_iter().map(|found| found.keypoints).collect();
//! pose::draw(&mut photo, &skeleton::COCO, &keypoints, pose::draw::THRESHOLD);
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
mod top_down;
mod warp;

pub use affine::Affine;
pub use boxes::{BoxError, PersonBox, Placement};
pub use decode::{BLUR_TAPS, Decoder, Keypoint};
pub use draw::draw;
pub use flip::flip_mean;
pub use heatmaps::{HeatmapError, Heatmaps};
pub use input::{Cropper, Levels, mirror};
pub use oks::Oks;
pub use people::{Found, results};
pub use size::Size;
pub use top_down::{Scored, TopDown};
pub use warp::warp;

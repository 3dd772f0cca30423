//! The program as a user meets it: arguments in; output, files and exit codes out.

#[path = "../common/mod.rs"]
mod common;

mod catalogue;
mod export;
mod infer;
mod photos;
mod pose;
mod program;

const PHOTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/photo.jpg");
/// The same with OpenCV's pixels, as the reference's answers were computed with.
const PIXELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/photo.png");

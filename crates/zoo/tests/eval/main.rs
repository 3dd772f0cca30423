//! `zoo eval` on data sets whose answers are known beforehand.

#[path = "../common/mod.rs"]
mod common;
#[path = "../world/mod.rs"]
mod world;

mod data;
mod keypoints;
mod shards;

const IMAGES: usize = 2000;

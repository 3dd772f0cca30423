//! `zoo eval` on a data set whose answers are known beforehand.

#[path = "../common/mod.rs"]
mod common;
#[path = "../world/mod.rs"]
mod world;

mod data;
mod shards;

const IMAGES: usize = 2000;

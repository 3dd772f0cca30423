//! The layout of values in memory: the places of a map's pixels, and those that are computed together.

pub(in crate::engine) mod grid;
pub(in crate::engine) mod map;
pub(in crate::engine) mod places;
pub(in crate::engine) mod planes;
pub(in crate::engine) mod slots;
pub(in crate::engine) mod tiling;

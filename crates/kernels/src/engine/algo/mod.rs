//! Algorithms: convolutions by direct products and by Winograd's minimal filtering, and one file for each other operation.

pub(in crate::engine) mod channels;
pub(in crate::engine) mod conv;
pub(in crate::engine) mod direct;
pub(in crate::engine) mod elementwise;
pub(in crate::engine) mod layer;
pub(in crate::engine) mod linear;
pub(in crate::engine) mod pack;
pub(in crate::engine) mod planes;
pub(in crate::engine) mod tiles;
pub(in crate::engine) mod upsample;
pub(in crate::engine) mod winograd;

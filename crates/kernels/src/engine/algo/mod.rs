//! Algorithms: convolutions by direct products and by Winograd's minimal filtering, and what is not a convolution.

pub(in crate::engine) mod channels;
pub(in crate::engine) mod conv;
pub(in crate::engine) mod direct;
pub(in crate::engine) mod layer;
pub(in crate::engine) mod ops;
pub(in crate::engine) mod winograd;

//! Inner kernels: products of a few outputs by a few vectors of pixels, kept in registers or tiles.

pub(in crate::engine) mod gemm;
pub mod matrix;
pub(in crate::engine) mod operands;
pub(in crate::engine) mod peak;

//! The fused engine: convolutions with all that follows them, on maps laid out so that whole vectors are loaded,
//! on the best vector unit of the CPU.
//!
//! Its `unsafe` code loads and stores through pointers, and enters code for a vector unit that was found. Everything it
//! offers outside is safe: a [`ProgramBuilder`] refuses steps for which it would not be.
#![expect(
    unsafe_code,
    reason = "vectors are loaded and stored through pointers, by threads that share one memory"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "constant ranges over registers are what the compiler unrolls"
)]

mod algo;
mod layout;
mod micro;
mod program;
mod quant;
mod simd;

pub use algo::conv::ConvParams;
pub use algo::layer::{Algorithm, ConvShape, Layer};
pub use algo::linear::{Activation, LinearParams};
pub use algo::upsample::Interpolation;
pub use layout::grid::{Grid, Rows};
pub use layout::map::{Map, Row};
pub use micro::matrix;
pub use micro::peak::peak_macs;
pub use program::check::Refusal;
pub use program::op::{Form, Op, Packs, Pass};
pub use program::parts::{Access, Epilogue, OpLayer, Operand, Operands, Parts};
pub use program::step::Step;
pub use program::{Observe, Placed, Program, ProgramBuilder, ProgramError, Seen, Watch};
pub use quant::format::{Format, Packing};
pub use simd::isa::{Isa, Target, UnknownIsa};

//! The fused engine: convolutions with all that follows them, on maps laid out so that whole vectors are loaded,
//! on the best vector unit of the CPU.
//!
//! This folder holds the only `unsafe` code of the project: loads and stores through pointers, and entering code
//! for a vector unit that was found. Everything it offers outside is safe.
#![expect(
    unsafe_code,
    reason = "vectors are loaded and stored through pointers, by threads that share one memory"
)]
#![expect(
    clippy::needless_range_loop,
    reason = "constant ranges over registers are what the compiler unrolls"
)]

mod barrier;
mod channels;
mod conv;
mod direct;
mod format;
mod gemm;
mod grid;
mod isa;
mod layer;
mod maps;
pub mod matrix;
mod operands;
mod ops;
mod packed;
mod peak;
mod places;
mod program;
mod simd;
mod slots;
mod step;
mod tiling;
mod winograd;

pub use conv::{Convolution, Inputs};
pub use format::{Format, Packing};
pub use grid::Grid;
pub use isa::{Isa, Target, UnknownIsa};
pub use layer::{Algorithm, ConvShape, Layer};
pub use maps::{Activation, Linear, Map, Row};
pub use peak::peak_macs;
pub use program::{Observe, Program, ProgramError, Seen, Steps, Watch};
pub use step::Step;

//! The fused engine: convolutions with all that follows them, on maps laid out so that whole vectors are loaded,
//! on the best vector unit of the CPU.
//!
//! Its `unsafe` code loads and stores through pointers, and enters code for a vector unit that was found. Everything it
//! offers outside is safe: [`Program::new`] refuses steps for which it would not be.
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
mod memory;
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
pub use step::{Refusal, Step};

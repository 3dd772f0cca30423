//! Backends that run an HRNet graph on weights. [`Backend::prepare`] does all the work that can be done once; benchmarks time
//! [`Session::run`].
//!
//! [`BACKENDS`] lists every backend of this build. Each passes the same conformance suite against a naive
//! double-precision walk over the graph. Those of [`PEERS`] are other people's engines, each behind a feature of its name.
//!
//! ```
//! use hrnet::{HrnetSpec, Precision, SeededWeights, Shape};
//! use runtime::{Options, default_backend};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let graph = HrnetSpec::imagenet([8, 16, 32, 64]).graph(Shape::square(1, 32))?;
//! let backend = default_backend(Precision::F32)?;
//! let mut session = backend.prepare(&graph, &SeededWeights::new(0), Options::new(Precision::F32))?;
//! let logits = session.logits(&vec![0.5; graph.input_shape().elements()])?;
//! assert_eq!(logits.len(), 1000);
//! # Ok(())
//! # }
//! ```
//!
//! A network with several outputs computes all of them in one run, by name.
//!
//! ```
//! use hrnet::{Features, HrnetSpec, Precision, SeededWeights, Shape};
//! use runtime::{Options, default_backend};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let spec = HrnetSpec::imagenet([8, 16, 32, 64]).features_only(Features::Stage4, &[4, 32])?;
//! let graph = spec.graph(Shape::new(1, 3, 64, 32))?;
//! let backend = default_backend(Precision::F32)?;
//! let mut session = backend.prepare(&graph, &SeededWeights::new(0), Options::new(Precision::F32))?;
//! let outputs = session.outputs(&vec![0.5; graph.input_shape().elements()])?;
//! let coarse = outputs.get("stride_32").ok_or("no such output")?;
//! assert_eq!((coarse.shape, coarse.values.len()), (Shape::new(1, 64, 2, 1), 128));
//! # Ok(())
//! # }
//! ```

// A format, an op or a precision that is added must be looked at in each place: `_` would run it as another.
#![deny(clippy::wildcard_enum_match_arm)]
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod backend;
mod calibration;
mod candle;
mod cpu;
#[cfg(feature = "ort")]
mod ort;
mod outputs;
#[cfg(feature = "tract")]
mod tract;

pub use backend::{
    BACKENDS, Backend, Options, OutputShape, PEERS, RuntimeError, Session, Shapes, StepCost, UnknownBackend,
    backend, check_finite, default_backend,
};
pub use calibration::{
    Calibration, CalibrationError, Calibrator, Channels, Method, Origin, Range, UnknownMethod, photo_like,
};
pub use cpu::{Costs, CostsError, Tuned, least_memory, operands, tune, unit, unit_for, use_costs};
pub use outputs::{OutputValues, Outputs};

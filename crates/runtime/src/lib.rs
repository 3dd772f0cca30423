//! Backends that run an HRNet graph on weights: [`Backend::prepare`] does all the work that can be done once,
//! [`Session::run`] is what a benchmark times.
//!
//! [`BACKENDS`] lists every backend of this build. Each passes the same conformance suite against a naive
//! double-precision walk over the graph.

mod backend;
mod candle;
mod cpu;

pub use backend::{
    BACKENDS, Backend, Options, RuntimeError, Session, StepCost, UnknownBackend, backend, default_backend,
};
pub use cpu::{Costs, CostsError, Tuned, tune, unit, use_costs};

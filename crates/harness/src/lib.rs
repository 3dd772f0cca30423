//! Measurements: a [`Case`] names a measurement, [`Budget::measure`] times it, a [`Record`] keeps every sample with all that is
//! needed to read it alone, and a [`Summary`] is computed when a record is read.
//!
//! [`Times`] are the statistics of a case that every command and page shows. [`Budget::race`] times several cells in turns, and a
//! [`Ratio`] compares two of them.
//!
//! [`LayerTimes`] are the times of one network's steps.
//!
//! [`verdict`] compares two sets of records and names the cells that became slower.
//!
//! [`eval`] counts right answers on labelled images and gives their confidence intervals.
//!
//! The harness times closures and knows no backend. With the feature `criterion`, `Suite` runs the same closures under it.
//!
//! ```
//! use harness::{Case, Summary};
//!
//! # fn main() -> Result<(), harness::ParseCaseError> {
//! let case: Case = "HRNet_W18_C/f32/bs1/crop224/cpu/t2".parse()?;
//! assert_eq!(case.to_string(), "HRNet_W18_C/f32/bs1/crop224/cpu/t2");
//! let summary = Summary::of(&[12_000_000, 13_000_000, 19_000_000]).expect("samples");
//! assert_eq!(summary.median_ms(), 13.0);
//! # Ok(())
//! # }
//! ```

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod case;
mod cell;
mod conditions;
mod days;
mod derived;
pub mod eval;
mod fidelity;
mod layers;
mod lines;
mod machine;
mod measure;
mod memory;
pub mod noise;
mod quantile;
mod race;
mod record;
mod stats;
mod stopwatch;
mod store;
#[cfg(feature = "criterion")]
mod suite;
mod sweep;
mod times;
pub mod verdict;
mod weights_check;
mod words;

pub use case::{Case, NetworkCase, ParseCaseError, PreprocessCase, Stage};
pub use cell::Cell;
pub use conditions::Lookout;
pub use days::days_between;
pub use derived::REFERENCE_MACS_PER_S;
pub use fidelity::{Closeness, MapCloseness};
pub use layers::{LayerTimes, Multiplied, StepSum, StepTimes};
pub use machine::Machine;
pub use measure::Budget;
pub use memory::free_memory;
pub use noise::Noise;
pub use quantile::Quantile;
pub use race::{Interval, Ratio};
pub use record::{Canary, Commit, Conditions, Fidelity, Outcome, Provenance, Race, Record, WarmUp};
pub use stats::{Summary, median};
pub use stopwatch::Stopwatch;
pub use store::{StoreError, append, read};
#[cfg(feature = "criterion")]
pub use suite::Suite;
pub use sweep::{SWEEP, sweep_memory};
pub use times::Times;
pub use weights_check::WeightsCheck;
pub use words::counted;

//! What tests of several crates share: [`largest_difference`] and [`first_class`] compare values and let no NaN through,
//! [`not_run`] tells what cannot run here, and fails where it must.

mod absent;
mod compare;

pub use absent::{is_required, not_run, required, tell};
pub use compare::{first_class, largest_difference, places};

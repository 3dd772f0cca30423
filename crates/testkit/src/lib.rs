//! Helpers that tests of several crates share: [`largest_difference`] and [`first_class`] compare values and let no NaN through,
//! [`not_run`] reports what cannot run here, and fails if it must run.
//!
//! ```
//! assert!(testkit::largest_difference(&[1.0, 2.0], &[1.0, 2.5]) == 0.5);
//! assert!(testkit::largest_difference(&[f32::NAN], &[0.0]).is_infinite());
//! assert_eq!(testkit::first_class(&[0.1, 0.7, 0.2]), Some(1));
//! ```

mod absent;
mod compare;

pub use absent::{is_required, not_run, required, tell};
pub use compare::{first_class, largest_difference, places};

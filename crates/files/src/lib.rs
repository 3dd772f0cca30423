//! The one way in which this project puts files and folders in place: whole, or not at all.
//!
//! [`write()`] and [`Whole::output`] are for files that a user names, [`Whole::create`] is for files of folders that are ours.
//! [`WholeFolder`] does the same for a folder. [`lock()`], [`hold`] and [`try_hold`] keep processes apart, and
//! [`open_regular`] opens neither links nor pipes nor devices.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod folder;
mod lock;
mod open;
mod whole;

pub use folder::WholeFolder;
pub use lock::{hold, lock, try_hold};
pub use open::{no_follow, open_regular};
pub use whole::{Whole, folder_of, sync_folder, write};

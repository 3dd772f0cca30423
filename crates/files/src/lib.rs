//! The one way in which this project puts files and folders in place: whole, or not at all.
//!
//! [`write()`] and [`Whole::output`] are for files that a user names, [`Whole::create`] is for files of folders that are ours.
//! [`WholeFolder`] does the same for a folder. [`lock()`], [`hold`] and [`try_hold`] keep processes apart, and
//! [`open_regular`] opens neither links nor pipes nor devices. [`open_file`], [`read_file`] and [`read_text`] are for a user's files:
//! they follow links, and refuse pipes, devices and files that are larger than what is read.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod folder;
mod lock;
mod open;
mod regular;
mod whole;

pub use folder::WholeFolder;
pub use lock::{hold, lock, try_hold};
pub use open::{no_follow, open_regular};
pub use regular::{LARGEST_TEXT, kind, open_file, read_file, read_text, read_up_to, too_large};
pub use whole::{Whole, folder_of, sync_folder, write};

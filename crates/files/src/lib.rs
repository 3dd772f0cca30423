//! Files that are put in place whole or not at all, and files of users that are opened safely.
//!
//! [`write()`] and [`Whole::output`] are for files that a user names, [`Whole::create`] is for files of folders that are ours.
//! [`WholeFolder`] does the same for a folder. [`lock()`], [`hold`], [`try_hold`] and [`hold_folder`] keep processes apart, and
//! [`open_regular`] opens neither links nor pipes nor devices. [`open_file`], [`read_file`] and [`read_text`] are for a user's files:
//! they follow links, and refuse pipes, devices and files that are larger than what is read.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("report.txt");
//! files::write(&path, b"all of it")?;
//! assert_eq!(files::read_text(&path, files::LARGEST_TEXT)?, "all of it");
//! # Ok(())
//! # }
//! ```

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod folder;
mod lock;
mod open;
mod regular;
mod whole;

pub use folder::WholeFolder;
pub use lock::{hold, hold_folder, lock, try_hold};
pub use open::{no_follow, open_regular};
pub use regular::{LARGEST_TEXT, kind, open_file, read_file, read_text, read_up_to, too_large};
pub use whole::{Whole, check_append, check_output, folder_of, sync_folder, write};

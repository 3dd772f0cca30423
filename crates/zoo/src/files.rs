use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::Failure;

/// Writes a file beside `path` and renames it, so that no half file is ever seen.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", std::process::id()));
    let partial = path.with_file_name(name);
    let write = || -> io::Result<()> {
        let mut file = File::create_new(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().map_err(|error| {
        // The partial file is of no use; that it cannot be removed is not what failed.
        let _ = fs::remove_file(&partial);
        Failure::file(path, &error)
    })
}

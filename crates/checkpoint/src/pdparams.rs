//! Paddle's `.pdparams`: a pickled dictionary from names to arrays, or to `(name, array)` pairs.

use bytes::Bytes;

use crate::content::{Content, Fault};
use crate::pickle::Machine;
use crate::pickled::{Source, Storages};

/// Reads the content of a `.pdparams` file.
pub(crate) fn content(file: &Bytes, wanted: Option<&str>) -> Result<Content, Fault> {
    let source = Source {
        bytes: file,
        run: &Machine::run(file, 0)?,
        storages: &Storages::new(),
        file_bytes: file.len(),
    };
    Ok(source.content(wanted)?.content)
}

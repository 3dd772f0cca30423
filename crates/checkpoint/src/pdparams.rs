//! Paddle's `.pdparams`: a pickled dictionary from names to arrays, or to `(name, array)` pairs.

use bytes::Bytes;

use crate::content::{Content, Fault};
use crate::pickle::Machine;
use crate::pickled::{Source, Storages};

/// What a `.pdparams` file holds.
pub(crate) fn content(file: &Bytes, wanted: Option<&str>) -> Result<Content, Fault> {
    let source = Source {
        bytes: file,
        run: &Machine::run(file, 0)?,
        storages: &Storages::new(),
        file_bytes: file.len(),
    };
    Ok(source.content(wanted)?.content)
}

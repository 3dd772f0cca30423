//! `.pth` before PyTorch 1.6: five pickles in a row, then each storage with its length before it.

use std::collections::HashMap;

use bytes::Bytes;

use super::{Storages, state_dict};
use crate::Dtype;
use crate::error::shown;
use crate::file::Tensors;
use crate::pickle::{Machine, Reader, Run, Value};

/// The first pickle: PyTorch's magic number.
const MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
/// The second: the version of this layout, of which there was but one.
const VERSION: i64 = 1001;

/// The tensors of such a file; their elements stay in its map.
pub(crate) fn tensors(file: &Bytes) -> Result<Tensors, String> {
    if !file.starts_with(MAGIC) {
        return Err("PyTorch's magic number is damaged".into());
    }
    let version = Machine::run(file, MAGIC.len())?;
    if version.result != Value::Int(VERSION) {
        return Err(format!("a version of PyTorch's layout that is not {VERSION}"));
    }
    let system = Machine::run(file, version.end)?;
    if !is_little_endian(&system) {
        return Err("numbers not said to be in little endian order, which is what is read".into());
    }
    let object = Machine::run(file, system.end)?;
    let keys = Machine::run(file, object.end)?;
    let storages = storages(file, &object, &keys)?;
    state_dict(file.len(), &object, &storages)
}

fn is_little_endian(system: &Run) -> bool {
    let Value::Dict(notes) = system.result else {
        return false;
    };
    let little = Value::Bool(true);
    system.machine.dict(notes).iter().any(|(key, value)| {
        matches!(
            key,
            Value::Text(b"little_endian") | Value::Bytes(b"little_endian")
        ) && *value == little
    })
}

/// The storages behind the last pickle, in the order of the keys that it lists.
fn storages(file: &Bytes, object: &Run, keys: &Run) -> Result<Storages, String> {
    let Value::List(list) = keys.result else {
        return Err("the storages are not listed".into());
    };
    let dtypes: HashMap<&[u8], Dtype> = object
        .machine
        .storages()
        .iter()
        .map(|storage| (storage.key, storage.dtype))
        .collect();
    let mut reader = Reader::new(file, keys.end);
    let mut storages = Storages::new();
    for key in keys.machine.list(list) {
        let (Value::Text(key) | Value::Bytes(key)) = key else {
            return Err("a storage's key that is no text".into());
        };
        let offset = reader.offset();
        let at = |reason: String| format!("storage `{}` at byte {offset}: {reason}", shown(key));
        let dtype = dtypes
            .get(key)
            .ok_or_else(|| at("no tensor refers to it".into()))?;
        let bytes = storage(&mut reader, dtype.bytes()).map_err(at)?;
        storages.insert(key.to_vec(), file.slice_ref(bytes));
    }
    Ok(storages)
}

/// A storage's bytes, behind the number of its elements.
fn storage<'a>(reader: &mut Reader<'a>, size: usize) -> Result<&'a [u8], String> {
    let elements = reader.length::<8>()?;
    let length = elements
        .checked_mul(size)
        .ok_or_else(|| format!("{elements} elements"))?;
    reader.take(length)
}

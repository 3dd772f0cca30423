//! `.pth` before PyTorch 1.6: five pickles in a row, then each storage with its length before it.

use std::collections::HashMap;

use bytes::Bytes;

use crate::content::{Content, Fault};
use crate::error::shown;
use crate::pickle::{Machine, Reader, Run, Value};
use crate::pickled::{Source, Storages};

/// The first pickle but for its protocol: PyTorch's magic number.
const MAGIC: &[u8] = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
/// The number of its bytes that decide the format, so that damage behind them is reported as damage.
const TOLD_BY: usize = 2;
/// The second: the version of this layout, of which there was but one.
const VERSION: i64 = 1001;

/// Returns true if a file begins as such a file does.
pub(crate) fn is_legacy(file: &[u8]) -> bool {
    magic(file).is_some_and(|magic| magic.starts_with(&MAGIC[..TOLD_BY]))
}

/// Returns the bytes that follow a pickle's protocol and, in protocol 4, the length of its frame.
fn magic(file: &[u8]) -> Option<&[u8]> {
    match file {
        [0x80, _, 0x95, _, _, _, _, _, _, _, _, magic @ ..] | [0x80, _, magic @ ..] => Some(magic),
        _ => None,
    }
}

/// Reads the content of such a file; elements of tensors stay in its map.
pub(crate) fn content(file: &Bytes, wanted: Option<&str>) -> Result<Content, Fault> {
    let magic = magic(file).unwrap_or_default();
    if !magic.starts_with(MAGIC) {
        return Err("PyTorch's magic number is damaged".into());
    }
    let version = Machine::run(file, file.len() - magic.len() + MAGIC.len())?;
    if version.result != Value::Int(VERSION) {
        return Err(format!("a version of PyTorch's layout that is not {VERSION}").into());
    }
    let system = Machine::run(file, version.end)?;
    if !is_little_endian(&system) {
        return Err("numbers not said to be in little endian order, which is what is read".into());
    }
    let object = Machine::run(file, system.end)?;
    let keys = Machine::run(file, object.end)?;
    let source = Source {
        bytes: file,
        run: &object,
        storages: &storages(file, &object, &keys)?,
        file_bytes: file.len(),
    };
    Ok(source.content(wanted)?.content)
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
    let sizes: HashMap<&[u8], usize> = object
        .machine
        .storages()
        .iter()
        .map(|storage| (storage.key, storage.class.bytes))
        .collect();
    let mut reader = Reader::new(file, keys.end);
    let mut storages = Storages::new();
    for key in keys.machine.list(list) {
        let (Value::Text(key) | Value::Bytes(key)) = key else {
            return Err("a storage's key that is no text".into());
        };
        let offset = reader.offset();
        let at = |reason: String| format!("storage `{}` at byte {offset}: {reason}", shown(key));
        let size = sizes
            .get(key)
            .ok_or_else(|| at("no tensor of a known number format refers to it".into()))?;
        let bytes = storage(&mut reader, *size).map_err(at)?;
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

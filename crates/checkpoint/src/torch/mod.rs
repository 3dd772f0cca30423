//! PyTorch's `.pth`: a pickle of a network's tensors, whose elements are kept in storages outside of it.

pub(crate) mod archive;
pub(crate) mod legacy;
mod view;

use std::collections::HashMap;

use bytes::Bytes;

use crate::Tensor;
use crate::collection::Collection;
use crate::error::shown;
use crate::file::Tensors;
use crate::numpy::extents;
use crate::pickle::{Machine, Run, TensorParts, Value};

/// Where training scripts put the tensors when they save more than these.
const WRAPPERS: [&[u8]; 2] = [b"state_dict", b"model"];

/// The bytes of each storage by its key.
type Storages = HashMap<Vec<u8>, Bytes>;

/// The tensors of the dictionary that was pickled, or of the one within it that holds them.
fn state_dict(file_bytes: usize, run: &Run, storages: &Storages) -> Result<Tensors, String> {
    let machine = &run.machine;
    let Value::Dict(top) = run.result else {
        return Err("the pickle holds no dictionary of tensors".into());
    };
    let mut collection = Collection::new(file_bytes);
    for (key, value) in machine.dict(unwrapped(machine, top)?) {
        collection.add(*key, *value, |value| match value {
            Value::Tensor(tensor) => self::tensor(machine, machine.tensor(tensor), storages),
            _ => Err("no tensor".into()),
        })?;
    }
    Ok(collection.into_tensors())
}

/// The dictionary that holds the tensors: this one, or one that training scripts wrap.
fn unwrapped(machine: &Machine, top: usize) -> Result<usize, String> {
    let holds_tensors = |dict: usize| {
        let mut items = machine.dict(dict).iter();
        items.any(|(_, value)| matches!(value, Value::Tensor(_)))
    };
    if holds_tensors(top) {
        return Ok(top);
    }
    let inner = |name: &[u8]| {
        machine.dict(top).iter().find_map(|item| match item {
            (Value::Text(key) | Value::Bytes(key), Value::Dict(dict)) if *key == name => Some(*dict),
            _ => None,
        })
    };
    WRAPPERS
        .into_iter()
        .filter_map(inner)
        .find(|dict| holds_tensors(*dict))
        .ok_or_else(|| {
            let found: Vec<String> = machine
                .dict(top)
                .iter()
                .take(5)
                .map(|(key, _)| match key {
                    Value::Text(key) | Value::Bytes(key) => format!("`{}`", shown(key)),
                    _ => "a key that is no text".into(),
                })
                .collect();
            format!(
                "the pickled dictionary holds no tensors, nor do its `state_dict` or `model`; its keys: {}",
                if found.is_empty() {
                    "none".into()
                } else {
                    found.join(", ")
                }
            )
        })
}

fn tensor(machine: &Machine, parts: TensorParts, storages: &Storages) -> Result<Tensor, String> {
    let storage = machine.storage(parts.storage);
    let key = || shown(storage.key);
    let bytes = storages
        .get(storage.key)
        .ok_or_else(|| format!("its storage `{}` is not in the file", key()))?;
    let size = storage.dtype.bytes();
    let needed = usize::try_from(storage.elements)
        .ok()
        .and_then(|count| count.checked_mul(size));
    if needed != Some(bytes.len()) {
        return Err(format!(
            "its storage `{}` has {} bytes where {} elements of {} are declared",
            key(),
            bytes.len(),
            storage.elements,
            storage.dtype
        ));
    }
    let offset = usize::try_from(parts.offset).map_err(|_| format!("an offset of {}", parts.offset))?;
    let shape = extents(machine.tuple(parts.shape))?;
    let strides = extents(machine.tuple(parts.strides))?;
    let elements = view::elements(bytes, size, offset, &shape, &strides)?;
    Tensor::from_bytes(storage.dtype, shape, elements)
}

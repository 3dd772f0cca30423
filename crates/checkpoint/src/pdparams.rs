use std::collections::BTreeMap;

use crate::pickle::{Machine, Value};
use crate::{Dtype, Tensor};

/// Paddle's table of parameter names, kept beside the tensors.
const NAME_TABLE: &str = "StructuredToParameterName@@";
/// Paddle's table of tensors that were too large for one array.
const SPLIT_TABLE: &str = "UnpackBigParamInfor@@";

/// The tensors of a `.pdparams` file: a pickled dictionary from names to arrays, or to `(name, array)` pairs.
pub(crate) fn tensors(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    let (machine, result) = Machine::run(bytes)?;
    let Value::Dict(dict) = result else {
        return Err("the pickle holds no dictionary of tensors".into());
    };
    let mut tensors = BTreeMap::new();
    // One array under many names would make much memory of a small file.
    let mut elements_left = bytes.len();
    for (key, value) in machine.dict(dict) {
        let name = match key {
            Value::Text(name) => *name,
            Value::Bytes(name) => std::str::from_utf8(name).map_err(|_| "a tensor name that is not UTF-8")?,
            _ => return Err("a tensor name that is no text".into()),
        };
        if name == NAME_TABLE {
            continue;
        }
        if name == SPLIT_TABLE {
            return Err("tensors split over several arrays, which no HRNet needs: refused".into());
        }
        // What a training run noted beside its tensors, such as the epoch.
        if matches!(
            value,
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Text(_)
        ) {
            continue;
        }
        let tensor = tensor(&machine, *value).map_err(|reason| format!("tensor `{name}`: {reason}"))?;
        elements_left = elements_left
            .checked_sub(tensor.values.len())
            .ok_or_else(|| format!("tensor `{name}`: more elements than the file has bytes"))?;
        if tensors.insert(name.to_owned(), tensor).is_some() {
            return Err(format!("two tensors are named `{name}`"));
        }
    }
    Ok(tensors)
}

fn tensor(machine: &Machine, value: Value) -> Result<Tensor, String> {
    let array = match value {
        Value::Array(array) => array,
        Value::Tuple(pair) => match machine.tuple(pair) {
            [Value::Text(_) | Value::Bytes(_), Value::Array(array)] => *array,
            _ => return Err("a tuple that is no (name, array) pair".into()),
        },
        _ => return Err("neither an array nor a (name, array) pair".into()),
    };
    let state = machine.array(array).ok_or("an array without data")?;
    let [_, Value::Tuple(shape), Value::Dtype(dtype), fortran, data] = state else {
        return Err("an array whose state is not (version, shape, dtype, order, data)".into());
    };
    let shape = shape_of(machine.tuple(*shape))?;
    if !matches!(fortran, Value::Bool(false) | Value::Int(0)) && shape.len() > 1 {
        return Err("Fortran order, which Paddle does not write".into());
    }
    let parts = machine.dtype(*dtype);
    let dtype = match (parts.code, parts.order) {
        ("f4", "<" | "=") => Dtype::F32,
        ("f8", "<" | "=") => Dtype::F64,
        ("f2", "<" | "=") => Dtype::F16,
        ("i8", "<" | "=") => Dtype::I64,
        (code, order) => return Err(format!("dtype {order}{code}; <f4, <f8, <f2 and <i8 are read")),
    };
    match data {
        Value::Bytes(bytes) => Tensor::from_bytes(dtype, shape, bytes),
        Value::Latin1(text) => Tensor::from_bytes(dtype, shape, &latin1(text)?),
        _ => Err("array data that is no bytes".into()),
    }
}

fn shape_of(extents: &[Value]) -> Result<Vec<usize>, String> {
    let extent = |value: &Value| match value {
        Value::Int(extent) => usize::try_from(*extent).map_err(|_| format!("an extent of {extent}")),
        _ => Err("an extent that is no integer".into()),
    };
    extents.iter().map(extent).collect()
}

/// The bytes that were written as one character each.
fn latin1(text: &str) -> Result<Vec<u8>, String> {
    text.chars()
        .map(|character| u8::try_from(character).map_err(|_| format!("{character:?} stands for no byte")))
        .collect()
}

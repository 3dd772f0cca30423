//! Paddle's `.pdparams`: a pickled dictionary from names to arrays, or to `(name, array)` pairs.

use bytes::Bytes;

use crate::Tensor;
use crate::collection::Collection;
use crate::error::shown;
use crate::file::Tensors;
use crate::numpy;
use crate::pickle::{Machine, Run, Value};

/// Paddle's table of parameter names, kept beside the tensors.
const NAME_TABLE: &[u8] = b"StructuredToParameterName@@";
/// Paddle's table of tensors that were too large for one array in protocols 2 and 3.
const SPLIT_TABLE: &[u8] = b"UnpackBigParamInfor@@";

/// The tensors of a `.pdparams` file.
pub(crate) fn tensors(file: &Bytes) -> Result<Tensors, String> {
    let Run {
        machine,
        result: Value::Dict(dict),
        ..
    } = Machine::run(file, 0)?
    else {
        return Err("the pickle holds no dictionary of tensors".into());
    };
    let mut collection = Collection::new(file.len());
    let mut split = None;
    for (key, value) in machine.dict(dict) {
        match key {
            Value::Text(NAME_TABLE) | Value::Bytes(NAME_TABLE) => {}
            Value::Text(SPLIT_TABLE) | Value::Bytes(SPLIT_TABLE) => split = Some(*value),
            _ => collection.add(*key, *value, |value| tensor(file, &machine, value))?,
        }
    }
    let mut tensors = collection.into_tensors();
    if let Some(table) = split {
        let at = |reason| format!("the table of split tensors: {reason}");
        join(&mut tensors, &machine, table).map_err(at)?;
    }
    Ok(tensors)
}

fn tensor(file: &Bytes, machine: &Machine, value: Value) -> Result<Tensor, String> {
    let array = match value {
        Value::Array(array) => array,
        Value::Tuple(pair) => match machine.tuple(pair) {
            [Value::Text(_) | Value::Bytes(_), Value::Array(array)] => *array,
            _ => return Err("a tuple that is no (name, array) pair".into()),
        },
        _ => return Err("neither an array nor a (name, array) pair".into()),
    };
    numpy::tensor(file, machine, array)
}

/// Joins the tensors that Paddle split: the table has, by name, the shape and the names of the parts in order.
fn join(tensors: &mut Tensors, machine: &Machine, table: Value) -> Result<(), String> {
    let Value::Dict(table) = table else {
        return Err("no dictionary".into());
    };
    for (key, entry) in machine.dict(table) {
        let (name, Value::Dict(entry)) = (text(*key)?, entry) else {
            return Err("an entry that is no dictionary".into());
        };
        let at = |reason: String| format!("`{}`: {reason}", shown(name.as_bytes()));
        let field = |field: &[u8]| {
            let fields = machine.dict(*entry).iter().take(2);
            fields.clone().find_map(|(key, value)| match key {
                Value::Text(key) | Value::Bytes(key) if *key == field => Some(*value),
                _ => None,
            })
        };
        let (Some(Value::Tuple(shape)), Some(Value::List(slices))) =
            (field(b"OriginShape"), field(b"slices"))
        else {
            return Err(at("no shape or no parts".into()));
        };
        let shape = numpy::extents(machine.tuple(shape)).map_err(at)?;
        let whole = joined(tensors, machine.list(slices), shape).map_err(at)?;
        if tensors.insert(name.to_owned(), whole).is_some() {
            return Err(at("there is one tensor of that name already".into()));
        }
    }
    Ok(())
}

/// The parts, each of which is taken and so can be used but once, one behind the other.
fn joined(tensors: &mut Tensors, parts: &[Value], shape: Vec<usize>) -> Result<Tensor, String> {
    let (mut dtype, mut bytes) = (None, Vec::new());
    for part in parts {
        let name = text(*part)?;
        let part = tensors
            .remove(name)
            .ok_or_else(|| format!("no part `{}`", shown(name.as_bytes())))?;
        if *dtype.get_or_insert(part.dtype) != part.dtype {
            return Err("parts of several number formats".into());
        }
        bytes.extend_from_slice(&part.bytes());
    }
    let dtype = dtype.ok_or("no parts at all")?;
    Tensor::from_bytes(dtype, shape, bytes.into())
}

fn text<'a>(value: Value<'a>) -> Result<&'a str, String> {
    match value {
        Value::Text(name) | Value::Bytes(name) => std::str::from_utf8(name).ok(),
        _ => None,
    }
    .ok_or_else(|| "a name that is no text".into())
}

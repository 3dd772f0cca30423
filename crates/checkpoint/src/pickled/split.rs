//! Tensors that Paddle split, for they were too large for one array in protocols 2 and 3.

use crate::Tensor;
use crate::content::Tensors;
use crate::error::shown;
use crate::numpy;
use crate::pickle::{Machine, Value};

/// Paddle's table of them, kept beside the tensors.
pub(super) const TABLE: &[u8] = b"UnpackBigParamInfor@@";

/// Joins the tensors that a dictionary's table says were split, where it has one.
pub(super) fn join(tensors: &mut Tensors, machine: &Machine, items: &[(Value, Value)]) -> Result<(), String> {
    let table = items.iter().find_map(|(key, value)| match key {
        Value::Text(TABLE) | Value::Bytes(TABLE) => Some(*value),
        _ => None,
    });
    let at = |reason| format!("the table of split tensors: {reason}");
    table.map_or(Ok(()), |table| join_all(tensors, machine, table).map_err(at))
}

/// The table has, by name, the shape and the names of the parts in order.
fn join_all(tensors: &mut Tensors, machine: &Machine, table: Value) -> Result<(), String> {
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

use std::collections::BTreeMap;

use crate::error::shown;
use crate::pickle::{Machine, Value};
use crate::{Dtype, Tensor};

/// Paddle's table of parameter names, kept beside the tensors.
const NAME_TABLE: &[u8] = b"StructuredToParameterName@@";
/// Paddle's table of tensors that were too large for one array.
const SPLIT_TABLE: &[u8] = b"UnpackBigParamInfor@@";

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
        let (Value::Text(name) | Value::Bytes(name)) = key else {
            return Err("a tensor name that is no text".into());
        };
        if *name == NAME_TABLE {
            continue;
        }
        if *name == SPLIT_TABLE {
            return Err("tensors split over several arrays, which no HRNet needs: refused".into());
        }
        // What a training run noted beside its tensors, such as the epoch.
        if matches!(
            value,
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Text(_)
        ) {
            continue;
        }
        let at = |reason| format!("tensor `{}`: {reason}", shown(name));
        let text = std::str::from_utf8(name).map_err(|_| at("a name that is not UTF-8".to_owned()))?;
        let tensor = tensor(&machine, *value).map_err(at)?;
        elements_left = elements_left
            .checked_sub(tensor.values.len())
            .ok_or_else(|| at("more elements than the file has bytes".into()))?;
        if tensors.insert(text.to_owned(), tensor).is_some() {
            return Err(at("there are two of that name".into()));
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
    let dtype = match (parts.order, parts.code) {
        (b"<" | b"=", b"f4") => Dtype::F32,
        (b"<" | b"=", b"f8") => Dtype::F64,
        (b"<" | b"=", b"f2") => Dtype::F16,
        (b"<" | b"=", b"i8") => Dtype::I64,
        (order, code) => {
            return Err(format!(
                "dtype {}{}; <f4, <f8, <f2 and <i8 are read",
                shown(order),
                shown(code)
            ));
        }
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

/// The bytes that were written as one character each, U+0000 to U+00FF in UTF-8.
///
/// There, bytes from 0x80 on take two: `C2` and the byte itself, or `C3` and the byte less 0x40. Half the bytes of
/// trained weights do, in no order that a branch predictor could learn, so the loop has no branch: a lead byte is
/// written too, and overwritten by what follows it.
fn latin1(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; text.len()];
    let (mut count, mut previous, mut valid) = (0, 0, true);
    for &byte in text {
        let (leads, continues) = (byte >= 0xC0, byte & 0xC0 == 0x80);
        valid &= (continues == (previous >= 0xC0)) & (!leads | (byte & 0xFE == 0xC2));
        bytes[count] = byte | u8::from(previous == 0xC3) << 6;
        count += usize::from(!leads);
        previous = byte;
    }
    if !valid || previous >= 0xC0 {
        return Err("array data that is no text of the characters U+0000 to U+00FF".into());
    }
    bytes.truncate(count);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back_from_its_character() {
        let text: String = (0..=u8::MAX).chain((0..=u8::MAX).rev()).map(char::from).collect();
        let bytes: Vec<u8> = (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect();
        assert_eq!(latin1(text.as_bytes()), Ok(bytes));
        assert_eq!(latin1(b""), Ok(Vec::new()));
    }

    #[test]
    fn text_is_refused_exactly_where_it_stands_for_no_bytes() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                let pair = [first, second];
                let expected = std::str::from_utf8(&pair)
                    .ok()
                    .and_then(|text| text.chars().map(|c| u8::try_from(c).ok()).collect());
                assert_eq!(latin1(&pair).ok(), expected, "{pair:02x?}");
            }
        }
        for text in ["Ā", "€", "a😀"] {
            assert!(latin1(text.as_bytes()).is_err(), "{text}");
        }
    }
}

//! NumPy's arrays as a pickle holds them.

use bytes::Bytes;

use crate::error::shown;
use crate::pickle::{Machine, Value};
use crate::tensor::MAX_RANK;
use crate::{Dtype, Tensor};

/// The tensor of an array of this pickle, which stays where it is in the file.
pub(crate) fn tensor(file: &Bytes, machine: &Machine, array: usize) -> Result<Tensor, String> {
    let state = machine.array(array).ok_or("an array without data")?;
    let [_, Value::Tuple(shape), Value::Dtype(dtype), fortran, data] = state else {
        return Err("an array whose state is not (version, shape, dtype, order, data)".into());
    };
    let shape = extents(machine.tuple(*shape))?;
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
        Value::Bytes(bytes) => Tensor::from_bytes(dtype, shape, file.slice_ref(bytes)),
        Value::Latin1(text) => Tensor::from_latin1(dtype, shape, file.slice_ref(text)),
        _ => Err("array data that is no bytes".into()),
    }
}

/// A shape, or the strides of one.
///
/// # Errors
/// If there are absurdly many extents, or one is no integer or negative.
pub(crate) fn extents(extents: &[Value]) -> Result<Vec<usize>, String> {
    if extents.len() > MAX_RANK {
        return Err(format!("{} extents; at most {MAX_RANK} are read", extents.len()));
    }
    let extent = |value: &Value| match value {
        Value::Int(extent) => usize::try_from(*extent).map_err(|_| format!("an extent of {extent}")),
        _ => Err("an extent that is no integer".into()),
    };
    extents.iter().map(extent).collect()
}

//! NumPy's arrays as a pickle holds them.

use bytes::Bytes;

use crate::error::shown;
use crate::pickle::{ArrayParts, Machine, Value};
use crate::tensor::{MAX_RANK, fits};
use crate::{Dtype, Tensor, latin1, strided};

/// The number formats that are read, by NumPy's codes.
const DTYPES: [(&[u8], Dtype); 9] = [
    (b"f8", Dtype::F64),
    (b"f4", Dtype::F32),
    (b"f2", Dtype::F16),
    (b"i8", Dtype::I64),
    (b"i4", Dtype::I32),
    (b"i2", Dtype::I16),
    (b"i1", Dtype::I8),
    (b"u1", Dtype::U8),
    (b"b1", Dtype::Bool),
];

/// An array's parts, of whichever protocol.
struct Parts<'m> {
    data: Value<'m>,
    dtype: Value<'m>,
    shape: Vec<usize>,
    /// Elements from one index to the next of each extent; `None` is row-major.
    strides: Option<Vec<usize>>,
}

/// The tensor of an array of this pickle, which stays where it is in the file where its elements lie row-major and
/// little-endian.
pub(crate) fn tensor(file: &Bytes, machine: &Machine, array: usize) -> Result<Tensor, String> {
    let Parts {
        data,
        dtype,
        shape,
        strides,
    } = match machine.array(array) {
        ArrayParts::Hollow => return Err("an array without data".into()),
        ArrayParts::State(state) => of_state(machine, machine.tuple(state))?,
        ArrayParts::Buffer(arguments) => of_buffer(machine, machine.tuple(arguments))?,
    };
    let Value::Dtype(dtype) = dtype else {
        return Err("an array whose number format is not one of NumPy's own".into());
    };
    let parts = machine.dtype(dtype);
    let known = DTYPES.iter().find(|(code, _)| *code == parts.code);
    let (dtype, swapped) = match (parts.order, known) {
        (b"<" | b"=" | b"|", Some((_, dtype))) => (*dtype, false),
        (b">", Some((_, dtype))) => (*dtype, dtype.bytes() > 1),
        (order, _) => return Err(unread(order, parts.code)),
    };
    let plain = !swapped && strides.is_none();
    match data {
        Value::Bytes(bytes) if plain => Tensor::from_bytes(dtype, shape, file.slice_ref(bytes)),
        Value::Latin1(text) if plain => Tensor::from_latin1(dtype, shape, file.slice_ref(text)),
        // Whether it fits is asked before anything is copied.
        Value::Bytes(bytes) => {
            fits(dtype, &shape, bytes.len())?;
            arranged(dtype, shape, strides, bytes.to_vec(), swapped)
        }
        Value::Latin1(text) => {
            fits(dtype, &shape, latin1::count(text)?)?;
            arranged(dtype, shape, strides, latin1::decode(text), swapped)
        }
        _ => Err("array data that is no bytes".into()),
    }
}

fn unread(order: &[u8], code: &[u8]) -> String {
    let known: Vec<String> = DTYPES
        .iter()
        .map(|(code, _)| String::from_utf8_lossy(code).into_owned())
        .collect();
    let hint = if code == b"u2" {
        "; Paddle keeps bfloat16 so: convert to float32 before saving"
    } else {
        ""
    };
    let (order, code) = (shown(order), shown(code));
    format!("dtype {order}{code}; {} are read{hint}", known.join(", "))
}

fn of_state<'m>(machine: &Machine<'m>, state: &[Value<'m>]) -> Result<Parts<'m>, String> {
    let [_, Value::Tuple(shape), dtype, fortran, data] = state else {
        return Err("an array whose state is not (version, shape, dtype, order, data)".into());
    };
    let shape = extents(machine.tuple(*shape))?;
    let row_major = matches!(fortran, Value::Bool(false) | Value::Int(0));
    Ok(Parts {
        data: *data,
        dtype: *dtype,
        strides: (!row_major).then(|| column_major(&shape)).flatten(),
        shape,
    })
}

fn of_buffer<'m>(machine: &Machine<'m>, arguments: &[Value<'m>]) -> Result<Parts<'m>, String> {
    let [data, dtype, Value::Tuple(shape), Value::Text(order), rest @ ..] = arguments else {
        return Err("an array that is not made of (data, dtype, shape, order)".into());
    };
    let mut shape = extents(machine.tuple(*shape))?;
    let strides = match (*order, rest) {
        (b"C", _) => None,
        (b"F", _) => column_major(&shape),
        // The data is in the order of other axes: those of the shape, which the last argument puts in their places.
        (b"K", [Value::Tuple(axes)]) => {
            let axes = extents(machine.tuple(*axes))?;
            let strides = row_major(&shape).ok_or("an array of absurd extents")?;
            let mut sorted = axes.clone();
            sorted.sort_unstable();
            if !sorted.iter().copied().eq(0..shape.len()) {
                return Err(format!("the axes {axes:?} for {} extents", shape.len()));
            }
            shape = axes.iter().map(|axis| shape[*axis]).collect();
            Some(axes.iter().map(|axis| strides[*axis]).collect())
        }
        (order, _) => return Err(format!("an array in the order `{}`", shown(order))),
    };
    Ok(Parts {
        data: *data,
        dtype: *dtype,
        shape,
        strides,
    })
}

/// The strides of elements whose first index changes fastest; none where that is row-major as well, or where there are
/// more elements than any file has.
fn column_major(shape: &[usize]) -> Option<Vec<usize>> {
    let mut strides = row_major(&shape.iter().rev().copied().collect::<Vec<_>>())?;
    strides.reverse();
    (shape.len() > 1).then_some(strides)
}

fn row_major(shape: &[usize]) -> Option<Vec<usize>> {
    let mut strides = vec![1; shape.len()];
    for index in (1..shape.len()).rev() {
        strides[index - 1] = usize::checked_mul(strides[index], shape[index])?;
    }
    Some(strides)
}

/// A tensor of bytes, as many as its shape needs, that lie in another order than row-major, or most significant first.
fn arranged(
    dtype: Dtype,
    shape: Vec<usize>,
    strides: Option<Vec<usize>>,
    mut bytes: Vec<u8>,
    swapped: bool,
) -> Result<Tensor, String> {
    if swapped {
        bytes.chunks_exact_mut(dtype.bytes()).for_each(<[u8]>::reverse);
    }
    let mut bytes = Bytes::from(bytes);
    if let Some(strides) = strides {
        bytes = strided::elements(&bytes, dtype.bytes(), 0, &shape, &strides)?;
    }
    Tensor::from_bytes(dtype, shape, bytes)
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

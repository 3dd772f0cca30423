//! Hugging Face's safetensors: a header and raw data, which stays in the file's map.

use bytes::Bytes;
use safetensors::{Dtype as Stored, SafeTensors};

use crate::error::shown;
use crate::file::{Notes, Tensors};
use crate::{Dtype, Tensor};

/// The tensors of a safetensors file, and the notes in its header.
pub(crate) fn tensors(file: &Bytes) -> Result<(Tensors, Notes), String> {
    let (length, header) = SafeTensors::read_metadata(file)
        .map_err(|error| format!("not a safetensors file: {}", shown(error.to_string().as_bytes())))?;
    // The header's own length is in the first eight bytes; that the data fits the file has been checked.
    let data = file.slice(8 + length..);
    let mut tensors = Tensors::new();
    for (name, info) in header.tensors() {
        let (start, end) = info.data_offsets;
        let tensor = dtype(info.dtype)
            .and_then(|dtype| Tensor::from_bytes(dtype, info.shape.clone(), data.slice(start..end)))
            .map_err(|reason| format!("tensor `{}`: {reason}", shown(name.as_bytes())))?;
        tensors.insert(name, tensor);
    }
    let notes = header.metadata().iter().flatten();
    Ok((
        tensors,
        notes.map(|(name, note)| (name.clone(), note.clone())).collect(),
    ))
}

fn dtype(stored: Stored) -> Result<Dtype, String> {
    Ok(match stored {
        Stored::F64 => Dtype::F64,
        Stored::F32 => Dtype::F32,
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::Bf16,
        Stored::I64 => Dtype::I64,
        other => return Err(format!("dtype {other:?}; f64, f32, f16, bf16 and i64 are read")),
    })
}

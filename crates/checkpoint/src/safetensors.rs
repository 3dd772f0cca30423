use std::collections::BTreeMap;

use safetensors::tensor::TensorView;
use safetensors::{Dtype as Stored, SafeTensors};

use crate::error::shown;
use crate::{Dtype, Tensor};

/// The tensors of a safetensors file.
pub(crate) fn tensors(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| format!("not a safetensors file: {}", shown(error.to_string().as_bytes())))?;
    file.iter()
        .map(|(name, view)| {
            let tensor =
                tensor(&view).map_err(|reason| format!("tensor `{}`: {reason}", shown(name.as_bytes())));
            Ok((name.to_owned(), tensor?))
        })
        .collect()
}

fn tensor(view: &TensorView<'_>) -> Result<Tensor, String> {
    let dtype = match view.dtype() {
        Stored::F64 => Dtype::F64,
        Stored::F32 => Dtype::F32,
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::Bf16,
        Stored::I64 => Dtype::I64,
        other => return Err(format!("dtype {other:?}; f64, f32, f16, bf16 and i64 are read")),
    };
    Tensor::from_bytes(dtype, view.shape().to_vec(), view.data())
}

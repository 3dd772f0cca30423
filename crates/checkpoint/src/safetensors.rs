use std::collections::BTreeMap;

use safetensors::{Dtype as Stored, SafeTensors};

use crate::{Dtype, Tensor};

/// The tensors of a safetensors file.
pub(crate) fn tensors(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| format!("not a safetensors file: {error}"))?;
    let tensor = |(name, view): (&str, safetensors::tensor::TensorView<'_>)| {
        let dtype = match view.dtype() {
            Stored::F64 => Dtype::F64,
            Stored::F32 => Dtype::F32,
            Stored::F16 => Dtype::F16,
            Stored::BF16 => Dtype::Bf16,
            Stored::I64 => Dtype::I64,
            other => {
                return Err(format!(
                    "tensor `{name}` has dtype {other:?}; f64, f32, f16, bf16 and i64 are read"
                ));
            }
        };
        let tensor = Tensor::from_bytes(dtype, view.shape().to_vec(), view.data());
        Ok((
            name.to_owned(),
            tensor.map_err(|reason| format!("tensor `{name}`: {reason}"))?,
        ))
    };
    file.iter().map(tensor).collect()
}

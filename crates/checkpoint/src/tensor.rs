use std::fmt;

use half::{bf16, f16};

/// The number format of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Dtype {
    F64,
    F32,
    F16,
    Bf16,
    I64,
}

impl Dtype {
    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I64 => "i64",
        })
    }
}

/// The most extents of a tensor: a convolution's weight has four.
const MAX_RANK: usize = 8;

/// A stored tensor, its elements converted to f32.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// The format in the file.
    pub dtype: Dtype,
    /// The extents, outermost first.
    pub shape: Vec<usize>,
    /// The elements, row-major; none of [`Dtype::I64`], for integers only count batches and are no weights.
    pub values: Vec<f32>,
}

impl Tensor {
    /// A tensor from its little-endian bytes.
    ///
    /// # Errors
    /// If there are not as many bytes as the shape needs, or the shape has absurdly many extents.
    pub(crate) fn from_bytes(dtype: Dtype, shape: Vec<usize>, bytes: &[u8]) -> Result<Self, String> {
        if shape.len() > MAX_RANK {
            return Err(format!("{} extents; at most {MAX_RANK} are read", shape.len()));
        }
        let needed = shape
            .iter()
            .try_fold(dtype.bytes(), |product, extent| product.checked_mul(*extent));
        if needed != Some(bytes.len()) {
            return Err(format!(
                "shape {shape:?} of {dtype} does not fit {} bytes",
                bytes.len()
            ));
        }
        let values = match dtype {
            Dtype::F64 => convert(bytes, |b| f64::from_le_bytes(b) as f32),
            Dtype::F32 => convert(bytes, f32::from_le_bytes),
            Dtype::F16 => convert(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Dtype::Bf16 => convert(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Dtype::I64 => Vec::new(),
        };
        Ok(Self { dtype, shape, values })
    }

    /// A matrix with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        let &[rows, columns] = self.shape.as_slice() else {
            return self;
        };
        let mut values = Vec::with_capacity(self.values.len());
        for column in 0..columns {
            values.extend(self.values.iter().skip(column).step_by(columns));
        }
        Self {
            dtype: self.dtype,
            shape: vec![columns, rows],
            values,
        }
    }
}

fn convert<const N: usize>(bytes: &[u8], element: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(|chunk| element(*chunk))
        .collect()
}

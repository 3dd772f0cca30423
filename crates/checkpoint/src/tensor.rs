use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use half::{bf16, f16};

use crate::latin1;

/// The number format of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Dtype {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl Dtype {
    /// Returns true if it is a format of floating-point numbers, which alone are weights.
    pub const fn is_float(self) -> bool {
        match self {
            Self::F64 | Self::F32 | Self::F16 | Self::Bf16 => true,
            Self::I64 | Self::I32 | Self::I16 | Self::I8 | Self::U8 | Self::Bool => false,
        }
    }

    /// Returns the bytes of one element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Returns the elements of little-endian bytes as f32; of integers an empty vector.
    fn convert(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
            Self::F32 => each(bytes, f32::from_le_bytes),
            Self::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => each(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Self::I64 | Self::I32 | Self::I16 | Self::I8 | Self::U8 | Self::Bool => Vec::new(),
        }
    }
}

fn each<const N: usize>(bytes: &[u8], element: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(|chunk| element(*chunk))
        .collect()
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I64 => "i64",
            Self::I32 => "i32",
            Self::I16 => "i16",
            Self::I8 => "i8",
            Self::U8 => "u8",
            Self::Bool => "bool",
        })
    }
}

/// The most extents of a tensor: a convolution's weight has four.
pub(crate) const MAX_RANK: usize = 8;

/// A stored tensor: its elements stay as they are in the file, usually in its map, until they are asked for.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// The format in the file.
    pub dtype: Dtype,
    /// The extents, outermost first.
    pub shape: Vec<usize>,
    data: Data,
}

/// The storage of the elements, row-major, little-endian.
#[derive(Clone)]
enum Data {
    Raw(Bytes),
    /// As text of valid latin-1 characters.
    Latin1(Bytes),
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Raw(bytes) | Self::Latin1(bytes)) = self;
        write!(f, "{} bytes", bytes.len())
    }
}

impl Tensor {
    /// Makes a tensor of these bytes, little-endian and row-major.
    ///
    /// # Errors
    /// If the length is not the one that the shape needs, or the shape has absurdly many extents.
    pub(crate) fn from_bytes(dtype: Dtype, shape: Vec<usize>, bytes: Bytes) -> Result<Self, String> {
        fits(dtype, &shape, bytes.len())?;
        Ok(Self {
            dtype,
            shape,
            data: Data::Raw(bytes),
        })
    }

    /// A tensor of bytes that were written as text, each a character.
    ///
    /// # Errors
    /// As [`Self::from_bytes`], and if the text has other characters.
    pub(crate) fn from_latin1(dtype: Dtype, shape: Vec<usize>, text: Bytes) -> Result<Self, String> {
        fits(dtype, &shape, latin1::count(&text)?)?;
        Ok(Self {
            dtype,
            shape,
            data: Data::Latin1(text),
        })
    }

    /// Makes a tensor of f32 elements, row-major.
    ///
    /// # Panics
    /// If the length is not the one that the shape needs.
    pub fn from_values(shape: Vec<usize>, values: &[f32]) -> Self {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self::from_bytes(Dtype::F32, shape, bytes.into()).expect("as many elements as the shape needs")
    }

    /// Returns the number of elements.
    pub fn elements(&self) -> usize {
        // No overflow: as many elements are stored.
        self.shape.iter().product()
    }

    /// Returns the elements as f32, row-major: borrowed from the file's map if it has them so, else converted.
    ///
    /// Integers and truth values, which only count batches and are no weights, give an empty slice.
    pub fn values(&self) -> Cow<'_, [f32]> {
        match &self.data {
            Data::Raw(bytes) => match (self.dtype, bytemuck::try_cast_slice(bytes)) {
                (Dtype::F32, Ok(values)) if cfg!(target_endian = "little") => Cow::Borrowed(values),
                _ => Cow::Owned(self.dtype.convert(bytes)),
            },
            Data::Latin1(text) => Cow::Owned(self.dtype.convert(&latin1::decode(text))),
        }
    }

    /// Returns true if it is a single number, as notes are and no parameter of a network is.
    pub(crate) fn is_scalar(&self) -> bool {
        self.shape.is_empty()
    }

    /// Returns the elements' bytes, little-endian and row-major.
    pub(crate) fn bytes(&self) -> Cow<'_, [u8]> {
        match &self.data {
            Data::Raw(bytes) => Cow::Borrowed(bytes),
            Data::Latin1(text) => Cow::Owned(latin1::decode(text)),
        }
    }
}

impl PartialEq for Tensor {
    /// Compares format, shape and values, in whatever storage.
    fn eq(&self, other: &Self) -> bool {
        (self.dtype, &self.shape) == (other.dtype, &other.shape) && self.bytes() == other.bytes()
    }
}

/// Checks that a tensor of this shape has `length` bytes.
pub(crate) fn fits(dtype: Dtype, shape: &[usize], length: usize) -> Result<(), String> {
    if shape.len() > MAX_RANK {
        return Err(format!("{} extents; at most {MAX_RANK} are read", shape.len()));
    }
    let needed = shape
        .iter()
        .try_fold(dtype.bytes(), |product, extent| product.checked_mul(*extent));
    if needed != Some(length) {
        return Err(format!("shape {shape:?} of {dtype} does not fit {length} bytes"));
    }
    Ok(())
}

/// A row-major matrix with its rows and columns exchanged.
pub(crate) fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    let mut exchanged = Vec::with_capacity(values.len());
    for column in 0..columns {
        exchanged.extend(values.iter().skip(column).step_by(columns));
    }
    exchanged
}

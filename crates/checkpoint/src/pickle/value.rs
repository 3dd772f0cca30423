use crate::Dtype;
use crate::error::shown;

/// A value on the pickle's stack; compound ones are indices into the machine's arenas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// Text in UTF-8, which whoever reads it checks: most of a protocol 2 file is [`Value::Latin1`].
    Text(&'a [u8]),
    Bytes(&'a [u8]),
    /// Bytes written as UTF-8 text, each character one byte: protocol 2's way.
    Latin1(&'a [u8]),
    /// A number that only a training run's notes hold, such as the best accuracy.
    Note,
    Tuple(usize),
    List(usize),
    Dict(usize),
    Dtype(usize),
    Array(usize),
    Storage(usize),
    Tensor(usize),
    Global(Global),
}

/// The names a weight file may refer to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Global {
    /// `numpy.core.multiarray._reconstruct`: an array to be filled.
    Reconstruct,
    /// `numpy.core.multiarray.scalar`: one number.
    Scalar,
    /// `numpy.ndarray`, the class of arrays.
    NdArray,
    /// `numpy.dtype`.
    Dtype,
    /// `_codecs.encode`: text to bytes.
    Encode,
    /// `collections.OrderedDict`.
    OrderedDict,
    /// `builtins.tuple`, in which Paddle wraps a tensor's name and array.
    Tuple,
    /// A class of PyTorch's, such as `torch.FloatStorage`: the number format of a storage.
    Storage(Dtype),
    /// `torch._utils._rebuild_tensor` and its second version: a view of a storage.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`: a tensor that was trained.
    RebuildParameter,
}

impl Global {
    pub(super) fn find(module: &[u8], name: &[u8]) -> Result<Self, String> {
        Ok(match (module, name) {
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"_reconstruct") => Self::Reconstruct,
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"scalar") => Self::Scalar,
            (b"numpy", b"ndarray") => Self::NdArray,
            (b"numpy", b"dtype") => Self::Dtype,
            (b"_codecs", b"encode") => Self::Encode,
            (b"collections", b"OrderedDict") => Self::OrderedDict,
            (b"builtins" | b"__builtin__", b"tuple") => Self::Tuple,
            (b"torch", b"DoubleStorage") => Self::Storage(Dtype::F64),
            (b"torch", b"FloatStorage") => Self::Storage(Dtype::F32),
            (b"torch", b"HalfStorage") => Self::Storage(Dtype::F16),
            (b"torch", b"BFloat16Storage") => Self::Storage(Dtype::Bf16),
            (b"torch", b"LongStorage") => Self::Storage(Dtype::I64),
            (b"torch._utils", b"_rebuild_tensor" | b"_rebuild_tensor_v2") => Self::RebuildTensor,
            (b"torch._utils", b"_rebuild_parameter") => Self::RebuildParameter,
            _ => {
                return Err(format!(
                    "the file refers to `{}.{}`, which weights do not need: refused",
                    shown(module),
                    shown(name)
                ));
            }
        })
    }
}

/// What NumPy's `dtype` was made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DtypeParts<'a> {
    /// Kind and size, as in `f4`.
    pub(crate) code: &'a [u8],
    /// `<`, `>`, `|` or `=`.
    pub(crate) order: &'a [u8],
}

/// Where PyTorch keeps the elements of one or several tensors, outside of the pickle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StorageParts<'a> {
    pub(crate) dtype: Dtype,
    /// What the file calls it.
    pub(crate) key: &'a [u8],
    /// Elements that it is said to have.
    pub(crate) elements: i64,
}

/// What PyTorch makes a tensor of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TensorParts {
    /// The index of its [`StorageParts`].
    pub(crate) storage: usize,
    /// The first element's place in the storage.
    pub(crate) offset: i64,
    /// The tuple of its extents.
    pub(crate) shape: usize,
    /// The tuple of the steps from one index to the next of each extent, in elements.
    pub(crate) strides: usize,
}

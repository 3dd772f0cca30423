//! The names that the machine knows. All others are inert, see [`super::value::ForeignParts`].

use super::value::StorageClass;
use crate::Dtype;

/// The names a weight file may refer to and be understood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Global {
    /// `numpy.core.multiarray._reconstruct`: an array to be filled.
    Reconstruct,
    /// `numpy.core.numeric._frombuffer`: an array of data, protocol 5's way.
    FromBuffer,
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
    /// `collections.defaultdict`.
    DefaultDict,
    /// `builtins.tuple`, in which Paddle wraps a tensor's name and array, and `torch.Size`.
    Tuple,
    /// A class such as `torch.FloatStorage`.
    Storage(StorageClass),
    /// `torch._utils._rebuild_tensor` and its second version: a view of a storage.
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`, with or without a state: a tensor that was trained.
    RebuildParameter,
    /// `torch._tensor._rebuild_from_type_v2` and its first version: a tensor of a class of its own.
    RebuildFromType,
    /// A class of tensors whose elements are those of the tensor it is made of.
    TensorClass,
}

impl Global {
    /// Returns the known item of this name.
    pub(super) fn find(module: &[u8], name: &[u8]) -> Option<Self> {
        if let b"torch" | b"torch.cuda" | b"torch.storage" = module {
            let of_class = STORAGES.iter().find(|class| class.name.as_bytes() == name);
            if let Some(class) = of_class {
                return Some(Self::Storage(*class));
            }
        }
        Some(match (module, name) {
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"_reconstruct") => Self::Reconstruct,
            (b"numpy.core.multiarray" | b"numpy._core.multiarray", b"scalar") => Self::Scalar,
            (b"numpy.core.numeric" | b"numpy._core.numeric", b"_frombuffer") => Self::FromBuffer,
            (b"numpy", b"ndarray") => Self::NdArray,
            (b"numpy", b"dtype") => Self::Dtype,
            (b"_codecs", b"encode") => Self::Encode,
            (b"collections", b"OrderedDict") => Self::OrderedDict,
            (b"collections", b"defaultdict") => Self::DefaultDict,
            (b"builtins" | b"__builtin__", b"tuple") | (b"torch", b"Size") => Self::Tuple,
            (b"torch._utils", b"_rebuild_tensor" | b"_rebuild_tensor_v2") => Self::RebuildTensor,
            (b"torch._utils", b"_rebuild_parameter" | b"_rebuild_parameter_with_state") => {
                Self::RebuildParameter
            }
            (b"torch._tensor", b"_rebuild_from_type" | b"_rebuild_from_type_v2") => Self::RebuildFromType,
            (b"torch", b"Tensor") | (b"torch.nn.parameter", b"Parameter" | b"Buffer") => Self::TensorClass,
            _ => return None,
        })
    }

    /// The module and the name, the newest of several.
    pub(super) fn names(self) -> (&'static [u8], &'static [u8]) {
        match self {
            Self::Reconstruct => (b"numpy._core.multiarray", b"_reconstruct"),
            Self::FromBuffer => (b"numpy._core.numeric", b"_frombuffer"),
            Self::Scalar => (b"numpy._core.multiarray", b"scalar"),
            Self::NdArray => (b"numpy", b"ndarray"),
            Self::Dtype => (b"numpy", b"dtype"),
            Self::Encode => (b"_codecs", b"encode"),
            Self::OrderedDict => (b"collections", b"OrderedDict"),
            Self::DefaultDict => (b"collections", b"defaultdict"),
            Self::Tuple => (b"builtins", b"tuple"),
            Self::Storage(class) => (b"torch", class.name.as_bytes()),
            Self::RebuildTensor => (b"torch._utils", b"_rebuild_tensor_v2"),
            Self::RebuildParameter => (b"torch._utils", b"_rebuild_parameter"),
            Self::RebuildFromType => (b"torch._tensor", b"_rebuild_from_type_v2"),
            Self::TensorClass => (b"torch", b"Tensor"),
        }
    }
}

/// PyTorch's classes of storages. Where the number format is not read its size is needed all the same: the older layout
/// has storages in a row.
const STORAGES: [StorageClass; 18] = [
    read("DoubleStorage", Dtype::F64),
    read("FloatStorage", Dtype::F32),
    read("HalfStorage", Dtype::F16),
    read("BFloat16Storage", Dtype::Bf16),
    read("LongStorage", Dtype::I64),
    read("IntStorage", Dtype::I32),
    read("ShortStorage", Dtype::I16),
    read("CharStorage", Dtype::I8),
    read("ByteStorage", Dtype::U8),
    read("BoolStorage", Dtype::Bool),
    sized("ComplexFloatStorage", 8),
    sized("ComplexDoubleStorage", 16),
    sized("QInt8Storage", 1),
    sized("QUInt8Storage", 1),
    sized("QInt32Storage", 4),
    sized("QUInt4x2Storage", 1),
    sized("QUInt2x4Storage", 1),
    sized("UntypedStorage", 1),
];

const fn read(name: &'static str, dtype: Dtype) -> StorageClass {
    StorageClass {
        name,
        bytes: dtype.bytes(),
        dtype: Some(dtype),
    }
}

const fn sized(name: &'static str, bytes: usize) -> StorageClass {
    StorageClass {
        name,
        bytes,
        dtype: None,
    }
}

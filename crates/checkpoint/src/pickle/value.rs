use super::global::Global;
use crate::Dtype;

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
    /// A value that only a training run's notes hold, such as the best accuracy or a set of names.
    Note,
    Tuple(usize),
    List(usize),
    Dict(usize),
    Dtype(usize),
    Array(usize),
    Storage(usize),
    Tensor(usize),
    Global(Global),
    /// A class or function that is not known, or what it would have made.
    Foreign(usize),
}

/// A class or function that is not known, or what a call of it would have given: nothing is called, so it is but a name,
/// and the items that the pickle puts into it as into a dictionary.
#[derive(Clone, Debug, Default)]
pub(crate) struct ForeignParts<'a> {
    pub(crate) module: &'a [u8],
    pub(crate) name: &'a [u8],
    pub(crate) items: Vec<(Value<'a>, Value<'a>)>,
}

/// The arguments of NumPy's `dtype`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DtypeParts<'a> {
    /// Kind and size, as in `f4`.
    pub(crate) code: &'a [u8],
    /// `<`, `>`, `|` or `=`.
    pub(crate) order: &'a [u8],
}

/// The parts of NumPy's array, each a tuple.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ArrayParts {
    /// Nothing yet.
    Hollow,
    /// Version, shape, dtype, whether in Fortran's order, data.
    State(usize),
    /// Data, dtype, shape, order and, where the order is `K`, the order of axes: protocol 5's way.
    Buffer(usize),
}

/// A class of PyTorch's such as `torch.FloatStorage`: what its elements are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StorageClass {
    pub(crate) name: &'static str,
    /// Bytes of an element.
    pub(crate) bytes: usize,
    /// The number format, where it is one that is read.
    pub(crate) dtype: Option<Dtype>,
}

/// A storage of PyTorch, which keeps the elements of one or several tensors outside of the pickle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StorageParts<'a> {
    pub(crate) class: StorageClass,
    /// Its name in the file.
    pub(crate) key: &'a [u8],
    /// Elements that it is said to have.
    pub(crate) elements: i64,
    /// True if it is a part of another storage, as PyTorch 0.3 wrote.
    pub(crate) is_part: bool,
}

/// The parts of which PyTorch makes a tensor.
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

//! PyTorch's `.pth`: a pickle of a network's tensors, whose elements are kept in storages outside of it.

pub(crate) mod archive;
pub(crate) mod legacy;

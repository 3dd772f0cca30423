//! A closed reader of pickles: it knows the opcodes and the few names that dictionaries of NumPy arrays and of
//! PyTorch tensors need, builds plain values, calls nothing, and refuses everything else.
//!
//! Values are indices into arenas, so that a crafted file can neither nest deep enough to overflow the stack nor make
//! a cycle. What the machine keeps is bounded by the number of opcodes, and no length is believed before the bytes are
//! there; text and bytes stay where they are, in the file.

mod calls;
mod machine;
mod opcode;
mod reader;
mod value;

pub(crate) use machine::{Machine, Run};
pub(crate) use reader::Reader;
pub(crate) use value::{TensorParts, Value};

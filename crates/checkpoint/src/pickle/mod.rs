//! A closed reader of pickles: it knows the opcodes and the few names that dictionaries of NumPy arrays and of
//! PyTorch tensors need, builds plain values and calls nothing. What other names would have made, in the notes of a
//! training run or in place of a tensor, is a value without content that only remembers the name.
//!
//! Values are indices into arenas, so that a crafted file can neither nest deep enough to overflow the stack nor make
//! a cycle. What the machine keeps is bounded by the number of opcodes, and no length is believed before the bytes are
//! there; text and bytes stay where they are, in the file.

mod calls;
mod global;
mod machine;
mod opcode;
mod reader;
mod value;

pub(crate) use machine::{Machine, Run};
pub(crate) use reader::Reader;
pub(crate) use value::{ArrayParts, TensorParts, Value};

//! Number formats of operands, and how numbers are rounded to them.

pub(in crate::engine) mod format;

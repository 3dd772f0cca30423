//! The people on photos of `zoo pose`: their boxes, what is printed about them, their pictures.

mod answer;
mod boxes;
mod pictures;

pub(crate) use answer::{Answer, Common, Person, human};
pub(crate) use boxes::{BoxArgs, Boxes, People};
pub(crate) use pictures::{DrawArgs, Pictures};

//! The people on photos of `zoo pose`: their boxes, the answers that are printed, their pictures.

mod answer;
mod boxes;
mod pictures;

pub(crate) use answer::{Answer, Common, Person, human};
pub(crate) use boxes::{BoxArgs, Boxes, People};
pub(crate) use pictures::{DrawArgs, Pictures};

/// Returns a number of people in words.
pub(crate) fn counted_people(count: usize) -> String {
    match count {
        1 => "1 person".to_owned(),
        count => format!("{count} people"),
    }
}

//! COCO's files: annotated people, a detector's boxes, and results.
//!
//! Readers take the bytes of a file and its name, which their errors state together with the entry and what to do.

mod annotations;
mod photo;
mod results;

pub use annotations::{Annotations, Image, Person};
pub use photo::{OnPhoto, PhotoBoxes, number_of};
pub use results::{DetectedBox, Detection, read_boxes, read_detections, write_detections};

/// COCO's category of people.
pub const PERSON: u64 = 1;

/// A file that cannot be read as COCO's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CocoError {
    /// The file is not JSON of the expected form.
    #[error("{file}: cannot be read as {what}: {source}")]
    Json {
        /// The file's name.
        file: String,
        /// The kind of file that was expected.
        what: &'static str,
        /// The reason, with line and column.
        source: serde_json::Error,
    },
    /// An entry lacks a field, or a field has a wrong value.
    #[error("{file}: `{list}[{index}]`{}: {why}", id.map(|id| format!(" (id {id})")).unwrap_or_default())]
    Entry {
        /// The file's name.
        file: String,
        /// The list that the entry is in.
        list: String,
        /// Its index in the list, from 0.
        index: usize,
        /// Its id, if it has one.
        id: Option<u64>,
        /// The fault, and what to do.
        why: String,
    },
    /// The file as a whole does not serve.
    #[error("{file}: {why}")]
    File {
        /// The file's name.
        file: String,
        /// The fault, and what to do.
        why: String,
    },
}

/// An entry of a list of a file, for errors.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a str,
    list: &'a str,
    index: usize,
    id: Option<u64>,
}

impl Place<'_> {
    fn error(self, why: impl Into<String>) -> CocoError {
        CocoError::Entry {
            file: self.file.to_owned(),
            list: self.list.to_owned(),
            index: self.index,
            id: self.id,
            why: why.into(),
        }
    }

    /// Returns a field that must be there.
    fn field<T>(self, value: Option<T>, name: &str) -> Result<T, CocoError> {
        value.ok_or_else(|| self.error(format!("has no `{name}`; add it, or leave the entry out")))
    }

    /// Returns a list of numbers as triples, one per keypoint.
    fn triples(self, numbers: &[f64], keypoints: usize) -> Result<Vec<[f64; 3]>, CocoError> {
        let (triples, rest) = numbers.as_chunks::<3>();
        if triples.len() == keypoints && rest.is_empty() {
            return Ok(triples.to_vec());
        }
        Err(self.error(format!(
            "`keypoints` has {} numbers; expected {}, three for each of {keypoints} keypoints; is the file of another skeleton?",
            numbers.len(),
            3 * keypoints
        )))
    }
}

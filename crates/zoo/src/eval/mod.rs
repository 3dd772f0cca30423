//! Accuracy: networks on labelled images.

pub(crate) mod data;
mod pipeline;
mod run;
mod summary;
mod told;

pub(crate) use pipeline::decoders;
pub(crate) use run::{Ask, Evaluated, evaluate};
pub(crate) use summary::{Points, Summary, Undecided, claims};
pub(crate) use told::{comparison, text};

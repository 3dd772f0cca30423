//! Accuracy: networks on labelled images.

pub(crate) mod data;
mod night;
mod pipeline;
mod run;
mod summary;
mod told;

pub(crate) use night::{NightEvalArgs, trained};
pub(crate) use pipeline::decoders;
pub(crate) use run::{Ask, Evaluated, evaluate};
pub(crate) use summary::{Points, Undecided, claims, summary};
pub(crate) use told::{comparison, text};

//! Accuracy: networks on labelled images.

pub(crate) mod data;
mod kept;
mod night;
mod pipeline;
mod run;
mod summary;
mod told;
mod weights;

pub(crate) use kept::parts;
pub(crate) use night::{NightEvalArgs, trained};
pub(crate) use pipeline::decoders;
pub(crate) use run::{Ask, Evaluated, evaluate};
pub(crate) use summary::{Points, Subject, Undecided, other_images, summary};
pub(crate) use told::{comparison, text};
pub(crate) use weights::WeightsAt;

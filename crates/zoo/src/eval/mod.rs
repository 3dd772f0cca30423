//! Accuracy: networks on labelled images. One folder is one task's metric.

pub(crate) mod classes;
pub(crate) mod data;
mod keep;
mod kept;
pub(crate) mod keypoints;
mod network;
mod night;
mod subject;
mod weights;

pub(crate) use keep::{Evaluated, Keeping, decoders};
pub(crate) use kept::{are_of_keypoints, parts};
pub(crate) use network::Network;
pub(crate) use night::{NightEvalArgs, trained};
pub(crate) use subject::Subject;
pub(crate) use weights::WeightsAt;

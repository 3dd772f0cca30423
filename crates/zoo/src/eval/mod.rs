//! Accuracy: networks on labelled images. One folder is one task's metric.

pub(crate) mod classes;
pub(crate) mod data;
mod keep;
mod kept;
mod network;
mod night;
mod weights;

pub(crate) use keep::{Evaluated, Keeping, decoders};
pub(crate) use kept::parts;
pub(crate) use network::Network;
pub(crate) use night::{NightEvalArgs, trained};
pub(crate) use weights::WeightsAt;

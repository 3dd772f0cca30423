//! Files as training runs leave them: weights beside averages, figures, optimizers and whatever else was at hand.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/pickles.rs"]
mod pickles;

mod forms;
mod sets;
mod unknown;

use std::path::Path;

use checkpoint::{CheckpointError, TensorFile, parse, parse_set};
use pickles::{dict, tensor};

fn parsed(bytes: &[u8]) -> TensorFile {
    parse(Path::new("run.pth"), bytes.to_vec().into()).expect("a weight file")
}

fn set(bytes: &[u8], key: &str) -> Result<TensorFile, CheckpointError> {
    parse_set(Path::new("run.pth"), bytes.to_vec().into(), Some(key))
}

fn refused(bytes: &[u8]) -> String {
    parse(Path::new("run.pth"), bytes.to_vec().into())
        .expect_err("refused")
        .to_string()
}

/// The sixteen numbers of a storage's tensor begin with this; which storage a name's tensor is of tells its set.
fn first(file: &TensorFile, name: &str) -> f32 {
    file.tensors[name].values()[0]
}

/// The first tensors of the original's networks, of a storage.
fn network(key: &str) -> Vec<u8> {
    dict(&[
        ("conv1.weight", tensor(key, &[4, 4])),
        ("bn1.weight", tensor(key, &[16])),
    ])
}

//! Weight files as named tensors, without executing anything: [`read`] gives what a file holds, [`TensorFile::bind`]
//! fits it to a graph, [`load`] does both.
//!
//! One file a format ([`Format`]), one file a naming scheme ([`Naming`]).

mod bind;
mod error;
mod file;
mod naming;
mod pdparams;
mod pickle;
mod safetensors;
mod tensor;

use std::path::Path;

use hrnet::Graph;

pub use bind::Weights;
pub use error::CheckpointError;
pub use file::{Format, TensorFile, read};
pub use naming::Naming;
pub use tensor::{Dtype, Tensor};

/// The weights in a file, fitted to the parameters of a graph.
///
/// # Errors
/// If the file cannot be read, its format or naming scheme is not known, or its tensors are not the graph's.
pub fn load(path: &Path, graph: &Graph) -> Result<Weights, CheckpointError> {
    read(path)?.bind(graph)
}

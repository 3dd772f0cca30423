//! Weight files as named tensors. Nothing in a file is executed. [`read`] returns the tensors of a file, [`TensorFile::bind`]
//! fits them to a graph, [`load`] does both. [`write_prepared`] writes them in the form that [`open_prepared`] maps,
//! [`write_safetensors`] in a publisher's form.
//!
//! There is one file per format ([`Format`]) and one per naming scheme ([`Naming`]).
//!
//! ```
//! use checkpoint::{Layout, Naming, write_safetensors};
//! use hrnet::{HrnetSpec, SeededWeights, Shape};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let graph = HrnetSpec::imagenet([8, 16, 32, 64]).graph(Shape::square(1, 32))?;
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("w.safetensors");
//! write_safetensors(&path, &graph, &SeededWeights::new(0), &Layout::new(Naming::Timm))?;
//!
//! let file = checkpoint::read(&path)?;
//! assert_eq!(file.naming()?, Naming::Timm);
//! let weights = file.weights(&graph)?; // every tensor there, of the right shape, finite
//! # let _ = weights;
//! # Ok(())
//! # }
//! ```

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod bind;
mod content;
mod described;
mod differences;
mod error;
mod file;
mod foreign;
mod format;
mod heads;
mod health;
mod latin1;
mod naming;
mod numpy;
mod pdparams;
mod pickle;
mod pickled;
mod prepared;
mod safetensors;
mod sets;
mod stored;
mod strided;
mod tensor;
mod torch;
mod write;

use std::fs::File;
use std::path::Path;

use hrnet::Graph;

pub use bind::Weights;
pub use described::Described;
pub use error::CheckpointError;
pub use file::{TensorFile, parse, parse_set, read, read_open, read_set};
pub use format::Format;
pub use health::{Ailment, AilmentKind, health};
pub use naming::Naming;
pub use prepared::{first_difference, open_prepared, prepared_path, write_prepared};
pub use stored::write_zip;
pub use tensor::{Dtype, Tensor};
pub use write::{Layout, write_safetensors};

/// Reads the weights in a file and fits them to the parameters of a graph. All are checked: finite and, if the file has
/// checksums, as they were written.
///
/// # Errors
/// If the file cannot be read, its format or naming scheme is not known, its tensors are not the graph's, or some of
/// their values are damaged or not finite.
pub fn load(path: &Path, graph: &Graph) -> Result<Weights, CheckpointError> {
    read(path)?.weights(graph)
}

/// Reads the weights in an open file, as [`load`] does; errors name it by `path`.
///
/// # Errors
/// As those of [`load`].
pub fn load_open(path: &Path, file: &File, graph: &Graph) -> Result<Weights, CheckpointError> {
    read_open(path, file, None)?.weights(graph)
}

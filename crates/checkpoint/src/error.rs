use std::io;
use std::path::PathBuf;

use hrnet::WeightError;

/// A weight file that cannot be used; each error names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file cannot be read from disk.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file begins as no known format does.
    #[error("{path}: {found}; .pdparams, .pth and .safetensors files are read")]
    Format {
        /// The file.
        path: PathBuf,
        /// The kind of file that it looks like.
        found: String,
    },
    /// The file is damaged, or holds something that weights do not need.
    #[error("{path}: {reason}")]
    Content {
        /// The file.
        path: PathBuf,
        /// The fault, and its byte offset if it is known.
        reason: String,
    },
    /// Bytes of the file differ from those that were written.
    #[error("{path}: {reason}: the file is damaged, fetch it again")]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The part of it, with both checksums.
        reason: String,
    },
    /// The file has no set of tensors of this name.
    #[error("{path}: no set of tensors `{wanted}`; it has {}", names(known))]
    Set {
        /// The file.
        path: PathBuf,
        /// The name that was asked for.
        wanted: String,
        /// Names that there are, the likeliest first.
        known: Vec<String>,
    },
    /// The tensor names belong to no known scheme.
    #[error("{path}: unknown tensor names such as {found}; expected {expected}")]
    Naming {
        /// The file.
        path: PathBuf,
        /// Some names that were found.
        found: String,
        /// A name that each known scheme has.
        expected: String,
    },
    /// The file has the head of another kind of network, or one with another number of heatmaps.
    #[error("{path}: weights of {found}; expected those of {expected}")]
    Head {
        /// The file.
        path: PathBuf,
        /// The network whose weights it holds: `a pose network with 17 heatmaps`.
        found: String,
        /// The network that they were read for.
        expected: String,
    },
    /// The tensors are not those of the network.
    #[error("{path}: not the weights of this network ({naming} names): {differences}")]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The naming scheme.
        naming: &'static str,
        /// The tensors that are missing, extra or of another shape, with both shapes.
        differences: String,
    },
    /// Weights that no network can run on.
    #[error("{path}: damaged weights: {ailments}")]
    Values {
        /// The file.
        path: PathBuf,
        /// The tensors that have values that are not finite, with their number.
        ailments: String,
    },
    /// Weights that were to be written lack a tensor of the network.
    #[error("{path} is not written: {source}")]
    Source {
        /// The file that was to be.
        path: PathBuf,
        /// The missing tensor.
        source: WeightError,
    },
}

fn names(known: &[String]) -> String {
    let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}

/// The bytes of a name out of a file that are shown.
const SHOWN: usize = 100;

/// A name out of a file as an error may print it: without control characters, cut where it is absurdly long.
pub(crate) fn shown(name: &[u8]) -> String {
    let head = String::from_utf8_lossy(&name[..name.len().min(SHOWN)]);
    let more = if name.len() > SHOWN { "…" } else { "" };
    format!("{}{more}", head.escape_debug())
}

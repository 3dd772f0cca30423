//! Files of weights.

use serde::{Deserialize, Serialize};

use super::Preprocess;
use crate::{Digest, DigestPrefix, HubFile, LocalFile};

/// One file of weights.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Artifact {
    /// The name of the source within its variant.
    pub id: String,
    /// Names that others give to these weights of this network, as timm's `hrnet_w18.ms_in1k`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The place of the file, which is also the key of its pin: a URL; for a file of this machine its path, from the manifest as
    /// `./w.pth`.
    pub url: String,
    /// The file on Hugging Face, if the manifest names one: its server states the file's digest.
    #[serde(rename = "hf", skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubFile>,
    /// The file, if the manifest names one of this machine: it is used in its place.
    #[serde(skip)]
    pub local: Option<LocalFile>,
    /// Other places that have the same bytes, asked in this order when the first fails.
    pub mirrors: Vec<String>,
    /// The last part of the URL, fit for a file name, or of the path; on Hugging Face, where every repository has a
    /// `model.safetensors`, with the name of the repository before it.
    pub file_name: String,
    /// The format of the file.
    pub format: Format,
    /// The scheme of its tensors' names, if the manifest says so: the names themselves decide.
    pub naming: Option<Naming>,
    /// The preprocessing that its publisher tests it with.
    pub preprocess: Preprocess,
    /// The licence, as an SPDX expression.
    pub licence: String,
    /// Its exact size, where it is published.
    pub bytes: Option<u64>,
    /// The most bytes that it may have if nobody states its size: far more than the network's weights take.
    #[serde(skip)]
    pub most_bytes: u64,
    /// The published digest, or its beginning.
    pub known: Known,
}

/// The published part of a file's SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "sha256")]
pub enum Known {
    /// All of it.
    Full(Digest),
    /// Its first digits.
    Prefix(DigestPrefix),
    /// Nothing: it is pinned at the first download.
    Nothing,
}

/// A weight file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A pickled dictionary of NumPy arrays, Paddle's.
    Pdparams,
    /// PyTorch's, zipped or legacy.
    Pth,
    /// Hugging Face's.
    Safetensors,
}

/// Whose names the tensors in a file have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Naming {
    /// PaddleClas's of today.
    Paddle,
    /// The original repository's and timm's.
    Timm,
    /// OpenMMLab's.
    Mmpretrain,
    /// OpenMMLab's of pose networks.
    Mmpose,
}

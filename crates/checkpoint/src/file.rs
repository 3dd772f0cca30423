use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use kernels::FileMap;

use crate::{CheckpointError, Tensor, pdparams, safetensors, torch};

/// A weight file's format, told by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A pickled dictionary of NumPy arrays, Paddle's.
    Pdparams,
    /// A ZIP archive of a pickle and its tensors' data, PyTorch's since 1.6.
    Pth,
    /// Pickles in a row with the data behind them, PyTorch's before.
    PthLegacy,
    /// Hugging Face's header and raw data.
    Safetensors,
}

/// What tells a tar archive, and where.
const TAR: (usize, &[u8]) = (257, b"ustar");

impl Format {
    /// The format of a file that begins with these bytes.
    ///
    /// # Errors
    /// If it is none that is read; the error says what the bytes look like.
    pub fn detect(bytes: &[u8]) -> Result<Self, String> {
        match bytes {
            [b'P', b'K', 3, 4, ..] => Ok(Self::Pth),
            [0x80, 2, 0x8A, 0x0A, ..] => Ok(Self::PthLegacy),
            [0x80, 2..=4, ..] => Ok(Self::Pdparams),
            [_, _, _, _, _, 0, 0, 0, b'{', ..] => Ok(Self::Safetensors),
            [] => Err("an empty file".into()),
            _ if bytes.get(TAR.0..).is_some_and(|rest| rest.starts_with(TAR.1)) => {
                Err("a tar archive, such as Paddle's inference models, which are not read".into())
            }
            _ => {
                let head: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                Err(format!(
                    "an unknown format, beginning with the bytes {}",
                    head.join(" ")
                ))
            }
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pdparams => "pdparams",
            Self::Pth => "pth",
            Self::PthLegacy => "pth (before PyTorch 1.6)",
            Self::Safetensors => "safetensors",
        })
    }
}

/// Tensors by their names in a file.
pub(crate) type Tensors = BTreeMap<String, Tensor>;
/// What a file notes beside its tensors.
pub(crate) type Notes = BTreeMap<String, String>;

/// What a weight file holds.
#[derive(Clone, Debug)]
pub struct TensorFile {
    /// Where it was read from.
    pub path: PathBuf,
    /// The format it was read from.
    pub format: Format,
    /// The tensors by their names in the file.
    pub tensors: BTreeMap<String, Tensor>,
    /// What a safetensors file notes beside them.
    pub notes: BTreeMap<String, String>,
}

/// The tensors of a file, which is mapped: values are fetched from disk as they are asked for.
///
/// # Errors
/// If the file cannot be read, has no known format or is damaged.
pub fn read(path: &Path) -> Result<TensorFile, CheckpointError> {
    let map = FileMap::open(path).map_err(|source| CheckpointError::Io {
        path: path.to_owned(),
        source,
    })?;
    parse(path, Bytes::from_owner(map))
}

/// The tensors in the bytes of a file; `path` is what errors call it.
///
/// # Errors
/// If the bytes have no known format or are damaged.
pub fn parse(path: &Path, bytes: Bytes) -> Result<TensorFile, CheckpointError> {
    let format = Format::detect(&bytes).map_err(|found| CheckpointError::Format {
        path: path.to_owned(),
        found,
    })?;
    let without_notes = |tensors| (tensors, BTreeMap::new());
    let content = match format {
        Format::Pdparams => pdparams::tensors(&bytes).map(without_notes),
        Format::Pth => torch::archive::tensors(&bytes).map(without_notes),
        Format::PthLegacy => torch::legacy::tensors(&bytes).map(without_notes),
        Format::Safetensors => safetensors::tensors(&bytes),
    };
    let (tensors, notes) = content.map_err(|reason| CheckpointError::Content {
        path: path.to_owned(),
        reason,
    })?;
    Ok(TensorFile {
        path: path.to_owned(),
        format,
        tensors,
        notes,
    })
}

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::{CheckpointError, Tensor, pdparams, safetensors};

/// A weight file's format, told by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A pickled dictionary of NumPy arrays, Paddle's.
    Pdparams,
    /// Hugging Face's header and raw data.
    Safetensors,
}

impl Format {
    /// How many first bytes tell every format.
    const HEAD: u64 = 16;

    /// The format of a file that begins with these bytes.
    ///
    /// # Errors
    /// If it is none that is read; the error says what the bytes look like.
    pub fn detect(bytes: &[u8]) -> Result<Self, String> {
        match bytes {
            [0x80, 2, 0x8A, 0x0A, ..] | [b'P', b'K', 3, 4, ..] => {
                Err("a PyTorch file (.pth), which is not read yet".into())
            }
            [0x80, 2..=4, ..] => Ok(Self::Pdparams),
            [_, _, _, _, _, 0, 0, 0, b'{', ..] => Ok(Self::Safetensors),
            [] => Err("an empty file".into()),
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
            Self::Safetensors => "safetensors",
        })
    }
}

/// What a weight file holds.
#[derive(Clone, Debug)]
pub struct TensorFile {
    pub(crate) path: PathBuf,
    /// The format it was read from.
    pub format: Format,
    /// The tensors by their names in the file.
    pub tensors: BTreeMap<String, Tensor>,
}

/// The tensors of a file.
///
/// # Errors
/// If the file cannot be read, has no known format or is damaged.
pub fn read(path: &Path) -> Result<TensorFile, CheckpointError> {
    let io = |source| CheckpointError::Io {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(io)?;
    let mut bytes = Vec::new();
    // A large file of another kind is refused by its head, before the rest is read.
    file.by_ref()
        .take(Format::HEAD)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    let format = Format::detect(&bytes).map_err(|found| CheckpointError::Format {
        path: path.to_owned(),
        found,
    })?;
    file.read_to_end(&mut bytes).map_err(io)?;
    let tensors = match format {
        Format::Pdparams => pdparams::tensors(&bytes),
        Format::Safetensors => safetensors::tensors(&bytes),
    };
    let tensors = tensors.map_err(|reason| CheckpointError::Content {
        path: path.to_owned(),
        reason,
    })?;
    Ok(TensorFile {
        path: path.to_owned(),
        format,
        tensors,
    })
}

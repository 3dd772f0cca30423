use std::fmt;

use crate::{foreign, torch};

/// The format of a weight file, recognised by its first bytes.
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

impl Format {
    /// Returns the format of a file that begins with these bytes.
    ///
    /// # Errors
    /// If the format cannot be read; the error has the likely kind of file, and the advice.
    pub fn detect(bytes: &[u8]) -> Result<Self, String> {
        match bytes {
            [b'P', b'K', 3, 4, ..] => Ok(Self::Pth),
            [0x80, 2..=5, ..] if torch::legacy::is_legacy(bytes) => Ok(Self::PthLegacy),
            [0x80, 2..=5, ..] => Ok(Self::Pdparams),
            [_, _, _, _, _, 0, 0, 0, b'{', ..] => Ok(Self::Safetensors),
            _ => Err(foreign::what(bytes)),
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

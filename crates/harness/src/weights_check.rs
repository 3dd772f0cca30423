use std::fmt;

use registry::Check;
use serde::{Deserialize, Serialize};

/// The way in which the SHA-256 of the weights of a run was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightsCheck {
    /// All bytes were read and hashed for this run.
    Read,
    /// The file looked as it did when all bytes were last read and hashed, and each tensor had the checksum of then when it
    /// was loaded.
    StampAndSums,
    /// The file looked as it did when all bytes were last read and hashed.
    Stamp,
}

impl From<Check> for WeightsCheck {
    fn from(check: Check) -> Self {
        match check {
            Check::Read => Self::Read,
            Check::Stamp => Self::Stamp,
        }
    }
}

impl fmt::Display for WeightsCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Read => "read in full",
            Self::StampAndSums => "checked by stamp and checksums",
            Self::Stamp => "checked by stamp",
        })
    }
}

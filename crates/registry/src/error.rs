use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::names::nearest;
use crate::secrets::{scrubbed, without_secrets};

/// A manifest or lock that is not valid, with the place of the first fault.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", path.display())]
pub struct ManifestError {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The fault, and what would be right.
    pub message: String,
    /// The file system's error, if the file could not be read.
    #[source]
    pub(crate) source: Option<io::Error>,
}

impl ManifestError {
    /// A fault at this byte range of the file's text.
    pub(crate) fn new(path: &Path, text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: scrubbed(&message.into()),
            source: None,
        }
    }

    /// A file that cannot be read.
    pub(crate) fn unreadable(path: &Path, source: io::Error) -> Self {
        let error = Self::new(path, "", 0..0, source.to_string());
        Self {
            source: Some(source),
            ..error
        }
    }

    /// A fault the TOML reader found: syntax, an unknown or missing key, a value of the wrong type.
    pub(crate) fn toml(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let message = match suggestion(error.message()) {
            Some(known) => format!("{}; did you mean `{known}`?", error.message()),
            None => error.message().to_owned(),
        };
        Self::new(path, text, error.span().unwrap_or(0..0), message)
    }
}

/// The known field that comes nearest to the unknown one that a message is about.
fn suggestion(message: &str) -> Option<&str> {
    let names = message.strip_prefix("unknown field `")?;
    let (unknown, known) = names.split_once('`')?;
    nearest(unknown, known.split('`').skip(1).step_by(2))
}

/// A name that stands for no variant, or for several.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownVariant {
    /// The name asked for.
    pub name: String,
    /// The variant whose weights it would be, if it begins with one's name and goes on with a dot.
    pub weights_of: Option<String>,
    /// The names that may be meant: of variants, or of the weights of that one.
    pub candidates: Vec<String>,
}

impl fmt::Display for UnknownVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = without_secrets(&self.name);
        match &self.weights_of {
            None => write!(f, "no variant is named `{name}`"),
            Some(variant) => write!(
                f,
                "the manifest has no weights of {variant} that are named `{name}`"
            ),
        }
    }
}

impl std::error::Error for UnknownVariant {}

/// A file that is not there, or not to be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The network or the server failed.
    #[error("{url}: {reason}")]
    Network {
        /// The URL that was asked for.
        url: String,
        /// The failure, with its causes.
        reason: String,
    },
    /// The publisher's server refuses the file and says why.
    #[error("{url}: {reason}")]
    Refused {
        /// The URL that was asked for.
        url: String,
        /// Why it is refused.
        reason: String,
        /// The next step.
        advice: String,
    },
    /// Several sources were asked, and none has the file.
    #[error("{url}: none of {} sources has it:{}", failures.len(), listed(failures))]
    Sources {
        /// The file's first URL in the manifest.
        url: String,
        /// The failure of each source, in the order in which they were asked.
        failures: Vec<FetchError>,
    },
    /// The bytes are not those that were declared or pinned.
    #[error("{subject}: {said_by} says {expected}, found {actual}")]
    Mismatch {
        /// The file or URL.
        subject: String,
        /// Who expects it: `zoo.toml`, `zoo.lock`, the mirror or the publisher.
        said_by: &'static str,
        /// The size or digest that is expected.
        expected: String,
        /// The size or digest that was found.
        actual: String,
    },
    /// A published file is damaged and the network may not be used.
    #[error("{reason}")]
    Damaged {
        /// Its path.
        path: PathBuf,
        /// The damage.
        reason: String,
    },
    /// The file is missing and the network may not be used.
    #[error("{url}: not in the cache {}, and offline", cache.display())]
    Offline {
        /// The file's URL.
        url: String,
        /// The cache's folder.
        cache: PathBuf,
    },
    /// The manifest names a file of this machine that is not there.
    #[error("{}: is not there, and zoo.toml names it by its path", path.display())]
    Absent {
        /// The path that the manifest names.
        path: PathBuf,
    },
    /// Nobody vouches for the file's full digest, and `locked` was asked for.
    #[error("{url}: zoo.lock does not pin it")]
    NotPinned {
        /// The file's URL.
        url: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl FetchError {
    pub(crate) fn disk(path: &Path, source: io::Error) -> Self {
        Self::Disk {
            path: path.to_owned(),
            source,
        }
    }

    /// The server that failed, with its port, and the failure; `None` if it is not a server's failure.
    pub fn server(&self) -> Option<(&str, &str)> {
        let Self::Network { url, reason } = self else {
            return None;
        };
        let (_, rest) = url.split_once("://")?;
        Some((rest.split(['/', '?']).next()?, reason))
    }
}

fn listed(failures: &[FetchError]) -> String {
    failures.iter().map(|failure| format!("\n  {failure}")).collect()
}

use std::ops::Range;
use std::path::{Path, PathBuf};

/// A manifest or lock that is not valid, with the place of the first fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", path.display())]
pub struct ManifestError {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, and what would be right.
    pub message: String,
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
            message: message.into(),
        }
    }

    /// A fault the TOML reader found: syntax, an unknown or missing key, a value of the wrong type.
    pub(crate) fn toml(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        Self::new(path, text, error.span().unwrap_or(0..0), error.message())
    }
}

/// A name that no variant has.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no variant is named `{name}`")]
pub struct UnknownVariant {
    /// The name asked for.
    pub name: String,
    /// The variant whose name comes nearest, if any comes near.
    pub nearest: Option<String>,
}

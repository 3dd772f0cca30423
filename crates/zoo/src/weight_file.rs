//! A weight file that the user named, and its selected set of weights.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};

use checkpoint::{Naming, TensorFile};
use hrnet::Graph;
use registry::Variant;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::context::Context;
use crate::fitting::mismatch;

/// `FILE` or `FILE#KEY`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WeightFile {
    #[serde(with = "as_the_system_has_it")]
    pub(crate) path: PathBuf,
    /// Key of the set of weights; `None` for the likeliest one.
    pub(crate) set: Option<String>,
}

/// Serializes paths for another process of this program: JSON is text, and a path need not be.
mod as_the_system_has_it {
    use std::ffi::{OsStr, OsString};
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        OsStr::serialize(path.as_os_str(), to)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<PathBuf, D::Error> {
        Ok(OsString::deserialize(from)?.into())
    }
}

impl WeightFile {
    /// Parses `FILE#KEY`. A `#` may be part of a file name: an existing file with the whole name has precedence, then the one
    /// with the longest name before a `#`.
    pub(crate) fn parse(text: &str) -> Self {
        let whole = Self {
            path: text.into(),
            set: None,
        };
        if whole.path.exists() {
            return whole;
        }
        let splits = || {
            text.rmatch_indices('#')
                .map(|(at, _)| (&text[..at], &text[at + 1..]))
        };
        let split = splits()
            .find(|(path, _)| Path::new(path).is_file())
            .or_else(|| splits().next());
        match split {
            Some((path, set)) if !path.is_empty() && !set.is_empty() => Self {
                path: path.into(),
                set: Some(set.to_owned()),
            },
            _ => whole,
        }
    }

    /// Reads the tensors of the file, and prints the selected set if the file holds others.
    pub(crate) fn read(&self, cx: &Context) -> Result<TensorFile, Failure> {
        self.read_from(cx, &self.open()?)
    }

    /// Opens the file, which must be a regular one.
    pub(crate) fn open(&self) -> Result<File, Failure> {
        ::files::open_file(&self.path).map_err(|error| Failure::file(&self.path, &error))
    }

    /// Returns the naming scheme of the tensors.
    pub(crate) fn naming(&self) -> Result<Naming, Failure> {
        let file = checkpoint::read_open(&self.path, &self.open()?, self.set.as_deref())?;
        Ok(file.naming()?)
    }

    /// As [`WeightFile::read`], from an open file.
    fn read_from(&self, cx: &Context, file: &File) -> Result<TensorFile, Failure> {
        let file = checkpoint::read_open(&self.path, file, self.set.as_deref())?;
        if let (Some(taken), [other, ..]) = (&file.set, file.other_sets.as_slice()) {
            let others = quoted(&file.other_sets);
            cx.out.note(&format!(
                "{self} holds several sets of weights: `{taken}` is taken, there are also {others}; `{}#{other}` takes \
                 another",
                self.path.display()
            ));
        }
        Ok(file)
    }

    /// Refuses a file that has the tensors of none of the variants, and says which network it holds.
    pub(crate) fn check_fits_any(&self, cx: &Context, variants: &[&Variant]) -> Result<(), Failure> {
        let file = self.read(cx)?;
        let mut refused = None;
        for variant in variants {
            let graph = variant.spec.graph(variant.input())?;
            match file.clone().bind(&graph) {
                Ok(_) => return Ok(()),
                Err(error) => refused = refused.or(Some((variant, error))),
            }
        }
        match refused {
            None => Ok(()),
            Some((variant, error)) => Err(mismatch(cx.zoo()?, variant, &file, self.set.as_deref(), error)),
        }
    }

    /// Reads the weights from the open file, fitted to the graph of a variant's network.
    pub(crate) fn weights(
        &self,
        cx: &Context,
        file: &File,
        variant: &Variant,
        graph: &Graph,
    ) -> Result<checkpoint::Weights, Failure> {
        let file = self.read_from(cx, file)?;
        match file.clone().weights(graph) {
            Ok(weights) => Ok(weights),
            Err(error) => Err(mismatch(cx.zoo()?, variant, &file, self.set.as_deref(), error)),
        }
    }

    /// Returns the file's name, with the key of the set if one was requested.
    pub(crate) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str());
        let set = self.set.as_ref().map_or(String::new(), |set| format!("#{set}"));
        format!("{}{set}", name.to_string_lossy())
    }
}

impl fmt::Display for WeightFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

/// Formats names in backquotes, separated by commas.
pub(crate) fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_wins_over_a_key() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
        for name in ["run#3.pth", "w.pth"] {
            std::fs::write(path(name), "").expect("written");
        }
        for (text, name, set) in [
            ("w.pth", "w.pth", None),
            ("w.pth#state_dict_ema", "w.pth", Some("state_dict_ema")),
            ("w.pth#a#b", "w.pth", Some("a#b")),
            ("run#3.pth", "run#3.pth", None),
            ("run#3.pth#model", "run#3.pth", Some("model")),
            ("none.pth#model", "none.pth", Some("model")),
            ("none.pth", "none.pth", None),
            ("w.pth#", "w.pth#", None),
        ] {
            let parsed = WeightFile::parse(&path(text));
            let expected = (PathBuf::from(path(name)), set.map(str::to_owned));
            assert_eq!((parsed.path, parsed.set), expected, "{text}");
        }
    }
}

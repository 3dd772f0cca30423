//! From the manifest as written to the manifest as checked; every fault is told with its place.

mod artifact;
mod claim;
mod column;
mod preprocess;
mod variant;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;

use crate::types::{Source, Zoo};
use crate::{ManifestError, names, wire};

/// The version of `zoo.toml` that this program reads.
const SCHEMA: u32 = 1;

impl Zoo {
    /// Reads a manifest; `origin` is the file name that errors show.
    ///
    /// # Errors
    /// At the first fault, with its line and column.
    pub fn parse(text: &str, origin: &Path) -> Result<Self, ManifestError> {
        let wire: wire::Zoo =
            toml::from_str(text).map_err(|error| ManifestError::toml(origin, text, &error))?;
        let check = Check { text, origin };
        if *wire.schema.get_ref() != SCHEMA {
            let found = wire.schema.get_ref();
            return check.fail(
                wire.schema.span(),
                format!("schema {found}: this program reads schema {SCHEMA}"),
            );
        }
        let preprocess = wire
            .preprocess
            .iter()
            .map(|(id, written)| {
                check.id(id, written.span())?;
                Ok((id.clone(), check.preprocess(id, written)?))
            })
            .collect::<Result<BTreeMap<_, _>, ManifestError>>()?;
        for id in wire.source.keys() {
            // The tables of sources have no place of their own.
            check.id(id, text.find(id).map_or(0..0, |start| start..start + id.len()))?;
        }
        let sources: BTreeMap<String, Source> = wire
            .source
            .into_iter()
            .map(|(id, source)| {
                (
                    id,
                    Source {
                        title: source.title,
                        models_in_text: source.models_in_text,
                    },
                )
            })
            .collect();
        let columns = check.columns(wire.column, &sources, &preprocess)?;
        let mut zoo = Self {
            sources,
            preprocess,
            columns,
            variants: Vec::new(),
        };
        for written in &wire.variant {
            let variant = check.variant(written, &zoo)?;
            zoo.variants.push(variant);
        }
        if zoo.variants.is_empty() {
            return check.fail(0..0, "no [[variant]]: a manifest declares at least one");
        }
        Ok(zoo)
    }
}

struct Check<'a> {
    text: &'a str,
    origin: &'a Path,
}

impl Check<'_> {
    fn error(&self, span: Range<usize>, message: impl Into<String>) -> ManifestError {
        ManifestError::new(self.origin, self.text, span, message)
    }

    fn fail<T>(&self, span: Range<usize>, message: impl Into<String>) -> Result<T, ManifestError> {
        Err(self.error(span, message))
    }

    /// The value behind a written reference, or an error that names what there is.
    fn lookup<T>(
        &self,
        kind: &str,
        id: &Spanned<String>,
        found: Option<T>,
        known: impl Iterator<Item = String>,
    ) -> Result<T, ManifestError> {
        found.ok_or_else(|| {
            let known: Vec<String> = known.collect();
            let list = if known.is_empty() {
                "none is declared".into()
            } else {
                known.join(", ")
            };
            self.error(
                id.span(),
                format!("unknown {kind} `{}`: expected one of {list}", id.get_ref()),
            )
        })
    }

    fn name(&self, written: &Spanned<String>) -> Result<String, ManifestError> {
        self.id(written.get_ref(), written.span())?;
        Ok(written.get_ref().clone())
    }

    /// Refuses what cannot be a file's name: who uses names need not think of what stands in them.
    fn id(&self, id: &str, span: Range<usize>) -> Result<(), ManifestError> {
        match names::fault(id) {
            None => Ok(()),
            Some(fault) => self.fail(span, format!("the name `{}` {fault}", id.escape_debug())),
        }
    }
}

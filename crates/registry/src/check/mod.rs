//! From the manifest as written to the manifest as checked; every error names its place.

mod artifact;
mod claim;
mod column;
mod complete;
mod preprocess;
mod task;
mod variant;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;

use crate::local::Folders;
use crate::types::{Extends, Source, Zoo};
use crate::{EMBEDDED, ManifestError, names, wire};

/// The version of `zoo.toml` that this program reads.
const SCHEMA: u32 = 1;

/// The least that a manifest holds.
const MINIMAL: &str = "a manifest begins with `schema = 1`, and then has `extends = \"builtin\"`, which keeps the built-in \
                       variants, or at least one [[variant]]; `zoo add` writes such a file";

/// Advice for a manifest of one's own that lacks what is built in.
const EXTENDS: &str = "`extends = \"builtin\"` at its top keeps what is built in";

impl Zoo {
    /// Reads a manifest; `origin` is its file, which errors show and whose folder its paths are below.
    ///
    /// # Errors
    /// At the first fault, with its line and column.
    pub fn parse(text: &str, origin: &Path) -> Result<Self, ManifestError> {
        Self::parse_with(text, origin, &[])
    }

    /// The same where the manifest may also name weight files below these folders, by their whole paths.
    ///
    /// # Errors
    /// At the first fault, with its line and column.
    pub fn parse_with(text: &str, origin: &Path, folders: &[PathBuf]) -> Result<Self, ManifestError> {
        let wire: wire::Zoo =
            toml::from_str(text).map_err(|error| ManifestError::toml(origin, text, &error))?;
        let mut check = Check {
            text,
            origin,
            folders: Folders::of(origin, folders),
            builtin: 0,
        };
        match &wire.schema {
            None => return check.fail(0..0, format!("no `schema`: {MINIMAL}")),
            Some(schema) if *schema.get_ref() == SCHEMA => {}
            Some(schema) => {
                let what = format!("schema {}: this program reads schema {SCHEMA}", schema.get_ref());
                return check.fail(schema.span(), what);
            }
        }
        let mut zoo = check.beginning(wire.extends.as_ref())?;
        check.builtin = zoo.variants.len();
        check.add_preprocess(wire.preprocess, &mut zoo)?;
        check.add_sources(wire.source, &mut zoo)?;
        check.add_columns(wire.column, &mut zoo)?;
        for written in &wire.variant {
            let variant = check.variant(written, &zoo)?;
            zoo.variants.push(variant);
        }
        if zoo.variants.is_empty() {
            return check.fail(
                0..0,
                format!("no [[variant]]: a manifest declares at least one; {EXTENDS}"),
            );
        }
        Ok(zoo)
    }

    /// The manifest that is built into the program.
    pub fn builtin() -> Self {
        Self::parse(EMBEDDED, Path::new("the built-in zoo.toml")).expect("a test reads the built-in manifest")
    }
}

struct Check<'a> {
    text: &'a str,
    origin: &'a Path,
    folders: Folders,
    /// The number of variants at the beginning that are built in.
    builtin: usize,
}

impl Check<'_> {
    /// The manifest that this one adds to.
    fn beginning(&self, extends: Option<&Spanned<String>>) -> Result<Zoo, ManifestError> {
        let extends = match extends.map(|written| (written.get_ref().as_str(), written.span())) {
            None => Extends::Unsaid,
            Some(("nothing", _)) => Extends::Nothing,
            Some(("builtin", _)) => {
                return Ok(Zoo {
                    extends: Extends::Builtin,
                    ..Zoo::builtin()
                });
            }
            Some((other, span)) => {
                let other = other.escape_debug();
                let message = format!(
                    "extends `{other}`: expected \"builtin\", or \"nothing\" for a manifest that stands alone"
                );
                return self.fail(span, message);
            }
        };
        Ok(Zoo {
            extends,
            sources: BTreeMap::new(),
            preprocess: BTreeMap::new(),
            columns: Vec::new(),
            variants: Vec::new(),
        })
    }

    fn add_preprocess(
        &self,
        written: BTreeMap<String, Spanned<wire::Preprocess>>,
        zoo: &mut Zoo,
    ) -> Result<(), ManifestError> {
        for (id, written) in written {
            self.id(&id, written.span())?;
            self.new_id(
                "preprocess",
                &id,
                zoo.preprocess.contains_key(&id),
                written.span(),
            )?;
            let preprocess = self.preprocess(&id, &written)?;
            zoo.preprocess.insert(id, preprocess);
        }
        Ok(())
    }

    fn add_sources(
        &self,
        written: BTreeMap<String, wire::Source>,
        zoo: &mut Zoo,
    ) -> Result<(), ManifestError> {
        for (id, source) in written {
            // The tables of sources have no place of their own.
            let span = self.text.find(&id).map_or(0..0, |start| start..start + id.len());
            self.id(&id, span.clone())?;
            self.new_id("source", &id, zoo.sources.contains_key(&id), span)?;
            let source = Source {
                title: source.title,
                models_in_text: source.models_in_text,
            };
            zoo.sources.insert(id, source);
        }
        Ok(())
    }

    fn add_columns(
        &self,
        written: BTreeMap<String, Spanned<wire::Column>>,
        zoo: &mut Zoo,
    ) -> Result<(), ManifestError> {
        for (id, column) in &written {
            self.new_id("column", id, zoo.column(id).is_some(), column.span())?;
        }
        let columns = self.columns(written, &zoo.sources, &zoo.preprocess)?;
        zoo.columns.extend(columns);
        Ok(())
    }

    /// Refuses a name that the built-in manifest has.
    fn new_id(&self, kind: &str, id: &str, is_taken: bool, span: Range<usize>) -> Result<(), ManifestError> {
        match is_taken {
            false => Ok(()),
            true => self.fail(
                span,
                format!("the {kind} `{id}` is built in, and `extends` keeps it: choose another name"),
            ),
        }
    }
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
            let list = match known.is_empty() {
                true => format!("the manifest declares none; {EXTENDS}"),
                false => format!("expected one of {}", known.join(", ")),
            };
            self.error(id.span(), format!("unknown {kind} `{}`: {list}", id.get_ref()))
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

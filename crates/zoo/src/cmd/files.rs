//! Which weight files a command is about.

use clap::Args;
use glob::Pattern;
use registry::{Artifact, Variant, without_secrets};

use crate::context::Context;
use crate::{Exit, Failure};

/// The choice of files, shared by the commands that handle weights.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// Variants: `all`, names, or patterns such as `HRNet_W*`
    #[arg(value_name = "NAME|PATTERN|all")]
    names: Vec<String>,
    /// Only variants with this tag
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// This weight source of each variant, or `all`; without it the first of each variant that is named
    #[arg(long, value_name = "ID")]
    source: Option<String>,
}

/// One weight file and whose it is.
pub(crate) type File<'a> = (&'a Variant, &'a Artifact);

impl Files {
    /// Whether the command line says nothing of files.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.tag.is_empty() && self.source.is_none()
    }

    /// The files chosen; without a name those of the tag.
    pub(crate) fn choose<'a>(&self, cx: &'a Context) -> Result<Vec<File<'a>>, Failure> {
        if self.names.is_empty() && self.tag.is_empty() {
            return Err(Failure::new(Exit::Usage, "no variant is named").help("`all` stands for every one"));
        }
        self.with_source(cx, self.source.as_deref())
    }

    /// The files chosen; without a variant or a tag, of every source.
    pub(crate) fn choose_or_all<'a>(&self, cx: &'a Context) -> Result<Vec<File<'a>>, Failure> {
        let all = (self.names.is_empty() && self.tag.is_empty()).then_some("all");
        self.with_source(cx, self.source.as_deref().or(all))
    }

    fn with_source<'a>(&self, cx: &'a Context, source: Option<&str>) -> Result<Vec<File<'a>>, Failure> {
        let mut files = Vec::new();
        for variant in self.variants(cx)? {
            match source {
                None => files.extend(variant.artifacts.first().map(|artifact| (variant, artifact))),
                Some("all") => files.extend(variant.artifacts.iter().map(|artifact| (variant, artifact))),
                Some(id) => files.extend(variant.artifact(id).map(|artifact| (variant, artifact))),
            }
        }
        if files.is_empty() {
            let what = source.map_or("a weight source".into(), |id| format!("a weight source `{id}`"));
            let message = format!("none of the variants chosen has {what}");
            return Err(Failure::new(Exit::NotFound, message));
        }
        Ok(files)
    }

    /// In the manifest's order, each once.
    fn variants<'a>(&self, cx: &'a Context) -> Result<Vec<&'a Variant>, Failure> {
        let zoo = cx.zoo()?;
        let mut patterns = Vec::new();
        for name in &self.names {
            patterns.push(match name.as_str() {
                "all" => Pattern::new("*"),
                name if name.contains(['*', '?', '[']) => Pattern::new(name),
                name => Pattern::new(&Pattern::escape(&zoo.find(name)?.name)),
            });
            if let Some(Err(error)) = patterns.last() {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("the pattern `{}`: {error}", without_secrets(name)),
                ));
            }
        }
        let patterns: Vec<Pattern> = patterns.into_iter().flatten().collect();
        let named = |variant: &Variant| {
            patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(&variant.name))
        };
        let tagged =
            |variant: &Variant| self.tag.is_empty() || self.tag.iter().any(|tag| variant.tags.contains(tag));
        let chosen: Vec<&Variant> = zoo
            .variants
            .iter()
            .filter(|variant| named(variant) && tagged(variant))
            .collect();
        if chosen.is_empty() {
            let message = "no variant has a name or tag like that";
            return Err(Failure::new(Exit::NotFound, message).help("`zoo list` names them all"));
        }
        Ok(chosen)
    }
}

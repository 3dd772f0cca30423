//! The choice of weight files for a command.

use clap::Args;
use registry::{Artifact, Named, Variant};

use crate::context::Context;
use crate::selector::Selector;
use crate::{Exit, Failure};

/// Options that choose weight files, shared by the commands that handle weights.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// Variants: `all`; names such as HRNet_W18_C, W18 or timm's hrnet_w18.ms_in1k, which also chooses the weights; or patterns
    /// such as 'W18*'
    #[arg(value_name = "NAME|PATTERN|all")]
    names: Vec<Selector>,
    /// Only variants with this tag
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Weight source of each variant, or `all` [default: the one that the name chooses, else the first]
    #[arg(long, value_name = "ID")]
    source: Option<String>,
}

/// A weight file with its variant.
pub(crate) type File<'a> = (&'a Variant, &'a Artifact);

impl Files {
    /// Returns whether the command line chooses no files.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.tag.is_empty() && self.source.is_none()
    }

    /// Returns arguments that choose the same files, as a user would write them.
    pub(crate) fn arguments(&self) -> String {
        let mut words: Vec<String> = self.names.iter().map(ToString::to_string).collect();
        words.extend(self.tag.iter().map(|tag| format!("--tag {tag}")));
        words.extend(self.source.iter().map(|source| format!("--source {source}")));
        if words.is_empty() {
            words.push("all".into());
        }
        words.join(" ")
    }

    /// Returns the chosen files; a tag alone chooses by tag.
    pub(crate) fn choose<'a>(&self, cx: &'a Context) -> Result<Vec<File<'a>>, Failure> {
        if self.names.is_empty() && self.tag.is_empty() {
            return Err(Failure::new(Exit::Usage, "no variant is named").help("`all` selects every variant"));
        }
        self.with_source(cx, self.source.as_deref())
    }

    /// Returns the chosen files; without a name or a tag, all files of every source.
    pub(crate) fn choose_or_all<'a>(&self, cx: &'a Context) -> Result<Vec<File<'a>>, Failure> {
        let all = (self.names.is_empty() && self.tag.is_empty()).then_some("all");
        self.with_source(cx, self.source.as_deref().or(all))
    }

    fn with_source<'a>(&self, cx: &'a Context, source: Option<&str>) -> Result<Vec<File<'a>>, Failure> {
        let named = self.named(cx)?;
        let mut files = Vec::new();
        for variant in chosen(&named) {
            match source {
                None => files.extend(own(&named, variant).map(|artifact| (variant, artifact))),
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

    /// Returns the named variants that have one of the tags, in the manifest's order.
    fn named<'a>(&self, cx: &'a Context) -> Result<Vec<Named<'a>>, Failure> {
        let zoo = cx.zoo()?;
        let mut named: Vec<Named<'a>> = Vec::new();
        for selector in &self.names {
            named.extend(selector.choose(zoo)?);
        }
        if self.names.is_empty() {
            named.extend(zoo.variants.iter().map(Named::network));
        }
        let tagged =
            |variant: &Variant| self.tag.is_empty() || self.tag.iter().any(|tag| variant.tags.contains(tag));
        named.retain(|named| tagged(named.variant));
        let place = |named: &Named<'a>| {
            zoo.variants
                .iter()
                .position(|variant| variant.name == named.variant.name)
        };
        named.sort_by_key(place);
        if named.is_empty() {
            let message = "no variant has such a name or tag";
            return Err(Failure::new(Exit::NotFound, message).help("`zoo list` lists all of them"));
        }
        Ok(named)
    }
}

/// Returns the named variants, each once.
fn chosen<'a>(named: &[Named<'a>]) -> Vec<&'a Variant> {
    let mut variants: Vec<&Variant> = named.iter().map(|named| named.variant).collect();
    variants.dedup_by_key(|variant| &variant.name);
    variants
}

/// Returns the weight sources that a variant was named with, each once; its first source if only the network was named.
fn own<'a>(named: &[Named<'a>], variant: &'a Variant) -> impl Iterator<Item = &'a Artifact> {
    let of_it = named.iter().filter(|named| named.variant.name == variant.name);
    let ids: Vec<Option<&str>> = of_it
        .map(|named| named.artifact.or(variant.artifacts.first()))
        .map(|artifact| artifact.map(|artifact| artifact.id.as_str()))
        .collect();
    let is_named = move |artifact: &&Artifact| ids.contains(&Some(artifact.id.as_str()));
    variant.artifacts.iter().filter(is_named)
}

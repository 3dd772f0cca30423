//! From names that people write to variants.

use crate::names::nearest;
use crate::{Artifact, Extends, UnknownVariant, Variant, Zoo};

/// A variant that was named, and its weights where the name is theirs.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// The variant.
    pub variant: &'a Variant,
    /// The weight source whose alias the name is, as timm's `hrnet_w18.ms_in1k` is one's.
    pub artifact: Option<&'a Artifact>,
}

/// Parts of names that tell no variant from another.
const COMMON: [&str; 3] = ["hrnet", "hrnetv2", "c"];

/// Added variants that an error names, at most.
const FEW: usize = 3;

impl Zoo {
    /// Finds what a name stands for. The first of these rules that is true of something decides, and it must be true of one
    /// thing alone:
    ///
    /// 1. it is the name of a variant;
    /// 2. it is the name of a variant, or an alias of a weight source, in another case or with `-` for `_`;
    /// 3. it is the name of a variant but for `HRNet` and `C`, as `W18` and `hrnet_w18` are of `HRNet_W18_C`.
    ///
    /// # Errors
    /// If it stands for nothing or for several; the error holds what may be meant.
    pub fn named(&self, name: &str) -> Result<Named<'_>, UnknownVariant> {
        if let Some(variant) = self.variant(name) {
            return Ok(Named::network(variant));
        }
        let mut like = self.spelt(&folded(name));
        if like.is_empty() {
            let parts = parts(name);
            like = self.networks(|theirs| !parts.is_empty() && *theirs == parts);
        }
        match like[..] {
            [one] => Ok(one),
            [] => Err(self.unknown(name)),
            _ => Err(UnknownVariant {
                name: name.to_owned(),
                weights_of: None,
                candidates: like.iter().map(|named| named.variant.name.clone()).collect(),
            }),
        }
    }

    /// The variant that a name stands for, as [`named`](Self::named) has it.
    ///
    /// # Errors
    /// If it stands for nothing or for several; the error holds what may be meant.
    pub fn find(&self, name: &str) -> Result<&Variant, UnknownVariant> {
        self.named(name).map(|named| named.variant)
    }

    /// Every variant with a fitting name, in the manifest's order. A variant is fitting by its name or its short name (`W18` for
    /// `HRNet_W18_C`); otherwise each of its weight sources is that has a fitting alias.
    pub fn matching(&self, fits: impl Fn(&str) -> bool) -> Vec<Named<'_>> {
        let mut found = Vec::new();
        for variant in &self.variants {
            if fits(&variant.name) || fits(&parts(&variant.name).join("_")) {
                found.push(Named::network(variant));
                continue;
            }
            let owns = |artifact: &&Artifact| artifact.aliases.iter().any(|alias| fits(alias));
            found.extend(variant.artifacts.iter().filter(owns).map(|artifact| Named {
                variant,
                artifact: Some(artifact),
            }));
        }
        found
    }

    /// The variant of exactly this name, as the manifest and records write it.
    pub fn variant(&self, name: &str) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.name == name)
    }

    /// The same, for a record.
    ///
    /// # Errors
    /// If there is none; the error holds what may be meant.
    pub fn recorded(&self, name: &str) -> Result<&Variant, UnknownVariant> {
        self.variant(name).ok_or_else(|| self.unknown(name))
    }

    /// Finds variants and weight sources by name or alias, whatever its spelling.
    pub(crate) fn spelt(&self, name: &str) -> Vec<Named<'_>> {
        let mut found = Vec::new();
        for variant in &self.variants {
            if folded(&variant.name) == name {
                found.push(Named::network(variant));
            }
            let owns = |artifact: &&Artifact| artifact.aliases.iter().any(|alias| folded(alias) == name);
            found.extend(variant.artifacts.iter().filter(owns).map(|artifact| Named {
                variant,
                artifact: Some(artifact),
            }));
        }
        found
    }

    /// The variants whose names have parts like these.
    fn networks(&self, fits: impl Fn(&Vec<String>) -> bool) -> Vec<Named<'_>> {
        let fitting = self.variants.iter().filter(|variant| fits(&parts(&variant.name)));
        fitting.map(Named::network).collect()
    }

    /// The error for a name that stands for nothing, with what may be meant.
    fn unknown(&self, name: &str) -> UnknownVariant {
        let unknown = |weights_of: Option<&Variant>, candidates: Vec<String>| UnknownVariant {
            name: name.to_owned(),
            weights_of: weights_of.map(|variant| variant.name.clone()),
            candidates,
        };
        // timm writes NETWORK.WEIGHTS.
        if let Some((network, _)) = name.split_once('.')
            && let Ok(variant) = self.find(network)
        {
            // Other weights of the same network may be a variant of their own.
            let alike = self.variants.iter().filter(|other| other.spec == variant.spec);
            let artifacts = alike.flat_map(|other| &other.artifacts);
            let aliases = artifacts.flat_map(|artifact| &artifact.aliases);
            return unknown(Some(variant), aliases.cloned().collect());
        }
        let parts = parts(name);
        let holds =
            |theirs: &Vec<String>| !parts.is_empty() && parts.iter().all(|part| theirs.contains(part));
        let mut candidates: Vec<String> = self
            .networks(holds)
            .iter()
            .map(|named| named.variant.name.clone())
            .collect();
        if candidates.is_empty() {
            let names = self.variants.iter().map(|variant| variant.name.as_str());
            candidates.extend(nearest(name, names).map(str::to_owned));
        }
        if candidates.is_empty() {
            candidates = self.added();
        }
        unknown(None, candidates)
    }

    /// The first few variants that were added to the built-in ones: whoever added a network may mean it by a name that is near
    /// none.
    fn added(&self) -> Vec<String> {
        if self.extends != Extends::Builtin {
            return Vec::new();
        }
        let builtin = Zoo::builtin();
        let own = self.variants.iter().map(|variant| &variant.name);
        own.filter(|name| builtin.variant(name).is_none())
            .take(FEW)
            .cloned()
            .collect()
    }
}

impl<'a> Named<'a> {
    /// The variant alone, whatever its weights.
    pub fn network(variant: &'a Variant) -> Self {
        Self {
            variant,
            artifact: None,
        }
    }
}

/// A name as it is compared.
pub(crate) fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

/// The parts of a name that tell variants apart.
fn parts(name: &str) -> Vec<String> {
    let folded = folded(name);
    let parts = folded
        .split('_')
        .filter(|part| !part.is_empty() && !COMMON.contains(part));
    parts.map(str::to_owned).collect()
}

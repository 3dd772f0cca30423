//! The fields that a variant must have: one message lists all that it lacks.

use std::path::Path;

use toml::Spanned;

use super::Check;
use crate::types::Format;
use crate::{ManifestError, wire};

/// A variant that says what it must.
pub(super) struct Complete<'w> {
    pub(super) wire: &'w wire::Variant,
    pub(super) name: &'w Spanned<String>,
    pub(super) licence: &'w str,
    pub(super) weights: Vec<Weights<'w>>,
}

/// A weight source that says what it must.
pub(super) struct Weights<'w> {
    pub(super) wire: &'w wire::Weights,
    pub(super) place: Place<'w>,
    pub(super) format: Format,
    /// Without one it is its variant's.
    pub(super) licence: Option<&'w str>,
}

/// The place of a file.
#[derive(Clone, Copy)]
pub(super) enum Place<'w> {
    Url(&'w Spanned<String>),
    Path(&'w Spanned<String>),
    Hub(&'w wire::Hub),
}

impl<'w> Place<'w> {
    /// The text that ends in the file's name.
    pub(super) fn written(self) -> &'w Spanned<String> {
        match self {
            Self::Url(written) | Self::Path(written) => written,
            Self::Hub(hub) => &hub.file,
        }
    }
}

impl Check<'_> {
    /// The variant, if nothing is missing.
    pub(super) fn complete<'w>(
        &self,
        written: &'w Spanned<wire::Variant>,
    ) -> Result<Complete<'w>, ManifestError> {
        let wire = written.get_ref();
        let licence = self.licence(wire.licence.as_ref(), wire.license.as_ref())?;
        let mut lacks = Vec::new();
        let needs_base = |field: &str| format!("`{field}` (or a `base` that has it)");
        for (field, is_there) in [("name", wire.name.is_some()), ("licence", licence.is_some())] {
            lacks.extend((!is_there).then(|| format!("`{field}`")));
        }
        for (field, is_there) in [
            ("network", wire.network.is_some()),
            ("preprocess", wire.preprocess.is_some()),
        ] {
            lacks.extend((!is_there && wire.base.is_none()).then(|| needs_base(field)));
        }
        let mut weights = Vec::new();
        for (index, source) in wire.weights.iter().enumerate() {
            let (complete, missing) = self.weights_of(source.get_ref())?;
            weights.extend(complete);
            let of = match &source.get_ref().id {
                Some(id) => format!("of its weights `{}`", id.get_ref().escape_debug()),
                None => format!("of its [[variant.weights]] number {}", index + 1),
            };
            lacks.extend(missing.into_iter().map(|field| format!("{field} {of}")));
        }
        match (&wire.name, licence) {
            (Some(name), Some(licence)) if lacks.is_empty() => Ok(Complete {
                wire,
                name,
                licence,
                weights,
            }),
            (name, _) => {
                let span = name.as_ref().map_or(written.span(), Spanned::span);
                let who = match name {
                    Some(name) => format!("`{}`", name.get_ref().escape_debug()),
                    None => "this variant".into(),
                };
                self.fail(span, format!("{who} lacks {}", lacks.join(", ")))
            }
        }
    }

    /// The source and what it lacks: one of the two is nothing.
    fn weights_of<'w>(
        &self,
        wire: &'w wire::Weights,
    ) -> Result<(Option<Weights<'w>>, Vec<&'static str>), ManifestError> {
        let place = match (&wire.url, &wire.path, &wire.hf) {
            (Some(url), None, None) => Some(Place::Url(url)),
            (None, Some(path), None) => Some(Place::Path(path)),
            (None, None, Some(hub)) => Some(Place::Hub(hub)),
            (None, None, None) => None,
            (Some(_), Some(path), _) => {
                return self.fail(path.span(), "`url` says where the file is: drop `path`");
            }
            (Some(other), None, Some(_)) | (None, Some(other), Some(_)) => {
                return self.fail(other.span(), "`hf` says where the file is: drop `url` and `path`");
            }
        };
        let format = wire
            .format
            .or_else(|| format_of(place?.written().get_ref().as_str()));
        let licence = self.licence(wire.licence.as_ref(), wire.license.as_ref())?;
        let needs_id = !matches!(place, Some(Place::Path(_))) && wire.id.is_none();
        let lacks = [
            (needs_id, "`id`"),
            (place.is_none(), "`url`, `path` or `hf`"),
            (format.is_none(), "`format` (pdparams, pth or safetensors)"),
        ];
        let lacks: Vec<&str> = lacks
            .into_iter()
            .filter_map(|(is_missing, field)| is_missing.then_some(field))
            .collect();
        Ok(match (place, format) {
            (Some(place), Some(format)) if lacks.is_empty() => {
                let complete = Weights {
                    wire,
                    place,
                    format,
                    licence,
                };
                (Some(complete), lacks)
            }
            _ => (None, lacks),
        })
    }

    /// The licence, however it is spelt.
    fn licence<'w>(
        &self,
        licence: Option<&'w Spanned<String>>,
        license: Option<&'w Spanned<String>>,
    ) -> Result<Option<&'w str>, ManifestError> {
        match (licence, license) {
            (Some(_), Some(license)) => self.fail(
                license.span(),
                "`licence` and `license` are the same field: drop one of them",
            ),
            (one, other) => Ok(one.or(other).map(|written| written.get_ref().as_str())),
        }
    }
}

/// The format by a file's ending.
fn format_of(name: &str) -> Option<Format> {
    let ending = Path::new(name).extension()?.to_str()?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "pdparams" => Format::Pdparams,
        "pth" | "pt" | "bin" => Format::Pth,
        "safetensors" => Format::Safetensors,
        _ => return None,
    })
}

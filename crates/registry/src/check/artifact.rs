use std::collections::BTreeMap;

use reqwest::Url;
use toml::Spanned;

use super::Check;
use crate::http::is_loopback;
use crate::secrets::shown_text;
use crate::types::{Artifact, Known, Preprocess};
use crate::{ManifestError, names, wire};

impl Check<'_> {
    /// The weight sources of a variant: at least one, each with a name of its own; without a profile of their own they have
    /// the variant's.
    pub(super) fn artifacts(
        &self,
        variant: &str,
        wire: &wire::Variant,
        preprocess: &Preprocess,
        declared: &BTreeMap<String, Preprocess>,
        most_bytes: u64,
    ) -> Result<Vec<Artifact>, ManifestError> {
        let mut artifacts: Vec<Artifact> = Vec::new();
        for weights in &wire.weights {
            let id = self.name(&weights.id)?;
            if artifacts
                .iter()
                .any(|artifact| artifact.id.eq_ignore_ascii_case(&id))
            {
                let message = format!("`{variant}` declares the weight source `{id}` twice");
                return self.fail(weights.id.span(), message);
            }
            let (url, file_name) = self.url(&weights.url)?;
            let mirrors = weights.mirrors.iter().map(|mirror| Ok(self.url(mirror)?.0));
            let mirrors = mirrors.collect::<Result<Vec<_>, _>>()?;
            let known = match (&weights.sha256, &weights.sha256_prefix) {
                (None, None) => Known::Nothing,
                (Some(full), None) => Known::Full(self.parsed(full)?),
                (None, Some(prefix)) => Known::Prefix(self.parsed(prefix)?),
                (Some(_), Some(prefix)) => {
                    return self.fail(prefix.span(), "`sha256` says it all: drop `sha256_prefix`");
                }
            };
            let preprocess = match &weights.preprocess {
                Some(id) => self.profile(id, declared)?,
                None => preprocess.clone(),
            };
            artifacts.push(Artifact {
                id,
                url,
                mirrors,
                file_name,
                format: weights.format,
                naming: weights.naming,
                preprocess,
                licence: weights.licence.clone().unwrap_or_else(|| wire.licence.clone()),
                bytes: weights.bytes,
                most_bytes,
                known,
            });
        }
        if artifacts.is_empty() {
            return self.fail(
                wire.name.span(),
                format!("`{variant}` has no [[variant.weights]]"),
            );
        }
        Ok(artifacts)
    }

    fn parsed<T: std::str::FromStr>(&self, written: &Spanned<String>) -> Result<T, ManifestError>
    where
        T::Err: std::fmt::Display,
    {
        written
            .get_ref()
            .parse()
            .map_err(|error: T::Err| self.error(written.span(), error.to_string()))
    }

    /// The URL and its last part.
    fn url(&self, written: &Spanned<String>) -> Result<(String, String), ManifestError> {
        let text = written.get_ref();
        let shown = shown_text(text);
        let fail = |why: &str| self.fail(written.span(), format!("the URL `{shown}` {why}"));
        // A reader of URLs passes over some of these: it would read another one than stands here.
        if text.contains(|next: char| next.is_control() || next.is_whitespace()) {
            return fail("holds white space or a control character");
        }
        let Ok(url) = Url::parse(text) else {
            return fail("cannot be read: expected https://HOST/PATH/FILE");
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return fail("is not https; http is taken from this machine alone");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return fail("holds credentials, which do not belong in a manifest");
        }
        let file_name = text.rsplit('/').next().unwrap_or_default();
        match names::fault(file_name) {
            None => Ok((text.clone(), file_name.to_owned())),
            Some(fault) => {
                let name = file_name.split(['?', '#']).next().unwrap_or_default();
                let mark = if name == file_name { "" } else { "?…" };
                fail(&format!("ends in `{name}{mark}`, which {fault}"))
            }
        }
    }
}

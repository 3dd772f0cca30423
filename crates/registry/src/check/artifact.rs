use std::collections::BTreeMap;

use reqwest::Url;
use toml::Spanned;

use super::Check;
use super::complete::{Complete, Place, Weights};
use crate::http::is_loopback;
use crate::local::Placed;
use crate::secrets::shown_text;
use crate::types::{Artifact, Known, Preprocess};
use crate::{HubFile, LocalFile, ManifestError, names, wire};

/// The name of a weight source that is a file of this machine and has no other.
const LOCAL: &str = "local";

/// The place of a file, as checked.
struct Found {
    url: String,
    file_name: String,
    local: Option<LocalFile>,
    hub: Option<HubFile>,
}

impl Check<'_> {
    /// The weight sources of a variant, each with a name of its own; without a profile of their own they have the variant's.
    pub(super) fn artifacts(
        &self,
        written: &Complete<'_>,
        preprocess: &Preprocess,
        declared: &BTreeMap<String, Preprocess>,
        most_bytes: u64,
    ) -> Result<Vec<Artifact>, ManifestError> {
        let mut artifacts: Vec<Artifact> = Vec::new();
        for source in &written.weights {
            let mut artifact = self.artifact(source, written.licence, preprocess, most_bytes)?;
            if let Some(id) = &source.wire.preprocess {
                artifact.preprocess = self.profile(id, declared)?;
            }
            let same = |other: &&Artifact| other.id.eq_ignore_ascii_case(&artifact.id);
            if artifacts.iter().find(same).is_some() {
                let place = source.wire.id.as_ref().unwrap_or(source.place.written());
                let variant = written.name.get_ref();
                let message = format!("`{variant}` declares the weight source `{}` twice", artifact.id);
                return self.fail(place.span(), message);
            }
            artifacts.push(artifact);
        }
        Ok(artifacts)
    }

    fn artifact(
        &self,
        source: &Weights<'_>,
        licence: &str,
        preprocess: &Preprocess,
        most_bytes: u64,
    ) -> Result<Artifact, ManifestError> {
        let wire = source.wire;
        let id = match &wire.id {
            Some(id) => self.name(id)?,
            None => LOCAL.into(),
        };
        let found = self.place(source.place)?;
        if let Some(mirror) = wire.mirrors.first().filter(|_| found.local.is_some()) {
            return self.fail(
                mirror.span(),
                "`mirrors` go with the URL of a server: this file is on this machine",
            );
        }
        let mirrors = wire.mirrors.iter().map(|mirror| Ok(self.url(mirror)?.url));
        let known = match (&wire.sha256, &wire.sha256_prefix) {
            (None, None) => Known::Nothing,
            (Some(full), None) => Known::Full(self.parsed(full)?),
            (None, Some(prefix)) => Known::Prefix(self.parsed(prefix)?),
            (Some(_), Some(prefix)) => {
                return self.fail(prefix.span(), "`sha256` says it all: drop `sha256_prefix`");
            }
        };
        let aliases = wire.aliases.iter().map(|alias| alias.get_ref().clone());
        Ok(Artifact {
            id,
            aliases: aliases.collect(),
            mirrors: mirrors.collect::<Result<Vec<_>, _>>()?,
            url: found.url,
            hub: found.hub,
            local: found.local,
            file_name: found.file_name,
            format: source.format,
            naming: wire.naming,
            preprocess: preprocess.clone(),
            licence: source.licence.unwrap_or(licence).to_owned(),
            bytes: wire.bytes,
            most_bytes,
            known,
        })
    }

    /// Checks the place of a file: on a server, or on this machine where its manifest's paths may lead.
    fn place(&self, place: Place<'_>) -> Result<Found, ManifestError> {
        let written = place.written();
        let text = written.get_ref();
        let placed = match place {
            Place::Hub(hub) => return self.hub(hub),
            Place::Path(_) => self.local(written)?,
            Place::Url(_) => match Url::parse(text).ok().filter(|url| url.scheme() == "file") {
                Some(url) => self.placed(written, self.folders.place_url(&url))?,
                None => return self.url(written),
            },
        };
        let Placed { file, key } = placed;
        Ok(Found {
            file_name: key.rsplit(['/', '\\']).next().unwrap_or_default().to_owned(),
            url: key,
            local: Some(file),
            hub: None,
        })
    }

    /// A file of this machine, where the manifest's paths may lead.
    pub(super) fn local(&self, written: &Spanned<String>) -> Result<Placed, ManifestError> {
        self.placed(written, self.folders.place(written.get_ref()))
    }

    fn placed(
        &self,
        written: &Spanned<String>,
        placed: Result<Placed, String>,
    ) -> Result<Placed, ManifestError> {
        placed.or_else(|why| {
            let text = written.get_ref().escape_debug();
            self.fail(written.span(), format!("the path `{text}` {why}"))
        })
    }

    /// A file of Hugging Face: names and paths that mean the same in a URL.
    fn hub(&self, written: &wire::Hub) -> Result<Found, ManifestError> {
        let (repository, revision, file) = (&written.repository, &written.revision, &written.file);
        let parts: Vec<&str> = repository.get_ref().split('/').collect();
        let [_, name] = parts[..] else {
            let text = repository.get_ref().escape_debug();
            let message = format!("the repository `{text}` is not OWNER/NAME, as timm/hrnet_w18.ms_in1k is");
            return self.fail(repository.span(), message);
        };
        for part in parts.iter().copied() {
            self.id(part, repository.span())?;
        }
        self.id(revision.get_ref(), revision.span())?;
        for part in file.get_ref().split('/') {
            self.id(part, file.span())?;
        }
        let last = file.get_ref().rsplit('/').next().unwrap_or_default();
        let file_name = format!("{name}-{last}");
        let hub = HubFile {
            repository: repository.get_ref().clone(),
            revision: revision.get_ref().clone(),
            file: file.get_ref().clone(),
        };
        Ok(Found {
            url: hub.url(),
            file_name,
            local: None,
            hub: Some(hub),
        })
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

    /// A server's URL and its last part.
    fn url(&self, written: &Spanned<String>) -> Result<Found, ManifestError> {
        let text = written.get_ref();
        let shown = shown_text(text);
        let fail = |why: &str| self.fail(written.span(), format!("the URL `{shown}` {why}"));
        // A reader of URLs passes over some of these: it would read another one than stands here.
        if text.contains(|next: char| next.is_control() || next.is_whitespace()) {
            return fail("holds white space or a control character");
        }
        let Ok(url) = Url::parse(text) else {
            return fail(
                "cannot be read: expected https://HOST/PATH/FILE; a file of this machine is named by `path`",
            );
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return fail("is not https; http is taken from this machine alone");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return fail("holds credentials, which do not belong in a manifest");
        }
        let file_name = text.rsplit('/').next().unwrap_or_default();
        match names::fault(file_name) {
            None => Ok(Found {
                url: text.clone(),
                file_name: file_name.to_owned(),
                local: None,
                hub: None,
            }),
            Some(fault) => {
                let name = file_name.split(['?', '#']).next().unwrap_or_default();
                let mark = if name == file_name { "" } else { "?…" };
                fail(&format!("ends in `{name}{mark}`, which {fault}"))
            }
        }
    }
}

//! Hugging Face: where a file of a repository is, and what its server states of the file before it redirects.
//!
//! Large files lie with another server, to which `huggingface.co` redirects. The answer that redirects carries the file's
//! SHA-256 and size, so even a first download is compared with what the publisher states.

use std::fmt;
use std::str::FromStr;

use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Url};
use serde::Serialize;

use crate::FetchError;
use crate::download::Stated;
use crate::http::{Answer, Http, HttpError, Reached, is_loopback};
use crate::secrets::{shown, shown_text};
use crate::transfer::Stop;

/// The server that names the files: locks and mirrors know a file by its URL there, whichever server was asked for it.
const HUGGING_FACE: &str = "https://huggingface.co/";

/// Who states a digest in [`FetchError::Mismatch`].
pub(crate) const PUBLISHER: &str = "the publisher";

const LINKED_ETAG: &str = "x-linked-etag";
const LINKED_SIZE: &str = "x-linked-size";
const ERROR_CODE: &str = "x-error-code";

/// A file of a repository on Hugging Face.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HubFile {
    /// `owner/name`.
    pub repository: String,
    /// A commit; or a branch or tag, whose content may change.
    pub revision: String,
    /// Its path in the repository.
    pub file: String,
}

impl HubFile {
    /// Its URL at `huggingface.co`.
    pub fn url(&self) -> String {
        format!("{HUGGING_FACE}{}", self.path())
    }

    fn path(&self) -> String {
        let Self {
            repository,
            revision,
            file,
        } = self;
        format!("{repository}/resolve/{revision}/{file}")
    }
}

/// The server that is asked for files of Hugging Face: `huggingface.co`, or one that answers as it does.
#[derive(Clone, PartialEq, Eq)]
pub struct Hub(Url);

/// Text that does not name such a server. Passwords in it are not shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a server of Hugging Face's files: {reason}")]
pub struct ParseHubError {
    text: String,
    reason: &'static str,
}

impl Default for Hub {
    fn default() -> Self {
        Self(Url::parse(HUGGING_FACE).expect("a constant"))
    }
}

impl FromStr for Hub {
    type Err = ParseHubError;

    fn from_str(text: &str) -> Result<Self, ParseHubError> {
        let fail = |reason| {
            Err(ParseHubError {
                text: shown_text(text),
                reason,
            })
        };
        let Ok(mut url) = Url::parse(text) else {
            return fail("expected a URL, as https://huggingface.co");
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return fail("expected https; http is taken from this machine alone");
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return fail("a user, a password or a query does not belong there");
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self(url))
    }
}

impl fmt::Display for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(shown(&self.0).trim_end_matches('/'))
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hub({self})")
    }
}

impl Hub {
    /// The URL of the file on this server.
    pub(crate) fn url(&self, file: &HubFile) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{}", url.path(), file.path()));
        url
    }
}

/// Asks the server at `url` for the SHA-256 and the size of the file; `None` if it states none, as for small files, which lie
/// in the repository itself under a SHA-1.
pub(crate) fn ask(http: &Http, url: &Url, file: &HubFile) -> Result<Option<Stated>, Stop> {
    let network = |error: HttpError| {
        let failed = FetchError::Network {
            url: shown(url),
            reason: error.reason,
        };
        Stop {
            alone: error.reached == Reached::Nobody,
            ..Stop::new(failed, error.next)
        }
    };
    let answer = http.until_header(url, LINKED_ETAG).map_err(network)?;
    let status = answer.status;
    if status.is_success() || status.is_redirection() {
        return Ok(stated(&answer.headers));
    }
    let error = answer.refusal(http.limits);
    Err(match refusal(&answer, &error.reason, file) {
        None => network(error),
        Some((reason, advice)) => {
            let refused = FetchError::Refused {
                url: shown(url),
                reason,
                advice,
            };
            Stop::new(refused, error.next)
        }
    })
}

/// The publisher's statement, if the entity tag is a SHA-256.
fn stated(headers: &HeaderMap) -> Option<Stated> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let tag = text(LINKED_ETAG)?.trim();
    let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
    Some(Stated {
        sha256: tag.parse().ok()?,
        bytes: text(LINKED_SIZE).and_then(|size| size.trim().parse().ok()),
        by: PUBLISHER,
    })
}

/// Why the server refuses a file, and what to do; `None` if its status says nothing of the file or of who asks.
fn refusal(answer: &Answer, reason: &str, file: &HubFile) -> Option<(String, String)> {
    let HubFile {
        repository,
        revision,
        file,
    } = file;
    let code = answer.headers.get(ERROR_CODE).and_then(|code| code.to_str().ok());
    let found = |what: String, advice: &str| Some((format!("{reason}: {what}"), advice.to_owned()));
    match (answer.status, code.unwrap_or_default()) {
        (_, "GatedRepo") => Some((
            format!("{reason}: the repository {repository} is gated"),
            format!(
                "accept its terms at {HUGGING_FACE}{repository} and set HF_TOKEN to a token of that account; or name another \
                 source with --source"
            ),
        )),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) | (_, "RepoNotFound") => found(
            format!("the repository {repository} does not exist or is private"),
            "check `repository` in zoo.toml, and that HF_TOKEN, if it is set, is still valid; a private one needs a token of an \
             account that may read it",
        ),
        (_, "RevisionNotFound") => found(
            format!("the repository {repository} has no revision `{revision}`"),
            "check `revision` in zoo.toml: a commit, a branch or a tag",
        ),
        (StatusCode::NOT_FOUND, _) => found(
            format!("the repository {repository} has no file `{file}` in revision `{revision}`"),
            "check `file` and `revision` in zoo.toml",
        ),
        (StatusCode::TOO_MANY_REQUESTS, _) => Some((
            reason.to_owned(),
            "try again later; --max-wait SECONDS waits longer, and requests with HF_TOKEN have a higher limit".into(),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sha256_is_taken_as_one() {
        let sha256 = "8f".repeat(32);
        let of = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().expect("a value"));
            }
            stated(&headers).map(|stated| (stated.sha256.to_string(), stated.bytes))
        };
        let quoted = format!("\"{sha256}\"");
        let both = of(&[(LINKED_ETAG, &quoted), (LINKED_SIZE, "85")]);
        assert_eq!(both, Some((sha256.clone(), Some(85))));
        assert_eq!(of(&[(LINKED_ETAG, &sha256)]), Some((sha256.clone(), None)));
        let weak = format!("W/{quoted}");
        assert_eq!(
            of(&[(LINKED_ETAG, &weak), (LINKED_SIZE, "x")]),
            Some((sha256, None))
        );
        let sha1 = format!("\"{}\"", "8f".repeat(20));
        assert_eq!(of(&[(LINKED_ETAG, &sha1), (LINKED_SIZE, "85")]), None, "git's");
        assert_eq!(of(&[(LINKED_SIZE, "85")]), None);
    }

    #[test]
    fn another_server_has_the_same_paths() {
        let file = HubFile {
            repository: "timm/hrnet_w18.ms_aug_in1k".into(),
            revision: "main".into(),
            file: "model.safetensors".into(),
        };
        let path = "timm/hrnet_w18.ms_aug_in1k/resolve/main/model.safetensors";
        assert_eq!(file.url(), format!("https://huggingface.co/{path}"));
        assert_eq!(Hub::default().url(&file).as_str(), file.url());
        let at = |text: &str| text.parse::<Hub>().map(|hub| hub.url(&file).to_string());
        assert_eq!(
            at("https://hub.example/hf"),
            Ok(format!("https://hub.example/hf/{path}"))
        );
        for wrong in [
            "",
            "hub.example",
            "http://hub.example",
            "https://u:sekret@hub.example",
            "https://h/?a=b",
        ] {
            let error = at(wrong).expect_err(wrong).to_string();
            assert!(!error.contains("sekret"), "{error}");
        }
    }
}

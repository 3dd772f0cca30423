use std::fmt;
use std::sync::OnceLock;

use reqwest::Url;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderValue};
use reqwest::redirect::{Attempt, Policy};

use super::{HttpError, Next, Reached, chain, words};
use crate::Limits;

/// The number of redirects that are followed.
pub(super) const REDIRECTS: usize = 10;

/// The name of this machine itself, in a URL.
pub(crate) fn is_loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// A secret that is sent to one host, over https alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The host.
    pub host: String,
    /// The text after `Bearer` in its requests; shown nowhere.
    pub secret: String,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, …)", self.host)
    }
}

/// The secrets a fetcher knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens(pub Vec<Token>);

impl Tokens {
    /// Those of the environment: `HF_TOKEN` for `huggingface.co`.
    #[expect(
        clippy::disallowed_methods,
        reason = "a secret is not for a command line, which others can read"
    )]
    pub fn from_env() -> Self {
        let secret = std::env::var("HF_TOKEN").unwrap_or_default();
        let secret = secret.trim().to_owned();
        let token = (!secret.is_empty()).then(|| Token {
            host: "huggingface.co".into(),
            secret,
        });
        Self(token.into_iter().collect())
    }

    /// The header for a request to this URL. A redirect to another host loses it again.
    fn header(&self, url: &Url) -> Option<HeaderValue> {
        if url.scheme() != "https" && !is_loopback(url) {
            return None;
        }
        let token = self.0.iter().find(|token| url.host_str() == Some(&token.host))?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.secret)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Clients that ask for files: system proxies and certificates, no compression, no way back from https to http.
pub(crate) struct Http {
    pub(crate) limits: Limits,
    tokens: Tokens,
    following: Clients,
    staying: Clients,
}

/// Clients with one rule for redirects, each made when it is first needed.
#[derive(Default)]
struct Clients {
    proxied: OnceLock<Result<Client, String>>,
    direct: OnceLock<Result<Client, String>>,
}

/// Which redirects a request follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Redirects {
    /// Those that are safe to follow.
    Follow,
    /// Follows no redirect: the answer that redirects is the answer.
    Return,
}

impl Http {
    pub(crate) fn new(limits: Limits, tokens: Tokens) -> Self {
        Self {
            limits,
            tokens,
            following: Clients::default(),
            staying: Clients::default(),
        }
    }

    /// A request for the URL.
    ///
    /// # Errors
    /// If the system has no certificates or a proxy's address makes no sense; the error says which.
    pub(super) fn get(&self, url: &Url, redirects: Redirects) -> Result<RequestBuilder, String> {
        let clients = match redirects {
            Redirects::Follow => &self.following,
            Redirects::Return => &self.staying,
        };
        // A proxy elsewhere cannot reach this machine's own servers.
        let client = if is_loopback(url) {
            clients.direct.get_or_init(|| self.client(false, redirects))
        } else {
            clients.proxied.get_or_init(|| self.client(true, redirects))
        };
        let request = client
            .as_ref()
            .map_err(Clone::clone)?
            .get(url.clone())
            .header(ACCEPT_ENCODING, "identity");
        Ok(match self.tokens.header(url) {
            Some(token) => request.header(AUTHORIZATION, token),
            None => request,
        })
    }

    fn client(&self, proxied: bool, redirects: Redirects) -> Result<Client, String> {
        // Another part of the process may have chosen a provider before; either will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder();
        if !proxied {
            builder = builder.no_proxy();
        }
        builder
            .user_agent(concat!("hrnet-zoo/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.limits.connect)
            .timeout(self.limits.idle)
            .referer(false)
            .redirect(match redirects {
                Redirects::Follow => Policy::custom(follow),
                Redirects::Return => Policy::none(),
            })
            .build()
            .map_err(|error| chain(&error))
    }
}

/// Sends a request. Its URL may hold a signature that nobody is to see.
pub(super) fn send(request: RequestBuilder, limits: Limits) -> Result<Response, HttpError> {
    request.send().map_err(|error| {
        let next = match error.is_redirect() {
            true => Next::GiveUp,
            false => Next::Again(None),
        };
        let reached = match error.is_connect() {
            true => Reached::Nobody,
            false => Reached::Silence,
        };
        HttpError {
            reached,
            ..HttpError::new(words::of_request(&error.without_url(), limits), next)
        }
    })
}

fn follow(attempt: Attempt) -> reqwest::redirect::Action {
    let from_https = attempt
        .previous()
        .last()
        .is_some_and(|url| url.scheme() == "https");
    if from_https && attempt.url().scheme() != "https" {
        return attempt.error("the server redirects from https to http");
    }
    if attempt.previous().len() > REDIRECTS {
        return attempt.error("too many redirects");
    }
    attempt.follow()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_its_host_over_https_and_into_no_text() {
        let tokens = Tokens(vec![Token {
            host: "huggingface.co".into(),
            secret: "hf_secret".into(),
        }]);
        let header = |url: &str| tokens.header(&Url::parse(url).expect("a URL"));
        assert_eq!(
            header("https://huggingface.co/a").expect("told"),
            "Bearer hf_secret"
        );
        for url in [
            "http://huggingface.co/a",
            "https://huggingface.co.evil.example/a",
            "https://cdn.example/huggingface.co",
        ] {
            assert_eq!(header(url), None, "{url}");
        }
        let shown = format!("{tokens:?} {:?}", header("https://huggingface.co/a"));
        assert!(!shown.contains("hf_secret"), "{shown}");
    }
}

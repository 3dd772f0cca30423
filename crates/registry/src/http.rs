use std::error::Error;
use std::io::Read;
use std::time::Duration;

use reqwest::blocking::{Client, Response};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{StatusCode, Url};

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(10);
/// How many redirects are followed.
const REDIRECTS: usize = 10;

/// A download that failed, and whether another try may help.
#[derive(Debug)]
pub(crate) struct HttpError {
    pub(crate) reason: String,
    pub(crate) passing: bool,
}

impl HttpError {
    fn passing(error: &dyn Error) -> Self {
        Self {
            reason: chain(error),
            passing: true,
        }
    }

    pub(crate) fn lasting(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            passing: false,
        }
    }
}

/// Whether the URL leads to this machine itself.
pub(crate) fn is_loopback(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// A client for `url`: system proxies and certificates, no compression, no way back from https to http. A server
/// may be silent for `idle`, before its answer and between two reads.
///
/// # Errors
/// With what stands in the way, in words: the system has no certificates, or a proxy's address makes no sense.
pub(crate) fn client(url: &str, idle: Duration) -> Result<Client, String> {
    // Another part of the process may have chosen a provider before; either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder();
    if Url::parse(url).is_ok_and(|url| is_loopback(&url)) {
        // A proxy elsewhere cannot reach this machine's own servers.
        builder = builder.no_proxy();
    }
    builder
        .user_agent(concat!("hrnet-zoo/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .timeout(idle)
        .redirect(Policy::custom(follow))
        .build()
        .map_err(|error| chain(&error))
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

/// The body of a file that is there.
pub(crate) struct Body {
    response: Response,
    /// The size the server announced.
    pub(crate) length: Option<u64>,
}

impl Body {
    /// Opens the file at `url`.
    pub(crate) fn open(client: &Client, url: &str) -> Result<Self, HttpError> {
        let request = client.get(url).header(ACCEPT_ENCODING, "identity");
        let response = request.send().map_err(|error| HttpError {
            passing: !error.is_redirect(),
            reason: chain(&error),
        })?;
        let status = response.status();
        // Other codes of success come with a part of the file or with none.
        if status != StatusCode::OK {
            let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
            return Err(HttpError {
                reason: format!("the server answers {status}"),
                passing,
            });
        }
        let header = |name| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or("")
        };
        if header(CONTENT_TYPE).to_ascii_lowercase().starts_with("text/html") {
            return Err(HttpError::lasting(
                "the server sends a web page instead of the file (content type text/html)",
            ));
        }
        if !matches!(header(CONTENT_ENCODING), "" | "identity") {
            return Err(HttpError::lasting(
                "the server compresses the file though it was asked not to",
            ));
        }
        let length = response.content_length();
        Ok(Self { response, length })
    }

    /// Reads some bytes, none at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, HttpError> {
        self.response
            .read(buffer)
            .map_err(|error| HttpError::passing(&error))
    }
}

/// The error with its causes: reqwest's own first line rarely says why.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let own = error.to_string();
        if !text.contains(&own) {
            text = format!("{text}: {own}");
        }
        cause = error.source();
    }
    text
}

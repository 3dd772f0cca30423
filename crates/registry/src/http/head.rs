use reqwest::header::{HeaderMap, LOCATION, RANGE};
use reqwest::{StatusCode, Url};

use super::answer::{Question, refused};
use super::client::{REDIRECTS, Redirects, send};
use super::{Http, HttpError};
use crate::Limits;

/// A server's answer without its body.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
}

impl Answer {
    /// The failure that a status other than the wanted ones means.
    pub(crate) fn refusal(&self, limits: Limits) -> HttpError {
        let question = Question {
            part: false,
            redirected: false,
        };
        refused(self.status, question, &self.headers, limits)
    }
}

impl Http {
    /// Asks one server for a file and returns its first answer with this header. Redirects are followed only to the same
    /// server; without the header the last answer is returned, which may be a redirect to another one.
    ///
    /// The request is a GET for the first byte: some servers refuse HEAD, and a file that comes at once is not downloaded.
    pub(crate) fn until_header(&self, url: &Url, header: &str) -> Result<Answer, HttpError> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            let request = self.get(&url, Redirects::Return).map_err(HttpError::lasting)?;
            let response = send(request.header(RANGE, "bytes=0-0"), self.limits)?;
            let answer = Answer {
                status: response.status(),
                headers: response.headers().clone(),
            };
            let next = answer
                .headers
                .get(LOCATION)
                .filter(|_| answer.status.is_redirection());
            let next = next.and_then(|next| url.join(next.to_str().ok()?).ok());
            match next.filter(|next| next.origin() == url.origin()) {
                Some(next) if !answer.headers.contains_key(header) => url = next,
                _ => return Ok(answer),
            }
        }
        Err(HttpError::lasting("too many redirects"))
    }
}

use std::io::Read;
use std::ops::Range;
use std::time::{Duration, Instant};

use reqwest::blocking::Response;
use reqwest::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_RANGE, LAST_MODIFIED, RANGE, TRANSFER_ENCODING,
};
use reqwest::{StatusCode, Url, Version};

use super::answer::{Question, SentPart, asked, is_strong, refused, sent_part, text};
use super::client::{Redirects, send};
use super::{Http, HttpError, words};
use crate::Limits;

/// A request for a file or a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// These bytes; without a range the whole file.
    pub(crate) range: Option<Range<u64>>,
    /// Only if the file is still this version; else the whole file as it is now.
    pub(crate) if_range: Option<String>,
}

/// A file or a part of it, on its way.
pub(crate) struct Part {
    body: Box<dyn Read + Send>,
    /// It is the whole file, asked for or not.
    pub(crate) whole: bool,
    /// The offset in the file at which it begins.
    pub(crate) start: u64,
    /// Its length, if it is announced.
    pub(crate) length: Option<u64>,
    /// The size of the whole file.
    pub(crate) total: Option<u64>,
    /// The version, if the server names it in a way that promises equal bytes.
    pub(crate) etag: Option<String>,
    /// Whatever the server says of the version, promise or not.
    pub(crate) version: String,
    /// The server calls it a web page.
    pub(crate) page: bool,
    /// Parts may be asked for.
    pub(crate) parts: bool,
    /// A connection that breaks can be told from the end of the file.
    pub(crate) delimited: bool,
    pace: Pace,
    begun: bool,
}

impl Part {
    /// Asks a server.
    pub(crate) fn open(http: &Http, url: &Url, wanted: &Wanted) -> Result<Self, HttpError> {
        let mut request = http.get(url, Redirects::Follow).map_err(HttpError::lasting)?;
        if let Some(range) = &wanted.range {
            request = request.header(RANGE, format!("bytes={}", asked(range)));
            if let Some(etag) = &wanted.if_range {
                request = request.header(IF_RANGE, etag);
            }
        }
        let response = send(request, http.limits)?;
        let part = match response.status() {
            StatusCode::OK => None,
            StatusCode::PARTIAL_CONTENT => sent_part(response.headers(), wanted.range.as_ref())?,
            status => {
                let request = Question {
                    part: wanted.range.is_some(),
                    redirected: response.url().as_str() != url.as_str(),
                };
                return Err(refused(status, request, response.headers(), http.limits));
            }
        };
        Self::checked(response, part, http.limits)
    }

    fn checked(response: Response, part: Option<SentPart>, limits: Limits) -> Result<Self, HttpError> {
        let headers = response.headers();
        let page = text(headers, CONTENT_TYPE)
            .to_ascii_lowercase()
            .starts_with("text/html");
        if !matches!(text(headers, CONTENT_ENCODING), "" | "identity") {
            return Err(HttpError::lasting(
                "the server compresses the file though it was asked not to",
            ));
        }
        let announced = response.content_length();
        let length = part.as_ref().map(SentPart::length);
        if let (Some(length), Some(announced)) = (length, announced)
            && length != announced
        {
            return Err(HttpError::of_parts(format!(
                "the server announces {announced} bytes for a part of {length}"
            )));
        }
        let etag = text(headers, ETAG);
        let strong = Some(etag).filter(|etag| is_strong(etag)).map(str::to_owned);
        Ok(Self {
            whole: part.is_none(),
            start: part.as_ref().map_or(0, |part| part.range.start),
            length: length.or(announced),
            total: part.as_ref().map_or(announced, |part| part.total),
            etag: strong,
            version: format!("{etag}{}", text(headers, LAST_MODIFIED)),
            page,
            parts: part.is_some() || text(headers, ACCEPT_RANGES).eq_ignore_ascii_case("bytes"),
            delimited: part.is_some()
                || announced.is_some()
                || response.version() == Version::HTTP_2
                || headers.contains_key(TRANSFER_ENCODING),
            body: Box::new(response),
            pace: Pace::new(limits),
            begun: false,
        })
    }

    /// A part of a file on this machine.
    pub(crate) fn local(
        body: impl Read + Send + 'static,
        start: u64,
        total: u64,
        etag: String,
        whole: bool,
    ) -> Self {
        Self {
            whole,
            body: Box::new(body),
            start,
            length: Some(total - start),
            total: Some(total),
            version: etag.clone(),
            etag: Some(etag),
            page: false,
            parts: true,
            delimited: true,
            pace: Pace::new(Limits {
                min_speed: 0,
                ..Limits::default()
            }),
            begun: true,
        }
    }

    /// Reads some bytes, none at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, HttpError> {
        let waiting = Instant::now();
        let limits = self.pace.limits;
        let read = self
            .body
            .read(buffer)
            .map_err(|error| HttpError::passing(words::of_body(&error, limits)))?;
        if !self.begun && read > 0 {
            self.begun = true;
            if self.start == 0 && is_web_page(&buffer[..read]) {
                return Err(HttpError::lasting(
                    "the server sends a web page instead of the file",
                ));
            }
        }
        self.pace.check(waiting.elapsed(), read)?;
        Ok(read)
    }
}

fn is_web_page(beginning: &[u8]) -> bool {
    let text = beginning.trim_ascii_start();
    ["<!doctype html", "<html"].iter().any(|sign| {
        text.get(..sign.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(sign.as_bytes()))
    })
}

/// Watches that a server keeps a minimum speed; only the time spent waiting for it counts.
struct Pace {
    limits: Limits,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    fn check(&mut self, waited: Duration, read: usize) -> Result<(), HttpError> {
        self.waited += waited;
        self.bytes += read as u64;
        if self.waited < self.limits.speed_window || read == 0 {
            return Ok(());
        }
        let speed = self.bytes as f64 / self.waited.as_secs_f64();
        if speed < self.limits.min_speed as f64 {
            return Err(HttpError::passing(format!(
                "the server sends {speed:.0} bytes/s over {:.1} s, expected {} at least",
                self.waited.as_secs_f64(),
                self.limits.min_speed
            )));
        }
        *self = Self::new(self.limits);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_pages_are_recognised_by_their_beginning() {
        assert!(is_web_page(b"\n <!DOCTYPE HTML PUBLIC"));
        assert!(is_web_page(b"<html lang=\"en\">"));
        assert!(!is_web_page(b"\x80\x02}q\x00("));
        assert!(!is_web_page(b""));
    }

    #[test]
    fn slowness_shows_only_over_a_whole_window() {
        let limits = Limits {
            min_speed: 100,
            speed_window: Duration::from_secs(2),
            ..Limits::default()
        };
        let mut pace = Pace::new(limits);
        assert!(pace.check(Duration::from_millis(1900), 1).is_ok());
        assert!(pace.check(Duration::from_millis(200), 400).is_ok(), "190 bytes/s");
        assert!(pace.check(Duration::from_millis(2000), 199).is_err());
        let mut off = Pace::new(Limits {
            min_speed: 0,
            ..limits
        });
        assert!(off.check(Duration::from_secs(60), 1).is_ok());
    }
}

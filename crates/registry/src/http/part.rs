use std::io::Read;
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime};

use reqwest::blocking::Response;
use reqwest::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_RANGE,
    RANGE, TRANSFER_ENCODING,
};
use reqwest::{StatusCode, Url, Version};

use super::retry_after::retry_after;
use super::{Http, HttpError, Next, chain};
use crate::Limits;

/// What to ask for.
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
    /// Whether it is the whole file, asked for or not.
    pub(crate) whole: bool,
    /// Where in the file it begins.
    pub(crate) start: u64,
    /// How long it says it is.
    pub(crate) length: Option<u64>,
    /// The size of the whole file.
    pub(crate) total: Option<u64>,
    /// The version, if the server names it in a way that promises equal bytes.
    pub(crate) etag: Option<String>,
    /// Whether parts may be asked for.
    pub(crate) parts: bool,
    /// Whether a connection that breaks can be told from the end of the file.
    pub(crate) delimited: bool,
    pace: Pace,
    begun: bool,
}

impl Part {
    /// Asks a server.
    pub(crate) fn open(http: &Http, url: &Url, wanted: &Wanted) -> Result<Self, HttpError> {
        let mut request = http.get(url).map_err(HttpError::lasting)?;
        if let Some(range) = &wanted.range {
            request = request.header(RANGE, format!("bytes={}", asked(range)));
            if let Some(etag) = &wanted.if_range {
                request = request.header(IF_RANGE, etag);
            }
        }
        // Its URL may hold a signature that nobody is to see.
        let response = request.send().map_err(|error| HttpError {
            next: if error.is_redirect() {
                Next::GiveUp
            } else {
                Next::Again(None)
            },
            reason: chain(&error.without_url()),
        })?;
        let part = match (response.status(), &wanted.range) {
            (StatusCode::OK, _) => None,
            (StatusCode::PARTIAL_CONTENT, Some(range)) => {
                let header = text(response.headers(), CONTENT_RANGE);
                Some(content_range(header, range).ok_or_else(|| {
                    HttpError::of_parts(format!(
                        "the server sends another part than the one asked for (content range `{header}` for bytes {})",
                        asked(range)
                    ))
                })?)
            }
            (status, wanted) => return Err(refused(status, wanted.is_some(), &response, http.limits)),
        };
        Self::checked(response, part, http.limits)
    }

    fn checked(
        response: Response,
        part: Option<(Range<u64>, u64)>,
        limits: Limits,
    ) -> Result<Self, HttpError> {
        let headers = response.headers();
        if text(headers, CONTENT_TYPE)
            .to_ascii_lowercase()
            .starts_with("text/html")
        {
            return Err(HttpError::lasting(
                "the server sends a web page instead of the file (content type text/html)",
            ));
        }
        if !matches!(text(headers, CONTENT_ENCODING), "" | "identity") {
            return Err(HttpError::lasting(
                "the server compresses the file though it was asked not to",
            ));
        }
        let length = response.content_length();
        if let (Some((range, _)), Some(length)) = (&part, length)
            && range.end - range.start != length
        {
            return Err(HttpError::of_parts(format!(
                "the server announces {length} bytes for a part of {}",
                range.end - range.start
            )));
        }
        let strong = Some(text(headers, ETAG)).filter(|etag| etag.starts_with('"'));
        Ok(Self {
            whole: part.is_none(),
            start: part.as_ref().map_or(0, |(range, _)| range.start),
            length: part
                .as_ref()
                .map_or(length, |(range, _)| Some(range.end - range.start)),
            total: part.as_ref().map_or(length, |(_, total)| Some(*total)),
            etag: strong.map(str::to_owned),
            parts: part.is_some() || text(headers, ACCEPT_RANGES).eq_ignore_ascii_case("bytes"),
            delimited: length.is_some()
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
            etag: Some(etag),
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
        let read = self
            .body
            .read(buffer)
            .map_err(|error| HttpError::passing(chain(&error)))?;
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

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("")
}

/// First and last byte, as HTTP writes them; a range without an end goes to the end of the file.
fn asked(range: &Range<u64>) -> String {
    let last = if range.end == u64::MAX {
        String::new()
    } else {
        (range.end - 1).to_string()
    };
    format!("{}-{last}", range.start)
}

/// The part a server sends and the size of the whole, if it begins where it was asked to and goes no further.
fn content_range(header: &str, wanted: &Range<u64>) -> Option<(Range<u64>, u64)> {
    let (range, total) = header.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total): (u64, u64, u64) =
        (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    let right = first == wanted.start && first <= last && last < wanted.end && last < total;
    right.then(|| (first..last + 1, total))
}

/// What a status other than the wanted ones means.
fn refused(status: StatusCode, part_wanted: bool, response: &Response, limits: Limits) -> HttpError {
    let reason = format!("the server answers {status}");
    if part_wanted && status == StatusCode::RANGE_NOT_SATISFIABLE {
        return HttpError::of_parts(reason);
    }
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY
        );
    // Other codes of success come with a part that was not asked for or with nothing.
    if !passing {
        return HttpError::lasting(reason);
    }
    match retry_after(response.headers(), SystemTime::now()) {
        Some(pause) if pause > limits.longest_pause => HttpError::lasting(format!(
            "{reason} and asks to wait {} s, longer than the {} s allowed",
            pause.as_secs(),
            limits.longest_pause.as_secs()
        )),
        pause => HttpError {
            reason,
            next: Next::Again(pause),
        },
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
    fn only_the_part_that_was_asked_for_is_one() {
        let range = |header| content_range(header, &(10..20));
        assert_eq!(range("bytes 10-19/100"), Some((10..20, 100)));
        assert_eq!(range("bytes 10-12/13"), Some((10..13, 13)), "shorter is fine");
        for wrong in [
            "",
            "bytes 10-19/*",
            "bytes 0-19/100",
            "bytes 11-19/100",
            "bytes 10-20/100",
            "bytes 10-9/100",
            "bytes 10-19/15",
            "10-19/100",
            "bytes 10-19",
            "bytes x-19/100",
        ] {
            assert_eq!(range(wrong), None, "{wrong}");
        }
    }

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

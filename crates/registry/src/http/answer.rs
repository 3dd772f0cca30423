//! The meaning of statuses and headers.

use std::ops::Range;
use std::time::SystemTime;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName};

use super::retry_after::retry_after;
use super::{HttpError, Next};
use crate::Limits;

pub(super) fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("")
}

/// First and last byte, as HTTP writes them; a range without an end goes to the end of the file.
pub(super) fn asked(range: &Range<u64>) -> String {
    let last = if range.end == u64::MAX {
        String::new()
    } else {
        (range.end - 1).to_string()
    };
    format!("{}-{last}", range.start)
}

/// A part as the server announces it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SentPart {
    pub(super) range: Range<u64>,
    /// The size of the whole, if it says that.
    pub(super) total: Option<u64>,
}

impl SentPart {
    pub(super) fn length(&self) -> u64 {
        self.range.end - self.range.start
    }
}

/// The part in an answer with status 206; `None` if it is all of the file.
pub(super) fn sent_part(
    headers: &HeaderMap,
    wanted: Option<&Range<u64>>,
) -> Result<Option<SentPart>, HttpError> {
    let header = text(headers, CONTENT_RANGE);
    let all = 0..u64::MAX;
    let next = if wanted.is_some() {
        Next::Whole
    } else {
        Next::GiveUp
    };
    let part = content_range(header, wanted.unwrap_or(&all)).ok_or_else(|| {
        let kind = text(headers, CONTENT_TYPE);
        let wanted = wanted.map_or("all bytes".into(), |range| format!("bytes {}", asked(range)));
        let reason = format!(
            "the server sends another part than the one asked for (content range `{header}`, content type \
             `{kind}` for {wanted})"
        );
        HttpError::new(reason, next)
    })?;
    match wanted {
        Some(_) => Ok(Some(part)),
        // Not asked for, and all of it all the same.
        None if part.total == Some(part.range.end) => Ok(None),
        None => Err(HttpError::lasting(format!(
            "the server sends a part (content range `{header}`) where the whole file was asked for"
        ))),
    }
}

/// The part a server sends, if it begins where it was asked to and goes no further.
fn content_range(header: &str, wanted: &Range<u64>) -> Option<SentPart> {
    let (range, total) = header.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let total = match total {
        "*" => None,
        total => Some(total.parse::<u64>().ok()?),
    };
    let right =
        first == wanted.start && first <= last && last < wanted.end && total.is_none_or(|total| last < total);
    right.then(|| SentPart {
        range: first..last + 1,
        total,
    })
}

/// The form of a request that a server refused.
#[derive(Clone, Copy)]
pub(super) struct Question {
    /// It asked for a part.
    pub(super) part: bool,
    /// It went to an address that the first server redirected to.
    pub(super) redirected: bool,
}

/// The failure that a status other than the wanted ones means.
pub(super) fn refused(
    status: StatusCode,
    question: Question,
    headers: &HeaderMap,
    limits: Limits,
) -> HttpError {
    let reason = format!("the server answers {status}");
    match status.as_u16() {
        416 if question.part => {
            let size = text(headers, CONTENT_RANGE).strip_prefix("bytes */");
            let size = size.and_then(|size| size.parse().ok());
            return HttpError::new(reason, size.map_or(Next::Whole, Next::Ends));
        }
        // An address that we were sent to may be good for a while only: a new one is asked for.
        400 | 401 | 403 | 404 | 410 if question.redirected => {
            return HttpError::passing(format!("{reason} at the address it redirected to"));
        }
        // There are servers that refuse parts with any of these, and hand out the whole file.
        400 | 403 | 405 | 406 | 411 | 412 | 416 | 417 | 501 | 505 if question.part => {
            return HttpError::of_parts(format!("{reason} to the wish for a part"));
        }
        _ => {}
    }
    let passing = status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY
        );
    // Other codes of success come with nothing.
    if !passing {
        return HttpError::lasting(reason);
    }
    match retry_after(headers, SystemTime::now(), limits.longest_pause) {
        Some(pause) if pause > limits.longest_pause => HttpError::lasting(format!(
            "{reason} and asks to wait {} s, longer than the {} s allowed",
            pause.as_secs(),
            limits.longest_pause.as_secs()
        )),
        pause => HttpError::new(reason, Next::Again(pause)),
    }
}

/// Returns whether text is an entity tag that promises equal bytes and may be sent back.
pub(crate) fn is_strong(etag: &str) -> bool {
    etag.len() > 1
        && etag.starts_with('"')
        && etag.ends_with('"')
        && etag.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

/// Returns whether two entity tags name the same bytes. Apache adds `-gzip` to the tag of what it could have compressed, as some
/// others do; sent as it is, the file is the same.
pub(crate) fn same_version(one: &str, other: &str) -> bool {
    let bare = |tag: &str| -> String {
        let inner = tag.trim_matches('"');
        let coded = ["-gzip", "-br", "-zstd", "-deflate", ";gzip", ";br"];
        let inner = coded
            .iter()
            .find_map(|coding| inner.strip_suffix(coding))
            .unwrap_or(inner);
        inner.trim_end_matches('-').to_owned()
    };
    one == other || (is_strong(one) && is_strong(other) && bare(one) == bare(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_that_was_asked_for_is_one() {
        let range = |header| content_range(header, &(10..20)).map(|part| (part.range, part.total));
        assert_eq!(range("bytes 10-19/100"), Some((10..20, Some(100))));
        assert_eq!(
            range("bytes 10-12/13"),
            Some((10..13, Some(13))),
            "shorter is fine"
        );
        assert_eq!(range("bytes 10-19/*"), Some((10..20, None)), "it need not know");
        for wrong in [
            "",
            "bytes */100",
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
    fn entity_tags_of_the_same_bytes_differ_in_their_coding_alone() {
        for (one, other) in [
            ("\"a\"", "\"a\""),
            ("\"a\"", "\"a-gzip\""),
            ("\"a--gzip\"", "\"a\""),
        ] {
            assert!(
                same_version(one, other) && same_version(other, one),
                "{one} {other}"
            );
        }
        for (one, other) in [
            ("\"a\"", "\"b\""),
            ("\"a\"", "W/\"a\""),
            ("\"a-gzip\"", "\"b-gzip\""),
        ] {
            assert!(!same_version(one, other), "{one} {other}");
        }
        for weak in ["", "\"", "W/\"a\"", "a", "\"a\nb\"", "\"\u{1b}\""] {
            assert!(!is_strong(weak), "{weak:?}");
        }
    }
}

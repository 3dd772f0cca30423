use std::str::FromStr;
use std::time::Duration;

/// A fault in the answer to one request. Places are offsets in the body of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No fault.
    Good,
    /// The connection closes without an answer.
    Close,
    /// A status instead of the file.
    Status {
        /// The code.
        code: u16,
        /// The pause it asks for.
        wait: Option<Wait>,
    },
    /// The connection closes in an orderly way after this number of bytes.
    Truncate(u64),
    /// The connection is reset after this number of bytes.
    Reset(u64),
    /// Nothing more comes after this number of bytes, and the connection stays open.
    Stall(u64),
    /// The body comes at this number of bytes per second.
    Drip(u64),
    /// This number of bytes follows the file; no length is announced.
    Extra(u64),
    /// The byte at this offset is wrong.
    Flip(u64),
    /// The whole file, whatever part was asked for.
    IgnoreRange,
    /// A part that starts one byte later than asked for, and says so.
    WrongContentRange,
    /// A part that states this size of the whole, which is wrong; `None` states that the size is not known.
    WrongTotal(Option<u64>),
    /// Parts as `multipart/byteranges`.
    Multipart,
    /// This status in answer to a request for a part.
    RefuseRange(u16),
    /// The whole file as a part, without having been asked for one.
    PartUnasked,
    /// The part that was asked for, whatever version was asked for.
    IgnoreIfRange,
    /// The whole file in answer to a request that names a version, though the file has not changed.
    WholeIfRange,
    /// From this request on the file is another version: other bytes, another entity tag.
    NewVersion,
    /// This answer alone is of another version, whatever version was asked for: other bytes, another entity tag.
    OtherVersion,
    /// An entity tag that no other answer has, as from one of many machines.
    NodeEtag,
    /// This entity tag.
    Etag(String),
    /// No entity tag, but the time of the last change.
    LastModified,
    /// A redirect to the same address.
    RedirectLoop,
    /// A redirect to another address.
    Redirect(String),
    /// No length is announced; the end of the connection is the end of the file.
    NoLength,
    /// No length is announced; the file comes in chunks, the last of which is empty.
    Chunked,
    /// Chunks without end.
    Endless,
    /// No entity tag.
    NoEtag,
    /// The answer says that the file is compressed.
    Gzip,
    /// The head of the answer comes a byte at a time, with this pause between two.
    SlowHead(Duration),
    /// An error page with status 200; `true` says what it is, `false` calls it a file.
    Html(bool),
    /// The file, called a web page.
    CalledHtml,
    /// A redirect as Hugging Face's, which states what the file is.
    Linked {
        /// The address it leads to.
        to: String,
        /// The header `X-Linked-ETag`, if any: a SHA-256 for a large file.
        etag: Option<String>,
        /// The header `X-Linked-Size`, if any.
        size: Option<String>,
    },
    /// A status with Hugging Face's name for it in `X-Error-Code`, as `GatedRepo`.
    ErrorCode {
        /// The status.
        code: u16,
        /// The name.
        name: String,
    },
}

/// A pause that a server asks for in `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// In seconds.
    Seconds(u64),
    /// As the date this number of seconds from now.
    Date(u64),
}

/// Text that is not a fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a fault: expected one of {list}", list = Fault::NAMES)]
pub struct ParseFaultError(String);

impl Fault {
    /// The forms that [`Fault::from_str`] takes.
    pub const NAMES: &'static str = "good, close, status=CODE, status=CODE,SECONDS, status=CODE,date,SECONDS, truncate=N, reset=N, \
        stall=N, drip=BYTES_A_SECOND, extra=N, flip=N, ignore-range, wrong-content-range, total=N, total=*, multipart, \
        refuse-range=CODE, part-unasked, ignore-if-range, whole-if-range, new-version, other-version, node-etag, etag=TEXT, \
        last-modified, no-etag, redirect-loop, redirect=URL, no-length, chunked, endless, gzip, slow-head=MS, html, \
        disguised-html, called-html, linked=URL, linked=URL,ETAG, linked=URL,ETAG,SIZE, error-code=CODE,NAME";
}

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, ParseFaultError> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let number = || value.parse::<u64>().map_err(|_| ParseFaultError(text.to_owned()));
        Ok(match (name, value) {
            ("good", "") => Self::Good,
            ("close", "") => Self::Close,
            ("ignore-range", "") => Self::IgnoreRange,
            ("wrong-content-range", "") => Self::WrongContentRange,
            ("total", "*") => Self::WrongTotal(None),
            ("multipart", "") => Self::Multipart,
            ("part-unasked", "") => Self::PartUnasked,
            ("ignore-if-range", "") => Self::IgnoreIfRange,
            ("whole-if-range", "") => Self::WholeIfRange,
            ("new-version", "") => Self::NewVersion,
            ("other-version", "") => Self::OtherVersion,
            ("node-etag", "") => Self::NodeEtag,
            ("last-modified", "") => Self::LastModified,
            ("chunked", "") => Self::Chunked,
            ("endless", "") => Self::Endless,
            ("called-html", "") => Self::CalledHtml,
            ("etag", tag) if is_plain(tag) => Self::Etag(tag.to_owned()),
            ("redirect-loop", "") => Self::RedirectLoop,
            ("no-length", "") => Self::NoLength,
            ("no-etag", "") => Self::NoEtag,
            ("gzip", "") => Self::Gzip,
            ("html", "") => Self::Html(true),
            ("disguised-html", "") => Self::Html(false),
            ("redirect", url) if is_plain(url) => Self::Redirect(url.to_owned()),
            ("linked", value) if is_plain(value) => {
                let mut parts = value.splitn(3, ',').map(str::to_owned);
                Self::Linked {
                    to: parts.next().unwrap_or_default(),
                    etag: parts.next().filter(|etag| !etag.is_empty()),
                    size: parts.next(),
                }
            }
            ("error-code", value) if is_plain(value) => match value.split_once(',') {
                Some((code, name)) if !name.is_empty() => match status(code) {
                    Some(Self::Status { code, wait: None }) => Self::ErrorCode {
                        code,
                        name: name.to_owned(),
                    },
                    _ => return Err(ParseFaultError(text.to_owned())),
                },
                _ => return Err(ParseFaultError(text.to_owned())),
            },
            ("truncate", _) => Self::Truncate(number()?),
            ("reset", _) => Self::Reset(number()?),
            ("stall", _) => Self::Stall(number()?),
            ("drip", _) => Self::Drip(number()?),
            ("extra", _) => Self::Extra(number()?),
            ("flip", _) => Self::Flip(number()?),
            ("total", _) => Self::WrongTotal(Some(number()?)),
            ("refuse-range", _) => match status(value) {
                Some(Self::Status { code, wait: None }) => Self::RefuseRange(code),
                _ => return Err(ParseFaultError(text.to_owned())),
            },
            ("slow-head", _) => Self::SlowHead(Duration::from_millis(number()?)),
            ("status", _) => status(value).ok_or_else(|| ParseFaultError(text.to_owned()))?,
            _ => return Err(ParseFaultError(text.to_owned())),
        })
    }
}

/// Returns whether text may stand in a header.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}

fn status(value: &str) -> Option<Fault> {
    let mut parts = value.split(',');
    let code = parts
        .next()?
        .parse()
        .ok()
        .filter(|code| (300..600).contains(code))?;
    let wait = match (parts.next(), parts.next()) {
        (None, _) => None,
        (Some("date"), Some(seconds)) => Some(Wait::Date(seconds.parse().ok()?)),
        (Some(seconds), None) => Some(Wait::Seconds(seconds.parse().ok()?)),
        (Some(_), Some(_)) => return None,
    };
    parts.next().is_none().then_some(Fault::Status { code, wait })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_their_names() {
        let read = |text: &str| text.parse::<Fault>();
        assert_eq!(read("truncate=100"), Ok(Fault::Truncate(100)));
        let waits = |code, wait| Ok(Fault::Status { code, wait });
        assert_eq!(read("status=404"), waits(404, None));
        assert_eq!(read("status=503,2"), waits(503, Some(Wait::Seconds(2))));
        assert_eq!(read("status=429,date,5"), waits(429, Some(Wait::Date(5))));
        assert_eq!(read("total=*"), Ok(Fault::WrongTotal(None)));
        assert_eq!(read("total=7"), Ok(Fault::WrongTotal(Some(7))));
        assert_eq!(read("refuse-range=403"), Ok(Fault::RefuseRange(403)));
        assert_eq!(read("etag=W/\"a\""), Ok(Fault::Etag("W/\"a\"".into())));
        let linked = |etag: Option<&str>, size: Option<&str>| {
            Ok(Fault::Linked {
                to: "/b".into(),
                etag: etag.map(str::to_owned),
                size: size.map(str::to_owned),
            })
        };
        assert_eq!(read("linked=/b,\"8f\",9"), linked(Some("\"8f\""), Some("9")));
        assert_eq!(read("linked=/b,,9"), linked(None, Some("9")));
        assert_eq!(read("linked=/b"), linked(None, None));
        let (code, name) = (403, "GatedRepo".into());
        assert_eq!(
            read("error-code=403,GatedRepo"),
            Ok(Fault::ErrorCode { code, name })
        );
        for wrong in [
            "etag=",
            "etag=\n",
            "refuse-range=403,1",
            "",
            "truncate",
            "truncate=x",
            "status=99",
            "status=503,date",
            "status=503,1,2",
            "good=1",
            "linked=",
            "error-code=403",
            "error-code=99,GatedRepo",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}

use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use reqwest::Url;

use crate::http::{Http, HttpError, Part, Wanted};
use crate::secrets::shown;
use files::open_regular;

/// A place from which one file can be downloaded or read.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A server.
    Web(Url),
    /// A file on this machine.
    Disk(PathBuf),
}

impl Source {
    /// A URL of the manifest, which is checked.
    pub(crate) fn web(url: &str) -> Self {
        Self::Web(Url::parse(url).expect("URLs of a manifest are checked"))
    }

    /// The server that is asked, with its port; none for a file of this machine.
    pub(crate) fn server(&self) -> Option<String> {
        let Self::Web(url) = self else { return None };
        let host = url.host_str()?;
        Some(match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        })
    }

    /// Asks for the file or a part of it.
    pub(crate) fn open(&self, http: &Http, wanted: &Wanted) -> Result<Part, HttpError> {
        match self {
            Self::Web(url) => Part::open(http, url, wanted),
            Self::Disk(path) => {
                open_file(path, wanted).map_err(|error| HttpError::lasting(error.to_string()))
            }
        }
    }
}

fn open_file(path: &Path, wanted: &Wanted) -> std::io::Result<Part> {
    let mut file = open_regular(path)?;
    let metadata = file.metadata()?;
    let modified = metadata
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let etag = format!("\"{}-{}\"", metadata.len(), modified.as_nanos());
    let changed = wanted.if_range.as_ref().is_some_and(|wanted| *wanted != etag);
    let range = wanted.range.clone().filter(|_| !changed);
    let start = range.as_ref().map_or(0, |range| range.start.min(metadata.len()));
    file.seek(SeekFrom::Start(start))?;
    let rest = file.take(metadata.len() - start);
    Ok(Part::local(rest, start, metadata.len(), etag, range.is_none()))
}

/// Reads a small file whole.
pub(crate) fn read_small(source: &Source, http: &Http, most: u64) -> Result<Vec<u8>, HttpError> {
    let mut part = source.open(http, &Wanted::default())?;
    let (mut text, mut buffer) = (Vec::new(), vec![0; 1 << 14]);
    loop {
        let read = part.read(&mut buffer)?;
        if read == 0 {
            return Ok(text);
        }
        text.extend_from_slice(&buffer[..read]);
        if text.len() as u64 > most {
            return Err(HttpError::lasting(format!("is longer than {most} bytes")));
        }
    }
}

/// The place without its secrets: user, password and query.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(url) => f.write_str(&shown(url)),
            Self::Disk(path) => write!(f, "{}", path.display()),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

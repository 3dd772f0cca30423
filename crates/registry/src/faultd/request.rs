use std::io::Read;
use std::net::TcpStream;
use std::ops::Range;

/// What a client asks for.
pub(super) struct Request {
    /// All of its lines.
    pub(super) head: String,
    /// The path without its leading slash and query.
    pub(super) path: String,
    /// First and last byte of the part asked for.
    range: Option<(u64, Option<u64>)>,
    if_range: Option<String>,
}

impl Request {
    /// Reads the next request of a connection, or nothing if there is none.
    pub(super) fn read(mut stream: &TcpStream) -> Option<Self> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut byte).ok()?;
            if read == 0 || head.len() > 1 << 16 {
                return None;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let path = head.split(' ').nth(1)?.split('?').next()?;
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let range = header("range").and_then(|range| {
            let (first, last) = range
                .strip_prefix("bytes=")?
                .split_once('-')
                .map(|(a, b)| (a.to_owned(), b.to_owned()))?;
            Some((first.parse().ok()?, last.parse().ok()))
        });
        Some(Self {
            path: below_root(path).to_owned(),
            range,
            if_range: header("if-range"),
            head,
        })
    }

    /// The part of a file of this size and version that is to be sent: `Err` if there is no such part, nothing if
    /// it is the whole file.
    pub(super) fn part(&self, total: u64, etag: &str) -> Result<Option<Range<u64>>, ()> {
        let Some((first, last)) = self.range else {
            return Ok(None);
        };
        if self.if_range.as_ref().is_some_and(|wanted| wanted != etag) {
            return Ok(None);
        }
        let end = last.map_or(total, |last| last.saturating_add(1).min(total));
        if first < end {
            Ok(Some(first..end))
        } else {
            Err(())
        }
    }
}

/// The path without its leading slash; a proxy is sent the whole URL.
fn below_root(target: &str) -> &str {
    let path = target
        .strip_prefix("http://")
        .map_or(target, |rest| rest.split_once('/').map_or("", |(_, path)| path));
    path.trim_start_matches('/')
}

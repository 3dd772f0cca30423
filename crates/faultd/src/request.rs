use std::io::{self, Read};
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 1 << 14;
/// The time that a client may take for its next head.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client's request.
#[derive(Clone)]
pub(super) struct Request {
    /// All of its lines.
    pub(super) head: String,
    pub(super) method: String,
    /// The path without its leading slash and query.
    pub(super) path: String,
    /// First and last byte of the part asked for.
    pub(super) range: Option<(u64, Option<u64>)>,
    pub(super) if_range: Option<String>,
}

impl Request {
    /// Reads the next request of a connection; `None` if there is none.
    pub(super) fn read(stream: &TcpStream) -> Option<Self> {
        let head = read_head(stream, PATIENCE).ok()??;
        let mut words = head.split(' ');
        let method = words.next()?.to_owned();
        let path = words.next()?.split('?').next()?;
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
            method,
            path: below_root(path).to_owned(),
            range,
            if_range: header("if-range"),
            head,
        })
    }

    /// The part of a file of this size and version that is to be sent: `Err` if there is no such part, `None` if
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

/// The next head; `None` if the client has gone, takes too long or sends too much.
fn read_head(mut stream: &TcpStream, patience: Duration) -> io::Result<Option<String>> {
    let begun = Instant::now();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        let left = patience.saturating_sub(begun.elapsed());
        if left.is_zero() || head.len() >= LONGEST_HEAD {
            return Ok(None);
        }
        // A byte now and then must not keep a connection for ever.
        stream.set_read_timeout(Some(left))?;
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}

/// The path without its leading slash; a proxy is sent the whole URL.
fn below_root(target: &str) -> &str {
    let path = target
        .strip_prefix("http://")
        .map_or(target, |rest| rest.split_once('/').map_or("", |(_, path)| path));
    path.trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    /// Both ends of a connection.
    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
        (client, listener.accept().expect("accepted").0)
    }

    #[test]
    fn a_head_that_does_not_end_in_time_or_in_length_is_none() {
        let (mut client, server) = pair();
        client.write_all(b"GET / HTTP/1.1\r\n").expect("sent");
        let short = Duration::from_millis(50);
        assert!(
            !matches!(read_head(&server, short), Ok(Some(_))),
            "it waits for the rest no longer"
        );

        let (mut client, server) = pair();
        client.write_all(&vec![b'x'; LONGEST_HEAD + 4]).expect("sent");
        assert!(matches!(read_head(&server, PATIENCE), Ok(None)));

        let (mut client, server) = pair();
        client
            .write_all(b"GET /a?b HTTP/1.1\r\nRange: bytes=3-\r\n\r\n")
            .expect("sent");
        let request = Request::read(&server).expect("a request");
        assert_eq!((request.path.as_str(), request.range), ("a", Some((3, None))));
    }
}

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::path::{Component, Path};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::request::Request;
use super::{Content, Fault, State, Wait};
use files::open_regular;

const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><body>Please log in to the network.</body></html>\n";

/// The longest time that a client is kept waiting.
const LONGEST_STALL: Duration = Duration::from_secs(3600);

/// The bytes of an answer.
struct Body {
    bytes: Box<dyn Read>,
    length: u64,
}

impl Body {
    /// The same with text around it.
    fn between(self, before: String, after: String) -> Self {
        let length = self.length + (before.len() + after.len()) as u64;
        let (before, after) = (io::Cursor::new(before), io::Cursor::new(after));
        Self {
            bytes: Box::new(before.chain(self.bytes).chain(after)),
            length,
        }
    }
}

/// Returns whether a server with this fault sends parts.
fn sends_parts(fault: &Fault) -> bool {
    !matches!(
        fault,
        Fault::IgnoreRange
            | Fault::NoLength
            | Fault::Extra(_)
            | Fault::Chunked
            | Fault::Endless
            | Fault::PartUnasked
    )
}

fn content_range(fault: &Fault, range: &Range<u64>, total: u64) -> String {
    let first = range.start + u64::from(*fault == Fault::WrongContentRange);
    let total = match fault {
        Fault::WrongTotal(Some(total)) => total.to_string(),
        Fault::WrongTotal(None) => "*".into(),
        _ => total.to_string(),
    };
    format!("Content-Range: bytes {first}-{}/{total}\r\n", range.end - 1)
}

/// The headers that all answers with a file have, and the end of the head.
fn headers(fault: &Fault, etag: &str, length: u64) -> String {
    let mut head = match fault {
        Fault::NoLength | Fault::Extra(_) => String::new(),
        Fault::Chunked | Fault::Endless => "Transfer-Encoding: chunked\r\n".into(),
        _ => format!("Content-Length: {length}\r\n"),
    };
    head += &match fault {
        Fault::NoEtag => String::new(),
        Fault::LastModified => "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n".into(),
        _ => format!("ETag: {etag}\r\n"),
    };
    head += match fault {
        Fault::Gzip => "Content-Encoding: gzip\r\n",
        _ => "",
    };
    head + match fault {
        Fault::Multipart => "\r\n",
        Fault::CalledHtml => "Content-Type: text/html\r\n\r\n",
        _ => "Content-Type: application/octet-stream\r\n\r\n",
    }
}

impl State {
    /// Answers a request with a fault; whether the connection can go on.
    pub(super) fn answer(&self, stream: &TcpStream, request: &Request, fault: Fault) -> io::Result<bool> {
        match fault {
            // A status is an answer to any method, as of a store without the bucket that is written to.
            Fault::Status { code, wait } => return status(stream, code, &waits(wait)),
            _ if request.method != "GET" => return status(stream, 405, "Allow: GET\r\n"),
            Fault::RefuseRange(code) if request.range.is_some() => return status(stream, code, ""),
            Fault::Close => return Ok(false),
            Fault::Redirect(url) => return status(stream, 302, &format!("Location: {url}\r\n")),
            Fault::Linked { to, etag, size } => return status(stream, 302, &linked(&to, etag, size)),
            Fault::ErrorCode { code, name } => {
                return status(stream, code, &format!("X-Error-Code: {name}\r\n"));
            }
            Fault::RedirectLoop => return status(stream, 302, &format!("Location: /{}\r\n", request.path)),
            Fault::Html(honest) => {
                let kind = if honest {
                    "text/html; charset=utf-8"
                } else {
                    "application/octet-stream"
                };
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
                    PAGE.len()
                );
                send(stream, head.as_bytes())?;
                send(stream, PAGE)?;
                return Ok(true);
            }
            Fault::NewVersion => {
                self.version.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
        match self.open(&request.path) {
            Ok((file, total)) => self.send_file(stream, request, &fault, file, total),
            Err(_) => status(stream, 404, ""),
        }
    }

    /// The file a path names, and its size; never one outside the folder, not even by a link.
    fn open(&self, path: &str) -> io::Result<(Handle, u64)> {
        match &self.content {
            Content::Bytes(bytes) => Ok((Handle::Bytes(io::Cursor::new(bytes.clone())), bytes.len() as u64)),
            Content::Folder(folder) => {
                let plain = |part: Component| matches!(part, Component::Normal(_));
                if !Path::new(path).components().all(plain) {
                    return Err(io::Error::other("leaves the folder"));
                }
                let path = folder.join(path).canonicalize()?;
                if !path.starts_with(folder) {
                    return Err(io::Error::other("leaves the folder"));
                }
                let file = open_regular(&path)?;
                let length = file.metadata()?.len();
                Ok((Handle::File(file), length))
            }
        }
    }

    fn send_file(
        &self,
        stream: &TcpStream,
        request: &Request,
        fault: &Fault,
        file: Handle,
        total: u64,
    ) -> io::Result<bool> {
        let version = self.version.load(Ordering::SeqCst) + u64::from(*fault == Fault::OtherVersion);
        let etag = self.etag(fault, version);
        let mut request = request.clone();
        match fault {
            Fault::IgnoreIfRange | Fault::OtherVersion => request.if_range = None,
            Fault::WholeIfRange if request.if_range.is_some() => request.range = None,
            _ => {}
        }
        let Ok(part) = request.part(total, &etag) else {
            return status(stream, 416, &format!("Content-Range: bytes */{total}\r\n"));
        };
        let part = part.filter(|_| sends_parts(fault));
        let range = part.clone().unwrap_or(0..total);
        let length = range.end - range.start;
        let mut body = Body {
            bytes: file.part(range.start, length, version)?,
            length,
        };
        let mut head = String::new();
        if part.is_some() && *fault == Fault::Multipart {
            head += "HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=zoo\r\n";
            body = body.between(
                format!("--zoo\r\n{}\r\n", content_range(fault, &range, total)),
                "\r\n--zoo--\r\n".into(),
            );
        } else if part.is_some() || *fault == Fault::PartUnasked {
            head += "HTTP/1.1 206 Partial Content\r\n";
            head += &content_range(fault, &range, total);
        } else {
            head += "HTTP/1.1 200 OK\r\n";
            head += if sends_parts(fault) {
                "Accept-Ranges: bytes\r\n"
            } else {
                ""
            };
        }
        head += &headers(fault, &etag, body.length);
        match fault {
            Fault::SlowHead(pause) => slowly(stream, head.as_bytes(), *pause)?,
            _ => send(stream, head.as_bytes())?,
        }
        self.send_body(stream, fault, body)
    }

    /// The name of a version.
    fn etag(&self, fault: &Fault, version: u64) -> String {
        match fault {
            Fault::Etag(tag) => tag.clone(),
            Fault::NodeEtag => format!("\"v{version}-{}\"", self.nodes.fetch_add(1, Ordering::SeqCst)),
            _ => format!("\"v{version}\""),
        }
    }

    fn send_body(&self, stream: &TcpStream, fault: &Fault, mut body: Body) -> io::Result<bool> {
        match *fault {
            Fault::Truncate(at) => copy(&mut body.bytes.take(at), stream, untouched)?,
            Fault::Reset(at) => {
                copy(&mut body.bytes.take(at), stream, untouched)?;
                // With nothing left to linger for, closing is a reset.
                socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
            }
            Fault::Stall(at) => {
                copy(&mut body.bytes.take(at), stream, untouched)?;
                self.linger(stream);
            }
            Fault::Drip(speed) => self.drip(stream, &mut body.bytes, speed.max(1))?,
            Fault::Extra(bytes) => copy(
                &mut body.bytes.chain(io::repeat(0x55).take(bytes)),
                stream,
                untouched,
            )?,
            Fault::Flip(at) => copy(&mut body.bytes, stream, |start, bytes| {
                let index = at
                    .checked_sub(start)
                    .and_then(|index| usize::try_from(index).ok());
                if let Some(byte) = index.and_then(|index| bytes.get_mut(index)) {
                    *byte ^= 0xff;
                }
            })?,
            Fault::Chunked => {
                chunks(&mut body.bytes, stream)?;
                send(stream, b"0\r\n\r\n")?;
            }
            Fault::Endless => {
                chunks(&mut body.bytes, stream)?;
                while !self.stopped.load(Ordering::SeqCst) {
                    chunks(&mut io::repeat(0x55).take(1 << 20), stream)?;
                }
            }
            _ => copy(&mut body.bytes, stream, untouched)?,
        }
        let cut = match *fault {
            Fault::Truncate(at) => at < body.length,
            Fault::Reset(_) | Fault::Stall(_) | Fault::NoLength | Fault::Extra(_) | Fault::Endless => true,
            _ => false,
        };
        Ok(!cut)
    }

    /// Sends `speed` bytes per second: one at a time, or those of ten milliseconds.
    fn drip(&self, stream: &TcpStream, bytes: &mut dyn Read, speed: u64) -> io::Result<()> {
        let piece = (speed / 100).max(1);
        let pause = Duration::from_secs_f64(piece as f64 / speed as f64);
        while !self.stopped.load(Ordering::SeqCst) {
            let mut buffer = Vec::new();
            if bytes.take(piece).read_to_end(&mut buffer)? == 0 {
                break;
            }
            send(stream, &buffer)?;
            thread::sleep(pause);
        }
        Ok(())
    }

    /// Waits until the client goes away, a long time at most.
    fn linger(&self, mut stream: &TcpStream) {
        let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
        let begun = Instant::now();
        while !self.stopped.load(Ordering::SeqCst) && begun.elapsed() < LONGEST_STALL {
            match stream.read(&mut [0; 64]) {
                Ok(0) => return,
                Err(error)
                    if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
                {
                    return;
                }
                _ => {}
            }
        }
    }
}

/// The content of an answer.
enum Handle {
    Bytes(io::Cursor<std::sync::Arc<[u8]>>),
    File(File),
}

impl Handle {
    /// Some of its bytes, in the given version: each differs from the others in every byte.
    fn part(self, start: u64, length: u64, version: u64) -> io::Result<Box<dyn Read>> {
        let bytes: Box<dyn Read> = match self {
            Self::Bytes(mut cursor) => {
                cursor.seek(SeekFrom::Start(start))?;
                Box::new(cursor.take(length))
            }
            Self::File(mut file) => {
                file.seek(SeekFrom::Start(start))?;
                Box::new(file.take(length))
            }
        };
        let mask = version.to_le_bytes()[0];
        Ok(if mask == 0 {
            bytes
        } else {
            Box::new(Masked { bytes, mask })
        })
    }
}

struct Masked {
    bytes: Box<dyn Read>,
    mask: u8,
}

impl Read for Masked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        buffer[..read].iter_mut().for_each(|byte| *byte ^= self.mask);
        Ok(read)
    }
}

/// The reason after the code may be left out.
fn status(stream: &TcpStream, code: u16, headers: &str) -> io::Result<bool> {
    send(
        stream,
        format!("HTTP/1.1 {code} \r\n{headers}Content-Length: 0\r\n\r\n").as_bytes(),
    )?;
    Ok(true)
}

/// The headers of a redirect as Hugging Face's.
fn linked(to: &str, etag: Option<String>, size: Option<String>) -> String {
    let header = |name: &str, value: Option<String>| {
        value.map_or(String::new(), |value| format!("{name}: {value}\r\n"))
    };
    format!(
        "Location: {to}\r\n{}{}",
        header("X-Linked-ETag", etag),
        header("X-Linked-Size", size)
    )
}

fn waits(wait: Option<Wait>) -> String {
    match wait {
        None => String::new(),
        Some(Wait::Seconds(seconds)) => format!("Retry-After: {seconds}\r\n"),
        Some(Wait::Date(seconds)) => {
            let date = SystemTime::now() + Duration::from_secs(seconds);
            format!("Retry-After: {}\r\n", httpdate::fmt_http_date(date))
        }
    }
}

fn send(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)
}

fn slowly(stream: &TcpStream, bytes: &[u8], pause: Duration) -> io::Result<()> {
    bytes.iter().try_for_each(|byte| {
        thread::sleep(pause);
        send(stream, &[*byte])
    })
}

/// Sends bytes after `change` has seen them, with their place.
fn copy(from: &mut dyn Read, stream: &TcpStream, change: impl Fn(u64, &mut [u8])) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 17];
    let mut place = 0;
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        change(place, &mut buffer[..read]);
        send(stream, &buffer[..read])?;
        place += read as u64;
    }
}

/// Sends bytes in chunks.
fn chunks(from: &mut dyn Read, stream: &TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 17];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        send(stream, format!("{read:x}\r\n").as_bytes())?;
        send(stream, &buffer[..read])?;
        send(stream, b"\r\n")?;
    }
}

fn untouched(_place: u64, _bytes: &mut [u8]) {}

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::path::{Component, Path};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, SystemTime};

use super::request::Request;
use super::{Content, Fault, State, Wait};
use files::open_regular;

const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><body>Please log in to the network.</body></html>\n";

/// The bytes of an answer.
struct Body {
    bytes: Box<dyn Read>,
    length: u64,
}

impl State {
    /// Answers a request with a fault; whether the connection can go on.
    pub(super) fn answer(&self, stream: &TcpStream, request: &Request, fault: Fault) -> io::Result<bool> {
        match fault {
            Fault::Close => return Ok(false),
            Fault::Status { code, wait } => return status(stream, code, &waits(wait)),
            Fault::Redirect(url) => return status(stream, 302, &format!("Location: {url}\r\n")),
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

    /// The file a path names, and its size; never one outside the folder.
    fn open(&self, path: &str) -> io::Result<(Handle, u64)> {
        match &self.content {
            Content::Bytes(bytes) => Ok((Handle::Bytes(io::Cursor::new(bytes.clone())), bytes.len() as u64)),
            Content::Folder(folder) => {
                let plain = |part: Component| matches!(part, Component::Normal(_));
                if !Path::new(path).components().all(plain) {
                    return Err(io::Error::other("leaves the folder"));
                }
                let file = open_regular(&folder.join(path))?;
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
        let version = self.version.load(Ordering::SeqCst);
        let etag = format!("\"v{version}\"");
        let ranges = !matches!(fault, Fault::IgnoreRange | Fault::NoLength | Fault::Extra(_));
        let part = match request.part(total, &etag) {
            Ok(part) => part.filter(|_| ranges),
            Err(()) => return status(stream, 416, &format!("Content-Range: bytes */{total}\r\n")),
        };
        let range = part.clone().unwrap_or(0..total);
        let mut head = String::from(if part.is_some() {
            "HTTP/1.1 206 Partial Content\r\n"
        } else {
            "HTTP/1.1 200 OK\r\n"
        });
        if part.is_some() {
            let first = range.start + u64::from(*fault == Fault::WrongContentRange);
            head += &format!("Content-Range: bytes {first}-{}/{total}\r\n", range.end - 1);
        } else if ranges {
            head += "Accept-Ranges: bytes\r\n";
        }
        if !matches!(fault, Fault::NoLength | Fault::Extra(_)) {
            head += &format!("Content-Length: {}\r\n", range.end - range.start);
        }
        if *fault != Fault::NoEtag {
            head += &format!("ETag: {etag}\r\n");
        }
        if *fault == Fault::Gzip {
            head += "Content-Encoding: gzip\r\n";
        }
        head += "Content-Type: application/octet-stream\r\n\r\n";
        match fault {
            Fault::SlowHead(pause) => slowly(stream, head.as_bytes(), *pause)?,
            _ => send(stream, head.as_bytes())?,
        }
        let body = Body {
            bytes: file.part(range.start, range.end - range.start, version)?,
            length: range.end - range.start,
        };
        self.send_body(stream, fault, body)
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
            _ => copy(&mut body.bytes, stream, untouched)?,
        }
        let cut = match *fault {
            Fault::Truncate(at) => at < body.length,
            Fault::Reset(_) | Fault::Stall(_) | Fault::NoLength | Fault::Extra(_) => true,
            _ => false,
        };
        Ok(!cut)
    }

    /// Sends so many bytes a second: one at a time, or those of ten milliseconds.
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

    /// Waits until the client goes away.
    fn linger(&self, mut stream: &TcpStream) {
        let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
        while !self.stopped.load(Ordering::SeqCst) {
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

/// What is handed out.
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

fn status(stream: &TcpStream, code: u16, headers: &str) -> io::Result<bool> {
    let reason = reqwest::StatusCode::from_u16(code)
        .ok()
        .and_then(|code| code.canonical_reason());
    let reason = reason.unwrap_or("Unknown");
    send(
        stream,
        format!("HTTP/1.1 {code} {reason}\r\n{headers}Content-Length: 0\r\n\r\n").as_bytes(),
    )?;
    Ok(true)
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

fn untouched(_place: u64, _bytes: &mut [u8]) {}

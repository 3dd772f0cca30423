//! A web server that fails as asked: one fault per request, from a script. For tests of clients.
//!
//! It speaks plain HTTP/1.1 over TCP and gets everything wrong that it is asked to; without a fault it is a good server
//! with ranges, entity tags and kept-alive connections.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::TcpStream;
//!
//! use faultd::{Content, Fault, Server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let content = Content::Bytes((*b"weights").into());
//! let script = vec!["status=503".parse::<Fault>()?, Fault::Good];
//! let server = Server::start("127.0.0.1:0", content, script)?; // fails once, then answers
//! let mut client = TcpStream::connect(server.address())?;
//! client.write_all(b"GET /w.pth HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
//! let mut status = [0; 12];
//! client.read_exact(&mut status)?;
//! assert_eq!(&status, b"HTTP/1.1 503");
//! # Ok(())
//! # }
//! ```

mod fault;
mod reply;
mod request;
#[cfg(feature = "s3")]
pub mod s3;

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

pub use fault::{Fault, ParseFaultError, Wait};

use request::Request;

/// The number of connections that are open at once; more are closed as they come.
const CONNECTIONS: usize = 256;
/// The number of heads of requests that are kept.
const HEADS: usize = 4096;
/// The time for which a client may read nothing of what it is sent.
const PATIENCE: Duration = Duration::from_secs(60);

/// The content that a server sends.
#[derive(Clone, Debug)]
pub enum Content {
    /// These bytes, under every path.
    Bytes(Arc<[u8]>),
    /// The files of this folder; links are followed that stay in it.
    Folder(PathBuf),
}

/// A running server; dropped, it stops taking connections.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

impl fmt::Debug for Server {
    /// The address alone: requests hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

/// The state that all connections share.
struct State {
    content: Content,
    /// The faults of the requests to come; the last one is for all that follow.
    script: Mutex<Vec<Fault>>,
    /// The heads of the last requests.
    heads: Mutex<VecDeque<String>>,
    /// Grows with each [`Fault::NewVersion`].
    version: AtomicU64,
    /// Grows with each [`Fault::NodeEtag`].
    nodes: AtomicU64,
    /// Connections that are open.
    open: AtomicUsize,
    stopped: AtomicBool,
}

impl Server {
    /// Starts a server on a port of this machine; `127.0.0.1:0` takes any free one. Each request meets the next fault
    /// of the script, the last one meets all that follow; without any the server is good.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn start(address: &str, content: Content, script: Vec<Fault>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        // Files are held against it, links resolved; without the folder nothing is in it.
        let content = match content {
            Content::Folder(folder) => Content::Folder(folder.canonicalize().unwrap_or(folder)),
            bytes @ Content::Bytes(_) => bytes,
        };
        let state = Arc::new(State {
            content,
            script: Mutex::new(script.into_iter().rev().collect()),
            heads: Mutex::new(VecDeque::new()),
            version: AtomicU64::new(0),
            nodes: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let address = listener.local_addr()?;
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                // A connection that fails is the client's to notice.
                let Ok(stream) = stream else { continue };
                if accepting.open.load(Ordering::SeqCst) < CONNECTIONS {
                    let connection = Connection::new(&accepting);
                    thread::spawn(move || connection.0.serve(&stream));
                }
            }
        });
        Ok(Self { address, state })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// The heads of the last requests, as they came: of the first 4096 all.
    pub fn requests(&self) -> Vec<String> {
        let heads = self.state.heads.lock().unwrap_or_else(PoisonError::into_inner);
        heads.iter().cloned().collect()
    }
}

/// One of the connections that are open.
struct Connection(Arc<State>);

impl Connection {
    fn new(state: &Arc<State>) -> Self {
        state.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(state))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(self.address);
    }
}

impl State {
    /// Answers the requests of one connection, until one of the two has had enough.
    fn serve(&self, stream: &TcpStream) {
        // Answers are written in one piece or slowly on purpose.
        let _ = stream.set_nodelay(true);
        let _ = stream.set_write_timeout(Some(PATIENCE));
        while let Some(request) = Request::read(stream) {
            self.keep(&request.head);
            let goes_on = self.answer(stream, &request, self.next_fault());
            if !matches!(goes_on, Ok(true)) || self.stopped.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    fn keep(&self, head: &str) {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.len() == HEADS {
            heads.pop_front();
        }
        heads.push_back(head.to_owned());
    }

    fn next_fault(&self) -> Fault {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        match script.len() {
            0 => Fault::Good,
            1 => script[0].clone(),
            _ => script.pop().unwrap_or(Fault::Good),
        }
    }
}

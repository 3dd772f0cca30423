//! A web server that does what servers do on bad days, one fault a request, by a script.
//!
//! It speaks plain HTTP/1.1 over TCP and gets everything wrong that it is asked to; without a fault it is a good server
//! with ranges, entity tags and kept-alive connections.

mod fault;
mod reply;
mod request;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

pub use fault::{Fault, ParseFaultError, Wait};

use request::Request;

/// What a server hands out.
#[derive(Clone, Debug)]
pub enum Content {
    /// These bytes, under every path.
    Bytes(Arc<[u8]>),
    /// The files of this folder.
    Folder(PathBuf),
}

/// A running server; dropped, it stops taking connections.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

/// What all connections share.
#[derive(Debug)]
struct State {
    content: Content,
    /// The faults of the requests to come; the last one is for all that follow.
    script: Mutex<Vec<Fault>>,
    heads: Mutex<Vec<String>>,
    /// Grows with each [`Fault::NewVersion`].
    version: AtomicU64,
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
        let state = Arc::new(State {
            content,
            script: Mutex::new(script.into_iter().rev().collect()),
            heads: Mutex::new(Vec::new()),
            version: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let address = listener.local_addr()?;
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&accepting);
                // A connection that fails is the client's to notice.
                let _ = stream.map(|stream| thread::spawn(move || state.serve(stream)));
            }
        });
        Ok(Self { address, state })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// The heads of the requests so far, as they came.
    pub fn requests(&self) -> Vec<String> {
        self.state
            .heads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
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
    fn serve(&self, stream: TcpStream) {
        // Answers are written in one piece or slowly on purpose.
        let _ = stream.set_nodelay(true);
        while let Some(request) = Request::read(&stream) {
            self.heads
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(request.head.clone());
            let goes_on = self.answer(&stream, &request, self.next_fault());
            if !matches!(goes_on, Ok(true)) || self.stopped.load(Ordering::SeqCst) {
                return;
            }
        }
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

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::blocks::SideFile;
use crate::download::{Download, Offer, Ready};
use crate::expect::{Expected, check, is_pinned};
use crate::http::{Http, Tokens};
use crate::hub::Hub;
use crate::mirror::Mirror;
use crate::owner::Turn;
use crate::partial::{self, Partial};
use crate::secrets::shown_text;
use crate::session::Session;
use crate::source::Source;
use crate::{
    Artifact, Cache, Digest, Event, FetchError, Limits, LocalFile, Lock, Pin, PinnedBy, Sizes, Verified,
    Voucher, Watch,
};
use files::open_regular;

/// Downloads weights into a cache.
#[derive(Clone, Debug)]
pub struct Fetcher {
    /// The cache that files are downloaded into.
    pub cache: Cache,
    /// Never use the network.
    pub offline: bool,
    /// Take only what the lock or a full digest in the manifest vouches for.
    pub locked: bool,
    /// Asked before the sources of the manifest, in this order.
    pub mirrors: Vec<Mirror>,
    /// The server that is asked for files of Hugging Face.
    pub hub: Hub,
    /// The tokens for servers that ask for one.
    pub tokens: Tokens,
    /// The number of files that are downloaded at a time.
    pub files: usize,
    /// The number of connections for one file, if the server sends parts.
    pub connections: usize,
    /// The limits beyond which a server is given up.
    pub limits: Limits,
    /// The sizes of parts and blocks.
    pub sizes: Sizes,
    /// The time that a process may be silent before its download is taken over.
    pub lease: Duration,
}

/// A file that is in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The file, as verified.
    pub file: Verified,
    /// The place that it was downloaded from now; `None` if it was there.
    pub source: Option<String>,
    /// The lock pinned it now, because nobody vouched for its full digest before.
    pub newly_pinned: bool,
}

/// The work that a fetch would do for one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: it is there and right.
    Keep(Pin),
    /// Nothing: the manifest names a file of this machine that is not there, and nobody else has it.
    Absent,
    /// Download it.
    Download {
        /// Its size, where that is known.
        bytes: Option<u64>,
        /// The number of bytes that an earlier download left.
        kept: u64,
        /// The places that would be asked, in order.
        sources: Vec<String>,
    },
}

/// The expectation of a file, and its state in the cache.
struct Known {
    pin: Option<Pin>,
    expected: Expected,
    state: State,
}

enum State {
    Missing,
    Right(Pin),
    /// The published file at the path is not what it should be; the error says how.
    Damaged(PathBuf, FetchError),
}

impl Fetcher {
    /// A fetcher with the usual limits.
    pub fn new(cache: Cache) -> Self {
        Self {
            cache,
            offline: false,
            locked: false,
            mirrors: Vec::new(),
            hub: Hub::default(),
            tokens: Tokens::default(),
            files: 4,
            connections: 4,
            limits: Limits::default(),
            sizes: Sizes::default(),
            lease: Duration::from_secs(120),
        }
    }

    /// Downloads the file of one weight source, unless the cache has it, and pins it if nobody vouched for it before.
    ///
    /// # Errors
    /// If it can neither be found in the cache nor downloaded and verified. Nothing is published then. A pin is
    /// written before the file it is of, so that no crash in between leaves bytes that nobody vouches for.
    pub fn fetch(
        &self,
        artifact: &Artifact,
        lock: &mut Lock,
        watch: &dyn Watch,
    ) -> Result<Fetched, FetchError> {
        let mut results = self.fetch_all(&[artifact], lock, watch);
        results.pop().expect("one result a file")
    }

    /// Downloads the files of several weight sources, some at a time; the results are in the order of the files.
    pub fn fetch_all(
        &self,
        artifacts: &[&Artifact],
        lock: &mut Lock,
        watch: &dyn Watch,
    ) -> Vec<Result<Fetched, FetchError>> {
        let session = Session::new(lock, watch);
        let results: Vec<OnceLock<_>> = artifacts.iter().map(|_| OnceLock::new()).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            let http = Http::new(self.limits, self.tokens.clone());
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(artifact) = artifacts.get(index) else {
                    return;
                };
                let tell = |event: Event<'_>| watch.happened(index, event);
                let result = self.bring(&session, &http, artifact, &tell);
                session.watch.happened(index, Event::Done { result: &result });
                let _ = results[index].set(result);
            }
        };
        thread::scope(|scope| {
            for _ in 1..self.files.min(artifacts.len()) {
                scope.spawn(work);
            }
            work();
        });
        self.cache.leave_no_empty_folder();
        let result = |slot: OnceLock<_>| slot.into_inner().expect("every index was taken");
        results.into_iter().map(result).collect()
    }

    /// Finds out what [`fetch`](Self::fetch) would do, without a network and without changing anything.
    ///
    /// # Errors
    /// If the cache cannot be read, or the manifest and the lock contradict each other.
    pub fn plan(&self, artifact: &Artifact, lock: &Lock) -> Result<Plan, FetchError> {
        if artifact.local.is_some() {
            let found = self.cache.open(artifact, lock, false)?;
            return Ok(found.map_or(Plan::Absent, |found| Plan::Keep(found.pin)));
        }
        let known = self.look(lock.pin(&artifact.url), artifact)?;
        let bytes = known.expected.bytes;
        if let State::Right(found) = known.state {
            return Ok(Plan::Keep(found));
        }
        let key = key(artifact, known.expected.sha256);
        let mirrors = self
            .mirrors
            .iter()
            .filter(|mirror| !self.offline || mirror.is_folder());
        let declared = self.declared(artifact).into_iter().filter(|_| !self.offline);
        let declared = declared.map(|offer| offer.source.to_string());
        Ok(Plan::Download {
            bytes,
            kept: partial::kept(&self.cache, &key),
            sources: mirrors.map(Mirror::to_string).chain(declared).collect(),
        })
    }

    fn bring(
        &self,
        session: &Session<'_>,
        http: &Http,
        artifact: &Artifact,
        tell: &(dyn Fn(Event<'_>) + Sync),
    ) -> Result<Fetched, FetchError> {
        let pin = session.pin(&artifact.url);
        if self.locked && !is_pinned(artifact, pin) {
            return Err(FetchError::NotPinned {
                url: shown_text(&artifact.url),
            });
        }
        if let Some(local) = &artifact.local {
            return self.take_local(session, artifact, local, pin);
        }
        let known = self.look(pin, artifact)?;
        if let State::Right(found) = known.state {
            return self.keep(session, artifact, known.pin, found);
        }
        let offers = self.offers(http, artifact, &known)?;
        let key = key(artifact, known.expected.sha256);
        tell(Event::Waiting);
        let _turn = Turn::wait(&self.cache, &key, self.lease);
        // Somebody else may have brought and pinned it while we waited.
        session.reload();
        let known = self.look(session.pin(&artifact.url), artifact)?;
        if let State::Right(found) = known.state {
            return self.keep(session, artifact, known.pin, found);
        }
        let list = known.pin.and_then(|pin| session.side().list(pin));
        let download = Download {
            fetcher: self,
            http,
            ledger: &session.ledger,
            hosts: &session.hosts,
            artifact,
            pin: known.pin,
            expected: &known.expected,
            tell,
        };
        let mut partial = self.claim(&key, &known, list.is_some())?;
        loop {
            let (folder, is_shared) = (partial.folder().to_owned(), partial.is_shared());
            let ready = download.run(&offers, partial, list.clone());
            let result = ready.and_then(|ready| self.publish(session, artifact, known.pin, ready));
            match result {
                // Somebody took us for dead and our partial with it. What follows nobody can take.
                Err(FetchError::Disk { .. }) if is_shared && !folder.exists() => {
                    let begun = Partial::alone(&self.cache);
                    partial = begun.map_err(|source| FetchError::disk(&folder, source))?;
                }
                result => return result,
            }
        }
    }

    /// A file of this machine is used where it lies: it is checked, and pinned if nobody vouched for it before.
    fn take_local(
        &self,
        session: &Session<'_>,
        artifact: &Artifact,
        local: &LocalFile,
        pin: Option<Pin>,
    ) -> Result<Fetched, FetchError> {
        let path = local.path();
        match self.cache.open_pinned(artifact, pin, false)? {
            None => Err(FetchError::Absent { path }),
            Some(found) => {
                let kept = self.keep(session, artifact, pin, found.pin)?;
                let file = Verified { path, ..kept.file };
                Ok(Fetched { file, ..kept })
            }
        }
    }

    /// Looks up the expectation of a file and its state in the cache.
    fn look(&self, pin: Option<Pin>, artifact: &Artifact) -> Result<Known, FetchError> {
        let expected = Expected::of(artifact, pin)?;
        let digest = expected.sha256.or_else(|| {
            // Content that fits what the manifest says of it may have come by another lock's pin.
            self.cache.with_prefix(expected.prefix.as_ref()?)
        });
        let found = digest.map_or(Ok(None), |digest| self.cache.read(digest, false))?;
        let state = match (
            found.map(|found| found.pin),
            digest.map(|digest| self.cache.path(digest)),
        ) {
            (Some(found), Some(path)) => match check(&path.display().to_string(), artifact, pin, found) {
                Ok(()) => State::Right(found),
                Err(error) => State::Damaged(path, error),
            },
            _ => State::Missing,
        };
        Ok(Known { pin, expected, state })
    }

    fn keep(
        &self,
        session: &Session<'_>,
        artifact: &Artifact,
        pin: Option<Pin>,
        found: Pin,
    ) -> Result<Fetched, FetchError> {
        if pin.is_none() || session.borrows(&artifact.url) {
            let by = session
                .pinned_by(&artifact.url)
                .unwrap_or(PinnedBy::FirstDownload);
            self.pin(session, artifact, found, by)?;
        }
        Ok(self.fetched(session, artifact, pin, found, None))
    }

    fn publish(
        &self,
        session: &Session<'_>,
        artifact: &Artifact,
        pin: Option<Pin>,
        ready: Ready,
    ) -> Result<Fetched, FetchError> {
        let found = ready.pin;
        if pin.is_none() || session.borrows(&artifact.url) {
            let by = session.pinned_by(&artifact.url).unwrap_or(ready.pinned_by);
            self.pin(session, artifact, found, by)?;
        }
        let etag = ready
            .etag
            .as_deref()
            .filter(|_| ready.source == shown_text(&artifact.url));
        // Without it a repair brings the whole file: no reason to fail.
        let _ = SideFile::keep(&session.lock_path, found, &ready.blocks, &artifact.url, etag);
        let source = ready.source.clone();
        ready.publish(&self.cache)?;
        Ok(self.fetched(session, artifact, pin, found, Some(source)))
    }

    fn fetched(
        &self,
        session: &Session<'_>,
        artifact: &Artifact,
        pin: Option<Pin>,
        found: Pin,
        source: Option<String>,
    ) -> Fetched {
        let pinned = is_pinned(artifact, pin);
        Fetched {
            file: Verified {
                path: self.cache.path(found.sha256),
                pin: found,
                pinned,
                voucher: Voucher::new(artifact, session.pinned_by(&artifact.url)),
            },
            source,
            newly_pinned: !pinned,
        }
    }

    /// Pins these bytes, unless another process pinned others meanwhile.
    fn pin(
        &self,
        session: &Session<'_>,
        artifact: &Artifact,
        found: Pin,
        by: PinnedBy,
    ) -> Result<(), FetchError> {
        let mut lock = session.lock();
        let in_force = lock.add(&artifact.url, found, by);
        let in_force = in_force.map_err(|source| FetchError::disk(&session.lock_path, source))?;
        check(&shown_text(&artifact.url), artifact, Some(in_force), found)
    }

    /// The places to ask, in order.
    fn offers(&self, http: &Http, artifact: &Artifact, known: &Known) -> Result<Vec<Offer>, FetchError> {
        let mirrors = self
            .mirrors
            .iter()
            .filter(|mirror| !self.offline || mirror.is_folder());
        let mut offers: Vec<Offer> = mirrors
            .filter_map(|mirror| mirror.offer(http, artifact, known.expected.sha256))
            .collect();
        if !self.offline {
            offers.extend(self.declared(artifact));
        }
        match &known.state {
            State::Damaged(path, error) if offers.is_empty() => Err(FetchError::Damaged {
                path: path.clone(),
                reason: error.to_string(),
            }),
            _ if offers.is_empty() => Err(FetchError::Offline {
                url: shown_text(&artifact.url),
                cache: self.cache.root().to_owned(),
            }),
            _ => Ok(offers),
        }
    }

    /// The places that the manifest names, in order.
    fn declared(&self, artifact: &Artifact) -> Vec<Offer> {
        let first = match &artifact.hub {
            Some(file) => Offer {
                hub: Some(file.clone()),
                ..Offer::of(Source::Web(self.hub.url(file)))
            },
            None => Offer::of(Source::web(&artifact.url)),
        };
        let others = artifact.mirrors.iter().map(|url| Offer::of(Source::web(url)));
        std::iter::once(first).chain(others).collect()
    }

    /// Takes up or begins the download. A damaged file is withdrawn; where its blocks can be told apart, the good ones
    /// are a beginning.
    fn claim(&self, key: &str, known: &Known, blocks_known: bool) -> Result<Partial, FetchError> {
        let claim = || -> io::Result<Partial> {
            let mut partial = Partial::claim(&self.cache, key, self.lease)?;
            if let State::Damaged(path, _) = &known.state {
                if blocks_known && partial.filled.len() == 0 {
                    partial.seed(&mut open_regular(path)?)?;
                }
                fs::remove_file(path)?;
            }
            Ok(partial)
        };
        claim().map_err(|source| FetchError::disk(&self.cache.partials(), source))
    }
}

/// The name of a file's partial: by its content, if that is known.
fn key(artifact: &Artifact, content: Option<Digest>) -> String {
    match content {
        Some(digest) => digest.to_string(),
        None => format!("url-{}", Digest::of(artifact.url.as_bytes())),
    }
}

//! One file: its sources in order, each tried until it is hopeless.

use std::time::Duration;

use crate::blocks::BlockList;
use crate::cache::Cache;
use crate::expect::{Expected, check};
use crate::hashing::Hashing;
use crate::hosts::Hosts;
use crate::http::{Http, Next, Reached};
use crate::partial::Partial;
use crate::secrets::shown_text;
use crate::source::Source;
use crate::space::Ledger;
use crate::transfer::{Stop, Transfer, Tried};
use crate::{Artifact, Event, FetchError, Fetcher, Pin};

/// A place and what it says of the file, where it says anything.
pub(crate) struct Offer {
    pub(crate) source: Source,
    pub(crate) content: Option<Pin>,
}

/// What a download needs to know.
pub(crate) struct Download<'a> {
    pub(crate) fetcher: &'a Fetcher,
    pub(crate) http: &'a Http,
    pub(crate) ledger: &'a Ledger,
    pub(crate) hosts: &'a Hosts,
    pub(crate) artifact: &'a Artifact,
    pub(crate) pin: Option<Pin>,
    pub(crate) expected: &'a Expected,
    pub(crate) tell: &'a (dyn Fn(Event<'_>) + Sync),
}

/// Verified bytes that wait to be published. Dropped, they stay a partial.
pub(crate) struct Ready {
    /// What the bytes are.
    pub(crate) pin: Pin,
    pub(crate) blocks: BlockList,
    /// The version, as the server names it.
    pub(crate) etag: Option<String>,
    pub(crate) source: String,
    partial: Partial,
}

impl Ready {
    /// Makes the file what the cache holds.
    pub(crate) fn publish(self, cache: &Cache) -> Result<(), FetchError> {
        let path = cache.path(self.pin.sha256);
        let published = self.partial.publish(&path, self.pin.bytes);
        published.map_err(|source| FetchError::disk(&path, source))
    }
}

impl Download<'_> {
    /// Brings the bytes into the partial and checks them.
    pub(crate) fn run(
        &self,
        offers: &[Offer],
        mut partial: Partial,
        list: Option<BlockList>,
    ) -> Result<Ready, FetchError> {
        let mut hashing = Hashing::new(self.fetcher.sizes.block, list);
        let mut failures = Vec::new();
        for offer in offers {
            let source = offer.source.to_string();
            (self.tell)(Event::Asking { source: &source });
            match self.from(offer, &mut partial, &mut hashing) {
                Ok((pin, blocks)) => {
                    return Ok(Ready {
                        pin,
                        blocks,
                        etag: partial.origin.take().and_then(|origin| origin.etag),
                        source,
                        partial,
                    });
                }
                Err(error @ FetchError::Disk { .. }) => return Err(error),
                Err(error) => {
                    (self.tell)(Event::SourceFailed {
                        source: &source,
                        error: &error,
                    });
                    failures.push(error);
                }
            }
        }
        match failures.pop() {
            Some(only) if failures.is_empty() => Err(only),
            Some(last) => {
                failures.push(last);
                Err(FetchError::Sources {
                    url: shown_text(&self.artifact.url),
                    failures,
                })
            }
            None => Err(FetchError::Network {
                url: shown_text(&self.artifact.url),
                reason: "there is no source to ask".into(),
            }),
        }
    }

    /// Tries one source until it has brought the file or is hopeless.
    fn from(
        &self,
        offer: &Offer,
        partial: &mut Partial,
        hashing: &mut Hashing,
    ) -> Result<(Pin, BlockList), FetchError> {
        let host = offer.source.server().unwrap_or_default();
        if let Some(reason) = self.hosts.gone(&host) {
            let url = offer.source.to_string();
            return Err(FetchError::Network { url, reason });
        }
        let mut server = Server::default();
        let (mut failed, mut wrong_bytes) = (0, None);
        let mut inherited = partial.filled.len() > 0;
        let watch = |done, total| (self.tell)(Event::Progress { done, total });
        loop {
            let before = partial.filled.len();
            let tried = self.transfer(offer, &server, &watch).run(partial, hashing);
            server.learn(&tried);
            let alone = tried.stop.as_ref().is_some_and(|stop| stop.alone);
            let attempts = match alone {
                true => self.hosts.tries(&host, self.fetcher.limits.attempts),
                false => {
                    self.hosts.found(&host);
                    self.fetcher.limits.attempts
                }
            };
            let all_came = tried.stop.is_none();
            let stop = match tried.stop {
                Some(stop) => stop,
                None => match self.judge(offer, hashing) {
                    Ok(found) => return Ok(found),
                    Err(error) => {
                        self.begin_anew(partial, hashing)?;
                        Stop::new(error, server.after_wrong_bytes(inherited))
                    }
                },
            };
            if partial.filled.len() >= before + self.fetcher.sizes.progress {
                failed = 0;
            }
            let forgiven = inherited && partial.filled.len() == 0;
            inherited = inherited && partial.filled.len() > 0;
            let last = failed + 1 >= attempts;
            let pause = match server.next(&stop, last) {
                Next::Whole => Duration::ZERO,
                // What an earlier run left is no fault of the server.
                Next::Again(None) if forgiven => Duration::ZERO,
                Next::Again(pause) if !last => {
                    failed += 1;
                    self.backoff(failed).max(pause.unwrap_or_default())
                }
                _ => {
                    // That the wrong version came again says less than what was wrong with it.
                    let earlier = wrong_bytes.filter(|_| stop.next == Next::OtherVersion);
                    let error = after(failed + 1, earlier.unwrap_or(stop.error));
                    if alone {
                        self.hosts.lost(&host, &error);
                    }
                    return Err(error);
                }
            };
            (self.tell)(Event::Retrying {
                error: &stop.error,
                pause,
            });
            std::thread::sleep(pause);
            if all_came {
                wrong_bytes = Some(stop.error);
            }
        }
    }

    fn transfer<'t>(
        &'t self,
        offer: &'t Offer,
        server: &'t Server,
        watch: &'t (dyn Fn(u64, Option<u64>) + Sync),
    ) -> Transfer<'t> {
        let stated = |content: Option<Pin>, by| content.map(|pin| (pin.bytes, by));
        let declared = self.artifact.bytes.map(|bytes| (bytes, "zoo.toml"));
        Transfer {
            source: &offer.source,
            http: self.http,
            ledger: self.ledger,
            sizes: self.fetcher.sizes,
            connections: self.fetcher.connections,
            size: stated(self.pin, "zoo.lock")
                .or(declared)
                .or(stated(offer.content, "the mirror")),
            most: match self.expected.bytes {
                Some(_) => u64::MAX,
                None => self.artifact.most_bytes,
            },
            judged: self.expected.is_judged() || offer.content.is_some(),
            vouched: self.expected.vouches() || offer.content.is_some(),
            whole_only: server.whole_only,
            wrong_versions: &server.wrong_versions,
            watch,
        }
    }

    /// Holds the bytes against everything that is said of them.
    fn judge(&self, offer: &Offer, hashing: &mut Hashing) -> Result<(Pin, BlockList), FetchError> {
        let fresh = Hashing::new(self.fetcher.sizes.block, None);
        let (found, blocks) = std::mem::replace(hashing, fresh).finish();
        let subject = offer.source.to_string();
        check(&subject, self.artifact, self.pin, found)?;
        match offer.content.filter(|content| *content != found) {
            None => Ok((found, blocks)),
            Some(content) => Err(FetchError::Mismatch {
                subject,
                said_by: "the mirror",
                expected: format!("sha256 {}", content.sha256),
                actual: format!("sha256 {}", found.sha256),
            }),
        }
    }

    fn begin_anew(&self, partial: &mut Partial, hashing: &mut Hashing) -> Result<(), FetchError> {
        hashing.restart();
        let folder = partial.folder().to_owned();
        let restarted = partial.restart(None);
        restarted.map_err(|source| FetchError::disk(&folder, source))
    }

    /// The pause before the next try, less up to a half at random, so that many who failed together do not return
    /// together.
    fn backoff(&self, failed: u32) -> Duration {
        let limits = &self.fetcher.limits;
        let doubled = limits.pause.saturating_mul(1 << (failed - 1).min(16));
        doubled
            .min(limits.longest_pause)
            .mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// What was learnt of a server while it was asked for one file.
#[derive(Default)]
struct Server {
    /// Ask it for no parts: it does them wrong.
    whole_only: bool,
    /// Whether it sent a part that was asked for.
    sends_parts: bool,
    /// How many of its answers brought what is there.
    answers: usize,
    /// What it called the versions of the file, two of them at most.
    versions: Vec<String>,
    /// What it called the version of the last answer that was taken.
    version: String,
    /// What it called those whose bytes were wrong.
    wrong_versions: Vec<String>,
}

impl Server {
    fn learn(&mut self, tried: &Tried) {
        self.sends_parts |= tried.parts;
        self.version.clone_from(&tried.version);
        self.answers = tried.answers + if tried.anew { 0 } else { self.answers };
        for version in &tried.versions {
            if self.versions.len() < 2 && !self.versions.contains(version) {
                self.versions.push(version.clone());
            }
        }
    }

    /// What may help when all is there and wrong.
    fn after_wrong_bytes(&mut self, inherited: bool) -> Next {
        let joined = self.answers > 1;
        self.answers = 0;
        // Bytes of an earlier run may have been the bad ones.
        if inherited {
            return Next::Again(None);
        }
        // The answers may have been of several versions: one answer is of one.
        if joined && !self.whole_only {
            return Next::Whole;
        }
        // Another of a server's machines may have the right version: that costs a look at its name.
        if !self.version.is_empty() && !self.wrong_versions.contains(&self.version) {
            self.wrong_versions.push(self.version.clone());
            self.whole_only = true;
            return Next::Again(None);
        }
        Next::GiveUp
    }

    /// Whether it may be the wish for a part that a server failed at: one that sent parts and is silent now is likely to be
    /// gone, and what came is worth more than a whole answer that begins.
    fn may_fail_at_parts(&self, stop: &Stop) -> bool {
        match stop.part {
            Some(Reached::Answer) => true,
            Some(Reached::Silence) => !self.sends_parts,
            Some(Reached::Nobody) | None => false,
        }
    }

    /// What to do after a failure; `last` if no further try is due. Whether the server does parts wrong comes to light once.
    fn next(&mut self, stop: &Stop, last: bool) -> Next {
        let mismatch = matches!(stop.error, FetchError::Mismatch { .. });
        match stop.next {
            // A server that has several versions may have the right one the next time.
            Next::GiveUp if mismatch && self.versions.len() > 1 => Next::Again(None),
            Next::OtherVersion if self.versions.len() > 1 => Next::Again(None),
            Next::Whole if self.whole_only => Next::Again(None),
            // Some servers fail at parts alone: the whole file is asked for before they are given up.
            Next::Again(_) if last && !self.whole_only && self.may_fail_at_parts(stop) => {
                self.whole_only = true;
                Next::Whole
            }
            Next::Whole => {
                self.whole_only = true;
                Next::Whole
            }
            next => next,
        }
    }
}

/// The error, with how often it was tried before giving up.
fn after(tries: u32, error: FetchError) -> FetchError {
    match error {
        FetchError::Network { url, reason } if tries > 1 => FetchError::Network {
            url,
            reason: format!("{reason} (after {tries} tries)"),
        },
        error => error,
    }
}

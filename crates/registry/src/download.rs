//! One file: its sources in order, each tried until it is hopeless.

use std::time::Duration;

use crate::blocks::BlockList;
use crate::cache::Cache;
use crate::expect::{Expected, check};
use crate::hashing::Hashing;
use crate::hosts::Hosts;
use crate::http::{Http, Next};
use crate::hub::{self, HubFile, PUBLISHER};
use crate::partial::Partial;
use crate::secrets::shown_text;
use crate::server::Server;
use crate::source::Source;
use crate::space::Ledger;
use crate::transfer::{Stop, Transfer};
use crate::{Artifact, Digest, Event, FetchError, Fetcher, Pin, PinnedBy};

/// A place to download a file from.
pub(crate) struct Offer {
    pub(crate) source: Source,
    /// The place's statement on the file, if it is known before the place is asked.
    pub(crate) stated: Option<Stated>,
    /// The file, if the place is a server of Hugging Face's, which states what the file is when it is asked.
    pub(crate) hub: Option<HubFile>,
}

impl Offer {
    /// A place that states nothing.
    pub(crate) fn of(source: Source) -> Self {
        Self {
            source,
            stated: None,
            hub: None,
        }
    }
}

/// A place's statement on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stated {
    pub(crate) sha256: Digest,
    pub(crate) bytes: Option<u64>,
    /// Who states it: the mirror, or the publisher.
    pub(crate) by: &'static str,
}

/// The inputs of one file's download.
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
    /// Size and digest of the bytes.
    pub(crate) pin: Pin,
    pub(crate) blocks: BlockList,
    /// The version, as the server names it.
    pub(crate) etag: Option<String>,
    pub(crate) source: String,
    /// Who stated the digest before the download.
    pub(crate) pinned_by: PinnedBy,
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
        // What the publisher states holds for the places that are asked after it, too.
        let mut published = None;
        for offer in offers {
            let source = offer.source.to_string();
            (self.tell)(Event::Asking { source: &source });
            match self.from(offer, &mut published, &mut partial, &mut hashing) {
                Ok(Judged {
                    pin,
                    blocks,
                    pinned_by,
                }) => {
                    return Ok(Ready {
                        pin,
                        blocks,
                        pinned_by,
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

    /// Tries one source until the file is downloaded or further tries are hopeless. Notes in `published` what the publisher
    /// states, or takes it from there.
    fn from(
        &self,
        offer: &Offer,
        published: &mut Option<Stated>,
        partial: &mut Partial,
        hashing: &mut Hashing,
    ) -> Result<Judged, FetchError> {
        let host = offer.source.server().unwrap_or_default();
        if let Some(reason) = self.hosts.gone(&host) {
            let url = offer.source.to_string();
            return Err(FetchError::Network { url, reason });
        }
        let stated = self.stated(offer, &host)?.or(*published);
        *published = stated.filter(|stated| stated.by == PUBLISHER).or(*published);
        let mut server = Server::default();
        let (mut failed, mut wrong_bytes) = (0, None);
        let mut inherited = partial.filled.len() > 0;
        let watch = |done, total| (self.tell)(Event::Progress { done, total });
        loop {
            let before = partial.filled.len();
            let tried = self
                .transfer(offer, stated, &server, &watch)
                .run(partial, hashing);
            server.learn(&tried);
            let alone = tried.stop.as_ref().is_some_and(|stop| stop.alone);
            let attempts = self.attempts(&host, alone);
            let all_came = tried.stop.is_none();
            let stop = match tried.stop {
                Some(stop) => stop,
                None => match self.judge(offer, stated, hashing) {
                    Ok(judged) => return Ok(judged),
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

    /// The place's statement on the file. A server of Hugging Face's is asked, as often as may help.
    ///
    /// # Errors
    /// If the server fails or refuses the file, or states another file than `zoo.toml` or `zoo.lock`.
    fn stated(&self, offer: &Offer, host: &str) -> Result<Option<Stated>, FetchError> {
        let (Some(file), Source::Web(url)) = (&offer.hub, &offer.source) else {
            return Ok(offer.stated);
        };
        let mut failed = 0;
        loop {
            let stop = match hub::ask(self.http, url, file) {
                Ok(stated) => {
                    self.hosts.found(host);
                    let subject = format!("the publisher's digest of {}", offer.source);
                    stated.map_or(Ok(()), |stated| self.agrees(&subject, stated))?;
                    return Ok(stated);
                }
                Err(stop) => stop,
            };
            failed += 1;
            let pause = match stop.next {
                Next::Again(pause) if failed < self.attempts(host, stop.alone) => {
                    self.backoff(failed).max(pause.unwrap_or_default())
                }
                _ => {
                    if stop.alone {
                        self.hosts.lost(host, &stop.error);
                    }
                    return Err(after(failed, stop.error));
                }
            };
            (self.tell)(Event::Retrying {
                error: &stop.error,
                pause,
            });
            std::thread::sleep(pause);
        }
    }

    /// Refuses a statement that contradicts the manifest or the lock.
    fn agrees(&self, subject: &str, stated: Stated) -> Result<(), FetchError> {
        let bytes = stated.bytes.or(self.expected.bytes).unwrap_or_default();
        let sha256 = stated.sha256;
        check(subject, self.artifact, self.pin, Pin { bytes, sha256 })
    }

    /// The number of tries in a row that a server gets; `alone` if nobody was there the last time.
    fn attempts(&self, host: &str, alone: bool) -> u32 {
        let attempts = self.fetcher.limits.attempts;
        match alone {
            true => self.hosts.tries(host, attempts),
            false => {
                self.hosts.found(host);
                attempts
            }
        }
    }

    fn transfer<'t>(
        &'t self,
        offer: &'t Offer,
        stated: Option<Stated>,
        server: &'t Server,
        watch: &'t (dyn Fn(u64, Option<u64>) + Sync),
    ) -> Transfer<'t> {
        let pinned = self.pin.map(|pin| (pin.bytes, "zoo.lock"));
        let declared = self.artifact.bytes.map(|bytes| (bytes, "zoo.toml"));
        let announced = || stated.and_then(|stated| Some((stated.bytes?, stated.by)));
        Transfer {
            source: &offer.source,
            http: self.http,
            ledger: self.ledger,
            sizes: self.fetcher.sizes,
            connections: self.fetcher.connections,
            size: pinned.or(declared).or_else(announced),
            most: match self.expected.bytes {
                Some(_) => u64::MAX,
                None => self.artifact.most_bytes,
            },
            judged: self.expected.is_judged() || stated.is_some(),
            vouched: self.expected.vouches() || stated.is_some(),
            whole_only: server.whole_only,
            wrong_versions: &server.wrong_versions,
            watch,
        }
    }

    /// Compares the bytes with everything that is stated of them.
    fn judge(
        &self,
        offer: &Offer,
        stated: Option<Stated>,
        hashing: &mut Hashing,
    ) -> Result<Judged, FetchError> {
        let fresh = Hashing::new(self.fetcher.sizes.block, None);
        let (pin, blocks) = std::mem::replace(hashing, fresh).finish();
        let subject = offer.source.to_string();
        check(&subject, self.artifact, self.pin, pin)?;
        match stated.filter(|stated| stated.sha256 != pin.sha256) {
            None => Ok(Judged {
                pin,
                blocks,
                pinned_by: match stated {
                    Some(stated) if stated.by == PUBLISHER => PinnedBy::Publisher,
                    _ => PinnedBy::FirstDownload,
                },
            }),
            Some(stated) => Err(FetchError::Mismatch {
                subject,
                said_by: stated.by,
                expected: format!("sha256 {}", stated.sha256),
                actual: format!("sha256 {}", pin.sha256),
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

/// Bytes that were found to be right.
struct Judged {
    pin: Pin,
    blocks: BlockList,
    pinned_by: PinnedBy,
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

//! One file: its sources in order, each tried until it is hopeless.

use std::time::Duration;

use crate::blocks::BlockList;
use crate::cache::Cache;
use crate::expect::{Expected, check};
use crate::hashing::Hashing;
use crate::http::{Http, Next};
use crate::partial::Partial;
use crate::source::Source;
use crate::space::Ledger;
use crate::stamp::Stamp;
use crate::transfer::{Stop, Transfer};
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
        let looks = published.and_then(|()| std::fs::symlink_metadata(&path));
        let looks = looks.map_err(|source| FetchError::disk(&path, source))?;
        cache.stamp(self.pin.sha256, &Stamp::of(&looks));
        Ok(())
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
                    url: self.artifact.url.clone(),
                    failures,
                })
            }
            None => Err(FetchError::Network {
                url: self.artifact.url.clone(),
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
        let limits = &self.fetcher.limits;
        let (mut failed, mut whole_only) = (0, false);
        let mut inherited = partial.filled.len() > 0;
        let watch = |done, total| (self.tell)(Event::Progress { done, total });
        loop {
            let before = partial.filled.len();
            let stop = match self.transfer(offer, whole_only, &watch).run(partial, hashing) {
                Ok(_) => match self.judge(offer, hashing) {
                    Ok(found) => return Ok(found),
                    Err(error) => {
                        self.begin_anew(partial, hashing)?;
                        // Bytes of an earlier run may have been the bad ones.
                        let next = if inherited {
                            Next::Again(None)
                        } else {
                            Next::GiveUp
                        };
                        Stop { error, next }
                    }
                },
                Err(stop) => stop,
            };
            if partial.filled.len() >= before + self.fetcher.sizes.progress {
                failed = 0;
            }
            failed += 1;
            inherited = inherited && partial.filled.len() > 0;
            whole_only |= stop.next == Next::Whole;
            let pause = match stop.next {
                Next::GiveUp => return Err(after(failed, stop.error)),
                _ if failed >= limits.attempts => return Err(after(failed, stop.error)),
                Next::Whole => Duration::ZERO,
                Next::Again(pause) => self.backoff(failed).max(pause.unwrap_or_default()),
            };
            (self.tell)(Event::Retrying {
                error: &stop.error,
                pause,
            });
            std::thread::sleep(pause);
        }
    }

    fn transfer<'t>(
        &'t self,
        offer: &'t Offer,
        whole_only: bool,
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
            content_known: self.expected.sha256.is_some() || offer.content.is_some(),
            vouched: self.expected.vouches() || offer.content.is_some(),
            whole_only,
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

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::Serialize;

use crate::blocks::SideFile;
use crate::expect::Expected;
use crate::hosts::TRIES;
use crate::http::{Http, HttpError, Next, Reached, Wanted, same_version};
use crate::source::Source;
use crate::{Artifact, Fetcher, Lock};

/// The number of times a server is asked again if it names another version than at first.
const ASKED_AGAIN: usize = 3;

/// The state of a URL of the manifest, as seen from this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The URL.
    pub url: String,
    /// The file is there.
    pub alive: bool,
    /// The server's answer, if it is an error.
    pub error: Option<String>,
    /// The size the server announces.
    pub bytes: Option<u64>,
    /// The size that the manifest or the lock states.
    pub expected_bytes: Option<u64>,
    /// The version, as the server names it now.
    pub etag: Option<String>,
    /// The version when the file was first downloaded.
    pub first_etag: Option<String>,
}

impl Link {
    /// Returns whether the server has another file than the pinned one, as far as its headers tell.
    pub fn has_drifted(&self) -> bool {
        let resized =
            self.bytes.is_some() && self.expected_bytes.is_some() && self.bytes != self.expected_bytes;
        let renamed = self.etag.as_ref().zip(self.first_etag.as_ref());
        resized || renamed.is_some_and(|(now, then)| !same_version(now, then))
    }
}

/// Asks for the first byte of every URL of these sources, their mirrors included, and downloads nothing. Files of this machine
/// are left out; files of Hugging Face are asked of the fetcher's [`hub`](Fetcher::hub).
pub fn probe(artifacts: &[&Artifact], lock: &Lock, fetcher: &Fetcher, threads: usize) -> Vec<Link> {
    let side = SideFile::beside(lock.path());
    let urls: Vec<(&Artifact, &String)> = artifacts
        .iter()
        .filter(|artifact| artifact.local.is_none())
        .flat_map(|artifact| {
            std::iter::once(&artifact.url)
                .chain(&artifact.mirrors)
                .map(|url| (*artifact, url))
        })
        .collect();
    let links: Vec<OnceLock<Link>> = urls.iter().map(|_| OnceLock::new()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let http = Http::new(fetcher.limits, fetcher.tokens.clone());
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some((artifact, url)) = urls.get(index) else {
                return;
            };
            let expected = Expected::of(artifact, lock.pin(&artifact.url)).ok();
            let bytes = expected.and_then(|expected| expected.bytes);
            let pin = lock.pin(&artifact.url);
            let first_etag = pin.and_then(|pin| side.etag(url, pin.sha256).map(str::to_owned));
            let source = match artifact.hub.as_ref().filter(|_| **url == artifact.url) {
                Some(file) => Source::Web(fetcher.hub.url(file)),
                None => Source::web(url),
            };
            let ask = || Link {
                url: (*url).clone(),
                first_etag: first_etag.clone(),
                ..look(&http, &source, bytes)
            };
            let mut link = ask();
            if link.has_drifted() && link.bytes == bytes {
                link = asked_again(link, ask);
            }
            let _ = links[index].set(link);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(urls.len()) {
            scope.spawn(work);
        }
        work();
    });
    let link = |slot: OnceLock<_>| slot.into_inner().expect("every index was taken");
    links.into_iter().map(link).collect()
}

/// Asks again to find out whether the name of a version says anything: each machine of a server may have a name of its own for
/// the same file.
fn asked_again(mut link: Link, ask: impl Fn() -> Link) -> Link {
    let answers: Vec<Link> = (0..ASKED_AGAIN).map(|_| ask()).collect();
    if let Some(good) = answers
        .iter()
        .find(|answer| answer.alive && !answer.has_drifted())
    {
        return good.clone();
    }
    let other = |answer: &Link| answer.alive && answer.bytes == link.bytes && answer.etag != link.etag;
    if answers.iter().any(other) {
        link.etag = None;
    }
    link
}

/// The number of tries that a server gets, by the stage that a request reached: a few if nobody is there.
fn attempts(http: &Http, reached: Reached) -> u32 {
    match reached {
        Reached::Nobody => http.limits.attempts.min(TRIES),
        Reached::Silence | Reached::Answer => http.limits.attempts,
    }
}

fn look(http: &Http, source: &Source, expected_bytes: Option<u64>) -> Link {
    let wanted = Wanted {
        range: Some(0..1),
        if_range: None,
    };
    let mut tries = 1;
    let answer = loop {
        match source.open(http, &wanted) {
            Err(HttpError {
                next: Next::Again(pause),
                reached,
                ..
            }) if tries < attempts(http, reached) => {
                tries += 1;
                thread::sleep(pause.unwrap_or_default().max(http.limits.pause));
            }
            answer => break answer,
        }
    };
    let (part, error) = match answer {
        Ok(part) => (Some(part), None),
        Err(error) => (None, Some(error.reason)),
    };
    Link {
        url: source.to_string(),
        alive: part.is_some(),
        error,
        bytes: part.as_ref().and_then(|part| part.total),
        expected_bytes,
        etag: part.and_then(|part| part.etag),
        first_etag: None,
    }
}

//! Files over HTTP: whole or in parts, from servers that may do anything.

mod answer;
mod client;
mod head;
mod part;
mod retry_after;
mod words;

use std::error::Error;
use std::time::Duration;

pub(crate) use answer::{is_strong, same_version};
pub(crate) use client::{Http, is_loopback};
pub use client::{Token, Tokens};
pub(crate) use head::Answer;
pub(crate) use part::{Part, Wanted};

use crate::secrets::scrubbed;

/// A download that failed, and what may help.
#[derive(Debug)]
pub(crate) struct HttpError {
    pub(crate) reason: String,
    pub(crate) next: Next,
    pub(crate) reached: Reached,
}

/// The stage that a request reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Nobody is there.
    Nobody,
    /// Somebody who did not answer.
    Silence,
    /// Somebody who answered.
    Answer,
}

/// The step after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try again, not before the server's own pause is over, where it named one.
    Again(Option<Duration>),
    /// Try again, and ask for the whole file: this server cannot be trusted with parts.
    Whole,
    /// Try again if the server has several versions: this one has the wrong bytes.
    OtherVersion,
    /// Nothing: the file has this number of bytes, and only what follows them was asked for.
    Ends(u64),
    /// Another try cannot help.
    GiveUp,
}

impl HttpError {
    pub(crate) fn new(reason: impl Into<String>, next: Next) -> Self {
        Self {
            reason: reason.into(),
            next,
            reached: Reached::Answer,
        }
    }

    /// A failure that may pass.
    pub(crate) fn passing(reason: impl Into<String>) -> Self {
        Self::new(reason, Next::Again(None))
    }

    /// A failure that will not pass.
    pub(crate) fn lasting(reason: impl Into<String>) -> Self {
        Self::new(reason, Next::GiveUp)
    }

    /// A failure of a server that does not do parts right.
    pub(crate) fn of_parts(reason: impl Into<String>) -> Self {
        Self::new(reason, Next::Whole)
    }
}

/// The error with its causes, since reqwest's own first line rarely says why; URLs in it lose their secrets.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let own = error.to_string();
        if !text.contains(&own) {
            text = format!("{text}: {own}");
        }
        cause = error.source();
    }
    scrubbed(&text)
}

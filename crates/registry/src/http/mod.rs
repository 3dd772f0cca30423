//! Files over HTTP: whole or in parts, from servers that may do anything.

mod client;
mod part;
mod retry_after;

use std::error::Error;
use std::time::Duration;

pub(crate) use client::{Http, is_loopback};
pub use client::{Token, Tokens};
pub(crate) use part::{Part, Wanted};

/// A download that failed, and what may help.
#[derive(Debug)]
pub(crate) struct HttpError {
    pub(crate) reason: String,
    pub(crate) next: Next,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Try again, not before the server's own pause is over, where it named one.
    Again(Option<Duration>),
    /// Try again, and ask for the whole file: this server cannot be trusted with parts.
    Whole,
    /// Another try cannot help.
    GiveUp,
}

impl HttpError {
    /// A failure that may pass.
    pub(crate) fn passing(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            next: Next::Again(None),
        }
    }

    /// A failure that will not pass.
    pub(crate) fn lasting(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            next: Next::GiveUp,
        }
    }

    /// A failure of a server that does not do parts right.
    pub(crate) fn of_parts(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            next: Next::Whole,
        }
    }
}

/// The error with its causes: reqwest's own first line rarely says why.
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
    text
}

//! The failures of a transfer.

use std::io;

use super::Transfer;
use super::board::{Board, Shared};
use crate::FetchError;
use crate::http::{HttpError, Next, Reached};

/// Why a try ended early, and what may help.
pub(crate) struct Stop {
    pub(crate) error: FetchError,
    pub(crate) next: Next,
    /// Nobody was there to ask.
    pub(crate) alone: bool,
    /// The stage that a request for a part reached for which nothing was sent.
    pub(crate) part: Option<Reached>,
}

impl Stop {
    pub(crate) fn new(error: FetchError, next: Next) -> Self {
        Self {
            error,
            next,
            alone: false,
            part: None,
        }
    }
}

impl Transfer<'_> {
    pub(super) fn http_stop(&self, error: HttpError) -> Stop {
        let failed = FetchError::Network {
            url: self.source.to_string(),
            reason: error.reason,
        };
        Stop {
            alone: error.reached == Reached::Nobody,
            ..Stop::new(failed, error.next)
        }
    }

    pub(super) fn wrong_size(&self, bytes: u64, actual: String, next: Next) -> Stop {
        let said_by = self.size.map_or("the server", |(_, said_by)| said_by);
        let failed = FetchError::Mismatch {
            subject: self.source.to_string(),
            said_by,
            expected: format!("{bytes} bytes"),
            actual,
        };
        Stop::new(failed, next)
    }

    pub(super) fn disk_stop(&self, shared: &Shared, error: io::Error) -> Stop {
        self.disk(&shared.lock(), error)
    }

    pub(super) fn disk(&self, board: &Board, source: io::Error) -> Stop {
        Stop::new(FetchError::disk(board.partial.folder(), source), Next::GiveUp)
    }
}

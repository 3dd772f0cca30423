//! How a transfer fails.

use std::io;

use super::Transfer;
use super::board::{Board, Shared};
use crate::FetchError;
use crate::http::{HttpError, Next};

/// Why a try ended early, and what may help.
pub(crate) struct Stop {
    pub(crate) error: FetchError,
    pub(crate) next: Next,
}

impl Transfer<'_> {
    pub(super) fn http_stop(&self, error: HttpError) -> Stop {
        Stop {
            error: FetchError::Network {
                url: self.source.to_string(),
                reason: error.reason,
            },
            next: error.next,
        }
    }

    pub(super) fn wrong_size(&self, bytes: u64, actual: String, next: Next) -> Stop {
        let said_by = self.size.map_or("the server", |(_, said_by)| said_by);
        Stop {
            error: FetchError::Mismatch {
                subject: self.source.to_string(),
                said_by,
                expected: format!("{bytes} bytes"),
                actual,
            },
            next,
        }
    }

    pub(super) fn disk_stop(&self, shared: &Shared, error: io::Error) -> Stop {
        self.disk(&shared.lock(), error)
    }

    pub(super) fn disk(&self, board: &Board, source: io::Error) -> Stop {
        Stop {
            error: FetchError::disk(board.partial.folder(), source),
            next: Next::GiveUp,
        }
    }
}

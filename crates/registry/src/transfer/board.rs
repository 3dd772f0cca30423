//! The state that the connections of one transfer and its hashing share.

use std::io;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{Stop, Transfer};
use crate::http::HttpError;
use crate::partial::{Origin, Partial};
use crate::ranges::Ranges;
use crate::space::Reserved;

/// The state behind a lock, and a signal for its changes.
pub(super) struct Board<'a> {
    pub(super) partial: &'a mut Partial,
    pub(super) reserved: Reserved<'a>,
    pub(super) total: Option<u64>,
    /// The ranges that are being downloaded.
    pub(super) busy: Ranges,
    /// The ranges that this try brought.
    pub(super) fresh: Ranges,
    /// `true` if the server sends parts that may be joined, once that is known.
    pub(super) parts: Option<bool>,
    /// Grows whenever the bytes begin anew.
    pub(super) edition: u64,
    pub(super) seen: Seen,
    pub(super) hashed: bool,
    pub(super) stop: Option<Stop>,
}

/// The observations of a try on the server.
#[derive(Default)]
pub(super) struct Seen {
    /// The number of answers that the bytes there come from.
    pub(super) answers: usize,
    /// A part came that was asked for.
    pub(super) parts: bool,
    /// The server's names for versions of the file, two of them at most.
    pub(super) versions: Vec<String>,
    /// The version of the last answer that was taken.
    pub(super) last: String,
}

impl Seen {
    pub(super) fn version(&mut self, name: &str) {
        if self.versions.len() < 2 && self.versions.iter().all(|known| known != name) {
            self.versions.push(name.to_owned());
        }
    }
}

pub(super) struct Shared<'a> {
    pub(super) board: Mutex<Board<'a>>,
    pub(super) changed: Condvar,
}

impl<'a> Shared<'a> {
    pub(super) fn lock(&self) -> MutexGuard<'_, Board<'a>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait<'g>(&self, board: MutexGuard<'g, Board<'a>>) -> MutexGuard<'g, Board<'a>> {
        self.changed.wait(board).unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stop(&self, stop: Stop) {
        self.lock().stop.get_or_insert(stop);
        self.changed.notify_all();
    }
}

impl Board<'_> {
    /// Marks the first missing range that nobody fetches as busy, `most` bytes of it.
    pub(super) fn take(&mut self, from: u64, most: u64) -> Option<Range<u64>> {
        let mut held = self.partial.filled.clone();
        for range in self.busy.iter() {
            held.insert(range.clone());
        }
        let gap = held.gap(from, self.total?)?;
        let range = gap.start..gap.end.min(gap.start + most);
        self.busy.insert(range.clone());
        Some(range)
    }

    /// The same, but only if that range begins at `start`.
    pub(super) fn take_at(&mut self, start: u64, most: u64) -> Option<Range<u64>> {
        let range = self.take(start, most)?;
        if range.start == start {
            return Some(range);
        }
        self.busy.remove(range);
        None
    }

    /// Forgets all bytes.
    pub(super) fn restart(&mut self, origin: Option<Origin>) -> io::Result<()> {
        self.edition += 1;
        self.fresh = Ranges::default();
        self.seen.answers = 0;
        self.partial.restart(origin)
    }
}

/// Tells the others what came, and the journal now and then.
pub(super) struct Notes<'t, 's, 'b> {
    transfer: &'t Transfer<'t>,
    shared: &'s Shared<'b>,
    edition: u64,
    /// The bytes that came and are not in the journal yet.
    pending: Range<u64>,
}

impl<'t, 's, 'b> Notes<'t, 's, 'b> {
    pub(super) fn new(
        transfer: &'t Transfer<'t>,
        shared: &'s Shared<'b>,
        edition: u64,
        position: u64,
    ) -> Self {
        Self {
            transfer,
            shared,
            edition,
            pending: position..position,
        }
    }

    /// Everything up to here is written.
    pub(super) fn came(&mut self, position: u64) -> Result<(), Stop> {
        let mut board = self.shared.lock();
        if board.edition != self.edition || board.stop.is_some() {
            // What came belongs to bytes that are no longer wanted, or the try is over.
            let over = HttpError::passing("the transfer broke off");
            return Err(self.transfer.http_stop(over));
        }
        let new = self.pending.end..position;
        board.partial.filled.insert(new.clone());
        board.fresh.insert(new.clone());
        board.reserved.spend(position - self.pending.end);
        self.pending.end = position;
        if self.pending.end - self.pending.start >= self.transfer.sizes.note {
            let noted = board.partial.note(&self.pending);
            noted.map_err(|error| self.transfer.disk(&board, error))?;
            self.pending.start = position;
        }
        let (done, total) = (board.partial.filled.len(), board.total);
        drop(board);
        self.shared.changed.notify_all();
        (self.transfer.watch)(done, total);
        Ok(())
    }
}

impl Drop for Notes<'_, '_, '_> {
    fn drop(&mut self) {
        let board = self.shared.lock();
        if board.edition == self.edition && !self.pending.is_empty() {
            // What is not noted comes again; that is all.
            let _ = board.partial.note(&self.pending);
        }
    }
}

//! One try to bring what is missing of a file from one source, over several connections where the server sends parts.

mod board;
mod stop;

use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::{Condvar, Mutex, PoisonError};
use std::{io, thread};

use board::{Board, Notes, Shared};
pub(crate) use stop::Stop;

use crate::hashing::{BadBlock, Followed, Hashing};
use crate::http::{Http, HttpError, Next, Part, Wanted};
use crate::partial::{Origin, Partial};
use crate::ranges::Ranges;
use crate::source::Source;
use crate::space::Ledger;
use crate::{FetchError, Sizes};

/// What a try needs to know.
pub(crate) struct Transfer<'a> {
    pub(crate) source: &'a Source,
    pub(crate) http: &'a Http,
    pub(crate) ledger: &'a Ledger,
    pub(crate) sizes: Sizes,
    pub(crate) connections: usize,
    /// The size the file must have, and who says so.
    pub(crate) size: Option<(u64, &'static str)>,
    /// Whether the digest is known: parts of any origin may then be joined, for the whole will be judged.
    pub(crate) content_known: bool,
    /// Whether a file that ends too early would be noticed.
    pub(crate) vouched: bool,
    /// Ask for no parts: the server does them wrong.
    pub(crate) whole_only: bool,
    /// Is told how many bytes are there, of how many.
    pub(crate) watch: &'a (dyn Fn(u64, Option<u64>) + Sync),
}

impl Transfer<'_> {
    /// Brings what is missing and hashes all of it; returns the file's size.
    pub(crate) fn run(&self, partial: &mut Partial, hashing: &mut Hashing) -> Result<u64, Stop> {
        let total = self.size.map(|(bytes, _)| bytes);
        let shared = Shared {
            board: Mutex::new(Board {
                partial,
                reserved: self.ledger.reserve(),
                total,
                busy: Ranges::default(),
                fresh: Ranges::default(),
                parts: None,
                edition: 0,
                hashed: false,
                stop: None,
            }),
            changed: Condvar::new(),
        };
        let small = total.is_some_and(|total| total <= self.sizes.segment);
        let connections = if small || self.whole_only {
            1
        } else {
            self.connections.max(1)
        };
        let followed = thread::scope(|scope| {
            for _ in 0..connections {
                scope.spawn(|| self.connect(&shared));
            }
            self.follow(hashing, &shared)
        });
        let board = shared.board.into_inner().unwrap_or_else(PoisonError::into_inner);
        if board.edition != followed {
            hashing.restart();
        }
        match (board.stop, board.total) {
            (None, Some(total)) => Ok(total),
            (Some(stop), _) => Err(stop),
            (None, None) => Err(self.http_stop(HttpError::passing("the transfer broke off"))),
        }
    }

    /// Hashes the file from its start as far as it is there, until it is all there; returns the edition it read.
    fn follow(&self, hashing: &mut Hashing, shared: &Shared) -> u64 {
        let mut edition = 0;
        let reader = shared.lock().partial.reader();
        let mut file = match reader {
            Ok(file) => file,
            Err(error) => {
                shared.stop(self.disk_stop(shared, error));
                return edition;
            }
        };
        loop {
            let mut board = shared.lock();
            let (front, total) = loop {
                if board.stop.is_some() {
                    return edition;
                }
                if board.edition != edition {
                    edition = board.edition;
                    hashing.restart();
                }
                if board.total == Some(hashing.position()) {
                    board.hashed = true;
                    shared.changed.notify_all();
                    return edition;
                }
                let front = board.partial.filled.front();
                if front > hashing.position() {
                    break (front, board.total);
                }
                board = shared.wait(board);
            };
            drop(board);
            match hashing.follow(&mut file, front.min(total.unwrap_or(front)), total) {
                Ok(Followed::Good) => {}
                Ok(Followed::Bad(block)) => self.drop_block(shared, &block),
                Err(error) => {
                    shared.stop(self.disk_stop(shared, error));
                    return edition;
                }
            }
        }
    }

    /// A block that is wrong is fetched again; if it came just now, the server is to blame.
    fn drop_block(&self, shared: &Shared, block: &BadBlock) {
        let mut board = shared.lock();
        board.partial.filled.remove(block.range.clone());
        if board.fresh.meets(&block.range) {
            let (first, last) = (block.range.start, block.range.end - 1);
            board.stop.get_or_insert(Stop {
                error: FetchError::Mismatch {
                    subject: format!("bytes {first}-{last} of {}", self.source),
                    said_by: "zoo.blocks",
                    expected: format!("sha256 {}", block.expected),
                    actual: format!("sha256 {}", block.found),
                },
                next: Next::Again(None),
            });
        }
        shared.changed.notify_all();
    }

    /// One connection: takes one range after the other until nothing is missing.
    fn connect(&self, shared: &Shared) {
        while let Some((range, wanted)) = self.next(shared) {
            let (first, result) = self.bring(shared, &range, &wanted);
            let mut board = shared.lock();
            board.busy.remove(first.start..first.end);
            if let Err(stop) = result {
                board.stop.get_or_insert(stop);
            }
            drop(board);
            shared.changed.notify_all();
        }
    }

    /// The next range to bring and how to ask for it; waits for the first answer, which tells whether parts work, and
    /// for the hashing, which may find blocks to bring again.
    fn next(&self, shared: &Shared) -> Option<(Range<u64>, Wanted)> {
        let mut board = shared.lock();
        loop {
            if board.stop.is_some() || board.hashed {
                return None;
            }
            let task = match board.parts {
                Some(true) => self.following(&mut board),
                None if board.busy.len() == 0 => self.first(&mut board).unwrap_or_else(|error| {
                    board.stop = Some(self.disk(&board, error));
                    None
                }),
                // One answer brings the whole file.
                None | Some(false) => None,
            };
            if task.is_some() {
                return task;
            }
            board = if board.stop.is_some() {
                board
            } else {
                shared.wait(board)
            };
        }
    }

    fn following(&self, board: &mut Board) -> Option<(Range<u64>, Wanted)> {
        let range = board.take(0, self.sizes.segment)?;
        let origin = board.partial.origin.as_ref();
        let wanted = Wanted {
            range: Some(range.clone()),
            if_range: origin.and_then(|origin| origin.etag.clone()),
        };
        Some((range, wanted))
    }

    /// The first request, which may go on where an earlier download stopped.
    fn first(&self, board: &mut Board) -> io::Result<Option<(Range<u64>, Wanted)>> {
        let name = self.source.to_string();
        let origin = board.partial.origin.as_ref().filter(|origin| origin.url == name);
        let etag = origin.and_then(|origin| origin.etag.clone());
        let joins = !self.whole_only && (self.content_known || etag.is_some());
        if !joins && board.partial.filled.len() > 0 {
            board.restart(None)?;
        }
        let total = board.total.unwrap_or(u64::MAX);
        let Some(gap) = board.partial.filled.gap(0, total) else {
            return Ok(None);
        };
        let large = board.total.is_some_and(|total| total > self.sizes.segment);
        let ask = joins && (gap != (0..total) || large);
        let range = if ask && large {
            gap.start..gap.end.min(gap.start + self.sizes.segment)
        } else {
            gap
        };
        board.busy.insert(range.clone());
        let wanted = Wanted {
            range: ask.then(|| range.clone()),
            if_range: etag.filter(|_| ask),
        };
        Ok(Some((range, wanted)))
    }

    /// Brings a range; returns what it had marked as busy.
    fn bring(&self, shared: &Shared, range: &Range<u64>, wanted: &Wanted) -> (Range<u64>, Result<(), Stop>) {
        let mut task = range.clone();
        let result = (|| {
            let mut part = self
                .source
                .open(self.http, wanted)
                .map_err(|error| self.http_stop(error))?;
            self.admit(shared, &mut task, wanted, &part)?;
            self.stream(shared, &mut task, &mut part)
        })();
        (task, result)
    }

    /// Decides whether an answer fits what is there already.
    fn admit(
        &self,
        shared: &Shared,
        task: &mut Range<u64>,
        wanted: &Wanted,
        part: &Part,
    ) -> Result<(), Stop> {
        if let (Some((expected, _)), Some(total)) = (self.size, part.total)
            && expected != total
        {
            return Err(self.wrong_size(expected, format!("{total} bytes announced"), Next::GiveUp));
        }
        if part.total == Some(0) {
            return Err(self.http_stop(HttpError::lasting("the server sends an empty file")));
        }
        if !part.delimited && !self.vouched {
            return Err(self.http_stop(HttpError::lasting(
                "the server does not say how long the file is, and neither do zoo.toml and zoo.lock: \
                 state its `bytes` in zoo.toml",
            )));
        }
        let mut board = shared.lock();
        if board.parts.is_none() {
            return self.admit_first(&mut board, task, wanted, part);
        }
        let etag = board
            .partial
            .origin
            .as_ref()
            .and_then(|origin| origin.etag.as_ref());
        let other_version = part.etag.is_some() && etag.is_some() && part.etag.as_ref() != etag;
        if other_version || (part.whole && wanted.if_range.is_some()) {
            board.restart(None).map_err(|error| self.disk(&board, error))?;
            return Err(self.http_stop(HttpError::passing("the file changed between two parts of it")));
        }
        if part.whole || part.total != board.total {
            return Err(self.http_stop(HttpError::of_parts("the server sent a part, then the whole file")));
        }
        Ok(())
    }

    fn admit_first(
        &self,
        board: &mut Board,
        task: &mut Range<u64>,
        wanted: &Wanted,
        part: &Part,
    ) -> Result<(), Stop> {
        let goes_on = !part.whole;
        let changed =
            goes_on && wanted.if_range.is_some() && part.etag.is_some() && part.etag != wanted.if_range;
        let origin = Origin {
            url: self.source.to_string(),
            etag: part
                .etag
                .clone()
                .or_else(|| wanted.if_range.clone().filter(|_| goes_on)),
        };
        if changed {
            board.restart(None).map_err(|error| self.disk(board, error))?;
            return Err(self.http_stop(HttpError::passing("the file changed since its first part came")));
        }
        let joinable = self.content_known || origin.etag.is_some();
        board.parts = Some(part.parts && joinable && !self.whole_only && part.total.is_some());
        board.total = part.total.or(board.total);
        if goes_on {
            board
                .partial
                .adopt(origin)
                .map_err(|error| self.disk(board, error))?;
            board.busy.remove(0..u64::MAX);
            task.end = task.end.min(board.total.unwrap_or(u64::MAX));
            board.busy.insert(task.clone());
        } else {
            // The whole file comes, whatever of it was asked for.
            board
                .restart(Some(origin))
                .map_err(|error| self.disk(board, error))?;
            board.busy.remove(0..u64::MAX);
            *task = 0..board.total.unwrap_or(u64::MAX);
            if board.parts == Some(true) {
                task.end = task.end.min(self.sizes.segment);
            }
            board.busy.insert(task.clone());
        }
        let missing = board
            .total
            .unwrap_or(0)
            .saturating_sub(board.partial.filled.len());
        let room = board.reserved.take(board.partial.folder(), missing);
        room.map_err(|error| self.disk(board, error))
    }

    /// Writes what comes where it belongs, as far as the task goes.
    fn stream(&self, shared: &Shared, task: &mut Range<u64>, part: &mut Part) -> Result<(), Stop> {
        let (writer, total, edition) = {
            let board = shared.lock();
            (board.partial.writer(), board.total, board.edition)
        };
        let disk = |error| self.disk_stop(shared, error);
        let mut file = writer.map_err(disk)?;
        let mut position = part.start;
        file.seek(SeekFrom::Start(position)).map_err(disk)?;
        shared.changed.notify_all();
        let mut notes = Notes::new(self, shared, edition, position);
        let promised = part
            .length
            .map_or(task.end, |length| task.end.max(position + length));
        let mut buffer = vec![0; 1 << 18];
        loop {
            if position == task.end && !self.extend(shared, task, promised) {
                return self.ended(part, total, position);
            }
            let room = (task.end - position).min(buffer.len() as u64);
            let room = usize::try_from(room).expect("at most the buffer's length");
            let read = part
                .read(&mut buffer[..room])
                .map_err(|error| self.http_stop(error))?;
            if read == 0 {
                return self.ended_early(shared, part, total, position);
            }
            file.write_all(&buffer[..read]).map_err(disk)?;
            position += read as u64;
            notes.came(position)?;
        }
    }

    /// Takes on what follows, where the answer holds it and nobody else has.
    fn extend(&self, shared: &Shared, task: &mut Range<u64>, promised: u64) -> bool {
        let mut board = shared.lock();
        if task.end >= promised || board.parts != Some(true) || board.stop.is_some() {
            return false;
        }
        let Some(next) = board.take_at(task.end, self.sizes.segment) else {
            return false;
        };
        board.busy.remove(task.clone());
        *task = next;
        true
    }

    /// Checks that nothing comes after the end, where only the connection's end would tell.
    fn ended(&self, part: &mut Part, total: Option<u64>, position: u64) -> Result<(), Stop> {
        let at_end = part.length.is_none() && total == Some(position);
        if at_end && part.read(&mut [0]).is_ok_and(|read| read > 0) {
            return Err(self.wrong_size(position, "more".into(), Next::GiveUp));
        }
        Ok(())
    }

    /// Decides what it means that an answer ends before its task.
    fn ended_early(
        &self,
        shared: &Shared,
        part: &Part,
        total: Option<u64>,
        position: u64,
    ) -> Result<(), Stop> {
        let Some(total) = total else {
            if position == 0 {
                return Err(self.http_stop(HttpError::lasting("the server sends an empty file")));
            }
            shared.lock().total = Some(position);
            return Ok(());
        };
        // A server may send less than a part that was asked for, if it says so.
        if !part.whole && part.length.is_some_and(|length| part.start + length == position) {
            return Ok(());
        }
        Err(self.wrong_size(total, format!("{position} bytes"), Next::Again(None)))
    }
}

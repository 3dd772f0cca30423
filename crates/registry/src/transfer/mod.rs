//! One try to download what is missing of a file from one source, over several connections if the server sends parts.

mod admit;
mod board;
mod stop;

use std::io::{Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::{Condvar, Mutex, PoisonError};
use std::{io, thread};

use board::{Board, Notes, Seen, Shared};
pub(crate) use stop::Stop;

use crate::hashing::{BadBlock, Followed, Hashing};
use crate::http::{Http, HttpError, Next, Part, Wanted};
use crate::partial::{Origin, Partial};
use crate::ranges::Ranges;
use crate::source::Source;
use crate::space::Ledger;
use crate::{FetchError, Sizes};

/// The inputs of a try.
pub(crate) struct Transfer<'a> {
    pub(crate) source: &'a Source,
    pub(crate) http: &'a Http,
    pub(crate) ledger: &'a Ledger,
    pub(crate) sizes: Sizes,
    pub(crate) connections: usize,
    /// The size the file must have, and who says so.
    pub(crate) size: Option<(u64, &'static str)>,
    /// The most bytes that it may have if no trusted place states its size.
    pub(crate) most: u64,
    /// A digest, or the beginning of one, is known: parts of any origin may then be joined whatever their entity tags
    /// are, for the whole will be judged.
    pub(crate) judged: bool,
    /// A file that ends too early would be noticed.
    pub(crate) vouched: bool,
    /// Ask for no parts: the server does them wrong.
    pub(crate) whole_only: bool,
    /// The server's names for the versions whose bytes were wrong.
    pub(crate) wrong_versions: &'a [String],
    /// Receives the number of bytes that are there, and the size of the file.
    pub(crate) watch: &'a (dyn Fn(u64, Option<u64>) + Sync),
}

/// The result of a try.
pub(crate) struct Tried {
    /// Why it ended before all was there.
    pub(crate) stop: Option<Stop>,
    /// It began anew, so that nothing of earlier tries is left.
    pub(crate) anew: bool,
    /// The number of answers that the bytes there come from.
    pub(crate) answers: usize,
    /// The server sent a part that was asked for.
    pub(crate) parts: bool,
    /// The server's names for versions of the file, two of them at most.
    pub(crate) versions: Vec<String>,
    /// Its name for the version of the last answer that was taken.
    pub(crate) version: String,
}

impl Transfer<'_> {
    /// Downloads what is missing and hashes all of it.
    pub(crate) fn run(&self, partial: &mut Partial, hashing: &mut Hashing) -> Tried {
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
                seen: Seen::default(),
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
        let broke_off = || self.http_stop(HttpError::passing("the transfer broke off"));
        Tried {
            stop: board.stop.or_else(|| board.total.is_none().then(broke_off)),
            anew: board.edition > 0,
            answers: board.seen.answers,
            parts: board.seen.parts,
            versions: board.seen.versions,
            version: board.seen.last,
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
            let failed = FetchError::Mismatch {
                subject: format!("bytes {first}-{last} of {}", self.source),
                said_by: "zoo.blocks",
                expected: format!("sha256 {}", block.expected),
                actual: format!("sha256 {}", block.found),
            };
            board.stop.get_or_insert(Stop::new(failed, Next::Again(None)));
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

    /// The next range to download and the request for it; waits for the first answer, which tells whether parts work, and
    /// for the hashing, which may find blocks to bring again.
    fn next(&self, shared: &Shared) -> Option<(Range<u64>, Wanted)> {
        let mut board = shared.lock();
        loop {
            if board.stop.is_some() || board.hashed {
                return None;
            }
            let task = match board.parts {
                Some(true) => self.following(&mut board),
                None if board.busy.len() == 0 => {
                    let known = board.total.is_some();
                    let task = self.first(&mut board).unwrap_or_else(|error| {
                        board.stop = Some(self.disk(&board, error));
                        None
                    });
                    if task.is_none() && !known {
                        // It came to light that nothing is missing.
                        shared.changed.notify_all();
                    }
                    task
                }
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
            if_range: origin
                .and_then(|origin| origin.etag.clone())
                .filter(|_| !self.judged),
        };
        Some((range, wanted))
    }

    /// The first request, which may go on where an earlier download stopped.
    fn first(&self, board: &mut Board) -> io::Result<Option<(Range<u64>, Wanted)>> {
        let origin = self.origin_of(board).cloned().unwrap_or_default();
        let joinable = self.judged || origin.etag.is_some();
        if !joinable && board.partial.filled.len() > 0 {
            // Nobody can tell what these bytes are of.
            board.restart(None)?;
        }
        if board.total.is_none() && origin.total.is_some_and(|total| board.partial.holds(total)) {
            // It had all come, and was not told of.
            board.total = origin.total;
        }
        let total = board.total.unwrap_or(u64::MAX);
        let Some(gap) = board.partial.filled.gap(0, total) else {
            return Ok(None);
        };
        let large = board.total.is_some_and(|total| total > self.sizes.segment);
        let ask = joinable && !self.whole_only && (gap != (0..total) || large);
        let range = match (ask, large) {
            (true, true) => gap.start..gap.end.min(gap.start + self.sizes.segment),
            (true, false) => gap,
            (false, _) => 0..total,
        };
        board.busy.insert(range.clone());
        let wanted = Wanted {
            range: ask.then(|| range.clone()),
            if_range: origin.etag.filter(|_| ask && !self.judged),
        };
        Ok(Some((range, wanted)))
    }

    /// The origin of the bytes that are there, if it is this source.
    fn origin_of<'b>(&self, board: &'b Board) -> Option<&'b Origin> {
        let name = self.source.to_string();
        board.partial.origin.as_ref().filter(|origin| origin.url == name)
    }

    /// Downloads a range; returns what it had marked as busy.
    fn bring(&self, shared: &Shared, range: &Range<u64>, wanted: &Wanted) -> (Range<u64>, Result<(), Stop>) {
        let mut task = range.clone();
        let result = (|| {
            let mut part = match self.source.open(self.http, wanted) {
                Ok(part) => part,
                Err(error) => return self.refused(shared, wanted, error),
            };
            self.admit(shared, &mut task, wanted, &part)?;
            self.stream(shared, &mut task, &mut part)
        })();
        (task, result)
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
            if total.is_none() && position > self.most {
                return Err(self.endless(shared));
            }
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

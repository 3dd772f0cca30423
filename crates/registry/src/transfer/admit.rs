//! Checks that an answer fits the file that is wanted and the bytes of it that are there.

use std::ops::Range;

use super::board::{Board, Shared};
use super::{Stop, Transfer};
use crate::http::{HttpError, Next, Part, Wanted, same_version};
use crate::partial::Origin;

impl Transfer<'_> {
    /// Decides what to do with an answer, and marks as busy what of it will be read.
    pub(super) fn admit(
        &self,
        shared: &Shared,
        task: &mut Range<u64>,
        wanted: &Wanted,
        part: &Part,
    ) -> Result<(), Stop> {
        let board = &mut *shared.lock();
        board.seen.version(&part.version);
        self.check(part)?;
        match (board.parts.is_some(), part.whole) {
            (true, _) => self.admit_next(board, part),
            (false, true) => self.admit_whole(board, task, part),
            (false, false) => self.admit_first_part(board, task, wanted, part),
        }?;
        board.seen.last.clone_from(&part.version);
        board.seen.answers += 1;
        board.seen.parts |= !part.whole;
        let total = board.total.unwrap_or(0);
        let missing = total.saturating_sub(board.partial.filled.len());
        let room = board.reserved.take(board.partial.folder(), missing);
        room.map_err(|error| self.disk(board, error))
    }

    /// Refuses an answer that cannot be this file, whatever is there already.
    fn check(&self, part: &Part) -> Result<(), Stop> {
        let other_size = self
            .size
            .zip(part.total)
            .filter(|((size, _), total)| size != total);
        // What a server takes for a web page by its name may still be the file, where a digest tells.
        if part.page && (!self.judged || other_size.is_some()) {
            return Err(self.http_stop(HttpError::lasting(
                "the server sends a web page instead of the file (content type text/html)",
            )));
        }
        if let Some(((size, _), total)) = other_size {
            // The size of the whole in the answer with a part may be wrong where that of the whole file is not.
            let next = if part.whole { Next::GiveUp } else { Next::Whole };
            return Err(self.wrong_size(size, format!("{total} bytes announced"), next));
        }
        if part.whole && self.wrong_versions.contains(&part.version) {
            let reason = "the server sends the version again whose bytes were wrong";
            return Err(self.http_stop(HttpError::new(reason, Next::OtherVersion)));
        }
        if part.total == Some(0) {
            return Err(self.http_stop(HttpError::lasting("the server sends an empty file")));
        }
        let announced = part.total.or(self.size.map(|(size, _)| size));
        if let Some(bytes) = announced.filter(|bytes| *bytes > self.most) {
            let next = if part.whole { Next::GiveUp } else { Next::Whole };
            return Err(self.too_large(&format!("announces {bytes} bytes"), next));
        }
        if !part.delimited && !self.vouched {
            return Err(self.http_stop(HttpError::lasting(
                "the server does not say how long the file is, and neither do zoo.toml and zoo.lock: \
                 state its `bytes` in zoo.toml",
            )));
        }
        Ok(())
    }

    /// The first answer, with the whole file, whatever of it was asked for.
    fn admit_whole(&self, board: &mut Board, task: &mut Range<u64>, part: &Part) -> Result<(), Stop> {
        let origin = Origin {
            url: self.source.to_string(),
            etag: part.etag.clone(),
            total: part.total,
        };
        board.total = part.total.or(board.total);
        board.parts = Some(self.joins(board, part, &origin));
        let restarted = board.restart(Some(origin));
        restarted.map_err(|error| self.disk(board, error))?;
        let end = match board.parts {
            Some(true) => self.sizes.segment,
            _ => u64::MAX,
        };
        *task = 0..board.total.unwrap_or(u64::MAX).min(end);
        board.busy.remove(0..u64::MAX);
        board.busy.insert(task.clone());
        Ok(())
    }

    /// The first answer, with a part that goes on where an earlier download stopped, or begins one.
    fn admit_first_part(
        &self,
        board: &mut Board,
        task: &mut Range<u64>,
        wanted: &Wanted,
        part: &Part,
    ) -> Result<(), Stop> {
        let held = self.origin_of(board).cloned().unwrap_or_default();
        let total = part.total.or(board.total).or(held.total);
        if !self.judged {
            let named = part.etag.as_ref().zip(wanted.if_range.as_ref());
            if !named.is_some_and(|(now, then)| same_version(now, then)) {
                return Err(self.of_parts("the file changed since its first part came"));
            }
            if total.is_none() || held.total.is_some_and(|held| Some(held) != total) {
                return Err(
                    self.of_parts("the server says another size of the file than with its first part")
                );
            }
        }
        let begins = board.partial.filled.len() == 0;
        let is_held = |etag: &String| held.etag.as_ref().is_some_and(|held| same_version(held, etag));
        let origin = Origin {
            url: self.source.to_string(),
            // Of parts of several versions no version is known.
            etag: part.etag.clone().filter(|etag| begins || is_held(etag)),
            total,
        };
        board.total = total;
        board.parts = Some(self.joins(board, part, &origin));
        let adopted = board.partial.adopt(origin);
        adopted.map_err(|error| self.disk(board, error))?;
        board.busy.remove(0..u64::MAX);
        task.end = task.end.min(total.unwrap_or(u64::MAX));
        board.busy.insert(task.clone());
        Ok(())
    }

    /// A later answer, which must be a part of the same file as the first.
    fn admit_next(&self, board: &mut Board, part: &Part) -> Result<(), Stop> {
        if part.whole {
            return Err(self.of_parts("the server sends the whole file where a part was asked for"));
        }
        if part.total.is_some() && part.total != board.total {
            return Err(self.of_parts("the server says another size of the file than with its first part"));
        }
        let Some(origin) = &board.partial.origin else {
            return Ok(());
        };
        let named = part.etag.as_ref().zip(origin.etag.as_ref());
        if named.is_some_and(|(now, then)| same_version(now, then)) {
            return Ok(());
        }
        if !self.judged {
            return Err(self.of_parts("the file changed between two parts of it"));
        }
        let of_several = Origin {
            etag: None,
            ..origin.clone()
        };
        let adopted = board.partial.adopt(of_several);
        adopted.map_err(|error| self.disk(board, error))
    }

    /// Returns whether more parts may be asked for after this answer.
    fn joins(&self, board: &Board, part: &Part, origin: &Origin) -> bool {
        let joinable = self.judged || origin.etag.is_some();
        part.parts && joinable && !self.whole_only && board.total.is_some()
    }

    /// A wish that was not granted: where only what follows the end was asked for, all is there.
    pub(super) fn refused(&self, shared: &Shared, wanted: &Wanted, mut error: HttpError) -> Result<(), Stop> {
        if let Next::Ends(total) = error.next {
            let mut board = shared.lock();
            if self.judged && board.total.is_none() && board.partial.holds(total) {
                board.total = Some(total);
                return Ok(());
            }
            error.next = Next::Whole;
        }
        let part = wanted.range.as_ref().map(|_| error.reached);
        Err(Stop {
            part,
            ..self.http_stop(error)
        })
    }

    /// More came than any file of this network can have: nothing of it is kept.
    pub(super) fn endless(&self, shared: &Shared) -> Stop {
        let mut board = shared.lock();
        match board.restart(None) {
            Ok(()) => self.too_large("does not say how many bytes it sends and goes on", Next::GiveUp),
            Err(error) => self.disk(&board, error),
        }
    }

    fn too_large(&self, what: &str, next: Next) -> Stop {
        let reason = format!(
            "the server {what}, expected {} at most for the weights of this network: if the file is larger, state its \
             `bytes` in zoo.toml",
            self.most
        );
        self.http_stop(HttpError::new(reason, next))
    }

    fn of_parts(&self, reason: &str) -> Stop {
        self.http_stop(HttpError::of_parts(reason))
    }
}

use crate::FetchError;
use crate::http::{Next, Reached};
use crate::transfer::{Stop, Tried};

/// The observations on a server while it was asked for one file.
#[derive(Default)]
pub(crate) struct Server {
    /// Ask it for no parts: it does them wrong.
    pub(crate) whole_only: bool,
    /// It sent a part that was asked for.
    sends_parts: bool,
    /// The number of its answers that the bytes there come from.
    answers: usize,
    /// Its names for versions of the file, two of them at most.
    versions: Vec<String>,
    /// Its name for the version of the last answer that was taken.
    version: String,
    /// Its names for versions whose bytes were wrong.
    pub(crate) wrong_versions: Vec<String>,
}

impl Server {
    pub(crate) fn learn(&mut self, tried: &Tried) {
        self.sends_parts |= tried.parts;
        self.version.clone_from(&tried.version);
        self.answers = tried.answers + if tried.anew { 0 } else { self.answers };
        for version in &tried.versions {
            if self.versions.len() < 2 && !self.versions.contains(version) {
                self.versions.push(version.clone());
            }
        }
    }

    /// Decides what may help when all bytes are there and wrong.
    pub(crate) fn after_wrong_bytes(&mut self, inherited: bool) -> Next {
        let joined = self.answers > 1;
        self.answers = 0;
        // Bytes of an earlier run may have been the bad ones.
        if inherited {
            return Next::Again(None);
        }
        // The answers may have been of several versions: one answer is of one.
        if joined && !self.whole_only {
            return Next::Whole;
        }
        // Another of a server's machines may have the right version: that costs a look at its name.
        if !self.version.is_empty() && !self.wrong_versions.contains(&self.version) {
            self.wrong_versions.push(self.version.clone());
            self.whole_only = true;
            return Next::Again(None);
        }
        Next::GiveUp
    }

    /// Returns whether the server may have failed at the request for a part: one that sent parts and is silent now is likely to be
    /// gone, and what came is worth more than a whole answer that begins.
    fn may_fail_at_parts(&self, stop: &Stop) -> bool {
        match stop.part {
            Some(Reached::Answer) => true,
            Some(Reached::Silence) => !self.sends_parts,
            Some(Reached::Nobody) | None => false,
        }
    }

    /// Decides what to do after a failure; `last` if no further try is due.
    pub(crate) fn next(&mut self, stop: &Stop, last: bool) -> Next {
        let mismatch = matches!(stop.error, FetchError::Mismatch { .. });
        match stop.next {
            // A server that has several versions may have the right one the next time.
            Next::GiveUp if mismatch && self.versions.len() > 1 => Next::Again(None),
            Next::OtherVersion if self.versions.len() > 1 => Next::Again(None),
            Next::Whole if self.whole_only => Next::Again(None),
            // Some servers fail at parts alone: the whole file is asked for before they are given up.
            Next::Again(_) if last && !self.whole_only && self.may_fail_at_parts(stop) => {
                self.whole_only = true;
                Next::Whole
            }
            Next::Whole => {
                self.whole_only = true;
                Next::Whole
            }
            next => next,
        }
    }
}

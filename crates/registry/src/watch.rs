use std::time::Duration;

use crate::{FetchError, Fetched};

/// Receives the events of downloads, from several threads.
pub trait Watch: Sync {
    /// Something happened to the file of this index.
    fn happened(&self, file: usize, event: Event<'_>);
}

/// An event in the download of one file.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// It is not there, and another process that downloads it is waited for.
    Waiting,
    /// A source is asked.
    Asking {
        /// Its URL or path.
        source: &'a str,
    },
    /// Bytes came, or turned out to be wrong and do not count any longer.
    Progress {
        /// The number of bytes that are there.
        done: u64,
        /// The size of the file, if it is known.
        total: Option<u64>,
    },
    /// A try failed and the same source will be asked again.
    Retrying {
        /// The failure.
        error: &'a FetchError,
        /// When it will be asked.
        pause: Duration,
    },
    /// A source is given up; the next one is asked, if there is one.
    SourceFailed {
        /// Its URL or path.
        source: &'a str,
        /// The failure.
        error: &'a FetchError,
    },
    /// The file is there, or will not come.
    Done {
        /// The result.
        result: &'a Result<Fetched, FetchError>,
    },
}

/// Ignores all events.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Watch for Silent {
    fn happened(&self, _file: usize, _event: Event<'_>) {}
}

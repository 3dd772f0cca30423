use std::time::Duration;

use crate::{FetchError, Fetched};

/// Is told how downloads go on, from several threads.
pub trait Watch: Sync {
    /// Something happened to the file of this index.
    fn happened(&self, file: usize, event: Event<'_>);
}

/// What happens to one file on its way.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// It is not there; another process that brings it is waited for.
    Waiting,
    /// A source is asked.
    Asking {
        /// Its URL or path.
        source: &'a str,
    },
    /// Bytes came, or turned out to be wrong and do not count any longer.
    Progress {
        /// How many are there.
        done: u64,
        /// Of how many.
        total: Option<u64>,
    },
    /// A try failed and the same source will be asked again.
    Retrying {
        /// What failed.
        error: &'a FetchError,
        /// When it will be asked.
        pause: Duration,
    },
    /// A source is given up; the next one is asked, if there is one.
    SourceFailed {
        /// Its URL or path.
        source: &'a str,
        /// What failed.
        error: &'a FetchError,
    },
    /// The file is there, or will not come.
    Done {
        /// What became of it.
        result: &'a Result<Fetched, FetchError>,
    },
}

/// Tells nobody.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Watch for Silent {
    fn happened(&self, _file: usize, _event: Event<'_>) {}
}

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::blocks::SideFile;
use crate::hosts::Hosts;
use crate::space::Ledger;
use crate::{Lock, Pin, PinnedBy, Watch};

/// The state that a run of several files shares.
pub(crate) struct Session<'a> {
    lock: Mutex<&'a mut Lock>,
    pub(crate) lock_path: PathBuf,
    side: OnceLock<SideFile>,
    pub(crate) ledger: Ledger,
    pub(crate) hosts: Hosts,
    pub(crate) watch: &'a dyn Watch,
}

impl<'a> Session<'a> {
    pub(crate) fn new(lock: &'a mut Lock, watch: &'a dyn Watch) -> Self {
        Self {
            lock_path: lock.path().to_owned(),
            lock: Mutex::new(lock),
            side: OnceLock::new(),
            ledger: Ledger::default(),
            hosts: Hosts::default(),
            watch,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, &'a mut Lock> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn pin(&self, url: &str) -> Option<Pin> {
        self.lock().pin(url)
    }

    pub(crate) fn pinned_by(&self, url: &str) -> Option<PinnedBy> {
        self.lock().pinned_by(url)
    }

    /// Returns whether only a lock that this one inherits from pins the URL.
    pub(crate) fn borrows(&self, url: &str) -> bool {
        self.lock().borrows(url)
    }

    /// Reads the pins that other processes made.
    pub(crate) fn reload(&self) {
        self.lock().reload();
    }

    pub(crate) fn side(&self) -> &SideFile {
        self.side.get_or_init(|| SideFile::beside(&self.lock_path))
    }
}

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes that all downloads of a run have yet to write: free space that is spoken for.
#[derive(Debug, Default)]
pub(crate) struct Ledger(AtomicU64);

/// One download's share of a [`Ledger`], given back when dropped.
pub(crate) struct Reserved<'a> {
    ledger: &'a Ledger,
    left: u64,
}

impl Ledger {
    pub(crate) fn reserve(&self) -> Reserved<'_> {
        Reserved {
            ledger: self,
            left: 0,
        }
    }
}

impl Reserved<'_> {
    /// Reserves `bytes` bytes in place of those before.
    ///
    /// # Errors
    /// If the folder does not have that much free beside what other downloads reserved.
    pub(crate) fn take(&mut self, folder: &Path, bytes: u64) -> io::Result<()> {
        self.give_back();
        let others = self.ledger.0.fetch_add(bytes, Ordering::SeqCst);
        self.left = bytes;
        // Where the system cannot tell, the disk itself will.
        let Ok(free) = fs4::available_space(folder) else {
            return Ok(());
        };
        if bytes > free.saturating_sub(others) {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!(
                    "needs {bytes} bytes more, {free} are free and other downloads need {others} of them"
                ),
            ));
        }
        Ok(())
    }

    /// Some of the bytes are written.
    pub(crate) fn spend(&mut self, bytes: u64) {
        let bytes = bytes.min(self.left);
        self.left -= bytes;
        self.ledger.0.fetch_sub(bytes, Ordering::SeqCst);
    }

    fn give_back(&mut self) {
        self.spend(self.left);
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_will_write_is_not_free() {
        let folder = tempfile::tempdir().expect("a folder");
        let free = fs4::available_space(folder.path()).expect("known");
        let ledger = Ledger::default();
        let (mut first, mut second) = (ledger.reserve(), ledger.reserve());
        // Other programs write to this disk at the same time: leave room for them.
        first.take(folder.path(), free / 4 * 3).expect("fits");
        let error = second
            .take(folder.path(), free / 2)
            .expect_err("does not fit beside it");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        first.spend(free / 4 * 3);
        second.take(folder.path(), free / 2).expect("fits alone");
        drop((first, second));
        assert_eq!(ledger.0.load(Ordering::SeqCst), 0);
    }
}

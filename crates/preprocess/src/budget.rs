use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::PreprocessError;

/// Memory that decoders share. A decoder first takes the bytes that a photo needs by its header, and waits while others have too
/// much. A photo that needs more than all of it is refused before anything is allocated.
///
/// Clones share one budget. It counts a photo's pixels and its decoder's memory beside them, not the file.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes: u64,
    free: Mutex<u64>,
    freed: Condvar,
}

/// A part of a budget; it goes back when this is dropped.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Budget {
    /// Returns a budget of this number of bytes.
    pub fn new(bytes: u64) -> Self {
        Self(Arc::new(Shared {
            bytes,
            free: Mutex::new(bytes),
            freed: Condvar::new(),
        }))
    }

    /// Returns the whole budget, bytes.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Takes the bytes that a photo needs, and waits until they are free. Each decoder takes once per photo, so that none waits for
    /// one that waits.
    pub(crate) fn take(
        &self,
        bytes: u64,
        (width, height): (usize, usize),
    ) -> Result<Taken<'_>, PreprocessError> {
        if bytes > self.0.bytes {
            return Err(PreprocessError::TooLarge {
                width,
                height,
                bytes,
                limit: self.0.bytes,
            });
        }
        let free = self.0.free.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = self.0.freed.wait_while(free, |free| *free < bytes);
        *enough.unwrap_or_else(PoisonError::into_inner) -= bytes;
        Ok(Taken { budget: self, bytes })
    }
}

/// 1 GiB.
impl Default for Budget {
    fn default() -> Self {
        Self::new(1 << 30)
    }
}

/// Budgets that allow the same number of bytes are equal.
impl PartialEq for Budget {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes == other.0.bytes
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let shared = &self.budget.0;
        *shared.free.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
        shared.freed.notify_all();
    }
}

/// Resizes `pixels`, new bytes being zeros; lack of memory is an error and no abort.
pub(crate) fn resize(pixels: &mut Vec<u8>, bytes: usize) -> Result<(), PreprocessError> {
    let more = bytes.saturating_sub(pixels.len());
    pixels
        .try_reserve_exact(more)
        .map_err(|_| PreprocessError::Memory { bytes: bytes as u64 })?;
    pixels.resize(bytes, 0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn what_needs_more_than_all_is_refused_and_the_rest_goes_back() {
        let budget = Budget::new(100);
        let error = budget.take(101, (5, 7)).expect_err("too much").to_string();
        assert!(error.contains("5 x 7") && error.contains("101"), "{error}");
        drop(budget.take(100, (1, 1)).expect("all"));
        drop(budget.take(100, (1, 1)).expect("all again"));
    }

    #[test]
    fn decoders_together_never_hold_more_than_the_budget() {
        let budget = Budget::new(100);
        let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (budget, held, most) = (budget.clone(), &held, &most);
                scope.spawn(move || {
                    for i in 0..200 {
                        let bytes = 1 + (37 * i + 11 * thread) % 100;
                        let taken = budget.take(bytes, (1, 1)).expect("fits");
                        most.fetch_max(held.fetch_add(bytes, Ordering::SeqCst) + bytes, Ordering::SeqCst);
                        std::thread::yield_now();
                        held.fetch_sub(bytes, Ordering::SeqCst);
                        drop(taken);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 100, "{most:?}");
    }

    #[test]
    fn memory_that_is_not_there_is_an_error() {
        let mut pixels = Vec::new();
        let error = resize(&mut pixels, isize::MAX as usize).expect_err("no machine has it");
        assert!(matches!(error, PreprocessError::Memory { .. }), "{error}");
    }
}

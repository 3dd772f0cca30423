//! A file that gets shorter while it is mapped: the system has no bytes for its last pages, and sends SIGBUS to whoever
//! touches them. Nothing can be computed from them; what can be done is to say which file it was.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// The most maps that are known at a time. Those beyond end the process without a word, as the system does it.
const KNOWN: usize = 128;

/// A map that may lose its pages, as a signal's handler can read of it: no lock, no memory of its own.
struct Slot {
    /// Its address; 0 for a free slot.
    start: AtomicUsize,
    length: AtomicUsize,
    name: AtomicPtr<u8>,
    name_length: AtomicUsize,
}

impl Slot {
    const fn free() -> Self {
        Self {
            start: AtomicUsize::new(0),
            length: AtomicUsize::new(0),
            name: AtomicPtr::new(std::ptr::null_mut()),
            name_length: AtomicUsize::new(0),
        }
    }
}

static SLOTS: [Slot; KNOWN] = [const { Slot::free() }; KNOWN];

/// A map that is known while this lives.
#[derive(Debug)]
pub(crate) struct Watched {
    slot: Option<usize>,
    /// The name that the slot points to.
    _name: Box<[u8]>,
}

impl Watched {
    /// Has these bytes be known as those of the file of this name.
    pub(crate) fn new(bytes: &[u8], path: &Path) -> Self {
        let mut name = path.display().to_string().into_bytes().into_boxed_slice();
        let start = bytes.as_ptr().addr();
        let take = |slot: &Slot| {
            let taken = slot
                .start
                .compare_exchange(0, start, Ordering::AcqRel, Ordering::Relaxed);
            taken.is_ok()
        };
        let slot = SLOTS.iter().position(take);
        if let Some(slot) = slot.and_then(|slot| SLOTS.get(slot)) {
            slot.name.store(name.as_mut_ptr(), Ordering::Release);
            slot.name_length.store(name.len(), Ordering::Release);
            // Last: the handler looks for a length first.
            slot.length.store(bytes.len(), Ordering::Release);
        }
        Self { slot, _name: name }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.and_then(|slot| SLOTS.get(slot)) {
            slot.length.store(0, Ordering::Release);
            slot.name_length.store(0, Ordering::Release);
            slot.start.store(0, Ordering::Release);
        }
    }
}

/// The message before and after the file's name, and the exit code.
struct Words {
    before: &'static str,
    after: &'static str,
    code: i32,
}

static WORDS: OnceLock<Words> = OnceLock::new();

/// Has the process end with these words around the file's name on standard error, and this exit code, when a file that
/// [`FileMap`](crate::FileMap) has mapped gets shorter and one of the pages that are gone is touched. Without this call the
/// signal ends it. Only the first call counts.
pub fn end_in_words(before: &'static str, after: &'static str, code: i32) {
    if WORDS.set(Words { before, after, code }).is_ok() {
        install();
    }
}

#[cfg(not(unix))]
fn install() {}

#[cfg(unix)]
use unix::install;

#[cfg(unix)]
#[expect(unsafe_code, reason = "signals are C's")]
mod unix {
    use std::ffi::{c_int, c_void};
    use std::sync::OnceLock;
    use std::sync::atomic::Ordering;

    use super::{SLOTS, WORDS};

    /// The handler of the signal before, the standard library's for one.
    static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

    pub(super) fn install() {
        // SAFETY: all zeros is a valid `sigaction`; both calls are given one to read or to write, and nothing else.
        unsafe {
            let mut before: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut before) != 0 {
                return;
            }
            let _ = BEFORE.set(before);
            let mut action: libc::sigaction = std::mem::zeroed();
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_signal;
            action.sa_sigaction = handler as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut());
        }
    }

    /// Only reads atomics, and calls what POSIX allows a handler: `write`, `_exit`, `sigaction`.
    extern "C" fn on_signal(_signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
        // SAFETY: the system gives a handler with SA_SIGINFO a valid `siginfo_t`, and SIGBUS has an address in it.
        let address = unsafe { (*info).si_addr() }.addr();
        let is_it = |slot: &&super::Slot| {
            let (start, length) = (
                slot.start.load(Ordering::Acquire),
                slot.length.load(Ordering::Acquire),
            );
            length != 0 && (start..start.saturating_add(length)).contains(&address)
        };
        if let (Some(slot), Some(words)) = (SLOTS.iter().find(is_it), WORDS.get()) {
            say(words.before.as_ptr(), words.before.len());
            say(
                slot.name.load(Ordering::Acquire),
                slot.name_length.load(Ordering::Acquire),
            );
            say(words.after.as_ptr(), words.after.len());
            // SAFETY: ends the process, and runs nothing of ours.
            unsafe { libc::_exit(words.code) };
        }
        // Not ours: the access is made again, under the action of before, which was read before this handler was set.
        if let Some(before) = BEFORE.get() {
            // SAFETY: `before` is what the system gave.
            unsafe { libc::sigaction(libc::SIGBUS, before, std::ptr::null_mut()) };
        }
    }

    fn say(text: *const u8, length: usize) {
        // SAFETY: the texts are static, or kept by the map for as long as its slot names them. A short write is a short
        // message.
        unsafe { libc::write(libc::STDERR_FILENO, text.cast(), length) };
    }
}

//! Zeroed memory of a program: what its maps, scratch areas and weights lie in.

use std::io;

#[cfg(not(zoo_asan))]
pub(in crate::engine) use mapped::Memory;
#[cfg(zoo_asan)]
pub(in crate::engine) use watched::Memory;

/// Pages from the system.
#[cfg(not(zoo_asan))]
mod mapped {
    use super::io;

    use memmap2::MmapMut;

    /// Zeroed memory on large pages, which spare address look-ups; a system without them works all the same.
    #[derive(Debug)]
    pub(in crate::engine) struct Memory(MmapMut);

    impl Memory {
        /// Takes `bytes` bytes.
        ///
        /// # Errors
        /// The system's, if there are not as many.
        pub(in crate::engine) fn new(bytes: usize) -> io::Result<Self> {
            let memory = MmapMut::map_anon(bytes)?;
            #[cfg(target_os = "linux")]
            let _ = memory.advise(memmap2::Advice::HugePage);
            Ok(Self(memory))
        }

        /// Bytes of it.
        pub(in crate::engine) fn bytes(&self) -> usize {
            self.0.len()
        }

        /// Its first element, at a page's begin.
        pub(in crate::engine) fn start(&mut self) -> *mut f32 {
            self.0.as_mut_ptr().cast()
        }

        #[cfg(test)]
        pub(in crate::engine) fn start_const(&self) -> *const f32 {
            self.0.as_ptr().cast()
        }
    }
}

/// Blocks of the heap: the address sanitizer watches their ends, and knows nothing of what lies around pages of the system's.
#[cfg(zoo_asan)]
mod watched {
    use super::io;

    /// A cache line.
    #[derive(Clone, Copy, Debug)]
    #[repr(align(64))]
    struct Line(#[expect(dead_code, reason = "read through pointers")] [f32; 16]);

    /// Zeroed memory.
    #[derive(Debug)]
    pub(in crate::engine) struct Memory(Vec<Line>);

    impl Memory {
        pub(in crate::engine) fn new(bytes: usize) -> io::Result<Self> {
            let lines = bytes.div_ceil(size_of::<Line>());
            let mut memory = Vec::new();
            memory
                .try_reserve_exact(lines)
                .map_err(|_| io::ErrorKind::OutOfMemory)?;
            memory.resize(lines, Line([0.0; 16]));
            Ok(Self(memory))
        }

        pub(in crate::engine) fn bytes(&self) -> usize {
            size_of_val(self.0.as_slice())
        }

        pub(in crate::engine) fn start(&mut self) -> *mut f32 {
            self.0.as_mut_ptr().cast()
        }

        #[cfg(test)]
        pub(in crate::engine) fn start_const(&self) -> *const f32 {
            self.0.as_ptr().cast()
        }
    }
}

impl Memory {
    /// Elements of it.
    pub(in crate::engine) fn elements(&self) -> usize {
        self.bytes() / size_of::<f32>()
    }
}

/// A pointer into memory that threads share. To have one is safe; whoever reads or writes through it says why no other thread
/// writes there meanwhile.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Shared(*mut f32);

// SAFETY: nothing is read or written through it here.
unsafe impl Send for Shared {}
// SAFETY: as for `Send`.
unsafe impl Sync for Shared {}

impl Shared {
    pub(in crate::engine) fn new(start: *mut f32) -> Self {
        Self(start)
    }

    /// The pointer itself.
    #[inline(always)]
    pub(in crate::engine) fn start(self) -> *mut f32 {
        self.0
    }
}

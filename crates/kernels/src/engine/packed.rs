//! Prepared weights, and the memory that holds those of all steps.

use std::io;

use memmap2::MmapMut;

use super::simd::MAX_LANES;

/// Numbers that are a step's own until they settle in a [`Store`].
#[derive(Debug)]
pub(super) struct Packed {
    own: Vec<f32>,
    elements: usize,
    /// Where they have settled.
    place: *const f32,
}

// SAFETY: the place is in a store that the program keeps as long as its steps, and is not written again.
unsafe impl Send for Packed {}
// SAFETY: as above.
unsafe impl Sync for Packed {}

impl Packed {
    pub(super) fn new(own: Vec<f32>) -> Self {
        Self {
            elements: own.len(),
            own,
            place: std::ptr::null(),
        }
    }

    pub(super) fn elements(&self) -> usize {
        self.elements
    }

    /// The first number; null before they have settled.
    pub(super) fn start(&self) -> *const f32 {
        self.place
    }
}

/// The weights of all steps in the order they are used, on few large pages: they stream through, and what is asked for
/// ahead runs on into the next layer.
#[derive(Debug, Default)]
pub(super) struct Store {
    chunks: Vec<MmapMut>,
    /// Elements of the last chunk that are taken.
    taken: usize,
}

/// Elements of a chunk, unless one step needs more.
const CHUNK: usize = 16 << 20;

impl Store {
    /// Moves the numbers here, and frees what they took before.
    pub(super) fn settle(&mut self, packed: &mut Packed) -> io::Result<()> {
        let room = self
            .chunks
            .last()
            .map_or(0, |chunk| chunk.len() / size_of::<f32>());
        if self.chunks.is_empty() || packed.elements > room - self.taken {
            let elements = packed.elements.max(CHUNK);
            self.chunks.push(map(elements * size_of::<f32>())?);
            self.taken = 0;
        }
        let chunk = self.chunks.last_mut().expect("pushed above");
        // SAFETY: a chunk begins at a page and has room for as many numbers behind those that are taken.
        unsafe {
            let place = chunk.as_mut_ptr().cast::<f32>().add(self.taken);
            place.copy_from_nonoverlapping(packed.own.as_ptr(), packed.elements);
            packed.place = place;
        }
        packed.own = Vec::new();
        self.taken += packed.elements.next_multiple_of(MAX_LANES);
        Ok(())
    }
}

/// Zeroed memory on large pages, which spare address look-ups; a system without them works all the same.
pub(super) fn map(bytes: usize) -> io::Result<MmapMut> {
    let memory = MmapMut::map_anon(bytes)?;
    #[cfg(target_os = "linux")]
    let _ = memory.advise(memmap2::Advice::HugePage);
    Ok(memory)
}

//! Prepared weights, and the memory that holds those of all steps.

use std::io;

use memmap2::MmapMut;

use super::format::Format;
use super::simd::{MAX_LANES, Simd};

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

/// Numbers as f16, two to an element, and as many zeros as a vector may read past their end.
pub(super) fn halves(numbers: &[f32]) -> Vec<f32> {
    let bits = |x: Option<&f32>| u32::from(half::f16::from_f32(x.copied().unwrap_or(0.0)).to_bits());
    let element = |pair: &[f32]| f32::from_bits(bits(pair.first()) | bits(pair.get(1)) << 16);
    let padding = std::iter::repeat_n(0.0, MAX_LANES.div_ceil(2));
    numbers.chunks(2).map(element).chain(padding).collect()
}

/// Prepared weights of a format where they lie.
#[derive(Clone, Copy)]
pub(super) struct Stored {
    start: *const f32,
    format: Format,
}

impl Stored {
    pub(super) fn new(start: *const f32, format: Format) -> Self {
        Self { start, format }
    }

    /// The elements from `at` on as products take them: as they lie, or `count` of them widened into `room`.
    ///
    /// # Safety
    /// There are `count` of them, and [`Stored::room`] in `room`; the CPU has the unit.
    #[inline(always)]
    pub(super) unsafe fn from<S: Simd>(self, at: usize, count: usize, room: *mut f32) -> *const f32 {
        if self.format != Format::F16 {
            return self.start.wrapping_add(at);
        }
        let halves = self.start.cast::<u16>().wrapping_add(at);
        let mut i = 0;
        while i < count {
            // SAFETY: the caller's; a vector more is there to read and to write.
            unsafe {
                S::prefetch(halves.wrapping_add(i + AHEAD).cast());
                S::store(room.add(i), S::widen(halves.add(i)));
            }
            i += S::LANES;
        }
        room
    }

    /// Elements of room for so many weights at a time.
    pub(super) fn room(format: Format, count: usize) -> usize {
        match format {
            Format::F16 => count + MAX_LANES,
            _ => 0,
        }
    }
}

/// How far ahead of use f16 weights are asked for.
const AHEAD: usize = 2048;

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

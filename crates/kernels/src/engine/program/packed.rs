//! Prepared weights, and the memory that holds those of all steps.

use std::io;

use crate::engine::program::memory::{Memory, Shared};
use crate::engine::quant::format::Format;
use crate::engine::simd::{MAX_LANES, Simd};

/// Numbers that are a step's own until they settle in a [`Store`].
#[derive(Debug)]
pub(in crate::engine) struct Packed {
    own: Vec<f32>,
    elements: usize,
    /// The place that they have settled at, in a store that the program keeps as long as its steps: it is not written again.
    place: Shared,
}

impl Packed {
    pub(in crate::engine) fn new(own: Vec<f32>) -> Self {
        Self {
            elements: own.len(),
            own,
            place: Shared::new(std::ptr::null_mut()),
        }
    }

    pub(in crate::engine) fn elements(&self) -> usize {
        self.elements
    }

    /// The first number; null before they have settled.
    pub(in crate::engine) fn start(&self) -> *const f32 {
        self.place.start().cast_const()
    }
}

/// Numbers as f16, two to an element, and as many zeros as a vector may read past their end.
pub(in crate::engine) fn halves(numbers: &[f32]) -> Vec<f32> {
    let bits = |x: Option<&f32>| u32::from(half::f16::from_f32(x.copied().unwrap_or(0.0)).to_bits());
    let element = |pair: &[f32]| f32::from_bits(bits(pair.first()) | bits(pair.get(1)) << 16);
    let padding = std::iter::repeat_n(0.0, MAX_LANES.div_ceil(2));
    numbers.chunks(2).map(element).chain(padding).collect()
}

/// Prepared weights of a format where they lie.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Stored {
    start: *const f32,
    format: Format,
}

impl Stored {
    pub(in crate::engine) fn new(start: *const f32, format: Format) -> Self {
        Self { start, format }
    }

    /// The elements from `at` on as products take them: as they lie, or `count` of them widened into `room`.
    ///
    /// # Safety
    /// There are `count` of them, in f16 with a vector more behind them as [`halves`] adds it; `room` has [`Stored::room`].
    #[inline(always)]
    pub(in crate::engine) unsafe fn from<S: Simd>(
        self,
        s: S,
        at: usize,
        count: usize,
        room: *mut f32,
    ) -> *const f32 {
        match self.format {
            Format::F16 => {}
            Format::F32 | Format::Bf16 | Format::I16 | Format::I8x2 | Format::Int8 => {
                return self.start.wrapping_add(at);
            }
        }
        let halves = self.start.cast::<u16>().wrapping_add(at);
        let mut i = 0;
        while i < count {
            s.prefetch(halves.wrapping_add(i + HALVES_PREFETCH).cast());
            // SAFETY: `i` is below `count`, and a vector more than `count` is there to read and to write, by the contract above.
            unsafe { s.store(room.add(i), s.widen(halves.add(i))) };
            i += S::LANES;
        }
        room
    }

    /// The first element.
    pub(in crate::engine) fn start(self) -> *const f32 {
        self.start
    }

    /// Elements of room for `count` weights at a time.
    pub(in crate::engine) fn room(format: Format, count: usize) -> usize {
        match format {
            Format::F16 => count + MAX_LANES,
            Format::F32 | Format::Bf16 | Format::I16 | Format::I8x2 | Format::Int8 => 0,
        }
    }
}

/// The prefetch distance of f16 weights, elements: as many bytes as [`WEIGHTS_PREFETCH`](crate::engine::micro::gemm::WEIGHTS_PREFETCH).
const HALVES_PREFETCH: usize = 2048;

/// The weights of all steps in the order they are used, on few large pages: they stream through, and what is asked for
/// ahead runs on into the next layer.
#[derive(Debug)]
pub(in crate::engine) struct Store {
    chunks: Vec<Memory>,
    /// Elements of a chunk, unless one step needs more.
    chunk: usize,
    /// Elements of the last chunk that are taken: whole cache lines, and never more than it has.
    taken: usize,
}

/// Elements of a chunk of [`Store::default`]: with the address sanitizer none, so that each step's weights are a block of
/// their own, whose ends it watches.
const CHUNK: usize = if cfg!(zoo_asan) { 0 } else { 16 << 20 };

impl Default for Store {
    fn default() -> Self {
        Self::of(CHUNK)
    }
}

impl Store {
    /// An empty store with chunks of `chunk` elements.
    fn of(chunk: usize) -> Self {
        Self {
            chunks: Vec::new(),
            chunk,
            taken: 0,
        }
    }

    /// Moves the numbers here, and frees what they took before.
    pub(in crate::engine) fn settle(&mut self, packed: &mut Packed) -> io::Result<()> {
        // A step's weights begin at a cache line, so that is what they are counted in, too: were they counted in elements, those
        // that end in the midst of the chunk's last line would take more than there is.
        let elements = packed.elements.next_multiple_of(MAX_LANES);
        let room = self
            .chunks
            .last()
            .map_or(0, |chunk| chunk.elements() - self.taken);
        if self.chunks.is_empty() || elements > room {
            let chunk = elements.max(self.chunk.next_multiple_of(MAX_LANES));
            self.chunks.push(Memory::new(chunk * size_of::<f32>())?);
            self.taken = 0;
        }
        let chunk = self.chunks.last_mut().expect("pushed above");
        assert!(
            elements <= chunk.elements() - self.taken,
            "room for {elements} weights"
        );
        // SAFETY: a chunk begins at a cache line, and has room for as many numbers behind those that are taken.
        unsafe {
            let place = chunk.start().add(self.taken);
            place.copy_from_nonoverlapping(packed.own.as_ptr(), packed.elements);
            packed.place = Shared::new(place);
        }
        packed.own = Vec::new();
        self.taken += elements;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of step `index`.
    fn numbers(index: usize, elements: usize) -> Vec<f32> {
        (0..elements).map(|i| (index * 1000 + i) as f32).collect()
    }

    fn settled(packed: &Packed) -> &[f32] {
        // SAFETY: the store, which the caller holds, keeps the numbers that have settled.
        unsafe { std::slice::from_raw_parts(packed.start(), packed.elements()) }
    }

    #[test]
    fn weights_of_any_number_stay_in_their_chunk_and_leave_each_other_alone() {
        for chunk in [0, 1, 16, 40, 64] {
            // Below, at and above whole cache lines and whole chunks, and more after each.
            for first in 1..140 {
                let mut store = Store::of(chunk);
                let sizes = [first, 7, 16, 33, first, 1];
                let mut steps = Vec::new();
                for (index, size) in sizes.into_iter().enumerate() {
                    let mut packed = Packed::new(numbers(index, size));
                    store.settle(&mut packed).expect("memory");
                    let last = store.chunks.last().expect("a chunk");
                    assert!(store.taken <= last.elements(), "{chunk}, {first}, step {index}");
                    let chunk = last.start_const()..last.start_const().wrapping_add(last.elements());
                    let end = packed.start().wrapping_add(size);
                    assert!(chunk.contains(&packed.start()) && end <= chunk.end);
                    assert_eq!(packed.start().align_offset(64), 0, "a cache line's begin");
                    steps.push(packed);
                }
                for (index, packed) in steps.iter().enumerate() {
                    assert_eq!(settled(packed), numbers(index, sizes[index]), "{chunk}, {first}");
                }
            }
        }
    }

    #[test]
    fn weights_that_end_in_the_midst_of_a_line_of_a_whole_chunk_are_followed_by_a_new_one() {
        let mut store = Store::of(64);
        for elements in [65, 64 - 8, 9, 64 + 8, 24] {
            let mut packed = Packed::new(numbers(1, elements));
            store.settle(&mut packed).expect("memory");
            assert_eq!(settled(&packed), numbers(1, elements));
        }
        let sizes: Vec<usize> = store.chunks.iter().map(Memory::elements).collect();
        assert_eq!(sizes, [80, 64, 64, 80, 64]);
    }
}

//! Prepared weights.

/// Numbers that are a step's own until its program gathers those of all steps, in the order they are used: they then
/// stream through on few large pages, and what is asked for ahead runs on into the next layer.
#[derive(Debug)]
pub(super) struct Packed {
    own: Vec<f32>,
    place: usize,
    elements: usize,
}

impl Packed {
    pub(super) fn new(own: Vec<f32>) -> Self {
        Self {
            elements: own.len(),
            own,
            place: 0,
        }
    }

    pub(super) fn elements(&self) -> usize {
        self.elements
    }

    /// Moves the numbers to the first of the free elements, which become fewer.
    pub(super) fn settle(&mut self, memory: &mut [f32], taken: &mut usize) {
        self.place = *taken;
        *taken += self.elements;
        memory[self.place..*taken].copy_from_slice(&self.own);
        self.own = Vec::new();
    }

    /// The first number, once settled in the memory that begins at `memory`.
    pub(super) fn at(&self, memory: *const f32) -> *const f32 {
        memory.wrapping_add(self.place)
    }
}

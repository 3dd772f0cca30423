//! Fourth pass: the place of each value in a program's memory. Values that live at the same time do not overlap.

use kernels::engine::{Access, Op};

use super::fuse::{Fused, Plan, ValueId, value};

/// Offsets are multiples of this, so that channels begin at a cache line.
const ALIGNMENT: usize = 16;

/// The ways to read a value.
const READS: &[Access] = &[Access::Read, Access::Added, Access::InPlace];

/// The offset of each value, of which `elements` are needed, and the elements that all of them need.
pub(super) fn offsets(plan: &Plan, elements: &[usize]) -> (Vec<usize>, usize) {
    let last = last_reads(plan);
    let mut memory = Memory::default();
    let mut offsets = vec![0; elements.len()];
    for (index, op) in plan.ops.iter().enumerate() {
        if op.output().is_none() {
            continue;
        }
        let dies = |value: &ValueId| last[value.0] == index;
        let mut heir = None;
        for output in uses(op, &[Access::Write]) {
            // What is read place by place and never again gives its place to the output.
            let suits = |value: &ValueId| dies(value) && elements[value.0] == elements[output.0];
            heir = uses(op, &[Access::InPlace]).into_iter().rev().find(suits);
            offsets[output.0] = match heir {
                Some(heir) => offsets[heir.0],
                None => memory.take(elements[output.0]),
            };
        }
        for output in uses(op, &[Access::WriteApart]) {
            offsets[output.0] = memory.take(elements[output.0]);
        }
        let dead = uses(op, READS);
        for dead in dead
            .into_iter()
            .filter(|value| dies(value) && Some(*value) != heir)
        {
            memory.give(offsets[dead.0], elements[dead.0]);
        }
    }
    (offsets, memory.end)
}

/// The values that an operation uses in one of these ways, each once.
fn uses(op: &Op<Fused>, ways: &[Access]) -> Vec<ValueId> {
    let mut values = Vec::new();
    for (access, operand) in op.operands() {
        let value = value(operand);
        if ways.contains(&access) && !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// The last operation that reads each value.
fn last_reads(plan: &Plan) -> Vec<usize> {
    let mut last = vec![usize::MAX; plan.values.len()];
    for (index, op) in plan.ops.iter().enumerate() {
        for value in uses(op, READS) {
            last[value.0] = index;
        }
    }
    last
}

/// Free ranges, by offset.
#[derive(Default)]
struct Memory {
    free: Vec<(usize, usize)>,
    end: usize,
}

impl Memory {
    /// The smallest free range that is large enough, or new memory at the end.
    fn take(&mut self, elements: usize) -> usize {
        let elements = elements.next_multiple_of(ALIGNMENT);
        let fits = self
            .free
            .iter()
            .enumerate()
            .filter(|(_, (_, size))| *size >= elements);
        if let Some((index, (offset, size))) = fits.min_by_key(|(_, (_, size))| *size).map(|(i, r)| (i, *r)) {
            if size == elements {
                self.free.remove(index);
            } else {
                self.free[index] = (offset + elements, size - elements);
            }
            return offset;
        }
        let offset = self.end;
        self.end += elements;
        offset
    }

    fn give(&mut self, offset: usize, elements: usize) {
        let elements = elements.next_multiple_of(ALIGNMENT);
        let at = self.free.partition_point(|(start, _)| *start < offset);
        self.free.insert(at, (offset, elements));
        let mut joined: Vec<(usize, usize)> = Vec::with_capacity(self.free.len());
        for (start, size) in self.free.drain(..) {
            match joined.last_mut() {
                Some((before, length)) if *before + *length == start => *length += size,
                _ => joined.push((start, size)),
            }
        }
        self.free = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_taken_again() {
        let mut memory = Memory::default();
        let [a, b, c] = [100, 200, 300].map(|elements| memory.take(elements));
        assert_eq!([a, b, c], [0, 112, 320]);
        memory.give(a, 100);
        memory.give(c, 300);
        assert_eq!(memory.take(250), 320, "the smallest that is large enough");
        memory.give(b, 200);
        assert_eq!(memory.take(320), 0, "neighbours have joined");
        assert_eq!(memory.end, 624);
    }
}

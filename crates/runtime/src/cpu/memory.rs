//! The place of each value in a program's memory: values that live at the same time do not overlap.

use super::plan::{Plan, Value, Work};

/// Offsets are multiples of this, so that channels begin at a cache line.
pub(super) const ALIGNMENT: usize = 16;

/// The offset of each value, and the elements that all of them need.
pub(super) fn offsets(plan: &Plan, elements: &[usize]) -> (Vec<usize>, usize) {
    let last = last_reads(plan);
    let mut memory = Memory::default();
    let mut offsets = vec![0; elements.len()];
    for (index, step) in plan.steps.iter().enumerate() {
        let Some(output) = step.output else { continue };
        // A sum that nobody reads later gives its place to the result: each element is read before it is written.
        let heir = step
            .sum
            .filter(|sum| last[*sum] == index && elements[*sum] == elements[output]);
        offsets[output] = match heir {
            Some(sum) => offsets[sum],
            None => memory.take(elements[output]),
        };
        for dead in reads(step).filter(|value| last[*value] == index && Some(*value) != heir) {
            memory.give(offsets[dead], elements[dead]);
        }
    }
    (offsets, memory.end)
}

fn reads(step: &super::plan::PlanStep) -> impl Iterator<Item = Value> {
    let mut values = Work::reads(&step.work);
    values.extend(step.sum);
    values.sort_unstable();
    values.dedup();
    values.into_iter()
}

/// The last step that reads each value.
fn last_reads(plan: &Plan) -> Vec<usize> {
    let mut last = vec![usize::MAX; plan.values.len()];
    for (index, step) in plan.steps.iter().enumerate() {
        for value in reads(step) {
            last[value] = index;
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

use std::ops::Range;

/// A set of byte offsets, kept as ranges that neither touch nor overlap, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// Adds every offset of the range.
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // Those that touch the new range lie side by side; they and it become one.
        let first = self.0.partition_point(|held| held.end < range.start);
        let last = self.0.partition_point(|held| held.start <= range.end);
        let joined = match self.0.get(first..last) {
            Some([one]) => range.start.min(one.start)..range.end.max(one.end),
            Some([one, .., other]) => range.start.min(one.start)..range.end.max(other.end),
            _ => range,
        };
        self.0.splice(first..last, [joined]);
    }

    /// Takes out every offset of the range.
    pub(crate) fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let cut = |held: &Range<u64>| {
            let before = held.start..held.end.min(range.start);
            let after = held.start.max(range.end)..held.end;
            [before, after].into_iter().filter(|part| !part.is_empty())
        };
        self.0 = self.0.iter().flat_map(cut).collect();
    }

    /// The number of offsets in it.
    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// The first offset it does not hold.
    pub(crate) fn front(&self) -> u64 {
        self.0
            .first()
            .filter(|range| range.start == 0)
            .map_or(0, |range| range.end)
    }

    /// Returns whether it holds an offset of the range.
    pub(crate) fn meets(&self, range: &Range<u64>) -> bool {
        self.0
            .iter()
            .any(|held| held.start < range.end && range.start < held.end)
    }

    /// The first gap at or after `from`, ending at `total` at the latest.
    pub(crate) fn gap(&self, from: u64, total: u64) -> Option<Range<u64>> {
        let mut start = from;
        for held in &self.0 {
            if held.end <= start {
                continue;
            }
            if held.start > start {
                return (start < total).then(|| start..held.start.min(total));
            }
            start = held.end;
        }
        (start < total).then_some(start..total)
    }

    /// The ranges, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Range<u64>> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_of_ranges_is_a_set_of_offsets(steps in prop::collection::vec((any::<bool>(), 0_u64..40, 0_u64..12), 0..24)) {
            let mut ranges = Ranges::default();
            let mut plain = [false; 64];
            for (add, start, length) in steps {
                let range = start..start + length;
                for offset in range.clone() {
                    plain[usize::try_from(offset).expect("small")] = add;
                }
                if add { ranges.insert(range) } else { ranges.remove(range) }
            }
            let held = |offset: u64| plain[usize::try_from(offset).expect("small")];
            prop_assert_eq!(ranges.len(), plain.iter().filter(|held| **held).count() as u64);
            prop_assert_eq!(ranges.front(), (0..64).find(|offset| !held(*offset)).unwrap_or(64));
            for from in 0..64 {
                prop_assert_eq!(ranges.meets(&(from..from + 1)), held(from));
                let start = (from..60).find(|offset| !held(*offset));
                let gap = start.map(|start| start..(start..60).find(|offset| held(*offset)).unwrap_or(60));
                prop_assert_eq!(ranges.gap(from, 60), gap);
            }
            let apart = ranges.iter().zip(ranges.iter().skip(1)).all(|(a, b)| a.start < a.end && a.end < b.start);
            prop_assert!(apart);
        }
    }
}

//! What a step must hold to before it may run: the reason why running one is safe.

use std::ops::Range;

use super::{Op, Step};
use crate::engine::grid::Grid;
use crate::engine::maps::Map;

impl Step {
    /// Refuses ranges outside of `memory` elements, outputs over inputs, and shapes that do not go together.
    pub(in crate::engine) fn check(&self, memory: usize) {
        let alike = |a: &Map, b: &Map| a.grid == b.grid && a.channels == b.channels;
        let fits = |sum: &Option<Map>, to: &Map| sum.as_ref().is_none_or(|sum| alike(sum, to));
        // Sums are read where they are written, so they may lie where the output does.
        let (reads, writes, sums) = match &self.0 {
            Op::Load { to } => (vec![], vec![to.range()], vec![]),
            Op::Conv {
                conv,
                from,
                to,
                residual,
            } => {
                let shape = conv.shape();
                assert!(conv.joins(from.grid, to.grid), "{self}");
                assert_eq!(
                    (from.channels, to.channels),
                    (conv.format().elements(shape.inputs), shape.outputs),
                    "{self}"
                );
                assert!(fits(residual, to), "{self}");
                (
                    vec![from.range()],
                    vec![to.range()],
                    residual.iter().map(Map::range).collect(),
                )
            }
            Op::Pack {
                packing, from, to, ..
            } => {
                let elements = packing.format.elements(from.channels);
                let size = |grid: Grid| (grid.n, grid.h, grid.w);
                assert_eq!(size(from.grid), size(to.grid), "{self}");
                assert_eq!(to.channels, elements, "{self}");
                let steps = packing.steps.len();
                assert!(
                    steps == from.channels || !packing.format.whole(),
                    "{self}: {steps} steps"
                );
                (vec![from.range()], vec![to.range()], vec![])
            }
            Op::Enlarge {
                factor,
                from,
                to,
                sum,
                ..
            } => {
                assert_eq!(
                    (from.grid.h * factor, from.grid.w * factor),
                    (to.grid.h, to.grid.w),
                    "{self}"
                );
                assert!(from.channels == to.channels && fits(sum, to), "{self}");
                (
                    vec![from.range()],
                    vec![to.range()],
                    sum.iter().map(Map::range).collect(),
                )
            }
            Op::Add { a, b, to, .. } => {
                assert!(alike(a, to) && fits(b, to), "{self}");
                (
                    vec![],
                    vec![to.range()],
                    b.iter().chain([a]).map(Map::range).collect(),
                )
            }
            Op::Pool { from, to } => {
                assert_eq!((from.channels, from.grid.n), (to.channels, to.n), "{self}");
                (vec![from.range()], vec![to.range()], vec![])
            }
            Op::Linear { linear, from, to, .. } => {
                assert_eq!((linear.bias.len(), from.n), (to.channels, to.n), "{self}");
                (vec![from.range()], vec![to.range()], vec![])
            }
            Op::Gate {
                from, gate, sum, to, ..
            } => {
                assert!(alike(from, to) && fits(sum, to), "{self}");
                assert_eq!((gate.channels, gate.n), (to.channels, to.grid.n), "{self}");
                let sums = sum.iter().chain([from]).map(Map::range).collect();
                (vec![gate.range()], vec![to.range()], sums)
            }
            Op::StoreMap { from } => (vec![from.range()], vec![], vec![]),
            Op::StoreRow { from } => (vec![from.range()], vec![], vec![]),
        };
        for range in reads.iter().chain(&writes).chain(&sums) {
            assert!(range.end <= memory, "{self}: {range:?} of {memory} elements");
        }
        for written in &writes {
            let over = |range: &Range<usize>| range.start < written.end && written.start < range.end;
            assert!(!reads.iter().any(over), "{self}: writes over what it reads");
            assert!(
                sums.iter().all(|range| range == written || !over(range)),
                "{self}: writes over a part of a sum"
            );
        }
    }
}

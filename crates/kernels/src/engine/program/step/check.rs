//! What a step must hold to before it may run: the reason why running one is safe.

use std::ops::Range;

use super::{Op, Step};
use crate::engine::layout::grid::Grid;
use crate::engine::layout::map::{Map, Row};
use crate::engine::quant::format::Format;
use crate::engine::simd::isa::Isa;

/// Why a step may not run in a program: the plan is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its tables are laid out for vectors of another unit.
    #[error("it is prepared for {prepared}, and the program runs on {unit}")]
    Unit {
        /// The unit of the step.
        prepared: &'static str,
        /// The unit of the program.
        unit: &'static str,
    },
    /// The unit has no instruction for the operands.
    #[error("{unit} multiplies no {format}")]
    Format {
        /// The unit of the program.
        unit: &'static str,
        /// The format of the step's operands.
        format: Format,
    },
    /// A side of a map is 0, or there are more elements than can be counted.
    #[error("a map or row has no elements, or more than can be counted")]
    Size,
    /// Grids that do not go together.
    #[error("{from:?} does not go to {to:?}")]
    Grids {
        /// The grid that is read.
        from: Grid,
        /// The grid that is written.
        to: Grid,
    },
    /// Maps that are added or gated lie on other grids than the sum, or have other channels.
    #[error("what is added has another grid or other channels than the sum")]
    Unlike,
    /// Images or channels of one value do not suit another, or its parameters.
    #[error("{what}: {actual}, expected {expected}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        actual: usize,
        /// How many there must be.
        expected: usize,
    },
    /// A value does not lie in the program's memory.
    #[error("elements {start} to {end} of a memory of {memory}")]
    Outside {
        /// Its first element.
        start: usize,
        /// The element behind its last.
        end: usize,
        /// Elements of the memory.
        memory: usize,
    },
    /// The output lies over an input that is still read.
    #[error("it writes over what it reads")]
    Overwrites,
    /// The output lies over a part of what is added: where sums are read and written place by place, all of it may.
    #[error("it writes over a part of a sum")]
    OverwritesSum,
}

/// Values that a step reads and writes.
struct Uses {
    reads: Vec<Range<usize>>,
    writes: Vec<Range<usize>>,
    /// Sums are read where they are written, so they may lie where the output does.
    sums: Vec<Range<usize>>,
}

impl Step {
    /// Refuses steps that were prepared for another unit than `isa`, ranges outside of `memory` elements, outputs over
    /// inputs, and shapes that do not go together.
    pub(in crate::engine) fn check(&self, memory: usize, isa: Isa) -> Result<(), Refusal> {
        if let Some(prepared) = self.isa().filter(|prepared| *prepared != isa) {
            return Err(Refusal::Unit {
                prepared: prepared.name(),
                unit: isa.name(),
            });
        }
        self.uses(isa)?.check(memory)
    }

    /// The values that it reads and writes, whose shapes go together.
    fn uses(&self, isa: Isa) -> Result<Uses, Refusal> {
        Ok(match &self.0 {
            Op::Load { to } => Uses::new(&[], &[map(to)?], &[]),
            Op::Conv {
                conv,
                from,
                to,
                residual,
            } => {
                let shape = conv.shape();
                goes(conv.joins(from.grid, to.grid), from, to)?;
                let elements = conv.format().elements(shape.inputs);
                count("elements of inputs", from.channels, elements)?;
                count("outputs", to.channels, shape.outputs)?;
                Uses::new(&[map(from)?], &[map(to)?], &added(residual.as_slice(), to)?)
            }
            Op::Pack {
                packing, from, to, ..
            } => {
                let (format, unit) = (packing.format, isa.name());
                isa.multiplies(format).ok_or(Refusal::Format { unit, format })?;
                let size = |grid: Grid| (grid.n, grid.h, grid.w);
                goes(size(from.grid) == size(to.grid), from, to)?;
                count("elements", to.channels, format.elements(from.channels))?;
                if format.whole() {
                    count("steps of channels", packing.steps.len(), from.channels)?;
                }
                Uses::new(&[map(from)?], &[map(to)?], &[])
            }
            Op::Enlarge {
                factor,
                from,
                to,
                sum,
                ..
            } => {
                let grown = |side: usize| side.checked_mul(*factor);
                let size = (Some(to.grid.n), Some(to.grid.h), Some(to.grid.w));
                let Grid { n, h, w, .. } = from.grid;
                goes((Some(n), grown(h), grown(w)) == size, from, to)?;
                count("channels", to.channels, from.channels)?;
                Uses::new(&[map(from)?], &[map(to)?], &added(sum.as_slice(), to)?)
            }
            Op::Add { a, b, to, .. } => {
                let sums = [added(&[*a], to)?, added(b.as_slice(), to)?].concat();
                Uses::new(&[], &[map(to)?], &sums)
            }
            Op::Pool { from, to } => {
                count("channels", to.channels, from.channels)?;
                count("images", to.n, from.grid.n)?;
                Uses::new(&[map(from)?], &[row(to)?], &[])
            }
            Op::Linear { linear, from, to, .. } => {
                count("biases", linear.bias.len(), to.channels)?;
                count("images", to.n, from.n)?;
                Uses::new(&[row(from)?], &[row(to)?], &[])
            }
            Op::Gate {
                from, gate, sum, to, ..
            } => {
                count("gates", gate.channels, to.channels)?;
                count("images of gates", gate.n, to.grid.n)?;
                let sums = [added(&[*from], to)?, added(sum.as_slice(), to)?].concat();
                Uses::new(&[row(gate)?], &[map(to)?], &sums)
            }
            Op::StoreMap { from } => Uses::new(&[map(from)?], &[], &[]),
            Op::StoreRow { from } => Uses::new(&[row(from)?], &[], &[]),
        })
    }
}

impl Uses {
    fn new(reads: &[Range<usize>], writes: &[Range<usize>], sums: &[Range<usize>]) -> Self {
        Self {
            reads: reads.to_vec(),
            writes: writes.to_vec(),
            sums: sums.to_vec(),
        }
    }

    /// Refuses values that do not lie in the memory, and outputs over inputs.
    fn check(&self, memory: usize) -> Result<(), Refusal> {
        let Self { reads, writes, sums } = self;
        for &Range { start, end } in reads.iter().chain(writes).chain(sums) {
            if end > memory {
                return Err(Refusal::Outside { start, end, memory });
            }
        }
        for written in writes {
            let over = |range: &Range<usize>| range.start < written.end && written.start < range.end;
            if reads.iter().any(over) {
                return Err(Refusal::Overwrites);
            }
            if sums.iter().any(|range| range != written && over(range)) {
                return Err(Refusal::OverwritesSum);
            }
        }
        Ok(())
    }
}

/// The elements of a value that begins at `offset`.
fn range(offset: usize, elements: Option<usize>) -> Result<Range<usize>, Refusal> {
    let end = elements.filter(|elements| *elements > 0);
    let end = end.and_then(|elements| offset.checked_add(elements));
    Ok(offset..end.ok_or(Refusal::Size)?)
}

fn map(map: &Map) -> Result<Range<usize>, Refusal> {
    let stride = map.grid.checked_stride();
    range(
        map.offset,
        stride.and_then(|stride| stride.checked_mul(map.channels)),
    )
}

fn row(row: &Row) -> Result<Range<usize>, Refusal> {
    range(row.offset, row.n.checked_mul(row.channels))
}

/// The elements of what is added to `to` place by place.
fn added(sums: &[Map], to: &Map) -> Result<Vec<Range<usize>>, Refusal> {
    let like = |sum: &Map| sum.grid == to.grid && sum.channels == to.channels;
    if sums.iter().all(like) {
        sums.iter().map(map).collect()
    } else {
        Err(Refusal::Unlike)
    }
}

fn goes(fits: bool, from: &Map, to: &Map) -> Result<(), Refusal> {
    let (from, to) = (from.grid, to.grid);
    fits.then_some(()).ok_or(Refusal::Grids { from, to })
}

fn count(what: &'static str, actual: usize, expected: usize) -> Result<(), Refusal> {
    (actual == expected).then_some(()).ok_or(Refusal::Count {
        what,
        actual,
        expected,
    })
}

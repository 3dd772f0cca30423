//! The conditions under which an operation may run: the reason why running one is safe.

use std::ops::Range;

use super::form::Placed;
use super::op::Op;
use super::parts::{Access, Operand};
use crate::engine::algo::conv::ConvParams;
use crate::engine::algo::layer::Algorithm;
use crate::engine::layout::grid::{Grid, Rows};
use crate::engine::layout::map::{Map, Row};
use crate::engine::layout::planes::Planes;
use crate::engine::quant::format::{Format, Packing};
use crate::engine::simd::isa::{Isa, Target};

/// Why an operation may not run in a program: the plan is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The unit has no instruction for the operands.
    #[error("{unit} multiplies no {format}")]
    Format {
        /// The unit of the program.
        unit: &'static str,
        /// The format of the operands.
        format: Format,
    },
    /// A linear layer's weights are to be kept in another format than f32 and f16.
    #[error("a linear layer keeps its weights in f32 or f16, not in {0}")]
    Kept(Format),
    /// A convolution of a kernel or stride that the engine does not compute.
    #[error(
        "a kernel of {kernel}x{kernel} of stride {stride}; expected 1x1 of stride 1, or 3x3 of stride 1 or 2"
    )]
    Window {
        /// Side of the kernel.
        kernel: usize,
        /// Its stride.
        stride: usize,
    },
    /// An algorithm that does not compute the layer.
    #[error("{algorithm} does not compute {layer}")]
    Algorithm {
        /// The algorithm.
        algorithm: Algorithm,
        /// The layer.
        layer: String,
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
    /// Images, channels or parameters of one value do not suit another.
    #[error("{what}: {actual}, expected {expected}")]
    Count {
        /// The things that were counted.
        what: &'static str,
        /// Their number.
        actual: usize,
        /// The number that suits.
        expected: usize,
    },
    /// An operation that works channel by channel is given operands in planes.
    #[error("operands in planes, which convolutions on a matrix unit alone read")]
    Planes,
    /// A convolution with neither a map nor operands to write.
    #[error("it has no output")]
    NoOutput,
    /// The output lies over an input that is still read.
    #[error("it writes over what it reads")]
    Overwrites,
    /// The output lies over a part of what is added: where sums are read and written place by place, all of it may.
    #[error("it writes over a part of a sum")]
    OverwritesSum,
}

/// Elements that operations read and write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The end of their values in the program's memory.
    pub(super) memory: usize,
    /// Elements of the images.
    pub(super) images: usize,
    /// Elements of the results.
    pub(super) results: usize,
}

impl Needs {
    /// Returns the needs of both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            memory: self.memory.max(other.memory),
            images: self.images.max(other.images),
            results: self.results.max(other.results),
        }
    }
}

impl Op<Placed> {
    /// Checks that the operation can run on a target: its values and parameters go together, and its output lies over nothing
    /// that is still read. Returns the elements that its values need.
    ///
    /// # Errors
    /// The reason why it cannot.
    pub(super) fn check(&self, target: Target) -> Result<Needs, Refusal> {
        let needs = self.fits(target)?;
        let (mut reads, mut in_place, mut writes) = (Vec::new(), Vec::new(), Vec::new());
        for (access, operand) in self.operands() {
            let range = range(operand)?;
            match access {
                Access::Read | Access::Added => reads.push(range),
                Access::InPlace => in_place.push(range),
                Access::Write | Access::WriteApart => writes.push((access, range)),
            }
        }
        let written = writes.iter().map(|(_, range)| range);
        let ranges = reads.iter().chain(&in_place).chain(written);
        let memory = ranges.map(|range| range.end).max().unwrap_or(0);
        for (index, (access, written)) in writes.iter().enumerate() {
            let over = |range: &Range<usize>| range.start < written.end && written.start < range.end;
            let others = writes[..index].iter().map(|(_, range)| range);
            if reads.iter().chain(others).any(over) {
                return Err(Refusal::Overwrites);
            }
            let replaces = |range: &Range<usize>| *access == Access::Write && range == written;
            if in_place.iter().any(|range| !replaces(range) && over(range)) {
                return Err(Refusal::OverwritesSum);
            }
        }
        Ok(Needs { memory, ..needs })
    }

    /// Checks that the values and parameters go together; returns what is needed outside of the memory.
    fn fits(&self, target: Target) -> Result<Needs, Refusal> {
        if !matches!(self, Self::Conv { .. } | Self::Pack { .. }) && self.operands().iter().any(in_planes) {
            return Err(Refusal::Planes);
        }
        match self {
            Self::Load { to } => {
                map(to)?;
                return Ok(Needs {
                    images: to.pixels(),
                    ..Needs::default()
                });
            }
            Self::Conv {
                conv,
                from,
                sum,
                adds,
                to,
                packs,
                ..
            } => {
                let operands = packs.as_ref().map(|packs| &packs.to);
                let output = to.as_ref().or(operands).ok_or(Refusal::NoOutput)?;
                conv.fits(from, output.grid.of_map(), target)?;
                if let Some(adds) = adds {
                    let grid = output.grid.of_map();
                    let on_planes = [from, adds].iter().all(|map| map.grid.rows == Rows::Planes);
                    let alike = adds.grid.of_map() == grid
                        && adds.channels == Format::Bf16.elements(conv.shape.outputs);
                    let alone = conv.format == Format::Bf16 && sum.is_none();
                    (on_planes && alike && alone)
                        .then_some(())
                        .ok_or(Refusal::Unlike)?;
                }
                if let Some(to) = to {
                    goes(to.grid.rows != Rows::Planes, from, to)?;
                    count("outputs", to.channels, conv.shape.outputs)?;
                    added(sum.as_slice(), to)?;
                }
                if let Some(packs) = packs {
                    let grid = output.grid.of_map();
                    let alike = packs.to.grid.of_map() == grid && packs.to.grid.rows == Rows::Planes;
                    let writes =
                        from.grid.rows == Rows::Planes && packs.packing.format.tiles_like(conv.format);
                    goes(alike && writes, from, &packs.to)?;
                    packed(&packs.packing, conv.shape.outputs, &packs.to)?;
                    let like = |sum: &Map| sum.grid == grid && sum.channels == conv.shape.outputs;
                    sum.iter().all(like).then_some(()).ok_or(Refusal::Unlike)?;
                }
            }
            Self::Pack {
                packing, from, to, ..
            } => {
                multiplies(target.isa, packing.format)?;
                let size = |grid: Grid| (grid.n, grid.h, grid.w);
                goes(size(from.grid) == size(to.grid), from, to)?;
                goes(from.grid.rows != Rows::Planes, from, to)?;
                if to.grid.rows == Rows::Planes {
                    let aligned = from.grid == to.grid.of_map() && Planes::suit(from.grid);
                    goes(aligned, from, to)?;
                }
                packed(packing, from.channels, to)?;
            }
            Self::Upsample {
                factor,
                from,
                sum,
                to,
                ..
            } => {
                let grown = |side: usize| side.checked_mul(*factor);
                let size = (Some(to.grid.n), Some(to.grid.h), Some(to.grid.w));
                let Grid { n, h, w, .. } = from.grid;
                goes((Some(n), grown(h), grown(w)) == size, from, to)?;
                count("channels", to.channels, from.channels)?;
                added(sum.as_slice(), to)?;
            }
            Self::Add { a, sum, to, .. } => {
                added(&[*a], to)?;
                added(sum.as_slice(), to)?;
            }
            Self::Concat { from, to } => {
                let mut channels = 0_usize;
                for map in from {
                    goes(map.grid == to.grid, map, to)?;
                    channels = channels.checked_add(map.channels).ok_or(Refusal::Size)?;
                }
                count("channels", to.channels, channels)?;
            }
            Self::Pool { from, to } => {
                count("channels", to.channels, from.channels)?;
                count("images", to.n, from.grid.n)?;
            }
            Self::Linear { linear, from, to, .. } => {
                if !matches!(linear.format, Format::F32 | Format::F16) {
                    return Err(Refusal::Kept(linear.format));
                }
                let weights = from.channels.checked_mul(to.channels).ok_or(Refusal::Size)?;
                count("weights of a linear layer", linear.weights.len(), weights)?;
                count("biases", linear.bias.len(), to.channels)?;
                count("images", to.n, from.n)?;
            }
            Self::Gate {
                from, gate, sum, to, ..
            } => {
                count("gates", gate.channels, to.channels)?;
                count("images of gates", gate.n, to.grid.n)?;
                added(&[*from], to)?;
                added(sum.as_slice(), to)?;
            }
            Self::StoreMap { from, at } => {
                map(from)?;
                return stored(*at, from.pixels());
            }
            Self::StoreRow { from, at } => {
                row(from)?;
                return stored(*at, from.elements());
            }
        }
        Ok(Needs::default())
    }
}

impl ConvParams {
    /// Checks that the parameters suit two maps and a target.
    fn fits(&self, from: &Map, output: Grid, target: Target) -> Result<(), Refusal> {
        let shape = self.shape;
        self.layer(from.grid, output, target).check(self.algorithm)?;
        let elements = self.format.elements(shape.inputs);
        count("elements of inputs", from.channels, elements)?;
        count("weights of a convolution", self.weights.len(), shape.weights())?;
        count("biases", self.bias.len(), shape.outputs)?;
        for (what, numbers) in [
            ("steps of inputs", &*self.steps),
            ("means of inputs", &self.means),
        ] {
            if !numbers.is_empty() {
                count(what, numbers.len(), shape.inputs)?;
            }
        }
        Ok(())
    }
}

fn in_planes((_, operand): &(Access, Operand<&Map, &Row>)) -> bool {
    matches!(operand, Operand::Map(map) if map.grid.rows == Rows::Planes)
}

/// Checks that maps of `channels` channels can be packed to operands.
fn packed(packing: &Packing, channels: usize, to: &Map) -> Result<(), Refusal> {
    count("elements", to.channels, packing.format.elements(channels))?;
    if packing.format.whole() {
        count("steps of channels", packing.steps.len(), channels)?;
    }
    Ok(())
}

fn multiplies(isa: Isa, format: Format) -> Result<(), Refusal> {
    let unit = isa.name();
    isa.multiplies(format)
        .map(|_| ())
        .ok_or(Refusal::Format { unit, format })
}

/// The elements of a value.
fn range(operand: Operand<&Map, &Row>) -> Result<Range<usize>, Refusal> {
    match operand {
        Operand::Map(it) => map(it),
        Operand::Row(it) => row(it),
    }
}

fn map(map: &Map) -> Result<Range<usize>, Refusal> {
    behind(map.offset, map.checked_elements())
}

fn row(row: &Row) -> Result<Range<usize>, Refusal> {
    behind(row.offset, row.n.checked_mul(row.channels))
}

/// The elements of a value that begins at `offset`.
fn behind(offset: usize, elements: Option<usize>) -> Result<Range<usize>, Refusal> {
    let end = elements.filter(|elements| *elements > 0);
    let end = end.and_then(|elements| offset.checked_add(elements));
    Ok(offset..end.ok_or(Refusal::Size)?)
}

/// The results up to the end of `elements` of them from `at` on.
fn stored(at: usize, elements: usize) -> Result<Needs, Refusal> {
    Ok(Needs {
        results: at.checked_add(elements).ok_or(Refusal::Size)?,
        ..Needs::default()
    })
}

/// Checks that maps can be added to `to` place by place.
fn added(sums: &[Map], to: &Map) -> Result<(), Refusal> {
    let like = |sum: &Map| sum.grid == to.grid && sum.channels == to.channels;
    sums.iter().all(like).then_some(()).ok_or(Refusal::Unlike)
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

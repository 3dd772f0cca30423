//! Matrix units: hardware that multiplies tiles of two matrices, as x86's AMX does.
//!
//! The unit of work is a [`Group`]: up to three blocks of outputs by two vectors of pixels, summed over every input channel
//! and tap. One group is six products of tiles a step at most, which is what the eight tile registers hold beside their
//! operands; nothing of it leaves them before its sums are done.
//!
//! ```text
//!             64 bytes: 4 channels of int8 or 2 of bf16                16 pixels of 4 bytes
//!           ┌───────────────┐                                        ┌───────────────┐
//!  outputs  │ A: weights    │  rows <= 16         channels, 4 or 2   │ B: inputs     │ 16 rows
//!           └───────────────┘                     a row              └───────────────┘
//!                             C += A B: outputs x 16 pixels, i32 or f32
//! ```
//!
//! A row of a tile must not cross a cache line: loads that do take three to six times as long. [`Line`] rules that out.
//!
//! [`MatrixUnit::Twin`] does the same in plain code, to the bit, so that layouts, packing and tails are proved on every
//! machine and the unit itself, on those that have one, against it.

#[cfg(target_arch = "x86_64")]
mod amx;
mod beside;
mod peak;
#[cfg(test)]
mod tests;
mod twin;

use std::cell::UnsafeCell;
use std::marker::PhantomData;

pub use beside::Beside;
pub(in crate::engine) use beside::{Ahead, Fetch, steps};
pub use peak::matrix_peak_macs;

use crate::engine::simd::Simd;

/// A cache line: what a row of a tile of operands or sums fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Line(pub [u8; 64]);

impl Line {
    /// Sixty-four zeros.
    pub const ZERO: Self = Self([0; 64]);

    /// The line as sums in i32, one a pixel.
    pub fn i32s(&self) -> [i32; 16] {
        std::array::from_fn(|i| i32::from_ne_bytes(self.four(i)))
    }

    /// The line as sums in f32, one a pixel.
    pub fn f32s(&self) -> [f32; 16] {
        std::array::from_fn(|i| f32::from_ne_bytes(self.four(i)))
    }

    fn four(&self, i: usize) -> [u8; 4] {
        self.0[4 * i..4 * i + 4].try_into().expect("four bytes")
    }
}

/// Rows of a tile of inputs, and the most of one of weights and sums.
pub const ROWS: usize = 16;

/// Vectors of sixteen pixels in a group.
pub const VECTORS: usize = 2;

/// The most blocks of outputs in a group.
pub const BLOCKS: usize = 3;

/// Lines of the sums of a group: a whole tile for each block and vector.
pub const SUMS: usize = BLOCKS * VECTORS * ROWS;

/// The sums of products of digits as one number, `256 (256 high + mixed) + low`. Each is exact as i32, and rounded to f32 once.
#[inline(always)]
pub(in crate::engine) fn joined<S: Simd>(s: S, [high, mixed, low]: [S::V; 3]) -> S::V {
    let base = s.splat(256.0);
    let upper = s.fma(s.to_f32(high), base, s.to_f32(mixed));
    s.fma(upper, base, s.to_f32(low))
}

/// The operands of a product, and the form of its sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// bf16 by bf16 into f32. Numbers below the normal ones count as zero; every sum is rounded to nearest even.
    Bf16,
    /// i8 weights by u8 inputs into i32.
    I8U8,
    /// i8 weights by i8 inputs into i32.
    I8I8,
    /// u8 weights by i8 inputs into i32.
    U8I8,
    /// u8 weights by u8 inputs into i32.
    U8U8,
}

impl Operand {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Bf16, Self::I8U8, Self::I8I8, Self::U8I8, Self::U8U8];

    /// Channels in four bytes.
    pub const fn channels(self) -> usize {
        match self {
            Self::Bf16 => 2,
            Self::I8U8 | Self::I8I8 | Self::U8I8 | Self::U8U8 => 4,
        }
    }
}

/// A unit that multiplies tiles, which this machine has and this process may use: holding one is the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatrixUnit {
    /// Advanced Matrix Extensions with the instructions for int8 and bf16.
    #[cfg(target_arch = "x86_64")]
    Amx(Amx),
    /// Plain code, to the bit the same.
    Twin,
}

#[cfg(target_arch = "x86_64")]
pub use amx::Amx;

/// Why the hardware's unit is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMatrixUnit {
    /// The CPU has none, or none that this engine knows.
    #[error("this CPU reports no AMX with int8 and bf16")]
    Absent,
    /// The operating system does not save its registers.
    #[error("the operating system does not save AMX's registers")]
    NotSaved,
    /// The kernel refuses this process the registers.
    #[error(
        "the kernel refused this process AMX's registers: arch_prctl(ARCH_REQ_XCOMP_PERM) gave errno {0}"
    )]
    Refused(i32),
}

impl MatrixUnit {
    /// The hardware's unit. The first call asks the kernel for its registers, for the whole process.
    ///
    /// # Errors
    /// If there is none, or the kernel does not let this process use it.
    pub fn hardware() -> Result<Self, NoMatrixUnit> {
        #[cfg(target_arch = "x86_64")]
        return Amx::new().map(Self::Amx);
        #[cfg(not(target_arch = "x86_64"))]
        Err(NoMatrixUnit::Absent)
    }

    /// The hardware's unit if there is one, and its twin.
    pub fn available() -> Vec<Self> {
        Self::hardware().into_iter().chain([Self::Twin]).collect()
    }

    /// `amx` or `amx-twin`.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(_) => "amx",
            Self::Twin => "amx-twin",
        }
    }

    /// Returns the instruction that multiplies tiles of these operands.
    pub fn instruction(self, operand: Operand) -> &'static str {
        match (self, operand) {
            #[cfg(target_arch = "x86_64")]
            (Self::Amx(_), Operand::Bf16) => "AMX tdpbf16ps",
            #[cfg(target_arch = "x86_64")]
            (Self::Amx(_), Operand::I8U8) => "AMX tdpbsud",
            #[cfg(target_arch = "x86_64")]
            (Self::Amx(_), Operand::I8I8) => "AMX tdpbssd",
            #[cfg(target_arch = "x86_64")]
            (Self::Amx(_), Operand::U8I8) => "AMX tdpbusd",
            #[cfg(target_arch = "x86_64")]
            (Self::Amx(_), Operand::U8U8) => "AMX tdpbuud",
            (Self::Twin, _) => "tiles in plain code",
        }
    }

    /// Configures this thread's unit for groups of this shape, runs `work` and releases the unit.
    ///
    /// Configuring takes some 50 ns: do it once a step, not once a group.
    pub fn configured<T>(self, shape: Shape, work: impl FnOnce(&mut Tiles<'_>) -> T) -> T {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Amx(amx) => {
                let on = amx.configure(shape);
                work(&mut Tiles {
                    shape,
                    unit: Running::Amx(&on),
                })
            }
            Self::Twin => work(&mut Tiles {
                shape,
                unit: Running::Twin(PhantomData),
            }),
        }
    }
}

/// The blocks of a group, all of as many outputs: few rows of weights cost almost as much as sixteen, so 18 outputs are two
/// blocks of 9 and not 16 and 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    blocks: usize,
    rows: usize,
    depth: usize,
}

impl Shape {
    /// `blocks` blocks of `rows` outputs each, with inputs of [`ROWS`] rows in a tile.
    ///
    /// # Panics
    /// If there are none or more than [`BLOCKS`], or [`ROWS`] outputs in one.
    pub fn new(blocks: usize, rows: usize) -> Self {
        assert!(
            (1..=BLOCKS).contains(&blocks),
            "{blocks} blocks, of 1 to {BLOCKS}"
        );
        assert!((1..=ROWS).contains(&rows), "{rows} rows, of 1 to {ROWS}");
        let depth = ROWS;
        Self { blocks, rows, depth }
    }

    /// The same with inputs of `depth` rows in a tile. Behind them nothing is read, of inputs as of weights.
    ///
    /// # Panics
    /// If there are none, or more than [`ROWS`].
    #[must_use]
    pub fn with_depth(self, depth: usize) -> Self {
        assert!((1..=ROWS).contains(&depth), "{depth} rows, of 1 to {ROWS}");
        Self { depth, ..self }
    }

    /// Blocks of a group.
    pub(in crate::engine) fn blocks(self) -> usize {
        self.blocks
    }

    /// Outputs of a block.
    pub(in crate::engine) fn rows(self) -> usize {
        self.rows
    }
}

/// The lines where tiles of inputs begin.
#[derive(Clone, Debug)]
pub struct Starts {
    lines: Vec<usize>,
    last: usize,
}

impl Starts {
    /// These lines.
    pub fn new(lines: Vec<usize>) -> Self {
        let last = lines.iter().max().copied().unwrap_or(0);
        Self { lines, last }
    }

    /// Returns all of them.
    pub fn all(&self) -> SomeStarts<'_> {
        SomeStarts {
            lines: &self.lines,
            last: self.last,
        }
    }
}

/// Some of [`Starts`], and the last of all, which is looked for once rather than for each group.
#[derive(Clone, Copy, Debug)]
pub struct SomeStarts<'a> {
    lines: &'a [usize],
    last: usize,
}

impl SomeStarts<'_> {
    /// Returns how many there are.
    pub fn tiles(self) -> usize {
        self.lines.len()
    }

    fn halves(self) -> [Self; 2] {
        let (first, second) = self.lines.split_at(self.lines.len() / 2);
        [first, second].map(|lines| Self { lines, ..self })
    }
}

/// The sums of a group, `[block][vector][row]`, each a line of an output's pixels.
///
/// Work [`Beside`] may read them until the next sums are stored in their place.
#[derive(Debug)]
#[repr(transparent)]
pub struct Sums(UnsafeCell<[Line; SUMS]>);

impl Sums {
    /// All of them at 0.
    pub fn zero() -> Self {
        Self(UnsafeCell::new([Line::ZERO; SUMS]))
    }

    /// Returns the sums.
    pub fn lines(&mut self) -> &mut [Line; SUMS] {
        self.0.get_mut()
    }

    /// The first line, to read from while no group is stored there.
    pub(in crate::engine) fn start(&self) -> *const Line {
        self.0.get().cast()
    }
}

/// The operands of one group of sums.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    /// The operands.
    pub operand: Operand,
    /// `[tile][block][row]`: four or two input channels of one output fill four bytes of a line.
    pub weights: &'a [Line],
    /// The inputs: lines of sixteen pixels, four or two channels of each.
    pub inputs: &'a [Line],
    /// The line of the first vector of each tile's first channels; the second vector follows it.
    pub starts: SomeStarts<'a>,
    /// Lines from some channels of a pixel to the next channels. Where it is odd, rows of a tile lie in different sets of the
    /// cache.
    pub pitch: usize,
}

/// A unit that is configured on this thread.
#[derive(Debug)]
pub struct Tiles<'a> {
    shape: Shape,
    unit: Running<'a>,
}

#[derive(Debug)]
enum Running<'a> {
    #[cfg(target_arch = "x86_64")]
    Amx(&'a amx::Configured),
    Twin(PhantomData<&'a ()>),
}

impl Tiles<'_> {
    /// Sums a group as [`Tiles::sum`] does or, into three sums, one of numbers of two digits: products of the high digits, of high and
    /// low ones, and of the low ones. Its tiles are those of the high digits of inputs before as many of the low ones, and its weights
    /// the low digits before the high ones.
    ///
    /// # Panics
    /// As [`Tiles::sum`], and if there are neither one sum nor three.
    pub fn sum_all(&mut self, group: &Group<'_>, sums: &[Sums], beside: &mut Beside<'_>) {
        match sums {
            [all] => self.sum(group, all, beside),
            [high, mixed, low] => {
                let (low_weights, high_weights) = group.weights.split_at(group.weights.len() / 2);
                let [high_starts, low_starts] = group.starts.halves();
                let of = |weights, starts| Group {
                    weights,
                    starts,
                    ..*group
                };
                self.sum(&of(high_weights, high_starts), high, beside);
                self.sum(group, mixed, beside);
                self.sum(&of(low_weights, low_starts), low, beside);
            }
            _ => unreachable!("{} sums of a group", sums.len()),
        }
    }

    /// Sums a group: line `(block * VECTORS + vector) * ROWS + row` of the sums is that of an output's pixels. Lines of rows that the
    /// shape does not have are left as they are.
    ///
    /// # Panics
    /// If weights, inputs or sums are shorter than the shape and the group say, or there is no tile.
    pub fn sum(&mut self, group: &Group<'_>, sums: &Sums, beside: &mut Beside<'_>) {
        let Shape { blocks, rows, depth } = self.shape;
        let SomeStarts { lines, last } = group.starts;
        let tiles = lines.len();
        assert_eq!(
            group.weights.len(),
            tiles * blocks * rows,
            "lines of weights of {tiles} tiles, {blocks} blocks and {rows} rows"
        );
        // Products of zero tiles are no loop that the unit could run.
        assert!(tiles > 0, "a group of no tiles");
        let reach = (depth - 1)
            .checked_mul(group.pitch)
            .and_then(|reach| reach.checked_add(VECTORS));
        let end = reach.and_then(|reach| last.checked_add(reach));
        assert!(
            end.is_some_and(|end| end <= group.inputs.len()),
            "a tile from line {last}, with rows {} lines apart, ends behind the inputs' {} lines",
            group.pitch,
            group.inputs.len()
        );
        match self.unit {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the unit is configured for the shape on this thread, and what it reads and writes was checked above.
            Running::Amx(on) => unsafe { on.sum(self.shape, group, sums, beside) },
            Running::Twin(_) => twin::sum(self.shape, group, sums, beside),
        }
    }
}

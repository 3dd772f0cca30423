//! A convolution before it has weights: its shape, its grids, and the algorithms that can compute it.

use std::fmt;

use crate::engine::algo::channels::{Channels, held};
use crate::engine::algo::conv::{Epilogue, Io};
use crate::engine::algo::direct::{Direct, LONGEST_SUM};
use crate::engine::algo::planes::PlaneTiles;
use crate::engine::algo::tiles::Tiles;
use crate::engine::algo::winograd::Winograd;
use crate::engine::layout::grid::{Grid, Rows};
use crate::engine::layout::map::Map;
use crate::engine::layout::tiling::Part;
use crate::engine::micro::gemm::TileShape;
use crate::engine::program::check::Refusal;
use crate::engine::program::packed::halves;
use crate::engine::quant::format::{
    self, Format, LARGEST_OF_DIGITS, LONGEST_OF_DIGITS, Packing, Room, Weights,
};
use crate::engine::simd::Simd;
use crate::engine::simd::isa::Target;

/// The shape of a convolution, whatever computes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Side of the kernel, 1 or 3; padded by `(kernel - 1) / 2`.
    pub kernel: usize,
    /// 1 or 2.
    pub stride: usize,
}

/// The algorithm that computes a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// One multiplication for each of the definition's, with places along the lanes.
    Direct,
    /// The same with output channels along the lanes, on vectors of 8 lanes or more.
    DirectChannels,
    /// One multiplication for each of the definition's, by tiles of a matrix unit: of operands in planes as they lie, of others
    /// gathered into a panel.
    Tiles,
    /// Winograd's minimal filtering of 3x3 kernels: stride 1 on tiles of 2 or 4, stride 2 from tiles of 4.
    Winograd,
}

/// A convolution to compute: its shape and format, where its maps lie, and the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Channels, kernel and stride.
    pub shape: ConvShape,
    /// The format of the operands.
    pub format: Format,
    /// The layout of the inputs.
    pub input: Grid,
    /// The layout of the outputs.
    pub output: Grid,
    /// The vector unit and threads.
    pub target: Target,
}

/// The largest magnitude of inputs of 16 bits where the algorithm asks for no less: leaves as many bits to the weights.
const LIMIT: f32 = 8191.0;

#[derive(Debug)]
pub(in crate::engine) enum Kind {
    Direct(Direct),
    Channels(Channels),
    Tiles(Tiles),
    Planes(PlaneTiles),
    Winograd(Box<Winograd>),
}

impl ConvShape {
    /// Products of an output.
    pub(in crate::engine) fn products(self) -> usize {
        self.inputs * self.kernel * self.kernel
    }

    /// Elements of the kernels.
    pub fn weights(self) -> usize {
        self.outputs * self.inputs * self.kernel * self.kernel
    }
}

impl Layer {
    /// The algorithms that can compute it; none if its grids do not go together.
    pub fn algorithms(self) -> Vec<Algorithm> {
        let Target { isa, .. } = self.target;
        if self.fits().is_err() {
            return Vec::new();
        }
        let in_planes = self.input.rows == Rows::Planes;
        if in_planes || self.format.tiles_only() {
            let tiles = self.multiplies_tiles() && (!in_planes || PlaneTiles::suits(self));
            return tiles.then_some(Algorithm::Tiles).into_iter().collect();
        }
        let mut algorithms = vec![Algorithm::Direct];
        if held(isa).is_some() {
            algorithms.push(Algorithm::DirectChannels);
        }
        if self.multiplies_tiles() {
            algorithms.push(Algorithm::Tiles);
        }
        let filtered = match (self.shape.kernel, self.shape.stride) {
            (3, 1) => self.input == self.output && matches!(self.input.p, 2 | 4),
            (3, 2) => self.input.p == 4,
            _ => false,
        };
        if filtered && Winograd::filters(self.format) {
            algorithms.push(Algorithm::Winograd);
        }
        algorithms
    }

    /// Returns `true` if the unit has tiles of the format, whose sums hold the layer's products.
    pub fn multiplies_tiles(self) -> bool {
        let exact = !self.format.tiles_only() || self.shape.products() <= LONGEST_OF_DIGITS;
        exact && self.target.isa.multiplies_tiles(self.format)
    }

    /// The conversion of inputs to operands that hold these magnitudes, one a channel, of numbers that are `signed` or not below
    /// zero.
    ///
    /// # Panics
    /// If the layer cannot be computed by the algorithm, and if int8 is to hold numbers below zero.
    pub fn packing(self, algorithm: Algorithm, largest: &[f32], signed: bool) -> Packing {
        let format = self.format;
        if !format.whole() {
            return Packing::of_floats(format);
        }
        assert!(!signed || format != Format::Int8, "{self} of inputs below zero");
        assert_eq!(largest.len(), self.shape.inputs, "magnitudes of {self}");
        let limit = match self.kind(algorithm) {
            Kind::Winograd(winograd) => winograd.limit(signed),
            Kind::Direct(_) | Kind::Channels(_) | Kind::Tiles(_) | Kind::Planes(_) => self.limit(),
        };
        // Where there is nothing but zeros, any step does.
        let step = |largest: &f32| if *largest > 0.0 { largest / limit } else { 1.0 };
        Packing {
            format,
            steps: largest.iter().map(step).collect(),
            limits: (if signed { -limit } else { 0.0 }, limit),
        }
    }

    /// Returns the layer on the unit that runs the algorithm: without the matrix unit, unless it computes tiles.
    pub fn on_unit_of(self, algorithm: Algorithm) -> Self {
        let isa = match algorithm {
            Algorithm::Tiles => self.target.isa,
            Algorithm::Direct | Algorithm::DirectChannels | Algorithm::Winograd => self.target.isa.vectors(),
        };
        let target = Target { isa, ..self.target };
        Self { target, ..self }
    }

    /// Returns the name of the kernel that computes it, see [`Step::kind`](crate::engine::Step::kind).
    ///
    /// # Panics
    /// If the layer cannot be computed by the algorithm.
    pub fn kernel(self, algorithm: Algorithm) -> String {
        self.named(&self.kind(algorithm))
    }

    /// The name of the kernel that computes the layer in this way: its unit, its algorithm, and the sums that it keeps in
    /// registers, MR x NR.
    pub(in crate::engine) fn named(self, kind: &Kind) -> String {
        let ConvShape { kernel, stride, .. } = self.shape;
        let isa = self.on_unit_of(kind.algorithm()).target.isa;
        let (format, unit, kind, sums) = (self.format, isa.name(), kind.name(), kind.sums());
        let sums = sums.map_or(String::new(), |TileShape { rows, vectors }| {
            format!("_{rows}x{}", vectors * isa.lanes())
        });
        format!("conv{kernel}x{kernel}s{stride}_{format}_{unit}_{kind}{sums}")
    }

    /// The largest magnitude of whole inputs that are not transformed.
    fn limit(self) -> f32 {
        match self.format {
            Format::F32 | Format::F16 | Format::Bf16 => 1.0,
            Format::I16 => LIMIT,
            Format::I8x2 => LARGEST_OF_DIGITS,
            Format::Int8 => 255.0,
        }
    }

    /// An estimate of the busiest thread's vector instructions in one run.
    ///
    /// # Panics
    /// If the layer cannot be computed by the algorithm.
    pub fn effort(self, algorithm: Algorithm) -> usize {
        let threads = self.target.threads;
        match self.kind(algorithm) {
            Kind::Direct(direct) => direct.effort(threads),
            Kind::Channels(channels) => channels.effort(threads),
            Kind::Tiles(tiles) => tiles.effort(threads),
            Kind::Planes(tiles) => tiles.effort(threads),
            Kind::Winograd(winograd) => winograd.effort(threads),
        }
    }

    /// Refuses a layer that cannot be computed, or not by this algorithm.
    pub(in crate::engine) fn check(self, algorithm: Algorithm) -> Result<(), Refusal> {
        self.fits()?;
        let Self { format, target, .. } = self;
        if target.isa.multiplies(format).is_none() {
            let unit = target.isa.name();
            return Err(Refusal::Format { unit, format });
        }
        if !self.algorithms().contains(&algorithm) {
            return Err(Refusal::Algorithm {
                algorithm,
                layer: self.to_string(),
            });
        }
        Ok(())
    }

    /// Refuses a window that the engine does not compute, and grids that do not go together.
    fn fits(self) -> Result<(), Refusal> {
        let Self { input, output, .. } = self;
        let ConvShape { kernel, stride, .. } = self.shape;
        if !matches!((kernel, stride), (1, 1) | (3, 1 | 2)) {
            return Err(Refusal::Window { kernel, stride });
        }
        let size = (output.n, output.h, output.w);
        let fits = size == (input.n, input.h.div_ceil(stride), input.w.div_ceil(stride))
            && input.p % stride == 0
            && output.rows != Rows::Planes
            && (kernel == 3 || input.of_map() == output || input == output);
        if !fits {
            let (from, to) = (input, output);
            return Err(Refusal::Grids { from, to });
        }
        Ok(())
    }

    /// The layer as the algorithm divides it.
    ///
    /// # Panics
    /// If [`Layer::check`] refuses it.
    pub(in crate::engine) fn kind(self, algorithm: Algorithm) -> Kind {
        if let Err(refusal) = self.check(algorithm) {
            unreachable!("{self}: {refusal}");
        }
        match algorithm {
            Algorithm::Direct => Kind::Direct(Direct::new(self)),
            Algorithm::DirectChannels => Kind::Channels(Channels::new(self)),
            Algorithm::Tiles if self.input.rows == Rows::Planes => Kind::Planes(PlaneTiles::new(self)),
            Algorithm::Tiles => Kind::Tiles(Tiles::new(self)),
            Algorithm::Winograd => Kind::Winograd(Box::new(Winograd::new(self))),
        }
    }
}

impl Kind {
    /// The algorithm that divides the layer so.
    pub(in crate::engine) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Direct(_) => Algorithm::Direct,
            Self::Channels(_) => Algorithm::DirectChannels,
            Self::Tiles(_) | Self::Planes(_) => Algorithm::Tiles,
            Self::Winograd(_) => Algorithm::Winograd,
        }
    }

    /// The largest product that the vector unit keeps in registers; `None` for tiles, which a matrix unit keeps.
    fn sums(&self) -> Option<TileShape> {
        match self {
            Self::Direct(direct) => Some(direct.sums()),
            Self::Channels(channels) => Some(channels.sums()),
            Self::Tiles(_) | Self::Planes(_) => None,
            Self::Winograd(winograd) => Some(winograd.sums()),
        }
    }

    /// `direct`, `channels`, `tiles`, `panel`, `winograd2`, `winograd4` or `polyphase2`.
    pub(in crate::engine) fn name(&self) -> &'static str {
        match self {
            Self::Direct(_) => "direct",
            Self::Channels(_) => "channels",
            Self::Tiles(_) => "panel",
            Self::Planes(_) => "tiles",
            Self::Winograd(winograd) => winograd.name(),
        }
    }

    /// Weights `[outputs, inputs, kernel, kernel]` for whole inputs, of these means or of unknown ones, as operands in the
    /// order in which they are used.
    pub(in crate::engine) fn packed(&self, layer: Layer, weights: &[f32], means: &[f32]) -> Weights<'static> {
        let ConvShape { outputs, kernel, .. } = layer.shape;
        let any = Room::of(layer.limit());
        let vectors = Room {
            pair: layer.target.isa.pair().filter(|_| layer.format == Format::Int8),
            ..any
        };
        let taps = kernel * kernel;
        let narrow = |room, run| format::weights((layer.format, room), (outputs, taps, means), run, weights);
        let mut packed = match self {
            Self::Winograd(winograd) => winograd.packed(weights),
            Self::Channels(channels) => {
                narrow(vectors, LONGEST_SUM).ordered(|weights| channels.packed(weights))
            }
            Self::Direct(direct) => narrow(vectors, LONGEST_SUM).ordered(|weights| direct.packed(weights)),
            // Sums of tiles are whole.
            Self::Tiles(tiles) => {
                let all = layer.format.elements(layer.shape.inputs) * taps;
                narrow(any, all).ordered(|weights| tiles.packed(weights))
            }
            Self::Planes(tiles) => {
                let all = layer.format.elements(layer.shape.inputs) * taps;
                narrow(any, all).ordered(|weights| tiles.packed(weights))
            }
        };
        if layer.format == Format::F16 {
            packed.elements = halves(&packed.elements).into();
        }
        packed
    }

    /// Has the output written as operands, too.
    ///
    /// # Panics
    /// If the algorithm cannot do that, which `Op::check` refuses.
    pub(in crate::engine) fn write_operands(&mut self, packing: &Packing, to: &Map) {
        match self {
            Self::Planes(tiles) => tiles.write_operands(packing, to),
            Self::Direct(_) | Self::Channels(_) | Self::Tiles(_) | Self::Winograd(_) => {
                unreachable!("{} writes no operands", self.name())
            }
        }
    }

    /// Elements of scratch memory that a thread needs.
    pub(in crate::engine) fn scratch(&self) -> usize {
        match self {
            Self::Direct(direct) => direct.scratch(),
            Self::Channels(channels) => channels.scratch(),
            Self::Tiles(tiles) => tiles.scratch(),
            Self::Planes(tiles) => tiles.scratch(),
            Self::Winograd(winograd) => winograd.scratch(),
        }
    }

    /// Computes one part of the output.
    ///
    /// # Safety
    /// `io` points to maps of the layer's grids and channels and to weights as [`Kind::packed`] orders them, `scratch`
    /// to as much as [`Kind::scratch`] says; `epilogue` has a bias for each output channel, and scales as [`Kind::packed`] made
    /// them; nobody else writes the output's part, or reads it; `S` is the layer's unit, which multiplies the format.
    #[inline(always)]
    pub(in crate::engine) unsafe fn run<S: Simd>(
        &self,
        s: S,
        io: Io,
        epilogue: Epilogue,
        part: Part,
        scratch: *mut f32,
    ) {
        // SAFETY: the contract of each is the one above.
        unsafe {
            match self {
                Self::Direct(direct) => direct.run(s, io, epilogue, part, scratch),
                Self::Channels(channels) => channels.run(s, io, epilogue, part, scratch),
                Self::Tiles(tiles) => tiles.run(s, io, epilogue, part, scratch),
                Self::Planes(tiles) => tiles.run(s, io, epilogue, part, scratch),
                Self::Winograd(winograd) => winograd.run(s, io, epilogue, part, scratch),
            }
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::DirectChannels => "channels",
            Self::Tiles => "tiles",
            Self::Winograd => "winograd",
        })
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConvShape {
            inputs,
            outputs,
            kernel,
            stride,
        } = self.shape;
        let Grid { n, h, w, p, rows } = self.input;
        // Rows one after the other are the usual form, and have no mark.
        let mark = |rows: Rows| match rows {
            Rows::Dense => "",
            Rows::Aligned => "a",
            Rows::Planes => "p",
        };
        let Target { isa, threads } = self.target;
        write!(
            f,
            "conv{kernel}x{kernel}s{stride} {} {} t{threads} {n}x{inputs}x{h}x{w}/{p}{} -> {outputs}/{}{}",
            self.format,
            isa.name(),
            mark(rows),
            self.output.p,
            mark(self.output.rows),
        )
    }
}

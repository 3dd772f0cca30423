//! A convolution with all that is fused into it, ready to run.

use std::borrow::Cow;

use crate::engine::algo::layer::{Algorithm, ConvShape, Kind, Layer};
use crate::engine::layout::grid::Grid;
use crate::engine::program::packed::{Packed, Stored};
use crate::engine::quant::format::Format;
use crate::engine::simd::Simd;
use crate::engine::simd::isa::Isa;

/// A convolution with bias, and by choice a sum with another map and a ReLU, on prepared weights.
#[derive(Debug)]
pub struct Convolution {
    layer: Layer,
    kind: Kind,
    weights: Packed,
    bias: Vec<f32>,
    /// What sums of weights in steps stand for; none for other formats.
    scales: Vec<f32>,
    relu: bool,
}

/// What is known of what a convolution reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inputs<'a> {
    /// What one stands for in each channel's whole numbers, see [`Packing::steps`](crate::engine::Packing::steps); none for 1.
    pub steps: &'a [f32],
    /// Each channel's mean: what rounding the weights of whole numbers adds to an output of such inputs is taken off its
    /// bias. None where they are not known.
    pub means: &'a [f32],
}

/// What a convolution works on; `residual` is null where nothing is added.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Io {
    pub(in crate::engine) input: *const f32,
    pub(in crate::engine) output: *mut f32,
    pub(in crate::engine) residual: *const f32,
    pub(in crate::engine) weights: Stored,
}

/// What happens to a sum of products before it is stored.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Epilogue {
    bias: *const f32,
    /// What each channel's sum is multiplied by; null for 1. In Winograd's filtering it goes by element, not by channel.
    pub(in crate::engine) scales: *const f32,
    relu: bool,
}

/// A pointer moved on, or null as it was.
pub(in crate::engine) fn shifted(pointer: *const f32, offset: usize) -> *const f32 {
    if pointer.is_null() {
        pointer
    } else {
        pointer.wrapping_add(offset)
    }
}

impl Epilogue {
    /// That of the channels from this one on.
    pub(in crate::engine) fn of(self, channel: usize) -> Self {
        Self {
            bias: self.bias.wrapping_add(channel),
            scales: shifted(self.scales, channel),
            ..self
        }
    }

    /// That of sums which have been scaled.
    pub(in crate::engine) fn scaled(self) -> Self {
        Self {
            scales: std::ptr::null(),
            ..self
        }
    }

    /// Scale, bias, residual at `at`, ReLU, for a vector of one channel.
    ///
    /// # Safety
    /// `residual` is null or holds the lanes of `there` at `at`; the channel has a bias; the CPU has the unit.
    #[inline(always)]
    pub(in crate::engine) unsafe fn apply<S: Simd>(
        self,
        sum: S::V,
        channel: usize,
        residual: *const f32,
        at: usize,
        there: u32,
    ) -> S::V {
        // SAFETY: the caller's: the channel has a bias, and a scale where there are any; the residual is read only where it is
        // not null, and then in the lanes of `there` alone.
        unsafe {
            let bias = S::splat(*self.bias.add(channel));
            let mut y = if self.scales.is_null() {
                S::add(sum, bias)
            } else {
                S::fma(sum, S::splat(*self.scales.add(channel)), bias)
            };
            if !residual.is_null() {
                y = S::add(y, S::load_masked(residual.add(at), there));
            }
            if self.relu { S::max(y, S::splat(0.0)) } else { y }
        }
    }
}

impl Inputs<'_> {
    /// Weights `[outputs, inputs, kernel, kernel]` for whole inputs: each takes over what its input's steps stand for.
    fn whole<'a>(&self, shape: ConvShape, weights: &'a [f32]) -> Cow<'a, [f32]> {
        if self.steps.is_empty() {
            return weights.into();
        }
        assert_eq!(self.steps.len(), shape.inputs, "steps of inputs");
        let taps = shape.kernel * shape.kernel;
        let steps = self
            .steps
            .iter()
            .flat_map(|step| std::iter::repeat_n(*step, taps));
        weights
            .iter()
            .zip(steps.cycle())
            .map(|(w, step)| w * step)
            .collect()
    }

    /// The means of whole inputs.
    fn whole_means(&self, shape: ConvShape) -> Vec<f32> {
        assert!(
            self.means.is_empty() || self.means.len() == shape.inputs,
            "means of inputs"
        );
        let steps = self.steps.iter().copied().chain(std::iter::repeat(1.0));
        self.means
            .iter()
            .zip(steps)
            .map(|(mean, step)| mean / step)
            .collect()
    }
}

impl Convolution {
    /// The layer with weights `[outputs, inputs, kernel, kernel]` and one bias an output.
    ///
    /// # Panics
    /// If the weights, biases, steps or means are not as many as the shape says, the grids' sizes do not go together, a
    /// stride of 2 meets odd tiles, or the algorithm is none of [`Layer::algorithms`].
    pub fn new(
        layer: Layer,
        algorithm: Algorithm,
        (weights, bias): (&[f32], &[f32]),
        relu: bool,
        inputs: Inputs<'_>,
    ) -> Self {
        let shape = layer.shape;
        assert_eq!(weights.len(), shape.weights(), "weights of {layer}");
        assert_eq!(bias.len(), shape.outputs, "biases of {layer}");
        let kind = layer.kind(algorithm);
        let packed = kind.packed(layer, &inputs.whole(shape, weights), &inputs.whole_means(shape));
        let mut bias = bias.to_vec();
        for (bias, drift) in bias.iter_mut().zip(&packed.drift) {
            *bias -= drift;
        }
        Self {
            layer,
            weights: Packed::new(packed.elements.into_owned()),
            kind,
            bias,
            scales: packed.scales,
            relu,
        }
    }

    /// The format of its operands.
    pub fn format(&self) -> Format {
        self.layer.format
    }

    /// Channels in and out, kernel and stride.
    pub fn shape(&self) -> ConvShape {
        self.layer.shape
    }

    /// The vector unit that it is prepared for.
    pub(in crate::engine) fn isa(&self) -> Isa {
        self.layer.target.isa
    }

    /// Whether it takes maps on `input` to maps on `output`.
    pub(in crate::engine) fn joins(&self, input: Grid, output: Grid) -> bool {
        (self.layer.input, self.layer.output) == (input, output)
    }

    /// Whether a ReLU follows.
    pub fn relu(&self) -> bool {
        self.relu
    }

    /// The kernel that runs it: `conv3x3s1_f32_avx512_winograd4`.
    pub fn name(&self) -> String {
        let ConvShape { kernel, stride, .. } = self.layer.shape;
        let isa = self.layer.target.isa.name();
        let (format, kind) = (self.layer.format, self.kind.name());
        format!("conv{kernel}x{kernel}s{stride}_{format}_{isa}_{kind}")
    }

    /// Bytes of prepared weights and biases.
    pub fn weight_bytes(&self) -> usize {
        (self.weights.elements() + self.bias.len() + self.scales.len()) * size_of::<f32>()
    }

    pub(in crate::engine) fn weights(&self) -> Stored {
        Stored::new(self.weights.start(), self.layer.format)
    }

    pub(in crate::engine) fn weights_mut(&mut self) -> &mut Packed {
        &mut self.weights
    }

    /// Elements of scratch memory that a thread needs.
    pub(in crate::engine) fn scratch(&self) -> usize {
        self.kind.scratch()
    }

    /// Computes one part of `parts` of the output.
    ///
    /// # Safety
    /// As [`Kind::run`].
    #[inline(always)]
    pub(in crate::engine) unsafe fn run<S: Simd>(&self, io: Io, part: (usize, usize), scratch: *mut f32) {
        let epilogue = Epilogue {
            bias: self.bias.as_ptr(),
            scales: match self.scales.as_slice() {
                [] => std::ptr::null(),
                scales => scales.as_ptr(),
            },
            relu: self.relu,
        };
        // SAFETY: the caller's, which is that of `Kind::run`; bias and scales have one number a channel.
        unsafe { self.kind.run::<S>(io, epilogue, part, scratch) }
    }
}

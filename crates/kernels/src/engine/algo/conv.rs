//! A convolution with all that is fused into it, ready to run.

use std::sync::Arc;

use crate::engine::algo::layer::{Algorithm, ConvShape, Kind, Layer};
use crate::engine::layout::map::Map;
use crate::engine::program::packed::{Packed, Stored};
use crate::engine::quant::format::{Format, Packing};
use crate::engine::simd::Simd;

/// A convolution with bias on packed weights.
#[derive(Debug)]
pub(in crate::engine) struct Convolution {
    layer: Layer,
    kind: Kind,
    weights: Packed,
    bias: Vec<f32>,
    /// The scales of sums of weights in steps, see [`Kind::packed`]; empty for other formats.
    scales: Vec<f32>,
}

/// The parameters of a convolution with bias.
#[derive(Clone, Debug)]
pub struct ConvParams {
    /// Channels, kernel and stride.
    pub shape: ConvShape,
    /// The format of the operands that it multiplies.
    pub format: Format,
    /// The algorithm: one of [`Layer::algorithms`].
    pub algorithm: Algorithm,
    /// `[outputs, inputs, kernel, kernel]`.
    pub weights: Vec<f32>,
    /// `[outputs]`.
    pub bias: Vec<f32>,
    /// The value of 1 in each input channel's whole numbers, see [`Packing::steps`](crate::engine::Packing::steps); empty for 1.
    pub steps: Arc<[f32]>,
    /// Each input channel's mean, or empty where the means are not known. Rounding a layer's weights shifts its outputs on inputs
    /// of these means; the bias takes the shift back.
    pub means: Vec<f32>,
}

/// The memory of a convolution; `residual` is null where no map is added, `output` where only operands are wanted.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Io {
    pub(in crate::engine) input: *const f32,
    pub(in crate::engine) output: *mut f32,
    pub(in crate::engine) residual: *const f32,
    /// Operands that are added; null for algorithms that add none.
    pub(in crate::engine) added: *const f32,
    pub(in crate::engine) weights: Stored,
    /// The output as operands; null for algorithms that write none.
    pub(in crate::engine) operands: *mut f32,
}

/// The end of a sum of products: scale, bias, residual and ReLU.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Epilogue {
    bias: *const f32,
    /// Each channel's scale; null for 1. In Winograd's filtering it goes by element, not by channel.
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

    /// The bias of a channel added.
    ///
    /// # Safety
    /// The channel has a bias.
    #[inline(always)]
    pub(in crate::engine) unsafe fn biased<S: Simd>(self, s: S, sum: S::V, channel: usize) -> S::V {
        // SAFETY: the channel has a bias, by the contract above.
        s.add(sum, s.splat(unsafe { *self.bias.add(channel) }))
    }

    /// The scale of a channel multiplied, its bias added.
    ///
    /// # Safety
    /// The channel has a bias and a scale.
    #[inline(always)]
    pub(in crate::engine) unsafe fn scaled_and_biased<S: Simd>(
        self,
        s: S,
        sum: S::V,
        channel: usize,
    ) -> S::V {
        // SAFETY: the channel has both, by the contract above.
        let (scale, bias) = unsafe { (*self.scales.add(channel), *self.bias.add(channel)) };
        s.fma(sum, s.splat(scale), s.splat(bias))
    }

    /// The ReLU, where there is one.
    #[inline(always)]
    pub(in crate::engine) fn rectified<S: Simd>(self, s: S, y: S::V) -> S::V {
        if self.relu { s.max(y, s.splat(0.0)) } else { y }
    }

    /// Scale, bias, residual at `at`, ReLU, for a vector of one channel.
    ///
    /// # Safety
    /// `residual` is null or holds the lanes of `there` at `at`; the channel has a bias, and a scale where there are any.
    #[inline(always)]
    pub(in crate::engine) unsafe fn apply<S: Simd>(
        self,
        s: S,
        sum: S::V,
        channel: usize,
        residual: *const f32,
        at: usize,
        there: u32,
    ) -> S::V {
        // SAFETY: the channel has a bias, and a scale where there are any, by the contract above; the residual is read only where
        // it is not null, and then in the lanes of `there` alone.
        unsafe {
            let mut y = if self.scales.is_null() {
                self.biased(s, sum, channel)
            } else {
                self.scaled_and_biased(s, sum, channel)
            };
            if !residual.is_null() {
                y = s.add(y, s.load_masked(residual.add(at), there));
            }
            self.rectified(s, y)
        }
    }
}

impl ConvParams {
    /// Multiplies the weights by the steps of the inputs that they meet, so that they suit whole numbers.
    fn take_steps(&mut self) {
        if self.steps.is_empty() {
            return;
        }
        let taps = self.shape.kernel * self.shape.kernel;
        let steps = self
            .steps
            .iter()
            .flat_map(|step| std::iter::repeat_n(*step, taps));
        for (weight, step) in self.weights.iter_mut().zip(steps.cycle()) {
            *weight *= step;
        }
    }

    /// The means of the inputs as whole numbers.
    fn whole_means(&self) -> Vec<f32> {
        let steps = self.steps.iter().copied().chain(std::iter::repeat(1.0));
        self.means
            .iter()
            .zip(steps)
            .map(|(mean, step)| mean / step)
            .collect()
    }
}

impl Convolution {
    /// Packs the weights for the layer, which is that of the parameters.
    ///
    /// # Panics
    /// If the layer does not suit the parameters, which a program's builder refuses.
    pub(in crate::engine) fn new(
        layer: Layer,
        mut params: ConvParams,
        packs: Option<(&Packing, &Map)>,
    ) -> Self {
        let mut kind = layer.kind(params.algorithm);
        if let Some((packing, to)) = packs {
            kind.write_operands(packing, to);
        }
        let means = params.whole_means();
        params.take_steps();
        let packed = kind.packed(layer, &params.weights, &means);
        let mut bias = params.bias;
        for (bias, drift) in bias.iter_mut().zip(&packed.drift) {
            *bias -= drift;
        }
        Self {
            layer,
            weights: Packed::new(packed.elements.into_owned()),
            kind,
            bias,
            scales: packed.scales,
        }
    }

    /// The format of its operands.
    pub(in crate::engine) fn format(&self) -> Format {
        self.layer.format
    }

    /// Channels in and out, kernel and stride.
    pub(in crate::engine) fn shape(&self) -> ConvShape {
        self.layer.shape
    }

    /// The kernel that runs it: `conv3x3s1_f32_avx512_winograd4_6x64`.
    pub(in crate::engine) fn name(&self) -> String {
        self.layer.named(&self.kind)
    }

    /// `true` if a matrix unit multiplies.
    pub(in crate::engine) fn is_on_tiles(&self) -> bool {
        self.kind.algorithm() == Algorithm::Tiles
    }

    /// Bytes of prepared weights and biases.
    pub(in crate::engine) fn weight_bytes(&self) -> usize {
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

    /// The algorithm, which runs it.
    pub(in crate::engine) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The end of its sums, with the biases and the scales that [`Kind::packed`] made.
    pub(in crate::engine) fn epilogue(&self, relu: bool) -> Epilogue {
        Epilogue {
            bias: self.bias.as_ptr(),
            scales: match self.scales.as_slice() {
                [] => std::ptr::null(),
                scales => scales.as_ptr(),
            },
            relu,
        }
    }
}

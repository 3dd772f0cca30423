//! A convolution with all that is fused into it, ready to run.

use super::grid::Grid;
use super::layer::{Algorithm, ConvShape, Kind, Layer};
use super::ops::cut;
use super::packed::Packed;
use super::simd::Simd;

/// A convolution with bias, and by choice a sum with another map and a ReLU, on prepared weights.
#[derive(Debug)]
pub struct Convolution {
    layer: Layer,
    kind: Kind,
    bias: Vec<f32>,
    relu: bool,
}

/// The maps a convolution works on; `residual` is null where nothing is added.
#[derive(Clone, Copy)]
pub(super) struct Io {
    pub(super) input: *const f32,
    pub(super) output: *mut f32,
    pub(super) residual: *const f32,
}

/// What happens to a sum of products before it is stored.
#[derive(Clone, Copy)]
pub(super) struct Epilogue {
    bias: *const f32,
    relu: bool,
}

impl Epilogue {
    /// That of the channels from this one on.
    pub(super) fn of(self, channel: usize) -> Self {
        Self {
            bias: self.bias.wrapping_add(channel),
            ..self
        }
    }

    /// As [`Epilogue::apply`] with all lanes there.
    ///
    /// # Safety
    /// As for [`Epilogue::apply`].
    #[inline(always)]
    pub(super) unsafe fn apply_whole<S: Simd>(
        self,
        sum: S::V,
        channel: usize,
        residual: *const f32,
        at: usize,
    ) -> S::V {
        // SAFETY: the caller's.
        unsafe {
            let mut y = S::add(sum, S::splat(*self.bias.add(channel)));
            if !residual.is_null() {
                y = S::add(y, S::load(residual.add(at)));
            }
            if self.relu { S::max(y, S::splat(0.0)) } else { y }
        }
    }

    /// Bias, residual at `at`, ReLU, for a vector of one channel.
    ///
    /// # Safety
    /// `residual` is null or holds the lanes of `there` at `at`; the channel has a bias; the CPU has the unit.
    #[inline(always)]
    pub(super) unsafe fn apply<S: Simd>(
        self,
        sum: S::V,
        channel: usize,
        residual: *const f32,
        at: usize,
        there: u32,
    ) -> S::V {
        // SAFETY: the caller's.
        unsafe {
            let mut y = S::add(sum, S::splat(*self.bias.add(channel)));
            if !residual.is_null() {
                y = S::add(y, S::load_masked(residual.add(at), there));
            }
            if self.relu { S::max(y, S::splat(0.0)) } else { y }
        }
    }
}

impl Convolution {
    /// The layer with weights `[outputs, inputs, kernel, kernel]` and one bias an output.
    ///
    /// # Panics
    /// If the weights or biases are not as many as the shape says, the grids' sizes do not go together, a stride of 2
    /// meets odd tiles, or the algorithm is none of [`Layer::algorithms`].
    pub fn new(layer: Layer, algorithm: Algorithm, (weights, bias): (&[f32], &[f32]), relu: bool) -> Self {
        let shape = layer.shape;
        assert_eq!(weights.len(), shape.weights(), "weights of {layer}");
        assert_eq!(bias.len(), shape.outputs, "biases of {layer}");
        Self {
            layer,
            kind: layer.kind(algorithm, weights),
            bias: bias.to_vec(),
            relu,
        }
    }

    /// Channels in and out, kernel and stride.
    pub fn shape(&self) -> ConvShape {
        self.layer.shape
    }

    /// Whether it takes maps on `input` to maps on `output`.
    pub(super) fn joins(&self, input: Grid, output: Grid) -> bool {
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
        format!("conv{kernel}x{kernel}s{stride}_f32_{isa}_{}", self.kind.name())
    }

    /// Bytes of prepared weights and biases.
    pub fn weight_bytes(&self) -> usize {
        (self.weights().elements() + self.bias.len()) * size_of::<f32>()
    }

    pub(super) fn weights(&self) -> &Packed {
        match &self.kind {
            Kind::Direct(direct) => direct.weights(),
            Kind::Channels(channels) => channels.weights(),
            Kind::Winograd(winograd) => winograd.weights(),
        }
    }

    pub(super) fn weights_mut(&mut self) -> &mut Packed {
        match &mut self.kind {
            Kind::Direct(direct) => direct.weights_mut(),
            Kind::Channels(channels) => channels.weights_mut(),
            Kind::Winograd(winograd) => winograd.weights_mut(),
        }
    }

    /// Elements of scratch memory that a thread needs.
    pub(super) fn scratch(&self) -> usize {
        match &self.kind {
            Kind::Direct(direct) => direct.scratch(self.layer.target.isa.lanes()),
            Kind::Channels(channels) => channels.scratch(self.layer.target.isa.lanes()),
            Kind::Winograd(winograd) => winograd.scratch(self.layer.target.isa.lanes()),
        }
    }

    /// Computes one part of `parts` of the output.
    ///
    /// # Safety
    /// `io` points to maps of this convolution's grids and channels, `scratch` to as much as [`Convolution::scratch`]
    /// says; nobody else writes the output's part; the CPU has the unit of `S`, which is this convolution's.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(&self, io: Io, (part, parts): (usize, usize), scratch: *mut f32) {
        let epilogue = Epilogue {
            bias: self.bias.as_ptr(),
            relu: self.relu,
        };
        // SAFETY: the caller's.
        unsafe {
            match &self.kind {
                Kind::Direct(direct) => {
                    let share = direct.tiling().share(part, parts);
                    direct.run::<S>(io, epilogue, share, scratch);
                }
                Kind::Channels(channels) => {
                    let groups = cut(channels.groups(), (part, parts));
                    if !groups.is_empty() {
                        channels.run::<S>(io, epilogue, groups, scratch);
                    }
                }
                Kind::Winograd(winograd) => {
                    winograd.run::<S>(io, epilogue, winograd.tiling().share(part, parts), scratch);
                }
            }
        }
    }
}

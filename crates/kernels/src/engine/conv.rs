//! A convolution with all that is fused into it, ready to run.

use super::channels::{Channels, held};
use super::direct::Direct;
use super::grid::Grid;
use super::isa::Target;
use super::ops::cut;
use super::packed::Packed;
use super::simd::Simd;
use super::winograd::Winograd;

/// What a convolution is, whatever computes it.
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

/// How a convolution is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// One multiplication for each of the definition's, with places along the lanes.
    Direct,
    /// The same with output channels along the lanes; on vectors of fewer than 8 lanes it is [`Algorithm::Direct`].
    DirectChannels,
    /// Winograd's minimal filtering of 3x3 kernels: stride 1 on tiles of 2 or 4, stride 2 from tiles of 4.
    Winograd,
}

/// A convolution with bias, and by choice a sum with another map and a ReLU, on prepared weights.
#[derive(Debug)]
pub struct Convolution {
    shape: ConvShape,
    grids: (Grid, Grid),
    kind: Kind,
    bias: Vec<f32>,
    relu: bool,
    target: Target,
}

#[derive(Debug)]
enum Kind {
    Direct(Direct),
    Channels(Channels),
    Winograd(Winograd),
}

/// The maps a convolution works on; `residual` is null where nothing is added.
#[derive(Clone, Copy)]
pub(super) struct Io {
    pub(super) input: *const f32,
    pub(super) output: *mut f32,
    pub(super) residual: *const f32,
    /// The weights of all steps.
    pub(super) weights: *const f32,
}

/// What happens to a sum of products before it is stored.
#[derive(Clone, Copy)]
pub(super) struct Epilogue {
    bias: *const f32,
    relu: bool,
}

impl Epilogue {
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

impl Algorithm {
    /// Whether it can compute this shape on these grids.
    pub fn suits(self, shape: ConvShape, input: Grid, output: Grid) -> bool {
        match self {
            Self::Direct | Self::DirectChannels => true,
            Self::Winograd => match (shape.kernel, shape.stride) {
                (3, 1) => input == output && matches!(input.p, 2 | 4),
                (3, 2) => input.p == 4,
                _ => false,
            },
        }
    }
}

impl Convolution {
    /// A convolution from maps on `input` to maps on `output`, with weights `[outputs, inputs, kernel, kernel]` and
    /// one bias an output.
    ///
    /// # Panics
    /// If the weights or biases are not as many as the shape says, the grids' sizes do not go together, a stride of 2
    /// meets odd tiles, or [`Algorithm::Winograd`] is asked for where it is not defined.
    pub fn new(
        shape: ConvShape,
        (input, output): (Grid, Grid),
        algorithm: Algorithm,
        (weights, bias): (&[f32], &[f32]),
        relu: bool,
        target: Target,
    ) -> Self {
        let ConvShape {
            inputs,
            outputs,
            kernel,
            stride,
        } = shape;
        assert_eq!(
            weights.len(),
            outputs * inputs * kernel * kernel,
            "weights of {shape:?}"
        );
        assert_eq!(bias.len(), outputs, "biases of {shape:?}");
        assert_eq!(
            (output.n, output.h, output.w),
            (input.n, input.h.div_ceil(stride), input.w.div_ceil(stride)),
            "sizes of {shape:?}"
        );
        assert!(input.p % stride == 0, "stride {stride} on tiles of {}", input.p);
        assert!(matches!(kernel, 1 | 3) && matches!(stride, 1 | 2), "{shape:?}");
        assert!(
            kernel == 3 || (stride == 1 && input == output),
            "a 1x1 convolution keeps its grid"
        );
        let (lanes, wide) = (target.isa.lanes(), target.isa.wide());
        let kind = match algorithm {
            Algorithm::DirectChannels if let Some(held) = held(lanes, wide) => Kind::Channels(Channels::new(
                (input, output),
                (inputs, outputs),
                (kernel, stride),
                weights,
                lanes,
                held,
            )),
            Algorithm::Direct | Algorithm::DirectChannels => Kind::Direct(Direct::new(
                (input, output),
                (inputs, outputs),
                (kernel, stride),
                weights,
                target,
            )),
            Algorithm::Winograd => {
                let winograd = Winograd::new((input, output), (inputs, outputs), stride, weights, target);
                Kind::Winograd(
                    winograd
                        .filter(|_| kernel == 3)
                        .unwrap_or_else(|| panic!("no Winograd for {shape:?} from {input:?} to {output:?}")),
                )
            }
        };
        Self {
            shape,
            grids: (input, output),
            kind,
            bias: bias.to_vec(),
            relu,
            target,
        }
    }

    /// An estimate of the busiest thread's vector instructions in one run, to choose among algorithms for the same convolution.
    pub fn effort(&self) -> usize {
        match &self.kind {
            Kind::Direct(direct) => direct.effort(self.target.threads),
            Kind::Channels(channels) => channels.effort(self.target.isa.lanes(), self.target.threads),
            Kind::Winograd(winograd) => winograd.effort(self.target.threads),
        }
    }

    /// Channels in and out, kernel and stride.
    pub fn shape(&self) -> ConvShape {
        self.shape
    }

    /// Whether it takes maps on `input` to maps on `output`.
    pub(super) fn joins(&self, input: Grid, output: Grid) -> bool {
        self.grids == (input, output)
    }

    /// Whether a ReLU follows.
    pub fn relu(&self) -> bool {
        self.relu
    }

    /// The kernel that runs it: `conv3x3s1_f32_avx512_winograd4`.
    pub fn name(&self) -> String {
        let ConvShape { kernel, stride, .. } = self.shape;
        let algorithm = match &self.kind {
            Kind::Direct(_) => "direct",
            Kind::Channels(_) => "channels",
            Kind::Winograd(winograd) => winograd.name(),
        };
        format!(
            "conv{kernel}x{kernel}s{stride}_f32_{}_{algorithm}",
            self.target.isa.name()
        )
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
            Kind::Direct(direct) => direct.scratch(self.target.isa.lanes()),
            Kind::Channels(channels) => channels.scratch(self.target.isa.lanes()),
            Kind::Winograd(winograd) => winograd.scratch(self.target.isa.lanes()),
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

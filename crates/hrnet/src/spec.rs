/// The numbers by which HRNet classifiers differ; [`HrnetSpec::graph`](crate::HrnetSpec::graph) builds the network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HrnetSpec {
    /// Channels of both stem convolutions.
    pub stem: usize,
    /// The bottlenecks before the branches part.
    pub stage1: StageOneSpec,
    /// Channels of each branch, highest resolution first; branch `b` works at `1 / 2^(b + 2)` of the input size.
    pub widths: Vec<usize>,
    /// Modules of stage 2, 3, ...: one entry for each branch after the first.
    pub modules: Vec<usize>,
    /// Basic blocks of a branch in one module.
    pub blocks: usize,
    /// Squeeze-and-excitation in every bottleneck and basic block, with this reduction.
    pub se_reduction: Option<usize>,
    /// The classification head.
    pub head: HeadSpec,
}

/// Stage 1: bottlenecks on one branch, whose output has four times `mid` channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StageOneSpec {
    /// Number of bottlenecks.
    pub blocks: usize,
    /// Channels of their 3x3 convolution.
    pub mid: usize,
}

/// The head: one bottleneck per branch, summed from high to low resolution, then features and classes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeadSpec {
    /// Channels of the 3x3 convolution of each branch's bottleneck.
    pub mids: Vec<usize>,
    /// Channels that are pooled.
    pub features: usize,
    /// Number of logits.
    pub classes: usize,
}

/// Output channels of a bottleneck over its mid channels.
pub(crate) const BOTTLENECK_EXPANSION: usize = 4;

impl HrnetSpec {
    /// Returns the published HRNet-C form for four branch widths: only these differ from W18 to W64.
    pub fn imagenet(widths: [usize; 4]) -> Self {
        Self {
            stem: 64,
            stage1: StageOneSpec { blocks: 4, mid: 64 },
            widths: widths.to_vec(),
            modules: vec![1, 4, 3],
            blocks: 4,
            se_reduction: None,
            head: HeadSpec {
                mids: vec![32, 64, 128, 256],
                features: 2048,
                classes: 1000,
            },
        }
    }

    /// Returns the same network with squeeze-and-excitation of PaddleClas's reduction, 16.
    pub fn with_se(self) -> Self {
        Self {
            se_reduction: Some(16),
            ..self
        }
    }

    /// Returns the stride of the lowest-resolution branch; both sides of the input must be multiples of it.
    pub fn stride(&self) -> usize {
        2 << self.widths.len()
    }
}

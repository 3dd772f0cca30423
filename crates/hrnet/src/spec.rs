use crate::{Classifier, Head};

/// The numbers by which HRNets differ; [`HrnetSpec::graph`](crate::HrnetSpec::graph) builds the network.
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
    /// The layers behind the trunk, which compute the outputs.
    pub head: Head,
}

/// Stage 1: bottlenecks on one branch, whose output has four times `mid` channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StageOneSpec {
    /// Number of bottlenecks.
    pub blocks: usize,
    /// Channels of their 3x3 convolution.
    pub mid: usize,
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
            head: Classifier::imagenet().into(),
        }
    }

    /// Returns the same network with squeeze-and-excitation of PaddleClas's reduction, 16.
    pub fn with_se(self) -> Self {
        Self {
            se_reduction: Some(16),
            ..self
        }
    }

    /// Returns the same trunk with another head.
    pub fn with_head(self, head: impl Into<Head>) -> Self {
        Self {
            head: head.into(),
            ..self
        }
    }

    /// Returns the same network with this number of classes, if it is a classifier; any other is returned as it is.
    pub fn with_classes(mut self, classes: usize) -> Self {
        if let Head::Classifier(head) = &mut self.head {
            head.classes = classes;
        }
        self
    }

    /// Returns the number of classes; 0 for a network that is no classifier.
    pub fn classes(&self) -> usize {
        match &self.head {
            Head::Classifier(head) => head.classes,
            Head::Pyramid(_) | Head::Heatmaps(_) => 0,
        }
    }

    /// Returns the stride of the lowest-resolution branch; both sides of the input must be multiples of it.
    pub fn stride(&self) -> usize {
        2 << self.widths.len()
    }
}

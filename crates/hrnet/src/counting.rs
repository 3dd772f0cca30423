use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Profile;

/// The rules by which published tables count a network. They differ by a factor of two and more, so a figure
/// without its rule says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CountingRule {
    /// Multiply-accumulates of convolutions.
    ConvMacs,
    /// Multiply-accumulates of convolutions and linear layers.
    Macs,
    /// Twice the multiply-accumulates of convolutions and linear layers.
    TwiceMacs,
    /// `paddle.flops` of Paddle 2: multiply-accumulates, two per batch-norm element, pooling.
    PaddleFlops,
    /// `fluid.contrib.model_stat` of Paddle 1: twice the convolution's multiply-accumulates, the linear layer's
    /// once, two per batch-norm element, and activations *subtracted*, because the batch of a static graph is -1.
    ModelStatFlops,
    /// `get_model_complexity_info` of OpenMMLab's mmcv, on a network without its linear layer: multiply-accumulates of
    /// convolutions, two per batch-norm element, one per activation, per enlarged element and per element that is pooled.
    OpenmmlabFlops,
    /// Parameters that training changes by gradient: PyTorch's count.
    Trainable,
    /// Every element of the state dict, running statistics included: Paddle 2's count.
    StateDict,
    /// `fluid.contrib.model_stat` of Paddle 1: trainable, but one for each linear layer's bias vector.
    ModelStatParams,
}

/// The quantity that a rule counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    Operations,
    Parameters,
}

impl CountingRule {
    /// Every rule.
    pub const ALL: [Self; 9] = [
        Self::ConvMacs,
        Self::Macs,
        Self::TwiceMacs,
        Self::PaddleFlops,
        Self::ModelStatFlops,
        Self::OpenmmlabFlops,
        Self::Trainable,
        Self::StateDict,
        Self::ModelStatParams,
    ];

    /// Returns the count of a network under this rule, for one image if the profile is that of batch 1.
    pub fn count(self, p: &Profile) -> u64 {
        match self {
            Self::ConvMacs => p.conv_macs,
            Self::Macs => p.macs().0,
            Self::TwiceMacs => 2 * p.macs().0,
            Self::PaddleFlops => p.macs().0 + 2 * p.bn_elements + p.pool_inputs + p.pool_outputs,
            Self::ModelStatFlops => {
                (2 * p.conv_macs + p.linear_macs + 2 * p.bn_elements).saturating_sub(p.activation_elements)
            }
            Self::OpenmmlabFlops => {
                p.conv_macs + 2 * p.bn_elements + p.activation_elements + p.upsample_elements + p.pool_inputs
            }
            Self::Trainable => p.trainable().0,
            Self::StateDict => p.state_dict().0,
            Self::ModelStatParams => p.conv_weights + 2 * p.bn_channels + p.linear_weights + p.ops.linear,
        }
    }

    /// Returns true if the rule counts parameters; the others count operations.
    pub fn counts_parameters(self) -> bool {
        self.quantity() == Quantity::Parameters
    }

    /// Returns the rules that count the same quantity as this one.
    pub fn alternatives(self) -> impl Iterator<Item = Self> {
        Self::ALL
            .into_iter()
            .filter(move |rule| rule.quantity() == self.quantity())
    }

    fn quantity(self) -> Quantity {
        match self {
            Self::ConvMacs
            | Self::Macs
            | Self::TwiceMacs
            | Self::PaddleFlops
            | Self::ModelStatFlops
            | Self::OpenmmlabFlops => Quantity::Operations,
            Self::Trainable | Self::StateDict | Self::ModelStatParams => Quantity::Parameters,
        }
    }

    /// Returns the name used in the manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConvMacs => "conv-macs",
            Self::Macs => "macs",
            Self::TwiceMacs => "twice-macs",
            Self::PaddleFlops => "paddle-flops",
            Self::ModelStatFlops => "model-stat-flops",
            Self::OpenmmlabFlops => "openmmlab-flops",
            Self::Trainable => "trainable",
            Self::StateDict => "state-dict",
            Self::ModelStatParams => "model-stat-params",
        }
    }
}

impl fmt::Display for CountingRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

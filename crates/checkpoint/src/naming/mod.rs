//! Whose names the tensors have: one file a scheme, each a function from the canonical name to the scheme's.

mod paddle;
mod timm;

use std::collections::BTreeMap;

use crate::Tensor;

/// A naming scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// PaddleClas's of 2021 and since (`legendary_models`).
    Paddle,
    /// The original repository's, which timm kept; our canonical names.
    Timm,
}

impl Naming {
    /// Every scheme known.
    pub const ALL: [Self; 2] = [Self::Paddle, Self::Timm];

    /// The scheme's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paddle => "Paddle",
            Self::Timm => "timm",
        }
    }

    /// The tensor that tells the scheme: the first convolution's weight.
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Paddle => "conv_layer1_1.conv.weight",
            Self::Timm => "conv1.weight",
        }
    }

    /// The scheme whose sign is among the names.
    pub(crate) fn detect(tensors: &BTreeMap<String, Tensor>) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|naming| tensors.contains_key(naming.sign()))
    }

    /// This scheme's name of the tensor with a canonical name.
    ///
    /// # Panics
    /// If the name is none that an [`hrnet::Graph`] gives its parameters.
    pub fn name_of(self, canonical: &str) -> String {
        match self {
            Self::Paddle => paddle::name(canonical),
            Self::Timm => canonical.to_owned(),
        }
    }

    /// Whether linear weights are stored `[in, out]` rather than `[out, in]`.
    pub(crate) const fn transposes_linear(self) -> bool {
        matches!(self, Self::Paddle)
    }

    /// The batch norm's running mean that a surplus tensor is to be taken off, if it is a head convolution's bias.
    pub(crate) fn folded_bias(self, name: &str) -> Option<String> {
        match self {
            Self::Timm => timm::folded_bias(name),
            Self::Paddle => None,
        }
    }

    /// Whether a surplus tensor is bookkeeping that no network reads.
    pub(crate) fn ignores(self, name: &str) -> bool {
        matches!(self, Self::Timm) && name.ends_with(".num_batches_tracked")
    }
}

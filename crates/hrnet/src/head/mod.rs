//! The layers behind the trunk: one arm of [`Head`] and one file for each kind.

mod classifier;
mod heatmaps;
mod pyramid;

pub use classifier::Classifier;
pub use heatmaps::Heatmaps;
pub use pyramid::{Pyramid, UnknownStride};

use crate::network::Network;
use crate::{GraphError, HrnetSpec, NodeId, Output};

/// The layers behind the trunk, which compute the outputs of the network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Head {
    /// Classes of the image: one output, `logits`.
    Classifier(Classifier),
    /// Feature maps: one output for each stride, `stride_2` to `stride_32`.
    Pyramid(Pyramid),
    /// A heatmap for each keypoint at stride 4: one output, `heatmaps`.
    Heatmaps(Heatmaps),
}

/// The maps of the trunk that a head reads.
pub(crate) struct Trunk<'a> {
    /// The ReLU of the first stem convolution, at stride 2.
    pub(crate) stem: NodeId,
    /// The outputs of the last module, highest resolution first: all branches, or the first alone.
    pub(crate) branches: &'a [NodeId],
}

impl Head {
    /// Returns true if it reads all branches of the last module; otherwise the module computes the first alone.
    pub(crate) const fn reads_all_branches(&self) -> bool {
        match self {
            Self::Classifier(_) | Self::Pyramid(_) => true,
            Self::Heatmaps(_) => false,
        }
    }

    /// Returns what is wrong with its numbers on this trunk.
    pub(crate) fn fault(&self, spec: &HrnetSpec) -> Option<String> {
        match self {
            Self::Classifier(head) => head.fault(spec),
            Self::Pyramid(head) => head.fault(spec),
            Self::Heatmaps(head) => head.fault(),
        }
    }

    /// Adds its nodes and returns the outputs.
    pub(crate) fn build(
        &self,
        network: &mut Network<'_>,
        trunk: &Trunk<'_>,
    ) -> Result<Vec<Output>, GraphError> {
        match self {
            Self::Classifier(head) => head.build(network, trunk),
            Self::Pyramid(head) => head.build(network, trunk),
            Self::Heatmaps(head) => Ok(head.build(network, trunk)),
        }
    }
}

impl From<Classifier> for Head {
    fn from(head: Classifier) -> Self {
        Self::Classifier(head)
    }
}

impl From<Pyramid> for Head {
    fn from(head: Pyramid) -> Self {
        Self::Pyramid(head)
    }
}

impl From<Heatmaps> for Head {
    fn from(head: Heatmaps) -> Self {
        Self::Heatmaps(head)
    }
}

/// Returns what is wrong with the widths of a head's bottlenecks, of which each branch has one.
fn widths_fault(mids: &[usize], spec: &HrnetSpec) -> Option<String> {
    let branches = spec.widths.len();
    (mids.len() != branches).then(|| {
        format!(
            "{branches} branch widths need {branches} head widths; found {}",
            mids.len()
        )
    })
}

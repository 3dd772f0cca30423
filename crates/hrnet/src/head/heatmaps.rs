use super::Trunk;
use crate::network::Network;
use crate::place::{Role, Unit};
use crate::{Output, OutputKind};

/// The head of a top-down pose network: one convolution with bias on the branch of the highest resolution. The last module
/// computes this branch alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Heatmaps {
    /// Number of maps: one for each keypoint, or three where a network regresses offsets as well.
    pub maps: usize,
    /// Side of the convolution's kernel: 1 in the published networks, or 3.
    pub kernel: usize,
}

impl Heatmaps {
    /// Returns the published head for this number of maps, a 1x1 convolution.
    pub const fn new(maps: usize) -> Self {
        Self { maps, kernel: 1 }
    }

    pub(super) fn fault(&self) -> Option<String> {
        if self.maps == 0 {
            return Some("the number of heatmaps must be positive".into());
        }
        let kernel = self.kernel;
        (!matches!(kernel, 1 | 3))
            .then(|| format!("the last convolution has a kernel of {kernel}x{kernel}; expected 1x1 or 3x3"))
    }

    pub(super) fn build(&self, network: &mut Network<'_>, trunk: &Trunk<'_>) -> Vec<Output> {
        let place = Unit::Heatmaps.at(Role::FinalConv);
        let node = network
            .g
            .conv_with_bias(place, trunk.branches[0], self.maps, self.kernel, 1);
        vec![Output {
            name: "heatmaps".into(),
            kind: OutputKind::Heatmaps,
            node,
        }]
    }
}

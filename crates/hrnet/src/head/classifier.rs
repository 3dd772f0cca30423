use super::{Trunk, widths_fault};
use crate::network::{Filter, Network};
use crate::place::{Layer, Role, Unit};
use crate::spec::BOTTLENECK_EXPANSION;
use crate::{GraphError, HrnetSpec, Output, OutputKind};

/// The head of a classifier: one bottleneck per branch, summed from high to low resolution, then features and classes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Classifier {
    /// Channels of the 3x3 convolution of each branch's bottleneck.
    pub mids: Vec<usize>,
    /// Channels that are pooled.
    pub features: usize,
    /// Number of logits.
    pub classes: usize,
}

impl Classifier {
    /// Returns the head of the published HRNet-C networks.
    pub fn imagenet() -> Self {
        Self {
            mids: vec![32, 64, 128, 256],
            features: 2048,
            classes: 1000,
        }
    }

    pub(super) fn fault(&self, spec: &HrnetSpec) -> Option<String> {
        widths_fault(&self.mids, spec).or_else(|| {
            let mut numbers = self.mids.iter().chain([&self.features, &self.classes]);
            numbers
                .any(|number| *number == 0)
                .then(|| "every count and width must be positive".into())
        })
    }

    pub(super) fn build(
        &self,
        network: &mut Network<'_>,
        trunk: &Trunk<'_>,
    ) -> Result<Vec<Output>, GraphError> {
        let (mids, branches) = (&self.mids, trunk.branches);
        let mut y = network.bottleneck(Unit::HeadBlock { branch: 0 }, branches[0], mids[0], true)?;
        for (branch, x) in branches.iter().enumerate().skip(1) {
            let lower = network.bottleneck(Unit::HeadBlock { branch }, *x, mids[branch], true)?;
            let unit = Unit::HeadDown { from: branch - 1 };
            let filter = Filter::halving(mids[branch] * BOTTLENECK_EXPANSION);
            let down = network.conv_bn_relu(unit, Layer::Only, y, filter);
            y = network.g.add(unit.at(Role::Add), lower, down)?;
        }
        y = network.conv_bn_relu(Unit::HeadFinal, Layer::Only, y, Filter::one(self.features));
        y = network
            .g
            .global_avg_pool(Unit::Classifier.at(Role::GlobalPool), y);
        let node = network
            .g
            .linear(Unit::Classifier.at(Role::Linear), y, self.classes)?;
        Ok(vec![Output {
            name: "logits".into(),
            kind: OutputKind::Logits,
            node,
        }])
    }
}

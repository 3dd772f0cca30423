use super::{Trunk, widths_fault};
use crate::network::Network;
use crate::place::Unit;
use crate::{Features, GraphError, Head, HrnetSpec, Output, OutputKind};

/// Feature maps of a network without the rest of its head: timm's `features_only=True`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pyramid {
    /// The layers that compute the maps.
    pub location: Features,
    /// Channels of the 3x3 convolution of each branch's bottleneck, for [`Features::Incre`].
    pub mids: Vec<usize>,
    /// Pixels of the image per pixel of each map, in ascending order: some of 2, 4, 8, 16, 32. With timm's `out_indices` it is
    /// `2 << index`.
    pub strides: Vec<usize>,
}

/// A stride at which the network has no feature map.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no feature map at stride {stride}: the network has maps at strides {}",
    listed(known)
)]
pub struct UnknownStride {
    /// The stride that was asked for.
    pub stride: usize,
    /// The strides that there are.
    pub known: Vec<usize>,
}

fn listed(strides: &[usize]) -> String {
    let strides: Vec<String> = strides.iter().map(usize::to_string).collect();
    strides.join(", ")
}

impl Pyramid {
    pub(super) fn fault(&self, spec: &HrnetSpec) -> Option<String> {
        let known = spec.strides();
        if self.strides.is_empty() {
            return Some("a feature pyramid needs at least one stride".into());
        }
        if let Some(stride) = self.strides.iter().find(|stride| !known.contains(stride)) {
            let (stride, known) = (*stride, known);
            return Some(UnknownStride { stride, known }.to_string());
        }
        if !self.strides.is_sorted_by(|a, b| a < b) {
            return Some(format!(
                "the strides {} must ascend, each once",
                listed(&self.strides)
            ));
        }
        match self.location {
            Features::Stage4 => None,
            Features::Incre => widths_fault(&self.mids, spec).or_else(|| {
                let has_zero = self.mids.contains(&0);
                has_zero.then(|| "every width of the head must be positive".into())
            }),
        }
    }

    pub(super) fn build(
        &self,
        network: &mut Network<'_>,
        trunk: &Trunk<'_>,
    ) -> Result<Vec<Output>, GraphError> {
        let mut outputs = Vec::with_capacity(self.strides.len());
        for stride in self.strides.iter().copied() {
            let node = match stride {
                2 => trunk.stem,
                stride => {
                    let branch = branch_of(stride);
                    let map = trunk.branches[branch];
                    match self.location {
                        Features::Stage4 => map,
                        Features::Incre => {
                            let unit = Unit::HeadBlock { branch };
                            network.bottleneck(unit, map, self.mids[branch], true)?
                        }
                    }
                }
            };
            outputs.push(Output {
                name: format!("stride_{stride}"),
                kind: OutputKind::Features { stride },
                node,
            });
        }
        Ok(outputs)
    }
}

/// Returns the branch whose maps have this stride, of 4 and more.
const fn branch_of(stride: usize) -> usize {
    stride.ilog2() as usize - 2
}

impl HrnetSpec {
    /// Returns the strides at which the network has feature maps: 2, and that of each branch.
    pub fn strides(&self) -> Vec<usize> {
        let branches = (0..self.widths.len()).map(|branch| 4 << branch);
        std::iter::once(2).chain(branches).collect()
    }

    /// Returns the network that computes these feature maps alone, as timm's `features_only=True` with `out_indices`; its weights
    /// are those of this network. [`Features::Incre`] needs a classifier, whose head has those layers.
    ///
    /// # Errors
    /// If the network has no map at one of the strides.
    pub fn features_only(&self, location: Features, strides: &[usize]) -> Result<Self, UnknownStride> {
        let known = self.strides();
        if let Some(stride) = strides.iter().copied().find(|stride| !known.contains(stride)) {
            return Err(UnknownStride { stride, known });
        }
        let mids = match (&self.head, location) {
            (Head::Classifier(head), Features::Incre) => head.mids.clone(),
            (Head::Pyramid(head), Features::Incre) => head.mids.clone(),
            (_, Features::Stage4) | (Head::Heatmaps(_), Features::Incre) => Vec::new(),
        };
        let mut strides = strides.to_vec();
        strides.sort_unstable();
        strides.dedup();
        Ok(self.clone().with_head(Pyramid {
            location,
            mids,
            strides,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Heatmaps, NodeId, Shape, SpecError};

    /// The channels of timm 1.0.31's `feature_info` for each network, by its widths.
    #[test]
    fn all_networks_have_timms_strides_and_channels_in_both_locations() {
        for width in [18, 30, 32, 40, 44, 48, 64] {
            let plain = HrnetSpec::imagenet([width, 2 * width, 4 * width, 8 * width]);
            for spec in [plain.clone(), plain.with_se()] {
                let channels = [
                    (Features::Incre, [64, 128, 256, 512, 1024]),
                    (Features::Stage4, [64, width, 2 * width, 4 * width, 8 * width]),
                ];
                for (location, channels) in channels {
                    let features = spec.features_only(location, &spec.strides()).expect("strides");
                    let graph = features.graph(Shape::new(2, 3, 64, 96)).expect("a network");
                    for ((output, stride), c) in graph.outputs().iter().zip([2, 4, 8, 16, 32]).zip(channels) {
                        assert_eq!(output.kind, OutputKind::Features { stride });
                        assert_eq!(output.name, format!("stride_{stride}"));
                        let expected = Shape::new(2, c, 64 / stride, 96 / stride);
                        assert_eq!(graph.node(output.node).shape, expected, "{width} {location}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_pyramid_is_the_part_of_the_classifier_that_computes_its_maps() {
        let spec = HrnetSpec::imagenet([18, 36, 72, 144]);
        let whole = spec.graph(Shape::square(1, 64)).expect("a network");
        for location in Features::ALL {
            for strides in [&[2, 4, 8, 16, 32][..], &[8], &[2, 32]] {
                let features = spec.features_only(location, strides).expect("strides");
                let graph = features.graph(Shape::square(1, 64)).expect("a network");
                let all = spec.features(location).into_iter();
                let nodes: Vec<NodeId> = all
                    .filter(|feature| strides.contains(&feature.stride))
                    .map(|feature| whole.at(&feature.node).expect("a node"))
                    .collect();
                assert_eq!(
                    graph.nodes(),
                    whole.computing(&nodes).nodes(),
                    "{location} {strides:?}"
                );
            }
        }
    }

    #[test]
    fn strides_that_are_not_there_and_heads_that_are_none_are_refused() {
        let spec = HrnetSpec::imagenet([18, 36, 72, 144]);
        let error = spec
            .features_only(Features::Incre, &[4, 64])
            .expect_err("no such stride");
        assert_eq!(
            error.to_string(),
            "no feature map at stride 64: the network has maps at strides 2, 4, 8, 16, 32"
        );
        let refused = |head: Head, part: &str| {
            let error = spec.clone().with_head(head).graph(Shape::square(1, 64));
            let error: SpecError = error.expect_err("no head");
            assert!(error.to_string().contains(part), "{error}");
        };
        let pyramid = |strides: &[usize]| Pyramid {
            location: Features::Stage4,
            mids: Vec::new(),
            strides: strides.to_vec(),
        };
        refused(pyramid(&[]).into(), "at least one stride");
        refused(pyramid(&[8, 4]).into(), "must ascend");
        refused(pyramid(&[4, 6]).into(), "no feature map at stride 6");
        let incre = Pyramid {
            location: Features::Incre,
            ..pyramid(&[4])
        };
        refused(incre.into(), "4 head widths; found 0");
        refused(Heatmaps::new(0).into(), "must be positive");
        refused(Heatmaps { maps: 17, kernel: 5 }.into(), "kernel of 5x5");
    }
}

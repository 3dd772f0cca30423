use std::fmt;
use std::str::FromStr;

use crate::place::{Layer, Role, Unit};
use crate::{HrnetSpec, Place};

/// The choice of a backbone's feature maps: those of timm's `features_only=True`, by its `feature_location`.
///
/// Both begin with the ReLU of the first stem convolution at stride 2; the others follow at strides 4, 8, 16, ...
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Features {
    /// The outputs of the head's bottlenecks, one for each branch, with 128, 256, 512 and 1024 channels in the published networks:
    /// timm's `feature_location='incre'`, its default.
    #[default]
    Incre,
    /// The outputs of the last stage, one for each branch, with the branch's own width: timm's `feature_location=''`.
    Stage4,
}

/// One map of a feature pyramid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Feature {
    /// Pixels of the image per pixel of the map, in either direction.
    pub stride: usize,
    /// The node that computes it.
    pub node: Place,
}

impl Features {
    /// Every location, the default first.
    pub const ALL: [Self; 2] = [Self::Incre, Self::Stage4];

    /// Returns the name used in options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Incre => "incre",
            Self::Stage4 => "stage4",
        }
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no location of features.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown features `{0}`: expected `incre`, timm's default, or `stage4`, for its feature_location=''")]
pub struct UnknownFeatures(pub String);

impl FromStr for Features {
    type Err = UnknownFeatures;

    /// Reads a name; the empty one is timm's for [`Features::Stage4`].
    fn from_str(name: &str) -> Result<Self, UnknownFeatures> {
        match name {
            "" => Ok(Self::Stage4),
            name => Self::ALL
                .into_iter()
                .find(|features| features.name() == name)
                .ok_or_else(|| UnknownFeatures(name.into())),
        }
    }
}

impl HrnetSpec {
    /// Returns the maps of the feature pyramid of a classifier, the finest first: stride 2, then one map for each branch.
    pub fn features(&self, location: Features) -> Vec<Feature> {
        let stem = Feature {
            stride: 2,
            node: Unit::Stem.at(Role::Relu(Layer::Numbered(1))),
        };
        let branches = self.widths.len();
        let last = self.modules.last().map_or(0, |modules| modules.saturating_sub(1));
        let unit = |branch: usize| match location {
            Features::Incre => Unit::HeadBlock { branch },
            Features::Stage4 => Unit::ExchangeOutput {
                stage: branches,
                module: last,
                output: branch,
            },
        };
        let branch = |branch: usize| Feature {
            stride: 4 << branch,
            node: unit(branch).at(Role::AddRelu),
        };
        std::iter::once(stem).chain((0..branches).map(branch)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn strides_and_channels_are_those_of_timm() {
        let imagenet = HrnetSpec::imagenet([18, 36, 72, 144]);
        let small = HrnetSpec {
            modules: vec![1, 3, 2],
            ..imagenet.clone()
        };
        let channels = [
            (Features::Incre, [64, 128, 256, 512, 1024]),
            (Features::Stage4, [64, 18, 36, 72, 144]),
        ];
        for spec in [imagenet, small] {
            let graph = spec.graph(Shape::square(1, 64)).expect("a network");
            for (location, channels) in channels {
                let features = spec.features(location);
                let strides: Vec<usize> = features.iter().map(|feature| feature.stride).collect();
                assert_eq!(strides, [2, 4, 8, 16, 32], "{location}");
                for (feature, channels) in features.iter().zip(channels) {
                    let node = graph.at(&feature.node).expect("a node of the graph");
                    let side = 64 / feature.stride;
                    assert_eq!(
                        graph.node(node).shape,
                        Shape::new(1, channels, side, side),
                        "{}",
                        feature.node
                    );
                }
            }
        }
    }

    #[test]
    fn locations_are_read_by_our_names_and_by_timms_empty_one() {
        for location in Features::ALL {
            assert_eq!(location.name().parse(), Ok(location));
        }
        assert_eq!("".parse(), Ok(Features::Stage4));
        let error = "stage5".parse::<Features>().expect_err("no such location");
        assert!(error.to_string().contains("`incre`"), "{error}");
    }
}

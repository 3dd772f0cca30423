use std::fmt;

use crate::Place;
use crate::place::Unit;

/// A part of the network, as its authors divide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The images and the two convolutions that reduce them to a quarter of each side.
    Stem,
    /// The blocks at one resolution.
    StageOne,
    /// The blocks on each branch of a stage, 2 to 4, and the transitions from the branches before.
    Branches(usize),
    /// The exchange of a stage's modules: branches are resized to each other and summed.
    Exchange(usize),
    /// The head, which computes the outputs from the branches.
    Head,
}

impl Part {
    /// Returns the part that a node belongs to; `None` for a node of a graph that is no HRNet.
    pub const fn of(place: &Place) -> Option<Self> {
        match place {
            Place::Input => Some(Self::Stem),
            Place::In(unit, _) => Some(Self::of_unit(*unit)),
            Place::Named(_) => None,
        }
    }

    const fn of_unit(unit: Unit) -> Self {
        match unit {
            Unit::Stem => Self::Stem,
            Unit::StageOne { .. } => Self::StageOne,
            Unit::Transition { number, .. } => Self::Branches(number + 1),
            Unit::Block { stage, .. } => Self::Branches(stage),
            Unit::ExchangeTerm { stage, .. } | Unit::ExchangeOutput { stage, .. } => Self::Exchange(stage),
            Unit::HeadBlock { .. }
            | Unit::HeadDown { .. }
            | Unit::HeadFinal
            | Unit::Classifier
            | Unit::Heatmaps => Self::Head,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stem => f.write_str("stem"),
            Self::StageOne => f.write_str("stage 1"),
            Self::Branches(stage) => write!(f, "stage {stage}, branches"),
            Self::Exchange(stage) => write!(f, "stage {stage}, exchange"),
            Self::Head => f.write_str("head"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HrnetSpec, Shape};

    #[test]
    fn every_node_has_a_part_and_parts_follow_each_other() {
        for spec in [
            HrnetSpec::imagenet([18, 36, 72, 144]),
            HrnetSpec::imagenet([64, 128, 256, 512]).with_se(),
        ] {
            let graph = spec.graph(Shape::square(1, 224)).expect("a network");
            let of = |place: &Place| Part::of(place).unwrap_or_else(|| panic!("{place}"));
            let mut parts: Vec<Part> = graph.nodes().iter().map(|node| of(&node.place)).collect();
            parts.dedup();
            assert_eq!((parts[0], parts[1]), (Part::Stem, Part::StageOne));
            assert_eq!(parts[parts.len() - 1], Part::Head);
            // One module in stage 2, four in stage 3, three in stage 4: blocks and exchange of each.
            assert_eq!(parts.len(), 3 + 2 * (1 + 4 + 3));
            let of = |name| of(&graph.node(graph.find(name).expect("a node")).place);
            assert_eq!(of("stage3.2.fuse_layers.0.1.add"), Part::Exchange(3));
            assert_eq!(of("stage3.2.fuse_layers.0.relu"), Part::Exchange(3));
            assert_eq!(of("transition3.3.0.0"), Part::Branches(4));
            assert_eq!(of("global_pool"), Part::Head);
        }
        assert_eq!(Part::of(&"conv1".into()), None, "a name says nothing");
        assert_eq!(Part::Exchange(3).to_string(), "stage 3, exchange");
    }
}

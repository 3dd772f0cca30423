use std::fmt;

/// A part of the network, as its authors divide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The images and the two convolutions that reduce them to a quarter of each side.
    Stem,
    /// The blocks at one resolution.
    StageOne,
    /// The blocks on each branch of a stage, 2 to 4, and the transitions from the branches before.
    Branches(u8),
    /// The exchange of a stage's modules: branches are resized to each other and summed.
    Exchange(u8),
    /// The head, which computes features and logits from the branches.
    Head,
}

impl Part {
    /// Returns the part of the node of this name in a graph of [`HrnetSpec::graph`](crate::HrnetSpec::graph); `None` for other
    /// names.
    pub fn of(node: &str) -> Option<Self> {
        let (first, rest) = node.split_once('.').unwrap_or((node, ""));
        let stage = |prefix: &str| first.strip_prefix(prefix)?.parse::<u8>().ok();
        if let Some(stage) = stage("stage") {
            return Some(match rest.split('.').nth(1) {
                Some("fuse_layers") => Self::Exchange(stage),
                _ => Self::Branches(stage),
            });
        }
        if let Some(before) = stage("transition") {
            return Some(Self::Branches(before + 1));
        }
        Some(match first {
            "input" | "conv1" | "bn1" | "conv2" | "bn2" => Self::Stem,
            "layer1" => Self::StageOne,
            "incre_modules" | "downsamp_modules" | "final_layer" | "global_pool" | "classifier" => Self::Head,
            _ => return None,
        })
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
            let of = |name: &str| Part::of(name).unwrap_or_else(|| panic!("{name}"));
            let mut parts: Vec<Part> = graph.nodes().iter().map(|node| of(&node.name)).collect();
            parts.dedup();
            assert_eq!((parts[0], parts[1]), (Part::Stem, Part::StageOne));
            assert_eq!(parts[parts.len() - 1], Part::Head);
            // One module in stage 2, four in stage 3, three in stage 4: blocks and exchange of each.
            assert_eq!(parts.len(), 3 + 2 * (1 + 4 + 3));
        }
        assert_eq!(Part::of("stage3.2.fuse_layers.0.1.add"), Some(Part::Exchange(3)));
        assert_eq!(Part::of("transition3.3.0.0"), Some(Part::Branches(4)));
        assert_eq!(Part::of("conv3"), None);
        assert_eq!(Part::Exchange(3).to_string(), "stage 3, exchange");
    }
}

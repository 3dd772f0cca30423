//! Heads in words, for the error of a file that has another than the network.

use hrnet::{Graph, OutputKind};

/// The head of a network whose weights a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FoundHead {
    /// That of a classifier, with this number of classes.
    Classifier(usize),
    /// That of a pose network, with this number of heatmaps.
    Heatmaps(usize),
}

impl FoundHead {
    /// Returns true if it is the graph's, or differs by its classes alone, which the shapes of tensors say.
    pub(crate) fn fits(self, graph: &Graph) -> bool {
        graph.outputs().iter().any(|output| match (output.kind, self) {
            (OutputKind::Logits, Self::Classifier(_)) => true,
            (OutputKind::Heatmaps, Self::Heatmaps(maps)) => graph.node(output.node).shape.c == maps,
            // A part of a network may be one of either.
            (OutputKind::Features { .. } | OutputKind::Value, _) => true,
            (OutputKind::Logits, Self::Heatmaps(_)) | (OutputKind::Heatmaps, Self::Classifier(_)) => false,
        })
    }

    /// Returns the network in words.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Classifier(classes) => {
                format!("a classifier with {}", counted(classes, "class", "classes"))
            }
            Self::Heatmaps(maps) => {
                format!("a pose network with {}", counted(maps, "heatmap", "heatmaps"))
            }
        }
    }
}

/// Returns the network of a graph in words.
pub(crate) fn words(graph: &Graph) -> String {
    let channels = graph.output_shape().c;
    match graph.outputs()[0].kind {
        OutputKind::Logits => FoundHead::Classifier(channels).words(),
        OutputKind::Heatmaps => FoundHead::Heatmaps(channels).words(),
        OutputKind::Features { .. } | OutputKind::Value => "a part of a network".into(),
    }
}

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

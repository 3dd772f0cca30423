//! What each convolution of a network reads, so that it can be kept in fixed point, and what lies between: ranges seen on
//! images, for one set of weights.

mod calibrator;
mod histogram;
mod method;
mod photos;
mod text;

use std::collections::BTreeMap;

use hrnet::{Graph, Node, NodeId, Op, WeightSource};
use serde::{Deserialize, Serialize};

use crate::RuntimeError;

pub use calibrator::Calibrator;
pub use method::{Method, UnknownMethod};
pub use photos::photo_like;

/// Images of [`Calibration::stand_in`].
const STAND_IN_IMAGES: usize = 8;

/// The ranges of what each convolution reads, and of the other values on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Version of this form, [`Calibration::SCHEMA`].
    calibration: u32,
    /// What is known of where it comes from.
    pub origin: Origin,
    /// How ranges were chosen from what was seen.
    pub method: Method,
    /// Images that were seen.
    pub images: usize,
    /// By the names of convolutions.
    layers: BTreeMap<String, Layer>,
    /// What the method chose for the values that no convolution reads, by the names of the nodes that compute them.
    #[serde(default)]
    values: BTreeMap<String, Range>,
}

/// Where a calibration comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The network's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// SHA-256 of the weight file, or `seeded:N`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Which images, and how they were prepared.
    pub images: String,
}

/// What one convolution reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    /// What the method chose.
    range: Range,
    /// All that was seen.
    seen: Range,
    /// Of each channel.
    channels: Channels,
    /// Whether int8 leaves it in 16 bits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    keep: bool,
}

/// What was seen of each channel that a convolution reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channels {
    /// The largest absolute value.
    pub largest: Vec<f32>,
    /// The mean.
    pub means: Vec<f32>,
}

/// An interval that holds zero, which maps are padded with; both ends are zero where nothing else was seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The lower end, at most zero.
    pub lo: f32,
    /// The upper end, at least zero.
    pub hi: f32,
}

impl Range {
    /// The least range that holds both numbers and zero.
    pub fn around(lo: f32, hi: f32) -> Self {
        Self {
            lo: lo.min(0.0),
            hi: hi.max(0.0),
        }
    }

    /// The largest absolute value in it.
    pub fn largest(self) -> f32 {
        self.hi.max(-self.lo)
    }

    fn is_valid(self) -> bool {
        self.lo <= 0.0 && self.hi >= 0.0 && self.lo.is_finite() && self.hi.is_finite()
    }
}

impl Channels {
    fn is_valid(&self) -> bool {
        let Self { largest, means } = self;
        let magnitudes = largest
            .iter()
            .all(|largest| largest.is_finite() && *largest >= 0.0);
        largest.len() == means.len() && magnitudes && means.iter().all(|mean| mean.is_finite())
    }
}

/// What every version of the form begins with.
#[derive(Deserialize)]
struct Version {
    calibration: u32,
}

/// Why there is no calibration, or it does not fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// The text is JSON of another form, or none.
    #[error("no calibration: {0}")]
    Json(#[from] serde_json::Error),
    /// The text has the form of a calibration, and numbers that none has.
    #[error("no calibration: {0}")]
    Text(String),
    /// It is of another network.
    #[error("the calibration is of another network: {0}")]
    Network(String),
    /// The network computes something else than numbers.
    #[error("layer `{layer}` reads {value}: it cannot be calibrated on these weights and images")]
    Value {
        /// The convolution.
        layer: String,
        /// What it reads.
        value: String,
    },
    /// Nothing was seen.
    #[error("no image to calibrate on")]
    NoImages,
}

impl Calibration {
    /// The version of the form.
    pub const SCHEMA: u32 = 2;

    /// What is said of a network that ran on ranges of [`Calibration::stand_in`].
    pub const STAND_IN: &'static str = "8 synthetic photos";

    /// Ranges seen on a few synthetic photos of the graph's size, the same for the same weights: what stands in where nobody
    /// gave a calibration.
    ///
    /// # Errors
    /// If the weights lack a parameter, or the network computes something else than numbers.
    pub fn stand_in(graph: &Graph, weights: &dyn WeightSource) -> Result<Self, RuntimeError> {
        let graph = graph.with_batch(1);
        let mut calibrator = Calibrator::new(&graph, weights)?;
        for index in 0..STAND_IN_IMAGES {
            calibrator.add(&photo_like(index as u64, graph.input_shape()))?;
        }
        let origin = Origin {
            images: Self::STAND_IN.into(),
            ..Origin::default()
        };
        Ok(calibrator.finish(Method::Mse, origin)?)
    }

    /// The range to keep what this convolution reads in: what lies outside may be cut off.
    pub fn range(&self, layer: &str) -> Option<Range> {
        self.layers.get(layer).map(|layer| layer.range)
    }

    /// The range of all that this convolution was seen to read, whatever the method.
    pub fn seen(&self, layer: &str) -> Option<Range> {
        self.layers.get(layer).map(|layer| layer.seen)
    }

    /// What was seen of each channel that this convolution reads.
    pub fn channels(&self, layer: &str) -> Option<&Channels> {
        self.layers.get(layer).map(|layer| &layer.channels)
    }

    /// Has int8 leave the convolutions with these names in 16 bits.
    pub fn keep(&mut self, wanted: impl Fn(&str) -> bool) {
        for (name, layer) in &mut self.layers {
            layer.keep |= wanted(name);
        }
    }

    /// Whether int8 leaves this convolution in 16 bits.
    pub fn keeps(&self, layer: &str) -> bool {
        self.layers.get(layer).is_some_and(|layer| layer.keep)
    }

    /// The range to keep a node's value in, where it is a map that was seen: of what convolutions read theirs, of an enlarged
    /// one that of what is enlarged.
    pub fn value(&self, graph: &Graph, id: NodeId) -> Option<Range> {
        let node = graph.node(id);
        if let Op::Upsample(_) = node.op {
            return self.value(graph, node.inputs[0]);
        }
        let reads = |reader: &&Node| matches!(reader.op, Op::Conv(_)) && reader.inputs.contains(&id);
        match graph.nodes().iter().find(reads) {
            Some(reader) => self.range(&reader.name),
            None => self.values.get(&node.name).copied(),
        }
    }

    /// The names of the convolutions.
    pub fn layers(&self) -> impl Iterator<Item = &str> {
        self.layers.keys().map(String::as_str)
    }

    /// Refuses a graph with convolutions that it has no range of, or with other channels.
    ///
    /// # Errors
    /// The first such convolution.
    pub fn check(&self, graph: &Graph) -> Result<(), CalibrationError> {
        for node in graph.nodes() {
            let Op::Conv(conv) = node.op else { continue };
            let name = &node.name;
            match self.layers.get(name) {
                None => {
                    let what = format!("it has no range of layer `{name}`");
                    return Err(CalibrationError::Network(what));
                }
                Some(layer) if layer.channels.largest.len() != conv.inputs => {
                    let channels = layer.channels.largest.len();
                    let what = format!("layer `{name}` reads {channels} channels, not {}", conv.inputs);
                    return Err(CalibrationError::Network(what));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// The text that [`Calibration::parse`] reads, the same for the same calibration.
    pub fn to_text(&self) -> String {
        text::text(self)
    }

    /// The calibration of [`Calibration::to_text`].
    ///
    /// # Errors
    /// If the text is none, with the place of what is wrong.
    pub fn parse(text: &str) -> Result<Self, CalibrationError> {
        let none = |what: String| Err(CalibrationError::Text(what));
        let Version { calibration: version } = serde_json::from_str(text)?;
        if version != Self::SCHEMA {
            return none(format!(
                "it has version {version}, this program reads {}",
                Self::SCHEMA
            ));
        }
        let found: Self = serde_json::from_str(text)?;
        for (name, layer) in &found.layers {
            if !layer.channels.is_valid() {
                let what = "as many largest values, from 0 on, as means";
                return none(format!("layer `{name}`: its channels have {what}"));
            }
        }
        let layers = found.layers.iter();
        let layers = layers.flat_map(|(name, layer)| [(name, layer.range), (name, layer.seen)]);
        let values = found.values.iter().map(|(name, range)| (name, *range));
        if let Some((name, _)) = layers.chain(values).find(|(_, range)| !range.is_valid()) {
            return none(format!("`{name}`: a range goes from at most 0 to at least 0"));
        }
        Ok(found)
    }
}

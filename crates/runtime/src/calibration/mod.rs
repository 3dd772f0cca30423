//! Calibration: the ranges of the inputs of each convolution, and of the values between, observed on images for one set of
//! weights, so that they can be kept in fixed point.

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

/// The ranges of the inputs of each convolution, and of the other values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Version of this form, [`Calibration::SCHEMA`].
    calibration: u32,
    /// Its origin, as far as it is known.
    pub origin: Origin,
    /// The method by which ranges were chosen.
    pub method: Method,
    /// The number of images.
    pub images: usize,
    /// By the names of convolutions.
    layers: BTreeMap<String, Layer>,
    /// The chosen ranges of the values that no convolution reads, by the names of the nodes that compute them.
    #[serde(default)]
    values: BTreeMap<String, Range>,
}

/// The origin of a calibration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The network's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// SHA-256 of the weight file, or `seeded:N`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// The images and their preprocessing, in words.
    pub images: String,
}

/// The input of one convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layer {
    /// The chosen range.
    range: Range,
    /// The range of all observed values.
    seen: Range,
    /// The observations of each channel.
    channels: Channels,
    /// True if int8 leaves it in 16 bits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    keep: bool,
}

/// The observations of each input channel of a convolution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channels {
    /// The largest absolute value.
    pub largest: Vec<f32>,
    /// The mean.
    pub means: Vec<f32>,
}

/// An interval that holds zero, which maps are padded with; both ends are zero if no other value was observed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The lower end, at most zero.
    pub lo: f32,
    /// The upper end, at least zero.
    pub hi: f32,
}

impl Range {
    /// Returns the smallest range that holds both numbers and zero.
    pub fn around(lo: f32, hi: f32) -> Self {
        Self {
            lo: lo.min(0.0),
            hi: hi.max(0.0),
        }
    }

    /// Returns the largest absolute value in it.
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

/// The field with which every version of the form begins.
#[derive(Deserialize)]
struct Version {
    calibration: u32,
}

/// A calibration that cannot be read or made, or does not fit.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrationError {
    /// The text is JSON of another form, or none.
    #[error("no calibration: {0}")]
    Json(#[from] serde_json::Error),
    /// The text has the form of a calibration, and numbers that none has.
    #[error("no calibration: {0}")]
    Text(String),
    /// The calibration is of another network.
    #[error("the calibration is of another network: {0}")]
    Network(String),
    /// The network computes a NaN or an infinity.
    #[error("layer `{layer}` reads {value}: it cannot be calibrated on these weights and images")]
    Value {
        /// The convolution.
        layer: String,
        /// The value that it reads.
        value: String,
    },
    /// There was no image.
    #[error("no image to calibrate on")]
    NoImages,
}

impl Calibration {
    /// The version of the form.
    pub const SCHEMA: u32 = 2;

    /// The words for the origin of [`Calibration::stand_in`].
    pub const STAND_IN: &'static str = "8 synthetic photos";

    /// Observes ranges on a few synthetic photos of the graph's size, the same for the same weights. It stands in for a calibration
    /// that was not given.
    ///
    /// # Errors
    /// If the weights lack a parameter, or the network computes a NaN or an infinity.
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

    /// Returns the range for the input of this convolution: values outside saturate.
    pub fn range(&self, layer: &str) -> Option<Range> {
        self.layers.get(layer).map(|layer| layer.range)
    }

    /// Returns the range of all observed inputs of this convolution, for any method.
    pub fn seen(&self, layer: &str) -> Option<Range> {
        self.layers.get(layer).map(|layer| layer.seen)
    }

    /// Returns the observations of each input channel of this convolution.
    pub fn channels(&self, layer: &str) -> Option<&Channels> {
        self.layers.get(layer).map(|layer| &layer.channels)
    }

    /// Keeps the convolutions with these names in 16 bits under int8.
    pub fn keep(&mut self, wanted: impl Fn(&str) -> bool) {
        for (name, layer) in &mut self.layers {
            layer.keep |= wanted(name);
        }
    }

    /// Returns true if int8 leaves this convolution in 16 bits.
    pub fn keeps(&self, layer: &str) -> bool {
        self.layers.get(layer).is_some_and(|layer| layer.keep)
    }

    /// Returns the range for a node's value, if the map was observed: for a map that convolutions read theirs, for an enlarged
    /// map that of its input.
    pub fn value(&self, graph: &Graph, id: NodeId) -> Option<Range> {
        let node = graph.node(id);
        if let Op::Upsample(_) = node.op {
            return self.value(graph, node.inputs[0]);
        }
        let reads = |reader: &&Node| matches!(reader.op, Op::Conv(_)) && reader.inputs.contains(&id);
        match graph.nodes().iter().find(reads) {
            Some(reader) => self.range(&reader.name()),
            None => self.values.get(&node.name()).copied(),
        }
    }

    /// Returns the names of the convolutions.
    pub fn layers(&self) -> impl Iterator<Item = &str> {
        self.layers.keys().map(String::as_str)
    }

    /// Checks that it has a range for each convolution of a graph, with the same channels.
    ///
    /// # Errors
    /// With the first convolution that it does not fit.
    pub fn check(&self, graph: &Graph) -> Result<(), CalibrationError> {
        for node in graph.nodes() {
            let Op::Conv(conv) = node.op else { continue };
            let name = &node.name();
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

    /// Returns the text that [`Calibration::parse`] reads, the same for the same calibration.
    pub fn to_text(&self) -> String {
        text::text(self)
    }

    /// Reads the text of [`Calibration::to_text`].
    ///
    /// # Errors
    /// If the text is no calibration; the error has the place of the fault.
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

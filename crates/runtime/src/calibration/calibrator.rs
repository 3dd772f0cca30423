use std::collections::BTreeMap;

use hrnet::{Graph, Op, WeightSource};

use super::histogram::Histogram;
use super::{Calibration, CalibrationError, Channels, Layer, Method, Origin};
use crate::RuntimeError;
use crate::cpu::{Observed, Shown, other_values};

/// Runs a network in f32 on images, one batch after the other, and collects the inputs of each convolution, and the values that
/// no convolution reads.
pub struct Calibrator {
    network: Observed,
    layers: BTreeMap<String, Seen>,
    values: BTreeMap<String, Histogram>,
    images: usize,
}

/// The input of one convolution, as far as it was observed.
struct Seen {
    all: Histogram,
    channels: Vec<Channel>,
}

/// The observations of one channel.
#[derive(Clone, Copy, Default)]
struct Channel {
    largest: f32,
    sum: f64,
    count: usize,
}

impl Seen {
    fn new(channels: usize) -> Self {
        Self {
            all: Histogram::new(),
            channels: vec![Channel::default(); channels],
        }
    }

    /// Observes `[n, c, h, w]`, or returns the first value that is not finite.
    fn add(&mut self, values: &[f32], images: usize) -> Result<(), f32> {
        self.all.add(values)?;
        let count = self.channels.len();
        let planes = values.chunks_exact(values.len() / (images * count));
        for (index, plane) in planes.enumerate() {
            let Channel { largest, sum, count } = &mut self.channels[index % count];
            *largest = plane
                .iter()
                .fold(*largest, |largest, value| largest.max(value.abs()));
            *sum += plane.iter().copied().map(f64::from).sum::<f64>();
            *count += plane.len();
        }
        Ok(())
    }

    fn layer(&self, method: Method) -> Layer {
        let mean = |channel: &Channel| (channel.sum / channel.count as f64) as f32;
        Layer {
            range: self.all.range(method),
            seen: self.all.range(Method::MinMax),
            channels: Channels {
                largest: self.channels.iter().map(|channel| channel.largest).collect(),
                means: self.channels.iter().map(mean).collect(),
            },
            keep: false,
        }
    }
}

impl Calibrator {
    /// Returns a calibrator without observations, for batches of the graph's shape.
    ///
    /// # Errors
    /// If the weights lack a parameter of the graph, or there is too little memory.
    pub fn new(graph: &Graph, weights: &dyn WeightSource) -> Result<Self, RuntimeError> {
        let layers = graph.nodes().iter().filter_map(|node| {
            let Op::Conv(conv) = node.op else { return None };
            Some((node.name(), Seen::new(conv.inputs)))
        });
        let values = other_values(graph).map(|node| (node.name(), Histogram::new()));
        Ok(Self {
            network: Observed::new(graph, weights)?,
            layers: layers.collect(),
            values: values.collect(),
            images: 0,
        })
    }

    /// Observes one batch, `[n, 3, h, w]`.
    ///
    /// # Errors
    /// If the slice is not as long as the graph's input, or a layer reads a value that is not finite; the calibrator must then
    /// not be used any more.
    pub fn add(&mut self, images: &[f32]) -> Result<(), RuntimeError> {
        let mut odd = None;
        let Self {
            network,
            layers,
            values,
            ..
        } = self;
        let batch = network.batch();
        network.run(images, &mut |shown, numbers| {
            let (counted, name) = match shown {
                Shown::Read(name) => (layers.get_mut(name).map(|seen| seen.add(numbers, batch)), name),
                Shown::Value(name) => (values.get_mut(name).map(|seen| seen.add(numbers)), name),
            };
            if let Some(Err(value)) = counted {
                odd.get_or_insert_with(|| CalibrationError::Value {
                    layer: name.to_owned(),
                    value: value.to_string(),
                });
            }
        })?;
        match odd {
            Some(error) => Err(error.into()),
            None => {
                self.images += batch;
                Ok(())
            }
        }
    }

    /// Returns the ranges that the method chooses from all observations.
    ///
    /// # Errors
    /// If there was no image.
    pub fn finish(&self, method: Method, origin: Origin) -> Result<Calibration, CalibrationError> {
        if self.images == 0 {
            return Err(CalibrationError::NoImages);
        }
        let layer = |(name, seen): (&String, &Seen)| (name.clone(), seen.layer(method));
        let value = |(name, histogram): (&String, &Histogram)| (name.clone(), histogram.range(method));
        Ok(Calibration {
            calibration: Calibration::SCHEMA,
            origin,
            method,
            images: self.images,
            layers: self.layers.iter().map(layer).collect(),
            values: self.values.iter().map(value).collect(),
        })
    }
}

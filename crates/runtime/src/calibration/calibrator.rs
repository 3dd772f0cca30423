use std::collections::BTreeMap;

use hrnet::{Graph, Op, WeightSource};

use super::histogram::Histogram;
use super::{Calibration, CalibrationError, Layer, Method, Origin};
use crate::RuntimeError;
use crate::cpu::{Observed, Shown, other_values};

/// Runs a network in f32 on images, one batch after the other, and counts what each convolution reads, and the values that
/// none does.
pub struct Calibrator {
    network: Observed,
    layers: BTreeMap<String, (usize, Histogram)>,
    values: BTreeMap<String, Histogram>,
    images: usize,
}

impl Calibrator {
    /// One that has seen nothing, for batches of the graph's shape.
    ///
    /// # Errors
    /// If the weights lack a parameter of the graph, or there is too little memory.
    pub fn new(graph: &Graph, weights: &dyn WeightSource) -> Result<Self, RuntimeError> {
        let layers = graph.nodes().iter().filter_map(|node| match node.op {
            Op::Conv(conv) => Some((node.name.clone(), (conv.inputs, Histogram::new()))),
            _ => None,
        });
        let values = other_values(graph).map(|node| (node.name.clone(), Histogram::new()));
        Ok(Self {
            network: Observed::new(graph, weights)?,
            layers: layers.collect(),
            values: values.collect(),
            images: 0,
        })
    }

    /// Looks at one batch, `[n, 3, h, w]`.
    ///
    /// # Errors
    /// If the slice is not as long as the graph's input, or a layer reads something that is no finite number; nothing is
    /// to be made of the calibrator then.
    pub fn add(&mut self, images: &[f32]) -> Result<(), RuntimeError> {
        let mut odd = None;
        let Self {
            network,
            layers,
            values,
            ..
        } = self;
        network.run(images, &mut |shown, numbers| {
            let (counted, name) = match shown {
                Shown::Read(name) => (layers.get_mut(name).map(|(_, histogram)| histogram), name),
                Shown::Value(name) => (values.get_mut(name), name),
            };
            let Some(histogram) = counted else { return };
            if let Err(value) = histogram.add(numbers) {
                odd.get_or_insert_with(|| CalibrationError::Value {
                    layer: name.to_owned(),
                    value: value.to_string(),
                });
            }
        })?;
        match odd {
            Some(error) => Err(error.into()),
            None => {
                self.images += self.network.batch();
                Ok(())
            }
        }
    }

    /// The ranges that the method chooses from all that was seen.
    ///
    /// # Errors
    /// If nothing was.
    pub fn finish(&self, method: Method, origin: Origin) -> Result<Calibration, CalibrationError> {
        if self.images == 0 {
            return Err(CalibrationError::NoImages);
        }
        let layer = |(name, (channels, histogram)): (&String, &(usize, Histogram))| {
            let layer = Layer {
                channels: *channels,
                range: histogram.range(method),
                seen: histogram.range(Method::MinMax),
            };
            (name.clone(), layer)
        };
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

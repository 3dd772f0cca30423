use hrnet::Shape;

use crate::OutputShape;

/// All outputs of one run, by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs {
    pub(crate) shapes: Vec<OutputShape>,
    /// All of them, one after the other.
    pub(crate) values: Vec<f32>,
}

/// One output of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OutputValues<'a> {
    /// Its name: `logits`, `stride_4`, `heatmaps`.
    pub name: &'a str,
    /// Its shape, `[n, c, h, w]`.
    pub shape: Shape,
    /// Its values, row-major.
    pub values: &'a [f32],
}

impl Outputs {
    /// Returns the output of this name.
    pub fn get(&self, name: &str) -> Option<OutputValues<'_>> {
        self.iter().find(|output| output.name == name)
    }

    /// Iterates over the outputs, in the graph's order.
    pub fn iter(&self) -> impl Iterator<Item = OutputValues<'_>> {
        let mut at = 0;
        self.shapes.iter().map(move |output| {
            let from = at;
            at += output.shape.elements();
            OutputValues {
                name: &output.name,
                shape: output.shape,
                values: &self.values[from..at],
            }
        })
    }

    /// Returns the values of all outputs, one after the other.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }
}

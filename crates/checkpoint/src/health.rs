use std::fmt;

use hrnet::{Graph, ParamKind, WeightError, WeightSource};

use crate::TensorFile;

/// A fault of a tensor's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ailment {
    /// The tensor's name.
    pub tensor: String,
    /// The kind of fault.
    pub kind: AilmentKind,
}

/// A kind of values that no trained network has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AilmentKind {
    /// Some are infinite or NaN: so will be the network's output.
    NonFinite {
        /// The number of them.
        count: usize,
        /// The number of all values.
        of: usize,
    },
    /// Some variances of a batch norm are below zero.
    NegativeVariance {
        /// The number of them.
        count: usize,
        /// The number of all values.
        of: usize,
    },
    /// All variances of a batch norm are zero, as if it had never seen a batch.
    ZeroVariance,
}

impl fmt::Display for Ailment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tensor = &self.tensor;
        match self.kind {
            AilmentKind::NonFinite { count, of } => {
                write!(f, "{tensor}: {count} of {of} values are not finite")
            }
            AilmentKind::NegativeVariance { count, of } => {
                write!(f, "{tensor}: {count} of {of} variances are negative")
            }
            AilmentKind::ZeroVariance => write!(f, "{tensor}: all variances are zero"),
        }
    }
}

/// Returns the faults of the values of a network's weights, in the order of its parameters.
///
/// # Errors
/// If the source lacks a parameter of the graph.
pub fn health(graph: &Graph, weights: &dyn WeightSource) -> Result<Vec<Ailment>, WeightError> {
    let mut ailments = Vec::new();
    for param in graph.params() {
        let values = weights.load(&param)?;
        let variance = param.kind == ParamKind::BnVariance;
        ailments.extend(examine(&param.name(), &values, variance));
    }
    Ok(ailments)
}

impl TensorFile {
    /// Returns the faults of the values of the file's tensors, by their names in the file, for any network.
    pub fn health(&self) -> Vec<Ailment> {
        let examine = |(name, tensor): (&String, &crate::Tensor)| {
            let variance = ["running_var", "_variance"].iter().any(|end| name.ends_with(end));
            examine(name, &tensor.values(), variance).collect::<Vec<_>>()
        };
        self.tensors.iter().flat_map(examine).collect()
    }
}

fn examine(name: &str, values: &[f32], variance: bool) -> impl Iterator<Item = Ailment> {
    let of = values.len();
    let count = |ill: fn(&f32) -> bool| values.iter().filter(|value| ill(value)).count();
    let infinite = count(|value| !value.is_finite());
    let negative = if variance { count(|value| *value < 0.0) } else { 0 };
    let zero = variance && of > 0 && count(|value| *value == 0.0) == of;
    [
        (infinite > 0).then_some(AilmentKind::NonFinite { count: infinite, of }),
        (negative > 0).then_some(AilmentKind::NegativeVariance { count: negative, of }),
        zero.then_some(AilmentKind::ZeroVariance),
    ]
    .into_iter()
    .flatten()
    .map(|kind| Ailment {
        tensor: name.to_owned(),
        kind,
    })
}

use std::borrow::Cow;

use crate::{Graph, Node, NodeId, Op, WeightError, WeightSource};

/// A convolution with the batch norm that follows it folded in: `y = W x + b`.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldedConv {
    /// `[out, in, k, k]`, row-major.
    pub weight: Vec<f32>,
    /// `[out]`.
    pub bias: Vec<f32>,
}

/// A batch norm in inference form, `y = scale x + shift`, one pair per channel.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaleShift {
    /// `[c]`.
    pub scale: Vec<f64>,
    /// `[c]`.
    pub shift: Vec<f64>,
}

impl ScaleShift {
    /// Computes the pairs of a batch norm from its parameters.
    ///
    /// # Errors
    /// If the weights lack one of them.
    pub fn new(batch_norm: &Node, weights: &dyn WeightSource) -> Result<Self, WeightError> {
        let params = batch_norm.params();
        let [weight, bias, mean, variance] = params.as_slice() else {
            unreachable!("batch norm has four parameters")
        };
        let (weight, bias) = (weights.load(weight)?, weights.load(bias)?);
        let (mean, variance) = (weights.load(mean)?, weights.load(variance)?);
        let deviation = |variance: &f32| (f64::from(*variance) + Op::BATCH_NORM_EPSILON).sqrt();
        let scale: Vec<f64> = std::iter::zip(weight.iter(), variance.iter())
            .map(|(weight, variance)| f64::from(*weight) / deviation(variance))
            .collect();
        let shift = bias
            .iter()
            .zip(mean.iter())
            .zip(&scale)
            .map(|((bias, mean), scale)| f64::from(*bias) - f64::from(*mean) * scale)
            .collect();
        Ok(Self { scale, shift })
    }
}

impl FoldedConv {
    /// Returns the weights and bias of a convolution, with the batch norm that follows it folded in, if one does. Folding is
    /// computed in f64 and rounded once.
    ///
    /// # Errors
    /// If the weights lack a parameter of either node.
    pub fn new(
        conv: &Node,
        batch_norm: Option<&Node>,
        weights: &dyn WeightSource,
    ) -> Result<Self, WeightError> {
        let params = conv.params();
        let weight = weights.load(&params[0])?;
        let own = params.get(1).map(|bias| weights.load(bias)).transpose()?;
        let Some(batch_norm) = batch_norm else {
            return Ok(Self {
                weight: weight.into_owned(),
                bias: own.map_or_else(|| vec![0.0; conv.shape.c], Cow::into_owned),
            });
        };
        let ScaleShift { scale, shift } = ScaleShift::new(batch_norm, weights)?;
        let per_output = weight.len() / scale.len();
        let mut scaled = Vec::with_capacity(weight.len());
        for (row, scale) in weight.chunks_exact(per_output).zip(&scale) {
            scaled.extend(row.iter().map(|w| (f64::from(*w) * scale) as f32));
        }
        // scale (W x + own) + shift = scale W x + (scale own + shift)
        let own = |channel: usize| own.as_ref().map_or(0.0, |own| f64::from(own[channel]));
        let bias = shift.iter().zip(&scale).enumerate();
        Ok(Self {
            weight: scaled,
            bias: bias
                .map(|(channel, (shift, scale))| (scale * own(channel) + shift) as f32)
                .collect(),
        })
    }
}

impl Graph {
    /// Returns true if only the batch norm right behind it reads this convolution, so that the two can be one; `consumers`
    /// are [`Graph::consumer_counts`].
    pub fn folds_into_next(&self, conv: NodeId, consumers: &[usize]) -> bool {
        let next = self.nodes().get(conv.0 + 1);
        matches!(self.node(conv).op, Op::Conv(_))
            && consumers[conv.0] == 1
            && next.is_some_and(|node| node.op == Op::BatchNorm && node.inputs == [conv])
    }
}

use crate::{Graph, Node, NodeId, Op, WeightError, WeightSource};

/// A convolution with the batch norm that follows it folded in: `y = W x + b`.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldedConv {
    /// `[out, in, k, k]`, row-major.
    pub weight: Vec<f32>,
    /// `[out]`.
    pub bias: Vec<f32>,
}

impl FoldedConv {
    /// Folds the convolution `conv` with the `batch_norm` that follows it, computed in f64 and rounded once.
    ///
    /// # Errors
    /// If the weights lack a parameter of either node.
    pub fn new(conv: &Node, batch_norm: &Node, weights: &dyn WeightSource) -> Result<Self, WeightError> {
        let (scale, bias) = affine(batch_norm, weights)?;
        let params = conv.params();
        let weight = weights.load(&params[0])?;
        let per_output = weight.len() / scale.len();
        let mut scaled = Vec::with_capacity(weight.len());
        for (row, scale) in weight.chunks_exact(per_output).zip(&scale) {
            scaled.extend(row.iter().map(|w| (f64::from(*w) * scale) as f32));
        }
        Ok(Self {
            weight: scaled,
            bias: bias.iter().map(|b| *b as f32).collect(),
        })
    }
}

impl Graph {
    /// Returns true if only the batch norm right behind it reads this convolution, so that the two can be one.
    pub fn folds_into_next(&self, conv: NodeId, uses: &[usize]) -> bool {
        let next = self.nodes().get(conv.0 + 1);
        matches!(self.node(conv).op, Op::Conv(_))
            && uses[conv.0] == 1
            && next.is_some_and(|node| node.op == Op::BatchNorm && node.inputs == [conv])
    }
}

/// Returns batch norm in inference form as `y = scale x + shift`, one pair per channel.
///
/// # Errors
/// If the weights lack one of its parameters.
pub fn affine(batch_norm: &Node, weights: &dyn WeightSource) -> Result<(Vec<f64>, Vec<f64>), WeightError> {
    let params = batch_norm.params();
    let [weight, bias, mean, variance] = params.as_slice() else {
        unreachable!("batch norm has four parameters")
    };
    let (weight, bias) = (weights.load(weight)?, weights.load(bias)?);
    let (mean, variance) = (weights.load(mean)?, weights.load(variance)?);
    let scale: Vec<f64> = weight
        .iter()
        .zip(variance.iter())
        .map(|(weight, variance)| f64::from(*weight) / (f64::from(*variance) + Op::BATCH_NORM_EPSILON).sqrt())
        .collect();
    let shift = bias
        .iter()
        .zip(mean.iter())
        .zip(&scale)
        .map(|((bias, mean), scale)| f64::from(*bias) - f64::from(*mean) * scale)
        .collect();
    Ok((scale, shift))
}

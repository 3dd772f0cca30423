use serde::Serialize;

use crate::{Graph, Op};

/// Elements that one pass moves where everything that can be fused is, and no cache keeps a map from one op to the next.
///
/// Every parameter is read once a pass. A convolution, a linear layer, a pool and an enlargement read their input and write
/// their output once, and so does a concatenation; a sum reads one operand more, a gate its map and its factors. Batch norms, ReLUs and sigmoids
/// work on what is in registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Parameters, batch norms folded: the same for every batch.
    pub weights: u64,
    /// Elements of maps, for the graph's whole batch.
    pub maps: u64,
}

impl Graph {
    /// Returns the elements that a pass moves.
    pub fn traffic(&self) -> Traffic {
        let profile = self.profile();
        let maps = self.iter().map(|(_, node)| {
            let output = node.shape.elements() as u64;
            let input = |index: usize| self.node(node.inputs[index]).shape.elements() as u64;
            match node.op {
                Op::Input | Op::BatchNorm | Op::Relu | Op::Sigmoid => 0,
                Op::Add => output,
                Op::Concat => 2 * output,
                Op::Scale => input(0) + input(1) + output,
                Op::Conv(_) | Op::Linear(_) | Op::Upsample(_) | Op::GlobalAvgPool => input(0) + output,
            }
        });
        Traffic {
            weights: profile.conv_weights
                + profile.conv_biases
                + profile.bn_channels
                + profile.linear_weights
                + profile.linear_biases,
            maps: maps.sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GraphBuilder, HrnetSpec, Shape, Upsample};

    #[test]
    fn each_op_moves_what_the_rule_says() {
        let (mut builder, x) = GraphBuilder::new(Shape::new(1, 3, 4, 4));
        let conv = builder.conv("conv".into(), x, 2, 3, 2);
        let norm = builder.batch_norm("norm".into(), conv);
        let relu = builder.relu("relu".into(), norm);
        let large = builder.upsample("large".into(), relu, Upsample::nearest(2));
        let sum = builder.add("sum".into(), large, large).expect("equal shapes");
        let pool = builder.global_avg_pool("pool".into(), sum);
        let gate = builder
            .scale("gate".into(), sum, pool)
            .expect("a factor a channel");
        let pool = builder.global_avg_pool("end".into(), gate);
        builder.linear("linear".into(), pool, 5).expect("a vector");
        let graph = builder.finish();
        // conv 48 + 8, enlargement 8 + 32, sum 32, pool 32 + 2, gate 32 + 2 + 32, pool 32 + 2, linear 2 + 5.
        let maps = 56 + 40 + 32 + 34 + 66 + 34 + 7;
        // 2 x 3 x 9 weights, 2 channels, 5 x 2 weights, 5 biases.
        assert_eq!(graph.traffic(), Traffic { weights: 71, maps });
    }

    #[test]
    fn maps_grow_with_the_batch_and_weights_do_not() {
        let spec = HrnetSpec::imagenet([18, 36, 72, 144]);
        let of = |batch| {
            spec.graph(Shape::square(batch, 224))
                .expect("a network")
                .traffic()
        };
        let (one, four) = (of(1), of(4));
        assert_eq!((four.weights, four.maps), (one.weights, 4 * one.maps));
        // The parameters of W18, less one of the two of each batch norm.
        let profile = spec.graph(Shape::square(1, 224)).expect("a network").profile();
        assert_eq!(one.weights, profile.trainable().0 - profile.bn_channels);
    }
}

//! Second pass: the grid of each map, and with it the layers whose kernels are chosen.

use std::collections::BTreeSet;

use hrnet::{Graph, Node, NodeId, Op as GraphOp, Precision, Shape};
use kernels::engine::{ConvShape, Format, Grid, Isa, Layer, Map, Op, Operand, Row, Target};

use super::fuse::{Fused, Plan, ValueId, value};

/// A value in a program's memory.
pub(super) type Placed = Operand<Map, Row>;

/// The elements that a value takes.
pub(super) fn elements(value: &Placed) -> usize {
    match value {
        Operand::Map(map) => map.elements(),
        Operand::Row(row) => row.elements(),
    }
}

/// The convolutions of the plan and their nodes, in f32.
pub(super) fn layers(plan: &Plan, graph: &Graph, target: Target, grids: &Grids) -> Vec<(NodeId, Layer)> {
    let grid = |value: &ValueId| grids.grid(graph.node(plan.values[value.0]).shape);
    let layer = |op: &Op<Fused>| {
        let Op::Conv { conv, from, to, .. } = op else {
            return None;
        };
        let node = conv.conv;
        let GraphOp::Conv(conv) = graph.node(node).op else {
            unreachable!("the plan names convolutions")
        };
        let layer = Layer {
            shape: ConvShape {
                inputs: conv.inputs,
                outputs: conv.outputs,
                kernel: conv.kernel,
                stride: conv.stride,
            },
            format: Format::F32,
            input: grid(from),
            output: grid(to),
            target,
        };
        Some((node, layer))
    };
    plan.ops.iter().filter_map(layer).collect()
}

/// The grid of each size of map: one for all maps of a size, so that any two can be added.
pub(super) struct Grids {
    lanes: usize,
    precision: Precision,
    input: (usize, usize),
    /// Sizes on which 3x3 convolutions of stride 1 work.
    filtered: BTreeSet<(usize, usize)>,
    /// Sizes that convolutions of stride 2 read.
    halved: BTreeSet<(usize, usize)>,
}

impl Grids {
    pub(super) fn new(graph: &Graph, isa: Isa, precision: Precision) -> Self {
        let size = |node: &Node| (node.shape.h, node.shape.w);
        let read = |window: (usize, usize)| {
            let readers = graph.nodes().iter();
            readers.filter_map(move |node| {
                let GraphOp::Conv(conv) = node.op else {
                    return None;
                };
                let wanted = (conv.kernel, conv.stride) == window;
                wanted.then(|| size(graph.node(node.inputs[0])))
            })
        };
        let input = graph.input_shape();
        Self {
            lanes: isa.lanes(),
            precision,
            input: (input.h, input.w),
            filtered: read((3, 1)).collect(),
            halved: read((3, 2)).collect(),
        }
    }

    /// The precision of the network.
    pub(super) fn precision(&self) -> Precision {
        self.precision
    }

    /// The form of each value of the plan, all at the memory's begin.
    pub(super) fn values(&self, plan: &Plan, graph: &Graph) -> Vec<Placed> {
        let unused = Operand::Row(Row {
            offset: 0,
            n: 0,
            channels: 0,
        });
        let mut values = vec![unused; plan.values.len()];
        for op in &plan.ops {
            if let Some(output) = op.output() {
                let shape = graph.node(plan.values[value(output).0]).shape;
                values[value(output).0] = self.placed(op, output, shape);
            }
        }
        values
    }

    fn placed(&self, op: &Op<Fused>, output: Operand<&ValueId, &ValueId>, shape: Shape) -> Placed {
        if let Operand::Row(_) = output {
            return Operand::Row(Row {
                offset: 0,
                n: shape.n,
                channels: shape.c,
            });
        }
        let (channels, grid) = if let Op::Pack { packing, pack, .. } = op {
            (packing.format.elements(shape.c), *pack)
        } else {
            (shape.c, self.grid(shape))
        };
        Operand::Map(Map {
            offset: 0,
            channels,
            grid,
        })
    }

    fn grid(&self, Shape { n, h, w, .. }: Shape) -> Grid {
        let with = |p: usize| Grid { n, h, w, p };
        if (h, w) == self.input {
            // So that what a stride of 2 makes of it lies on tiles of 4.
            return with(8);
        }
        if !self.filtered.contains(&(h, w)) {
            return with(4);
        }
        // The products of Winograd's filtering, in vectors.
        let products = |grid: &Grid| (grid.p + 2).pow(2) * grid.tiles().div_ceil(self.lanes);
        let (two, four) = (with(2), with(4));
        match products(&four) < products(&two) {
            true => four,
            // F(2x2) in 16 bits spares no time over products of 8 bits: rows as they are suit these.
            false if self.precision == Precision::Int8 && !self.halved.contains(&(h, w)) => with(1),
            false => two,
        }
    }
}

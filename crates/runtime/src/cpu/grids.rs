//! Second pass: the grid of each map, and with it the layers whose kernels are chosen.

use std::collections::BTreeSet;

use hrnet::{Graph, Node, NodeId, Op as GraphOp, Precision, Shape};
use kernels::engine::{
    Access, ConvShape, Format, Grid, Isa, Layer, Map, Op, Operand, Row, Rows, Target, matrix,
};

use super::fuse::{Fused, Plan, ValueId, value};
use super::operands;

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
        let Op::Conv {
            conv,
            from,
            to: Some(to),
            ..
        } = op
        else {
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

/// The lanes of a vector that a row of tiles fills at least, where rows are vectors.
const FILLED: usize = 12;

/// The most tiles that a row of every size of a network can have, as sides are halved one after the other: as many as a vector has
/// lanes at most. `None` where rows would leave too many lanes empty.
fn columns(width: usize) -> Option<usize> {
    let mut columns = width;
    while columns > matrix::ROWS && columns.is_multiple_of(2) {
        columns /= 2;
    }
    (FILLED..=matrix::ROWS).contains(&columns).then_some(columns)
}

/// The grid of the operands of a map.
pub(super) fn in_planes(grid: Grid) -> Grid {
    Grid {
        rows: Rows::Planes,
        ..grid
    }
}

/// The grid of each size of map: one for all maps of a size, so that any two can be added.
pub(super) struct Grids {
    lanes: usize,
    precision: Precision,
    input: (usize, usize),
    /// Tiles in a row of all maps whose width is a multiple of it, where the network's operands may lie in planes.
    columns: Option<usize>,
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
            columns: columns(input.w).filter(|_| isa.multiplies_tiles(operands(precision, isa))),
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
            for (access, operand) in op.operands() {
                let shape = graph.node(plan.values[value(operand).0]).shape;
                if access.writes() {
                    values[value(operand).0] = self.placed(op, access, operand, shape);
                }
            }
        }
        values
    }

    fn placed(
        &self,
        op: &Op<Fused>,
        access: Access,
        output: Operand<&ValueId, &ValueId>,
        shape: Shape,
    ) -> Placed {
        if let Operand::Row(_) = output {
            return Operand::Row(Row {
                offset: 0,
                n: shape.n,
                channels: shape.c,
            });
        }
        let (channels, grid) = match (op, access) {
            (Op::Pack { packing, pack, .. }, _) => (packing.format.elements(shape.c), *pack),
            (
                Op::Conv {
                    packs: Some(packs), ..
                },
                Access::WriteApart,
            ) => (
                packs.packing.format.elements(shape.c),
                in_planes(self.grid(shape)),
            ),
            _ => (shape.c, self.grid(shape)),
        };
        Operand::Map(Map {
            offset: 0,
            channels,
            grid,
        })
    }

    fn grid(&self, Shape { n, h, w, .. }: Shape) -> Grid {
        if let Some(columns) = self.columns.filter(|columns| w.is_multiple_of(*columns)) {
            let (p, rows) = (w / columns, Rows::Aligned);
            return Grid { n, h, w, p, rows };
        }
        let with = |p: usize| Grid {
            n,
            h,
            w,
            p,
            rows: Rows::Dense,
        };
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

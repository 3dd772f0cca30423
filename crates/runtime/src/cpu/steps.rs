//! The plan with its memory and kernels: grids, offsets and prepared weights.

use std::collections::BTreeSet;

use hrnet::{FoldedConv, Graph, Node, NodeId, Op, Precision, Shape, WeightError, WeightSource};
use kernels::engine::{
    ConvShape, Convolution, Format, Grid, Inputs, Isa, Layer, Linear, Map, Row, Step, Steps, Target,
};

use super::memory::offsets;
use super::packing::{Chosen, ChosenOf};
use super::plan::{Plan, PlanStep, Value, Work};
use super::results::{self, Stored};
use super::{FAST, no_program};
use crate::RuntimeError;

/// A plan with its memory and weights.
pub(super) struct Built {
    pub(super) steps: Steps,
    /// Elements of memory that the maps need.
    pub(super) elements: usize,
    /// The results, where there are several.
    pub(super) stored: Option<Stored>,
}

/// The plan with its memory and weights.
///
/// # Errors
/// If the weights lack a parameter of the graph, or there is too little memory for them.
pub(super) fn build(
    plan: &Plan,
    graph: &Graph,
    weights: &dyn WeightSource,
    target: Target,
    grids: &Grids,
    chosen: &ChosenOf,
) -> Result<Built, RuntimeError> {
    let places = grids.places(plan, graph);
    let (offsets, total) = laid_out(plan, &places);
    let builder = Builder {
        graph,
        grids,
        weights,
        target,
        chosen,
        places: places
            .iter()
            .zip(offsets)
            .map(|(place, offset)| place.at(offset))
            .collect(),
    };
    let mut steps = Steps::new();
    for step in &plan.steps {
        let pushed = steps.push(builder.step(step)?);
        pushed.map_err(|error| no_program(FAST.name, error))?;
    }
    Ok(Built {
        steps,
        elements: total,
        stored: builder.stored(plan),
    })
}

/// The elements of memory that the maps of the plan need.
pub(super) fn elements(plan: &Plan, graph: &Graph, grids: &Grids) -> usize {
    laid_out(plan, &grids.places(plan, graph)).1
}

fn laid_out(plan: &Plan, places: &[Place]) -> (Vec<usize>, usize) {
    let elements: Vec<usize> = places.iter().map(Place::elements).collect();
    offsets(plan, &elements)
}

/// The convolutions of the plan and their nodes, in f32.
pub(super) fn layers(plan: &Plan, graph: &Graph, target: Target, grids: &Grids) -> Vec<(NodeId, Layer)> {
    let grid = |value: Value| grids.grid(graph.node(plan.values[value]).shape);
    let layer = |step: &PlanStep| match (&step.work, step.output) {
        (&Work::Conv { conv: node, from, .. }, Some(to)) => {
            let Op::Conv(conv) = graph.node(node).op else {
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
        }
        _ => None,
    };
    plan.steps.iter().filter_map(layer).collect()
}

/// A value's form in memory.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Map(Map),
    Row(Row),
}

impl Place {
    /// Its first element.
    pub(super) fn offset(&self) -> usize {
        match self {
            Self::Map(map) => map.offset,
            Self::Row(row) => row.offset,
        }
    }

    /// Elements it takes.
    pub(super) fn elements(&self) -> usize {
        match self {
            Self::Map(map) => map.elements(),
            Self::Row(row) => row.elements(),
        }
    }

    fn at(self, offset: usize) -> Self {
        match self {
            Self::Map(map) => Self::Map(Map { offset, ..map }),
            Self::Row(row) => Self::Row(Row { offset, ..row }),
        }
    }
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
            readers.filter_map(move |node| match node.op {
                Op::Conv(conv) => {
                    let wanted = (conv.kernel, conv.stride) == window;
                    wanted.then(|| size(graph.node(node.inputs[0])))
                }
                Op::Input
                | Op::BatchNorm
                | Op::Relu
                | Op::Sigmoid
                | Op::Add
                | Op::Scale
                | Op::Upsample(_)
                | Op::GlobalAvgPool
                | Op::Linear(_) => None,
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

    /// The form of each value of the plan, all at the memory's begin.
    fn places(&self, plan: &Plan, graph: &Graph) -> Vec<Place> {
        let makers = plan.steps.iter().filter(|step| step.output.is_some());
        makers
            .zip(&plan.values)
            .map(|(step, node)| self.place(&step.work, graph.node(*node).shape))
            .collect()
    }

    fn place(&self, work: &Work, shape: Shape) -> Place {
        match work {
            Work::Pool { .. } | Work::Linear { .. } => Place::Row(Row {
                offset: 0,
                n: shape.n,
                channels: shape.c,
            }),
            Work::Pack { packing, grid, .. } => Place::Map(Map {
                offset: 0,
                channels: packing.format.elements(shape.c),
                grid: *grid,
            }),
            Work::Load
            | Work::Conv { .. }
            | Work::Enlarge { .. }
            | Work::Copy { .. }
            | Work::Gate { .. }
            | Work::Store { .. } => Place::Map(Map {
                offset: 0,
                channels: shape.c,
                grid: self.grid(shape),
            }),
        }
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

struct Builder<'a> {
    graph: &'a Graph,
    grids: &'a Grids,
    weights: &'a dyn WeightSource,
    target: Target,
    chosen: &'a ChosenOf,
    places: Vec<Place>,
}

impl Builder<'_> {
    fn map(&self, value: Value) -> Map {
        match self.places[value] {
            Place::Map(map) => map,
            Place::Row(row) => unreachable!("a map is needed, not {row:?}"),
        }
    }

    fn row(&self, value: Value) -> Row {
        match self.places[value] {
            Place::Row(row) => row,
            Place::Map(map) => unreachable!("a vector is needed, not {map:?}"),
        }
    }

    fn of(&self, values: &[Value]) -> Vec<Place> {
        values.iter().map(|value| self.places[*value]).collect()
    }

    /// The results of the plan's last step, where there are several.
    fn stored(&self, plan: &Plan) -> Option<Stored> {
        let Work::Store { from } = &plan.steps.last()?.work else {
            return None;
        };
        (from.len() > 1).then(|| Stored::new(self.of(from)))
    }

    fn step(&self, step: &PlanStep) -> Result<Step, WeightError> {
        let sum = step.sum.map(|sum| self.map(sum));
        let to = || self.map(step.output.expect("a step with a value"));
        let to_row = || self.row(step.output.expect("a step with a value"));
        Ok(match step.work {
            Work::Load => Step::load(to()),
            Work::Conv {
                conv,
                batch_norm,
                from,
            } => {
                let conv = self.convolution(conv, batch_norm, step.relu)?;
                Step::conv(conv, self.map(from), to(), sum)
            }
            Work::Pack {
                ref packing, from, ..
            } => Step::pack(packing.clone(), self.map(from), to(), self.target.isa),
            Work::Enlarge { factor, from } => {
                Step::enlarge(self.map(from), to(), factor, sum, step.relu, self.target.isa)
            }
            Work::Copy { from } => Step::add(self.map(from), sum, to(), step.relu),
            Work::Pool { from } => Step::pool(self.map(from), to_row()),
            Work::Linear {
                node,
                from,
                activation,
            } => {
                let params = self.graph.node(node).params();
                let linear = Linear {
                    weights: self.weights.load(&params[0])?.into_owned(),
                    bias: self.weights.load(&params[1])?.into_owned(),
                    activation,
                    format: match self.grids.precision {
                        Precision::F32 => Format::F32,
                        Precision::F16 | Precision::Bf16 | Precision::I16 | Precision::Int8 => Format::F16,
                    },
                };
                Step::linear(linear, self.row(from), to_row())
            }
            Work::Gate { from, gate } => Step::gate(self.map(from), self.row(gate), sum, to(), step.relu),
            Work::Store { ref from } => match self.of(from)[..] {
                [Place::Map(map)] => Step::store_map(map),
                [Place::Row(row)] => Step::store_row(row),
                ref several => Step::store_map(results::stretch(several)),
            },
        })
    }

    fn convolution(
        &self,
        node: NodeId,
        batch_norm: Option<NodeId>,
        relu: bool,
    ) -> Result<Convolution, WeightError> {
        let Chosen {
            layer,
            algorithm,
            packing,
            means,
        } = &self.chosen[&node];
        let node = self.graph.node(node);
        let Op::Conv(conv) = node.op else {
            unreachable!("the plan names convolutions")
        };
        let folded = match batch_norm {
            Some(batch_norm) => FoldedConv::new(node, self.graph.node(batch_norm), self.weights)?,
            None => FoldedConv {
                weight: self.weights.load(&node.params()[0])?.into_owned(),
                bias: vec![0.0; conv.outputs],
            },
        };
        let parameters = (folded.weight.as_slice(), folded.bias.as_slice());
        let inputs = Inputs {
            steps: &packing.steps,
            means,
        };
        Ok(Convolution::new(*layer, *algorithm, parameters, relu, inputs))
    }
}

//! Last pass: operations on maps and rows in memory, with the parameters of their layers.

use hrnet::{FoldedConv, Graph, NodeId, Precision, WeightSource};
use kernels::engine::{
    Access, ConvParams, Format, Interpolation, LinearParams, Map, Operand, Packing, Packs, Pass, Placed,
    Program, ProgramBuilder, Row, Target,
};

use super::fuse::{Fused, FusedConv, Plan, ValueId};
use super::grids::{self, Grids};
use super::memory::offsets;
use super::pack::{Chosen, ChosenOf};
use super::{FAST, no_program};
use crate::RuntimeError;

/// The elements of memory that the values of the plan need.
pub(super) fn elements(plan: &Plan, graph: &Graph, grids: &Grids) -> usize {
    let elements: Vec<usize> = grids.values(plan, graph).iter().map(grids::elements).collect();
    offsets(plan, &elements).1
}

/// The program of a plan.
///
/// # Errors
/// If the weights lack a parameter of the graph, there is too little memory, or an operation is given a value of the wrong kind.
pub(super) fn program(
    plan: Plan,
    graph: &Graph,
    weights: &dyn WeightSource,
    target: Target,
    grids: &Grids,
    chosen: &ChosenOf,
) -> Result<Program, RuntimeError> {
    let mut values = grids.values(&plan, graph);
    let elements: Vec<usize> = values.iter().map(grids::elements).collect();
    for (value, place) in values.iter_mut().zip(offsets(&plan, &elements).0) {
        match value {
            Operand::Map(Map { offset, .. }) | Operand::Row(Row { offset, .. }) => *offset = place,
        }
    }
    let mut binder = Binder {
        graph,
        weights,
        precision: grids.precision(),
        chosen,
        values,
    };
    let mut builder = ProgramBuilder::new(target);
    for op in plan.ops {
        let pushed = builder.push(op.pass(&mut binder)?);
        pushed.map_err(|error| no_program(FAST.name, error))?;
    }
    builder.finish().map_err(|error| no_program(FAST.name, error))
}

struct Binder<'a> {
    graph: &'a Graph,
    weights: &'a dyn WeightSource,
    precision: Precision,
    chosen: &'a ChosenOf,
    values: Vec<grids::Placed>,
}

impl Binder<'_> {
    fn wrong(&self, expected: &str, found: grids::Placed) -> RuntimeError {
        RuntimeError::device(FAST.name, format!("{found:?} where {expected} is needed"))
    }
}

impl Pass<Fused, Placed> for Binder<'_> {
    type Error = RuntimeError;

    fn map(&mut self, _: Access, value: ValueId) -> Result<Map, RuntimeError> {
        match self.values[value.0] {
            Operand::Map(map) => Ok(map),
            found @ Operand::Row(_) => Err(self.wrong("a map", found)),
        }
    }

    fn row(&mut self, _: Access, value: ValueId) -> Result<Row, RuntimeError> {
        match self.values[value.0] {
            Operand::Row(row) => Ok(row),
            found @ Operand::Map(_) => Err(self.wrong("a vector", found)),
        }
    }

    fn conv(
        &mut self,
        conv: FusedConv,
        _: &Map,
        _: Option<&Map>,
        _: Option<&Packs<Placed>>,
    ) -> Result<ConvParams, RuntimeError> {
        let Chosen {
            layer,
            algorithm,
            packing,
            means,
        } = &self.chosen[&conv.conv];
        let node = self.graph.node(conv.conv);
        let batch_norm = conv.batch_norm.map(|id| self.graph.node(id));
        let folded = FoldedConv::new(node, batch_norm, self.weights)?;
        Ok(ConvParams {
            shape: layer.shape,
            format: layer.format,
            algorithm: *algorithm,
            weights: folded.weight,
            bias: folded.bias,
            steps: packing.steps.clone(),
            means: means.clone(),
        })
    }

    fn linear(&mut self, node: NodeId) -> Result<LinearParams, RuntimeError> {
        let params = self.graph.node(node).params();
        Ok(LinearParams {
            weights: self.weights.load(&params[0])?.into_owned(),
            bias: self.weights.load(&params[1])?.into_owned(),
            format: match self.precision {
                Precision::F32 => Format::F32,
                Precision::F16 | Precision::Bf16 | Precision::I16 | Precision::Int8 => Format::F16,
            },
        })
    }

    fn pack(&mut self, _: kernels::engine::Grid, _: &Packing, _: &Map, _: &Map) -> Result<(), RuntimeError> {
        Ok(())
    }

    fn upsample(&mut self, (): (), _: Interpolation, _: &Map, _: &Map) -> Result<(), RuntimeError> {
        Ok(())
    }
}

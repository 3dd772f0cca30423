//! A network whose values are looked at.

use hrnet::{Graph, Node, Op as GraphOp, Precision, WeightSource};
use kernels::engine::{Op, Seen};

use super::choice::Choice;
use super::fuse::{Fused, Plan, value};
use super::{CpuSession, EXACT};
use crate::{Options, RuntimeError};

/// A network in f32 on one thread, which shows what each convolution reads, and the values that none does. Which algorithms
/// are fastest here is of no matter to what is seen.
pub(crate) struct Observed {
    session: CpuSession,
    /// The layer of each of its steps.
    layers: Vec<String>,
    /// For each step the node whose value it computes, where no convolution reads that.
    others: Vec<Option<String>>,
    result: Vec<f32>,
}

/// A value that is shown.
#[derive(Clone, Copy)]
pub(crate) enum Shown<'a> {
    /// The input of the convolution of this name.
    Read(&'a str),
    /// The value of the node of this name.
    Value(&'a str),
}

/// The nodes whose values are maps that no convolution reads and that differ from what they are made of: what goes into
/// sums and gates, and what the last pooling reads.
pub(crate) fn other_values(graph: &Graph) -> impl Iterator<Item = &Node> {
    let readers = |id| graph.nodes().iter().filter(move |node| node.inputs.contains(&id));
    let computes_map = move |id, node: &Node| match node.op {
        GraphOp::BatchNorm | GraphOp::Add | GraphOp::Scale | GraphOp::Concat => true,
        GraphOp::Conv(_) => !readers(id).any(|reader| reader.op == GraphOp::BatchNorm),
        GraphOp::Relu => !matches!(graph.node(node.inputs[0]).op, GraphOp::Linear(_)),
        GraphOp::Input
        | GraphOp::Upsample(_)
        | GraphOp::GlobalAvgPool
        | GraphOp::Linear(_)
        | GraphOp::Sigmoid => false,
    };
    // A ReLU is a part of the step before it.
    let is_other = |reader: &Node| !matches!(reader.op, GraphOp::Conv(_) | GraphOp::Relu);
    let others = graph
        .iter()
        .filter(move |(id, node)| computes_map(*id, node) && readers(*id).all(is_other));
    others.map(|(_, node)| node)
}

impl Observed {
    pub(crate) fn new(graph: &Graph, weights: &dyn WeightSource) -> Result<Self, RuntimeError> {
        let options = Options::new(Precision::F32).threads(std::num::NonZeroUsize::MIN);
        let plan = Plan::with_sums_apart(graph).map_err(|reason| EXACT.failed(reason))?;
        let names: Vec<String> = other_values(graph).map(Node::name).collect();
        let other = |op: &Op<Fused>| {
            let name = graph.node(plan.values[value(op.output()?).0]).name();
            names.contains(&name).then_some(name)
        };
        let others = plan.ops.iter().map(other).collect();
        let mut session = EXACT.session(plan, graph, weights, &options, Choice::plain())?;
        Ok(Self {
            others,
            layers: std::mem::take(&mut session.layers),
            result: vec![0.0; session.shapes.results()],
            session,
        })
    }

    /// Images of a batch.
    pub(crate) fn batch(&self) -> usize {
        self.session.shapes.input.n
    }

    /// Runs one batch, and shows the values, each `[n, c, h, w]`.
    pub(crate) fn run(
        &mut self,
        images: &[f32],
        show: &mut (dyn FnMut(Shown<'_>, &[f32]) + Send),
    ) -> Result<(), RuntimeError> {
        let (others, layers) = (&self.others, &self.layers);
        let written: Vec<bool> = others.iter().map(Option::is_some).collect();
        let mut observe = |step: usize, seen, values: &[f32]| match (seen, &others[step]) {
            (Seen::Read, _) => show(Shown::Read(&layers[step]), values),
            (Seen::Written, Some(name)) => show(Shown::Value(name), values),
            (Seen::Written, None) => {}
        };
        self.session
            .checked(images, &mut self.result, |program, images, results| {
                program.run_observed(images, results, &written, &mut observe);
            })
    }
}

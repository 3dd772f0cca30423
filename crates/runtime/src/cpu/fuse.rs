//! First pass: the graph as fused operations over values, before memory and kernels are chosen.

use hrnet::{Graph, NodeId, Op as GraphOp};
use kernels::engine::{Activation, Form, Grid, Interpolation, Op, Operand};

/// Operations that name values by number and layers by their nodes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fused;

impl Form for Fused {
    type Map = ValueId;
    type Row = ValueId;
    type Conv = FusedConv;
    /// The linear layer's node.
    type Linear = NodeId;
    /// The grid of the operands.
    type Pack = Grid;
    type Upsample = ();
}

/// A convolution and the batch norm behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct FusedConv {
    pub(super) conv: NodeId,
    pub(super) batch_norm: Option<NodeId>,
}

/// A value that an operation computes: its index in [`Plan::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ValueId(pub(super) usize);

/// Operations in order.
pub(super) struct Plan {
    pub(super) ops: Vec<Op<Fused>>,
    /// The node whose shape each value has.
    pub(super) values: Vec<NodeId>,
}

/// The value of an operand, be it a map or a row.
pub(super) fn value(operand: Operand<&ValueId, &ValueId>) -> ValueId {
    match operand {
        Operand::Map(value) | Operand::Row(value) => *value,
    }
}

/// The state of a node that has been visited.
#[derive(Clone, Debug)]
enum State {
    /// Its value is computed.
    Done(ValueId),
    /// Its operation waits for its only reader, which may be fused into it.
    Waiting(Op<Fused>),
    /// Its reader computes it, too.
    Folded,
}

impl Plan {
    /// Fuses batch norms, sums and activations into the operations before them.
    ///
    /// # Errors
    /// If the graph holds an op where the engine has no fused form for it; an HRNet does not.
    pub(super) fn new(graph: &Graph) -> Result<Self, String> {
        Self::of(graph, true)
    }

    /// Fuses batch norms and activations alone: each sum is an operation of its own, so that its inputs are values, too.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub(super) fn with_sums_apart(graph: &Graph) -> Result<Self, String> {
        Self::of(graph, false)
    }

    fn of(graph: &Graph, fuses_sums: bool) -> Result<Self, String> {
        let mut fuser = Fuser {
            graph,
            fuses_sums,
            uses: graph.consumer_counts(),
            states: Vec::with_capacity(graph.nodes().len()),
            plan: Self {
                ops: Vec::new(),
                values: Vec::new(),
            },
        };
        for (id, _) in graph.iter() {
            let state = fuser.node(id)?;
            fuser.states.push(state);
        }
        let mut at = 0;
        for output in graph.output_nodes() {
            let from = fuser.value(*output);
            let store = match fuser.plan.is_row(from) {
                true => Op::StoreRow { from, at },
                false => Op::StoreMap { from, at },
            };
            fuser.plan.ops.push(store);
            at += graph.node(*output).shape.elements();
        }
        Ok(fuser.plan)
    }

    /// A new value of the shape of a node.
    pub(super) fn add_value(&mut self, node: NodeId) -> ValueId {
        self.values.push(node);
        ValueId(self.values.len() - 1)
    }

    /// Returns `true` if an operation so far computes the value as vectors rather than maps.
    fn is_row(&self, value: ValueId) -> bool {
        let is = |op: &Op<Fused>| matches!(op.output(), Some(Operand::Row(row)) if *row == value);
        self.ops.iter().any(is)
    }

    /// Returns the name of the node that each operation computes: of a fused one the convolution or linear layer, if it has one.
    pub(super) fn layers(&self, graph: &Graph) -> Vec<String> {
        let node = |op: &Op<Fused>| match op {
            Op::Conv { conv, .. } => conv.conv,
            Op::Linear { linear, .. } => *linear,
            Op::Load { to }
            | Op::Pack { to, .. }
            | Op::Upsample { to, .. }
            | Op::Add { to, .. }
            | Op::Concat { to, .. }
            | Op::Pool { to, .. }
            | Op::Gate { to, .. } => self.values[to.0],
            Op::StoreMap { from, .. } | Op::StoreRow { from, .. } => self.values[from.0],
        };
        let name = |op| graph.node(node(op)).name();
        self.ops.iter().map(name).collect()
    }
}

struct Fuser<'a> {
    graph: &'a Graph,
    fuses_sums: bool,
    uses: Vec<usize>,
    states: Vec<State>,
    plan: Plan,
}

impl Fuser<'_> {
    fn node(&mut self, id: NodeId) -> Result<State, String> {
        let node = self.graph.node(id);
        let input = |i: usize| node.inputs[i];
        let op = match node.op {
            GraphOp::Input => Op::Load {
                to: self.plan.add_value(id),
            },
            GraphOp::Conv(_) if self.graph.folds_into_next(id, &self.uses) => return Ok(State::Folded),
            GraphOp::Conv(_) => self.conv(id, id, None),
            GraphOp::BatchNorm => {
                let conv = input(0);
                if !matches!(self.states[conv.index()], State::Folded) {
                    return Err(format!(
                        "`{}` is a batch norm without a convolution of its own",
                        node.name()
                    ));
                }
                self.conv(id, conv, Some(id))
            }
            GraphOp::Upsample(by) => Op::Upsample {
                factor: by.factor,
                interpolation: match by.interpolation {
                    hrnet::Interpolation::Nearest => Interpolation::Nearest,
                    hrnet::Interpolation::Bilinear { align_corners } => {
                        Interpolation::Bilinear { align_corners }
                    }
                },
                table: (),
                from: self.value(input(0)),
                sum: None,
                relu: false,
                to: self.plan.add_value(id),
            },
            GraphOp::Scale => Op::Gate {
                from: self.value(input(0)),
                gate: self.value(input(1)),
                sum: None,
                relu: false,
                to: self.plan.add_value(id),
            },
            GraphOp::Concat => Op::Concat {
                from: node.inputs.iter().map(|input| self.value(*input)).collect(),
                to: self.plan.add_value(id),
            },
            GraphOp::GlobalAvgPool => Op::Pool {
                from: self.value(input(0)),
                to: self.plan.add_value(id),
            },
            GraphOp::Linear(_) => Op::Linear {
                linear: id,
                activation: Activation::None,
                from: self.value(input(0)),
                to: self.plan.add_value(id),
            },
            GraphOp::Add => return Ok(self.add(id, input(0), input(1))),
            GraphOp::Relu => return self.activate(id, input(0), Activation::Relu),
            GraphOp::Sigmoid => return self.activate(id, input(0), Activation::Sigmoid),
        };
        Ok(self.wait_or_emit(id, op))
    }

    /// The convolution `conv` with the batch norm behind it, as the value of `id`.
    fn conv(&mut self, id: NodeId, conv: NodeId, batch_norm: Option<NodeId>) -> Op<Fused> {
        Op::Conv {
            conv: FusedConv { conv, batch_norm },
            from: self.value(self.graph.node(conv).inputs[0]),
            sum: None,
            adds: None,
            relu: false,
            to: Some(self.plan.add_value(id)),
            packs: None,
        }
    }

    /// A copy of a value, to add to or to activate.
    fn copy(&mut self, id: NodeId, a: ValueId) -> Op<Fused> {
        Op::Add {
            a,
            sum: None,
            relu: false,
            to: self.plan.add_value(id),
        }
    }

    /// Returns `true` if the only reader of a node can be fused into its operation.
    fn waits(&self, id: NodeId) -> bool {
        let readers = self.graph.nodes()[id.index() + 1..]
            .iter()
            .filter(|node| node.inputs.contains(&id));
        let mut ops = readers.map(|node| node.op);
        self.uses[id.index()] == 1
            && match ops.next() {
                Some(GraphOp::Add) => self.fuses_sums,
                op => matches!(op, Some(GraphOp::Relu | GraphOp::Sigmoid)),
            }
    }

    fn wait_or_emit(&mut self, id: NodeId, op: Op<Fused>) -> State {
        if self.waits(id) {
            State::Waiting(op)
        } else {
            State::Done(self.emit(op))
        }
    }

    fn emit(&mut self, op: Op<Fused>) -> ValueId {
        let output = value(op.output().expect("an operation with a value"));
        self.plan.ops.push(op);
        output
    }

    /// The node's value; an operation that waits is emitted now.
    fn value(&mut self, id: NodeId) -> ValueId {
        match self.states[id.index()].clone() {
            State::Done(value) => value,
            State::Waiting(op) => {
                let value = self.emit(op);
                self.states[id.index()] = State::Done(value);
                value
            }
            State::Folded => unreachable!("only its batch norm reads a folded convolution"),
        }
    }

    /// The operation of a node that waits.
    fn waiting(&self, id: NodeId) -> Option<Op<Fused>> {
        match &self.states[id.index()] {
            State::Waiting(op) => Some(op.clone()),
            State::Done(_) | State::Folded => None,
        }
    }

    /// An operation that waits, takes a sum and has none yet.
    fn open(&self, id: NodeId) -> Option<Op<Fused>> {
        let takes = |op: &mut Op<Fused>| op.sum_mut().is_some_and(|sum| sum.is_none());
        self.waiting(id).and_then(|mut op| takes(&mut op).then_some(op))
    }

    /// Has an operation compute the value of `id`, into which it was fused.
    fn becomes(&mut self, id: NodeId, op: &Op<Fused>) {
        let output = value(op.output().expect("an operation with a value"));
        self.plan.values[output.0] = id;
    }

    /// A sum: one side's operation takes the other side's value.
    fn add(&mut self, id: NodeId, a: NodeId, b: NodeId) -> State {
        let (mut op, other) = match (self.open(a), self.open(b)) {
            (_, Some(op)) => (op, a),
            (Some(op), None) => (op, b),
            (None, None) => {
                let from = self.value(a);
                (self.copy(id, from), b)
            }
        };
        let other = self.value(other);
        *op.sum_mut().expect("an operation that takes a sum") = Some(other);
        self.becomes(id, &op);
        self.wait_or_emit(id, op)
    }

    fn activate(&mut self, id: NodeId, input: NodeId, activation: Activation) -> Result<State, String> {
        if let Some(mut op) = self.waiting(input)
            && op.activate(activation)
        {
            self.becomes(id, &op);
            return Ok(State::Done(self.emit(op)));
        }
        let from = self.value(input);
        let mut op = self.copy(id, from);
        if self.plan.is_row(from) || !op.activate(activation) {
            let (node, input) = (self.graph.node(id).name(), self.graph.node(input).name());
            return Err(format!("`{node}`: the engine has no {activation:?} of `{input}`"));
        }
        Ok(State::Done(self.emit(op)))
    }
}

#[cfg(test)]
mod tests {
    use hrnet::{GraphBuilder, Shape};

    use super::*;

    #[test]
    fn an_activation_without_a_fused_form_is_refused_rather_than_dropped() {
        let (mut builder, x) = GraphBuilder::new(Shape::new(1, 4, 8, 8));
        let pooled = builder.global_avg_pool("pool".into(), x);
        builder.relu("pool.relu".into(), pooled);
        let refused = Plan::new(&builder.finish()).err().expect("no ReLU of means");
        assert_eq!(refused, "`pool.relu`: the engine has no Relu of `pool`");

        let (mut builder, x) = GraphBuilder::new(Shape::new(1, 4, 8, 8));
        let x = builder.conv("conv".into(), x, 4, 3, 1);
        builder.sigmoid("conv.sigmoid".into(), x);
        let refused = Plan::new(&builder.finish()).err().expect("no gates of maps");
        assert_eq!(refused, "`conv.sigmoid`: the engine has no Sigmoid of `conv`");
    }

    #[test]
    fn the_images_themselves_can_be_added_and_activated() {
        let (mut builder, x) = GraphBuilder::new(Shape::new(1, 4, 8, 8));
        let twice = builder.add("twice".into(), x, x).expect("one shape");
        builder.relu("twice.relu".into(), twice);
        let plan = Plan::new(&builder.finish()).expect("a plan");
        let kinds: Vec<_> = plan.ops.iter().map(|op| op.operands().len()).collect();
        assert_eq!(kinds, [1, 3, 1], "load, sum with its ReLU, store");
    }
}

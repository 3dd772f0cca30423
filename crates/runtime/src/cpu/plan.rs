//! The graph as fused steps over values: what runs, in which order, before memory and kernels are chosen.

use hrnet::{Graph, NodeId, Op};
use kernels::engine::{Activation, Grid, Packing};

/// A value that a step computes, by its place in [`Plan::values`].
pub(super) type Value = usize;

/// Steps in order.
pub(super) struct Plan {
    pub(super) steps: Vec<PlanStep>,
    /// The node whose shape each value has.
    pub(super) values: Vec<NodeId>,
}

/// One step.
#[derive(Clone, Debug)]
pub(super) struct PlanStep {
    pub(super) work: Work,
    /// Added before the ReLU.
    pub(super) sum: Option<Value>,
    pub(super) relu: bool,
    /// The value that it computes; the result of the network for a step that stores it.
    pub(super) output: Option<Value>,
}

/// The work of a step, with its values.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// The images.
    Load,
    /// A convolution and the batch norm behind it.
    Conv {
        conv: NodeId,
        batch_norm: Option<NodeId>,
        from: Value,
    },
    /// The value as operands of convolutions, on a grid that suits them.
    Pack {
        packing: Packing,
        grid: Grid,
        from: Value,
    },
    Enlarge {
        factor: usize,
        from: Value,
    },
    /// The value itself, to be added to or to go through a ReLU.
    Copy {
        from: Value,
    },
    Pool {
        from: Value,
    },
    Linear {
        node: NodeId,
        from: Value,
        activation: Activation,
    },
    Gate {
        from: Value,
        gate: Value,
    },
    /// The network's results: one, or all in one step.
    Store {
        from: Vec<Value>,
    },
}

impl Work {
    /// The same on other values.
    pub(super) fn reading(self, other: impl Fn(Value) -> Value) -> Self {
        let mut work = self;
        match &mut work {
            Self::Load => {}
            Self::Gate { from, gate } => {
                *from = other(*from);
                *gate = other(*gate);
            }
            Self::Conv { from, .. }
            | Self::Pack { from, .. }
            | Self::Enlarge { from, .. }
            | Self::Copy { from }
            | Self::Pool { from }
            | Self::Linear { from, .. } => *from = other(*from),
            Self::Store { from } => from.iter_mut().for_each(|value| *value = other(*value)),
        }
        work
    }

    /// The values it reads.
    pub(super) fn reads(&self) -> Vec<Value> {
        match self {
            Self::Load => Vec::new(),
            Self::Conv { from, .. }
            | Self::Pack { from, .. }
            | Self::Enlarge { from, .. }
            | Self::Copy { from }
            | Self::Pool { from }
            | Self::Linear { from, .. } => vec![*from],
            Self::Gate { from, gate } => vec![*from, *gate],
            Self::Store { from } => from.clone(),
        }
    }
}

/// The state of a node that has been visited.
#[derive(Clone, Debug)]
enum State {
    /// Its value is computed.
    Done(Value),
    /// Its step waits for what its only reader adds to it.
    Waiting(PlanStep),
    /// Its reader does its work.
    Folded,
}

impl Plan {
    /// The plan of the graph.
    ///
    /// # Errors
    /// If the graph holds an op where the engine has no fused form for it; an HRNet does not.
    pub(super) fn new(graph: &Graph) -> Result<Self, String> {
        Self::of(graph, true)
    }

    /// The plan with a step of its own for each sum, so that what goes into it is a value, too.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub(super) fn with_sums_apart(graph: &Graph) -> Result<Self, String> {
        Self::of(graph, false)
    }

    fn of(graph: &Graph, fuses_sums: bool) -> Result<Self, String> {
        let mut planner = Planner {
            graph,
            fuses_sums,
            uses: graph.consumer_counts(),
            states: Vec::with_capacity(graph.nodes().len()),
            plan: Self {
                steps: Vec::new(),
                values: Vec::new(),
            },
        };
        for (id, _) in graph.iter() {
            let state = planner.node(id)?;
            planner.states.push(state);
        }
        let from = graph
            .outputs()
            .iter()
            .map(|output| planner.value(*output))
            .collect();
        planner.plan.steps.push(PlanStep {
            work: Work::Store { from },
            sum: None,
            relu: false,
            output: None,
        });
        Ok(planner.plan)
    }

    /// The name of the node that each step computes: of a fused one the convolution or linear layer, where there is one.
    pub(super) fn layers(&self, graph: &Graph) -> Vec<String> {
        let node = |step: &PlanStep| match &step.work {
            Work::Conv { conv: node, .. } | Work::Linear { node, .. } => *node,
            Work::Store { from } => self.values[from[0]],
            Work::Load
            | Work::Pack { .. }
            | Work::Enlarge { .. }
            | Work::Copy { .. }
            | Work::Pool { .. }
            | Work::Gate { .. } => step.output.map_or(graph.output(), |value| self.values[value]),
        };
        self.steps
            .iter()
            .map(|step| graph.node(node(step)).name())
            .collect()
    }
}

struct Planner<'a> {
    graph: &'a Graph,
    fuses_sums: bool,
    uses: Vec<usize>,
    states: Vec<State>,
    plan: Plan,
}

impl Planner<'_> {
    fn node(&mut self, id: NodeId) -> Result<State, String> {
        let node = self.graph.node(id);
        let input = |i: usize| node.inputs[i];
        let work = match node.op {
            Op::Input => Work::Load,
            Op::Conv(_) if self.graph.folds_into_next(id, &self.uses) => return Ok(State::Folded),
            Op::Conv(_) => {
                let from = self.value(input(0));
                Work::Conv {
                    conv: id,
                    batch_norm: None,
                    from,
                }
            }
            Op::BatchNorm => {
                let conv = input(0);
                if !matches!(self.states[conv.index()], State::Folded) {
                    return Err(format!(
                        "`{}` is a batch norm without a convolution of its own",
                        node.name()
                    ));
                }
                let from = self.value(self.graph.node(conv).inputs[0]);
                Work::Conv {
                    conv,
                    batch_norm: Some(id),
                    from,
                }
            }
            Op::Upsample(factor) => Work::Enlarge {
                factor,
                from: self.value(input(0)),
            },
            Op::Scale => {
                let (from, gate) = (self.value(input(0)), self.value(input(1)));
                Work::Gate { from, gate }
            }
            Op::GlobalAvgPool => Work::Pool {
                from: self.value(input(0)),
            },
            Op::Linear(_) => {
                let from = self.value(input(0));
                Work::Linear {
                    node: id,
                    from,
                    activation: Activation::None,
                }
            }
            Op::Add => return Ok(self.add(id, input(0), input(1))),
            Op::Relu => return Ok(self.activate(id, input(0), Activation::Relu)),
            Op::Sigmoid => return Ok(self.activate(id, input(0), Activation::Sigmoid)),
        };
        let step = PlanStep {
            work,
            sum: None,
            relu: false,
            output: None,
        };
        Ok(self.wait_or_emit(id, step))
    }

    /// Returns true if the only reader of a node can be fused into its step.
    fn waits(&self, id: NodeId) -> bool {
        let readers = self.graph.nodes()[id.index() + 1..]
            .iter()
            .filter(|node| node.inputs.contains(&id));
        let mut ops = readers.map(|node| node.op);
        self.uses[id.index()] == 1
            && match ops.next() {
                Some(Op::Add) => self.fuses_sums,
                op => matches!(op, Some(Op::Relu | Op::Sigmoid)),
            }
    }

    fn wait_or_emit(&mut self, id: NodeId, step: PlanStep) -> State {
        if self.waits(id) {
            State::Waiting(step)
        } else {
            State::Done(self.emit(id, step))
        }
    }

    fn emit(&mut self, id: NodeId, step: PlanStep) -> Value {
        let value = self.plan.values.len();
        self.plan.values.push(id);
        self.plan.steps.push(PlanStep {
            output: Some(value),
            ..step
        });
        value
    }

    /// The node's value; a step that waits is done now.
    fn value(&mut self, id: NodeId) -> Value {
        match self.states[id.index()].clone() {
            State::Done(value) => value,
            State::Waiting(step) => {
                let value = self.emit(id, step);
                self.states[id.index()] = State::Done(value);
                value
            }
            State::Folded => unreachable!("only its batch norm reads a folded convolution"),
        }
    }

    /// A step that waits and has nothing added to it yet.
    fn open(&self, id: NodeId) -> Option<PlanStep> {
        match &self.states[id.index()] {
            State::Waiting(step)
                if step.sum.is_none() && !matches!(step.work, Work::Linear { .. } | Work::Pool { .. }) =>
            {
                Some(step.clone())
            }
            State::Done(_) | State::Waiting(_) | State::Folded => None,
        }
    }

    /// A sum: one side's step takes the other side's value.
    fn add(&mut self, id: NodeId, a: NodeId, b: NodeId) -> State {
        let (step, other) = match (self.open(a), self.open(b)) {
            (_, Some(step)) => (step, a),
            (Some(step), None) => (step, b),
            (None, None) => {
                let from = self.value(a);
                let work = Work::Copy { from };
                (
                    PlanStep {
                        work,
                        sum: None,
                        relu: false,
                        output: None,
                    },
                    b,
                )
            }
        };
        let sum = Some(self.value(other));
        self.wait_or_emit(id, PlanStep { sum, ..step })
    }

    fn activate(&mut self, id: NodeId, input: NodeId, activation: Activation) -> State {
        let step = match self.states[input.index()].clone() {
            State::Waiting(step) => match step.work {
                Work::Linear { node, from, .. } => PlanStep {
                    work: Work::Linear {
                        node,
                        from,
                        activation,
                    },
                    ..step
                },
                Work::Load
                | Work::Conv { .. }
                | Work::Pack { .. }
                | Work::Enlarge { .. }
                | Work::Copy { .. }
                | Work::Pool { .. }
                | Work::Gate { .. }
                | Work::Store { .. } => PlanStep { relu: true, ..step },
            },
            State::Done(_) | State::Folded => {
                let from = self.value(input);
                PlanStep {
                    work: Work::Copy { from },
                    sum: None,
                    relu: true,
                    output: None,
                }
            }
        };
        State::Done(self.emit(id, step))
    }
}

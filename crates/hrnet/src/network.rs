use std::cmp::Ordering;

use crate::head::Trunk;
use crate::place::{Gate, Layer, Role, Unit};
use crate::spec::BOTTLENECK_EXPANSION;
use crate::{Graph, GraphBuilder, GraphError, HrnetSpec, NodeId, Output, Shape, Upsample};

/// A spec or an input size from which no HRNet can be built.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The lists of the spec have lengths that do not fit, or a number in them is zero.
    #[error("HRNet spec: {0}")]
    Spec(String),
    /// The input does not divide by the stride of the lowest-resolution branch.
    #[error(
        "input size {h}x{w}: both sides must be positive multiples of {stride}, because the maps of the branches are \
         summed after enlargement (Paddle and timm refuse such sizes too)"
    )]
    InputSize {
        /// Rows asked for.
        h: usize,
        /// Columns asked for.
        w: usize,
        /// The number of which both must be multiples.
        stride: usize,
    },
    /// Not RGB, or an empty batch.
    #[error("input shape {0}: expected at least one image of 3 channels")]
    Input(Shape),
    /// A part of the network does not fit the next one.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl HrnetSpec {
    /// Builds the network for batches of shape `input`, `[n, 3, h, w]`.
    ///
    /// # Errors
    /// If the spec is inconsistent or a side of the input does not divide by [`HrnetSpec::stride`].
    pub fn graph(&self, input: Shape) -> Result<Graph, SpecError> {
        self.check()?;
        if input.n == 0 || input.c != 3 {
            return Err(SpecError::Input(input));
        }
        let stride = self.stride();
        if input.h == 0 || input.w == 0 || !input.h.is_multiple_of(stride) || !input.w.is_multiple_of(stride)
        {
            return Err(SpecError::InputSize {
                h: input.h,
                w: input.w,
                stride,
            });
        }
        let (builder, x) = GraphBuilder::new(input);
        let mut network = Network {
            spec: self,
            g: builder,
        };
        let outputs = network.build(x)?;
        Ok(network.g.finish_with(&outputs))
    }

    fn check(&self) -> Result<(), SpecError> {
        let fail = |why: String| Err(SpecError::Spec(why));
        let branches = self.widths.len();
        if branches < 2 {
            return fail(format!("{branches} branch widths given; at least 2 are needed"));
        }
        if self.modules.len() != branches - 1 {
            return fail(format!(
                "{branches} branch widths need {} module counts; found {}",
                branches - 1,
                self.modules.len()
            ));
        }
        let scalars = [self.stem, self.stage1.blocks, self.stage1.mid, self.blocks];
        let lists = self.widths.iter().chain(&self.modules);
        if scalars.iter().chain(lists).any(|number| *number == 0) {
            return fail("every count and width must be positive".into());
        }
        if let Some(fault) = self.head.fault(self) {
            return fail(fault);
        }
        let narrowest = self.widths.iter().copied().min().unwrap_or(0);
        match self.se_reduction {
            Some(0) => fail("the squeeze-and-excitation reduction must be positive".into()),
            Some(r) if narrowest < r => fail(format!(
                "width {narrowest} leaves nothing after a reduction by {r}"
            )),
            _ => Ok(()),
        }
    }
}

/// An HRNet, written down once.
pub(crate) struct Network<'a> {
    spec: &'a HrnetSpec,
    pub(crate) g: GraphBuilder,
}

/// The size of a convolution: one of the three that an HRNet has.
#[derive(Clone, Copy)]
pub(crate) struct Filter {
    outputs: usize,
    kernel: usize,
    stride: usize,
}

impl Filter {
    /// A 1x1 convolution.
    pub(crate) const fn one(outputs: usize) -> Self {
        Self {
            outputs,
            kernel: 1,
            stride: 1,
        }
    }

    /// A 3x3 convolution.
    pub(crate) const fn three(outputs: usize) -> Self {
        Self {
            outputs,
            kernel: 3,
            stride: 1,
        }
    }

    /// A 3x3 convolution of stride 2, which halves both sides of the map.
    pub(crate) const fn halving(outputs: usize) -> Self {
        Self {
            outputs,
            kernel: 3,
            stride: 2,
        }
    }
}

/// One output of a module's exchange.
#[derive(Clone, Copy)]
struct Exchange {
    stage: usize,
    module: usize,
    output: usize,
}

impl Exchange {
    const fn term(self, from: usize, step: Option<usize>) -> Unit {
        let Self {
            stage,
            module,
            output,
        } = self;
        Unit::ExchangeTerm {
            stage,
            module,
            output,
            from,
            step,
        }
    }

    const fn sum(self) -> Unit {
        let Self {
            stage,
            module,
            output,
        } = self;
        Unit::ExchangeOutput {
            stage,
            module,
            output,
        }
    }
}

impl Network<'_> {
    fn build(&mut self, input: NodeId) -> Result<Vec<Output>, GraphError> {
        let filter = Filter::halving(self.spec.stem);
        let stem = self.conv_bn_relu(Unit::Stem, Layer::Numbered(1), input, filter);
        let mut x = self.conv_bn_relu(Unit::Stem, Layer::Numbered(2), stem, filter);
        for block in 0..self.spec.stage1.blocks {
            x = self.bottleneck(Unit::StageOne { block }, x, self.spec.stage1.mid, block == 0)?;
        }
        let mut branches = vec![self.transition(1, 0, x), self.transition(1, 1, x)];
        for (stage, modules) in (2..).zip(&self.spec.modules) {
            if stage > 2 {
                let (branch, last) = (branches.len(), branches[branches.len() - 1]);
                branches.push(self.transition(stage - 1, branch, last));
            }
            for module in 0..*modules {
                let is_last = stage == self.spec.widths.len() && module + 1 == *modules;
                let outputs = match is_last && !self.spec.head.reads_all_branches() {
                    true => 1,
                    false => branches.len(),
                };
                branches = self.module(stage, module, &branches, outputs)?;
            }
        }
        let branches = &branches;
        self.spec.head.build(self, &Trunk { stem, branches })
    }

    /// Makes a branch of the stage after transition `number`; a new branch has half the resolution of the one before it.
    fn transition(&mut self, number: usize, branch: usize, x: NodeId) -> NodeId {
        let outputs = self.spec.widths[branch];
        let filter = match branch == number {
            true => Filter::halving(outputs),
            false => Filter::three(outputs),
        };
        self.conv_bn_relu(Unit::Transition { number, branch }, Layer::Only, x, filter)
    }

    /// Blocks on each branch, then the exchange between all of them, of which the first `outputs` are computed.
    fn module(
        &mut self,
        stage: usize,
        module: usize,
        inputs: &[NodeId],
        outputs: usize,
    ) -> Result<Vec<NodeId>, GraphError> {
        let mut branches = Vec::with_capacity(inputs.len());
        for (branch, input) in inputs.iter().enumerate() {
            let mut x = *input;
            for block in 0..self.spec.blocks {
                let unit = Unit::Block {
                    stage,
                    module,
                    branch,
                    block,
                };
                x = self.basic_block(unit, x)?;
            }
            branches.push(x);
        }
        let exchange = |output| Exchange {
            stage,
            module,
            output,
        };
        (0..outputs)
            .map(|output| self.exchange(exchange(output), &branches))
            .collect()
    }

    /// Builds one output of a module: every branch, converted to this one's size and channels, summed in branch order.
    fn exchange(&mut self, exchange: Exchange, branches: &[NodeId]) -> Result<NodeId, GraphError> {
        let mut sum = None;
        for (from, branch) in branches.iter().enumerate() {
            let term = match from.cmp(&exchange.output) {
                Ordering::Equal => *branch,
                Ordering::Greater => self.enlarge(exchange, from, *branch),
                Ordering::Less => self.reduce(exchange, from, *branch),
            };
            sum = Some(match sum {
                None => term,
                Some(sum) => self.g.add(exchange.term(from, None).at(Role::Add), sum, term)?,
            });
        }
        let sum = sum.expect("a module has branches");
        Ok(self.g.relu(exchange.sum().at(Role::AddRelu), sum))
    }

    fn enlarge(&mut self, exchange: Exchange, from: usize, x: NodeId) -> NodeId {
        let unit = exchange.term(from, None);
        let filter = Filter::one(self.spec.widths[exchange.output]);
        let x = self.conv_bn(unit, Layer::Only, x, filter);
        let by = Upsample::nearest(1 << (from - exchange.output));
        self.g.upsample(unit.at(Role::Upsample), x, by)
    }

    fn reduce(&mut self, exchange: Exchange, from: usize, mut x: NodeId) -> NodeId {
        let steps = exchange.output - from;
        for step in 0..steps {
            let unit = exchange.term(from, Some(step));
            x = if step + 1 == steps {
                let filter = Filter::halving(self.spec.widths[exchange.output]);
                self.conv_bn(unit, Layer::Only, x, filter)
            } else {
                let filter = Filter::halving(self.spec.widths[from]);
                self.conv_bn_relu(unit, Layer::Only, x, filter)
            };
        }
        x
    }

    /// 1x1, 3x3, 1x1 to four times `mid` channels; `project` puts a 1x1 convolution on the shortcut.
    pub(crate) fn bottleneck(
        &mut self,
        unit: Unit,
        x: NodeId,
        mid: usize,
        project: bool,
    ) -> Result<NodeId, GraphError> {
        let outputs = mid * BOTTLENECK_EXPANSION;
        let mut y = self.conv_bn_relu(unit, Layer::Numbered(1), x, Filter::one(mid));
        y = self.conv_bn_relu(unit, Layer::Numbered(2), y, Filter::three(mid));
        y = self.conv_bn(unit, Layer::Numbered(3), y, Filter::one(outputs));
        y = self.squeeze_excite(unit, y)?;
        let shortcut = match project {
            true => self.conv_bn(unit, Layer::Shortcut, x, Filter::one(outputs)),
            false => x,
        };
        self.join(unit, y, shortcut)
    }

    fn basic_block(&mut self, unit: Unit, x: NodeId) -> Result<NodeId, GraphError> {
        let filter = Filter::three(self.g.shape(x).c);
        let mut y = self.conv_bn_relu(unit, Layer::Numbered(1), x, filter);
        y = self.conv_bn(unit, Layer::Numbered(2), y, filter);
        y = self.squeeze_excite(unit, y)?;
        self.join(unit, y, x)
    }

    fn join(&mut self, unit: Unit, y: NodeId, shortcut: NodeId) -> Result<NodeId, GraphError> {
        let sum = self.g.add(unit.at(Role::Add), y, shortcut)?;
        Ok(self.g.relu(unit.at(Role::AddRelu), sum))
    }

    fn squeeze_excite(&mut self, unit: Unit, y: NodeId) -> Result<NodeId, GraphError> {
        let Some(reduction) = self.spec.se_reduction else {
            return Ok(y);
        };
        let at = |gate| unit.at(Role::Gate(gate));
        let channels = self.g.shape(y).c;
        let mut gate = self.g.global_avg_pool(at(Gate::Pool), y);
        gate = self.g.linear(at(Gate::Squeeze), gate, channels / reduction)?;
        gate = self.g.relu(at(Gate::Relu), gate);
        gate = self.g.linear(at(Gate::Excite), gate, channels)?;
        gate = self.g.sigmoid(at(Gate::Sigmoid), gate);
        self.g.scale(at(Gate::Scale), y, gate)
    }

    fn conv_bn(&mut self, unit: Unit, layer: Layer, x: NodeId, filter: Filter) -> NodeId {
        let Filter {
            outputs,
            kernel,
            stride,
        } = filter;
        let x = self
            .g
            .conv(unit.at(Role::Conv(layer)), x, outputs, kernel, stride);
        self.g.batch_norm(unit.at(Role::BatchNorm(layer)), x)
    }

    pub(crate) fn conv_bn_relu(&mut self, unit: Unit, layer: Layer, x: NodeId, filter: Filter) -> NodeId {
        let x = self.conv_bn(unit, layer, x, filter);
        self.g.relu(unit.at(Role::Relu(layer)), x)
    }
}

use crate::spec::BOTTLENECK_EXPANSION;
use crate::{Graph, GraphBuilder, GraphError, HrnetSpec, NodeId, Shape};

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
        network.build(x)?;
        Ok(network.g.finish())
    }

    fn check(&self) -> Result<(), SpecError> {
        let fail = |why: String| Err(SpecError::Spec(why));
        let branches = self.widths.len();
        if branches < 2 {
            return fail(format!("{branches} branch widths given; at least 2 are needed"));
        }
        if self.modules.len() != branches - 1 || self.head.mids.len() != branches {
            return fail(format!(
                "{branches} branch widths need {} module counts and {branches} head widths; found {} and {}",
                branches - 1,
                self.modules.len(),
                self.head.mids.len()
            ));
        }
        let scalars = [
            self.stem,
            self.stage1.blocks,
            self.stage1.mid,
            self.blocks,
            self.head.features,
            self.head.classes,
        ];
        let lists = self.widths.iter().chain(&self.modules).chain(&self.head.mids);
        if scalars.iter().chain(lists).any(|number| *number == 0) {
            return fail("every count and width must be positive".into());
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

/// The HRNet classifier, written down once.
struct Network<'a> {
    spec: &'a HrnetSpec,
    g: GraphBuilder,
}

impl Network<'_> {
    fn build(&mut self, input: NodeId) -> Result<(), GraphError> {
        let mut x = self.conv_bn_relu("conv1", "bn1", input, self.spec.stem, 3, 2);
        x = self.conv_bn_relu("conv2", "bn2", x, self.spec.stem, 3, 2);
        for block in 0..self.spec.stage1.blocks {
            x = self.bottleneck(&format!("layer1.{block}"), x, self.spec.stage1.mid, block == 0)?;
        }
        let mut branches = vec![
            self.transition("transition1.0", x, 0, 1),
            self.transition("transition1.1.0", x, 1, 2),
        ];
        for (stage, modules) in self
            .spec
            .modules
            .iter()
            .enumerate()
            .map(|(i, modules)| (i + 2, *modules))
        {
            if stage > 2 {
                let last = branches[branches.len() - 1];
                let branch = branches.len();
                branches.push(self.transition(
                    &format!("transition{}.{branch}.0", stage - 1),
                    last,
                    branch,
                    2,
                ));
            }
            for module in 0..modules {
                branches = self.module(&format!("stage{stage}.{module}"), &branches)?;
            }
        }
        self.head(&branches)
    }

    fn transition(&mut self, name: &str, x: NodeId, branch: usize, stride: usize) -> NodeId {
        self.conv_bn_relu(
            &format!("{name}.0"),
            &format!("{name}.1"),
            x,
            self.spec.widths[branch],
            3,
            stride,
        )
    }

    /// Blocks on each branch, then the exchange between all of them.
    fn module(&mut self, name: &str, inputs: &[NodeId]) -> Result<Vec<NodeId>, GraphError> {
        let mut branches = Vec::with_capacity(inputs.len());
        for (branch, input) in inputs.iter().enumerate() {
            let mut x = *input;
            for block in 0..self.spec.blocks {
                x = self.basic_block(&format!("{name}.branches.{branch}.{block}"), x)?;
            }
            branches.push(x);
        }
        (0..branches.len())
            .map(|output| self.fuse(name, &branches, output))
            .collect()
    }

    /// Builds one output of a module: every branch, converted to this one's size and channels, summed in branch order.
    fn fuse(&mut self, module: &str, branches: &[NodeId], output: usize) -> Result<NodeId, GraphError> {
        let mut sum = None;
        for (from, branch) in branches.iter().enumerate() {
            let name = format!("{module}.fuse_layers.{output}.{from}");
            let term = match from.cmp(&output) {
                std::cmp::Ordering::Equal => *branch,
                std::cmp::Ordering::Greater => self.enlarge(&name, *branch, output, from),
                std::cmp::Ordering::Less => self.reduce(&name, *branch, output, from),
            };
            sum = Some(match sum {
                None => term,
                Some(sum) => self.g.add(format!("{name}.add"), sum, term)?,
            });
        }
        let sum = sum.expect("a module has branches");
        Ok(self.g.relu(format!("{module}.fuse_layers.{output}.relu"), sum))
    }

    fn enlarge(&mut self, name: &str, x: NodeId, to: usize, from: usize) -> NodeId {
        let x = self.conv_bn(
            &format!("{name}.0"),
            &format!("{name}.1"),
            x,
            self.spec.widths[to],
            1,
            1,
        );
        self.g.upsample(format!("{name}.2"), x, 1 << (from - to))
    }

    fn reduce(&mut self, name: &str, mut x: NodeId, to: usize, from: usize) -> NodeId {
        let steps = to - from;
        for step in 0..steps {
            let (conv, bn) = (format!("{name}.{step}.0"), format!("{name}.{step}.1"));
            x = if step + 1 == steps {
                self.conv_bn(&conv, &bn, x, self.spec.widths[to], 3, 2)
            } else {
                self.conv_bn_relu(&conv, &bn, x, self.spec.widths[from], 3, 2)
            };
        }
        x
    }

    fn head(&mut self, branches: &[NodeId]) -> Result<(), GraphError> {
        let mids = &self.spec.head.mids;
        let mut y = self.bottleneck("incre_modules.0.0", branches[0], mids[0], true)?;
        for (i, branch) in branches.iter().enumerate().skip(1) {
            let lower = self.bottleneck(&format!("incre_modules.{i}.0"), *branch, mids[i], true)?;
            let name = format!("downsamp_modules.{}", i - 1);
            let channels = mids[i] * BOTTLENECK_EXPANSION;
            let down = self.conv_bn_relu(&format!("{name}.0"), &format!("{name}.1"), y, channels, 3, 2);
            y = self.g.add(format!("{name}.add"), lower, down)?;
        }
        y = self.conv_bn_relu("final_layer.0", "final_layer.1", y, self.spec.head.features, 1, 1);
        y = self.g.global_avg_pool("global_pool".into(), y);
        self.g.linear("classifier".into(), y, self.spec.head.classes)?;
        Ok(())
    }

    /// 1x1, 3x3, 1x1 to four times `mid` channels; `project` puts a 1x1 convolution on the shortcut.
    fn bottleneck(&mut self, name: &str, x: NodeId, mid: usize, project: bool) -> Result<NodeId, GraphError> {
        let part = |suffix: &str| format!("{name}.{suffix}");
        let outputs = mid * BOTTLENECK_EXPANSION;
        let mut y = self.conv_bn_relu(&part("conv1"), &part("bn1"), x, mid, 1, 1);
        y = self.conv_bn_relu(&part("conv2"), &part("bn2"), y, mid, 3, 1);
        y = self.conv_bn(&part("conv3"), &part("bn3"), y, outputs, 1, 1);
        y = self.squeeze_excite(name, y)?;
        let shortcut = match project {
            true => self.conv_bn(&part("downsample.0"), &part("downsample.1"), x, outputs, 1, 1),
            false => x,
        };
        self.join(name, y, shortcut)
    }

    fn basic_block(&mut self, name: &str, x: NodeId) -> Result<NodeId, GraphError> {
        let part = |suffix: &str| format!("{name}.{suffix}");
        let channels = self.g.shape(x).c;
        let mut y = self.conv_bn_relu(&part("conv1"), &part("bn1"), x, channels, 3, 1);
        y = self.conv_bn(&part("conv2"), &part("bn2"), y, channels, 3, 1);
        y = self.squeeze_excite(name, y)?;
        self.join(name, y, x)
    }

    fn join(&mut self, block: &str, y: NodeId, shortcut: NodeId) -> Result<NodeId, GraphError> {
        let sum = self.g.add(format!("{block}.add"), y, shortcut)?;
        Ok(self.g.relu(format!("{block}.relu"), sum))
    }

    fn squeeze_excite(&mut self, block: &str, y: NodeId) -> Result<NodeId, GraphError> {
        let Some(reduction) = self.spec.se_reduction else {
            return Ok(y);
        };
        let part = |suffix: &str| format!("{block}.se.{suffix}");
        let channels = self.g.shape(y).c;
        let mut gate = self.g.global_avg_pool(part("pool"), y);
        gate = self.g.linear(part("fc1"), gate, channels / reduction)?;
        gate = self.g.relu(part("relu"), gate);
        gate = self.g.linear(part("fc2"), gate, channels)?;
        gate = self.g.sigmoid(part("sigmoid"), gate);
        self.g.scale(part("scale"), y, gate)
    }

    fn conv_bn(
        &mut self,
        conv: &str,
        bn: &str,
        x: NodeId,
        outputs: usize,
        kernel: usize,
        stride: usize,
    ) -> NodeId {
        let x = self.g.conv(conv.to_owned(), x, outputs, kernel, stride);
        self.g.batch_norm(bn.to_owned(), x)
    }

    fn conv_bn_relu(
        &mut self,
        conv: &str,
        bn: &str,
        x: NodeId,
        outputs: usize,
        kernel: usize,
        stride: usize,
    ) -> NodeId {
        let x = self.conv_bn(conv, bn, x, outputs, kernel, stride);
        self.g.relu(format!("{bn}.relu"), x)
    }
}

//! The graph on candle's stock operations: the reference that other backends are measured against.

use candle_core::{D, DType, Device, Result as CandleResult, Storage, Tensor};
use hrnet::{
    Conv, FoldedConv, Graph, Interpolation, Linear, Node, NodeId, Op, Precision, ScaleShift, Shape,
    WeightSource,
};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{Backend, Options, RuntimeError, Session, Shapes};

/// Candle on one kind of device.
pub(crate) struct Candle {
    name: &'static str,
    about: &'static str,
    device: fn() -> CandleResult<Device>,
    /// True if the device's matrix product takes 16-bit numbers and keeps their sums in f32. Candle's CPU code has no
    /// bf16 product, and sums f16 products in f16, which costs twice the error that rounding the operands does.
    wide_sums: bool,
}

pub(crate) static CPU: Candle = Candle {
    name: "candle",
    about: "candle-core 0.11 on the CPU",
    device: || Ok(Device::Cpu),
    wide_sums: false,
};

#[cfg(feature = "cuda")]
pub(crate) static CUDA: Candle = Candle {
    name: "candle-cuda",
    about: "candle-core 0.11 on the first CUDA device",
    device: || Device::new_cuda(0),
    wide_sums: true,
};

#[cfg(feature = "metal")]
pub(crate) static METAL: Candle = Candle {
    name: "candle-metal",
    about: "candle-core 0.11 on the first Metal device",
    device: || Device::new_metal(0),
    wide_sums: true,
};

impl Backend for Candle {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn arithmetic(&self, precision: Precision) -> Option<&'static str> {
        Some(match precision {
            Precision::F32 => "f32",
            Precision::F16 if self.wide_sums => "f16",
            Precision::F16 => "f16 storage, f32 arithmetic in convolutions",
            Precision::Bf16 if self.wide_sums => "bf16",
            Precision::Bf16 => "bf16 storage, f32 arithmetic in convolutions",
            Precision::I16 | Precision::Int8 => return None,
        })
    }

    fn prepare(
        &self,
        graph: &Graph,
        weights: &dyn WeightSource,
        options: Options,
    ) -> Result<Box<dyn Session>, RuntimeError> {
        let device = (self.device)().map_err(|error| RuntimeError::device(self.name, error))?;
        let pool = ThreadPoolBuilder::new()
            .num_threads(options.threads.get())
            .build()
            .map_err(|error| RuntimeError::device(self.name, error))?;
        let storage = dtype(options.precision).ok_or(RuntimeError::Precision {
            backend: self.name,
            precision: options.precision,
        })?;
        let compute = if self.wide_sums { storage } else { DType::F32 };
        let compiler = Compiler {
            graph,
            weights,
            device: &device,
            storage,
            compute,
            uses: graph.consumer_counts(),
        };
        let steps = compiler.steps().map_err(|error| match error {
            StepError::Weights(error) => error.into(),
            StepError::Candle(error) => RuntimeError::device(self.name, error),
        })?;
        Ok(Box::new(CandleSession {
            backend: self.name,
            steps,
            pool,
            device,
            storage,
            shapes: Shapes::of(graph),
            outputs: graph.output_nodes().copied().collect(),
            values: vec![None; graph.nodes().len()],
        }))
    }
}

fn dtype(precision: Precision) -> Option<DType> {
    match precision {
        Precision::F32 => Some(DType::F32),
        Precision::F16 => Some(DType::F16),
        Precision::Bf16 => Some(DType::BF16),
        Precision::I16 | Precision::Int8 => None,
    }
}

/// One operation on values, which are numbered like the graph's nodes.
struct Step {
    run: Box<Run>,
    inputs: Vec<NodeId>,
    output: NodeId,
    /// Values that no later step reads.
    dies: Vec<NodeId>,
}

/// Computes a value from those of the inputs.
type Run = dyn Fn(&[&Tensor]) -> CandleResult<Tensor> + Send + Sync;

enum StepError {
    Weights(hrnet::WeightError),
    Candle(candle_core::Error),
}

impl From<hrnet::WeightError> for StepError {
    fn from(error: hrnet::WeightError) -> Self {
        Self::Weights(error)
    }
}

impl From<candle_core::Error> for StepError {
    fn from(error: candle_core::Error) -> Self {
        Self::Candle(error)
    }
}

/// Turns the graph into steps, folding a batch norm into the convolution before it.
struct Compiler<'a> {
    graph: &'a Graph,
    weights: &'a dyn WeightSource,
    device: &'a Device,
    storage: DType,
    compute: DType,
    uses: Vec<usize>,
}

impl Compiler<'_> {
    fn steps(&self) -> Result<Vec<Step>, StepError> {
        let mut steps = Vec::new();
        for (id, node) in self.graph.iter() {
            let Some(run) = self.step(id, node)? else {
                continue;
            };
            let folded = node
                .inputs
                .first()
                .filter(|conv| self.graph.folds_into_next(**conv, &self.uses));
            let reader = folded.map_or(node, |conv| self.graph.node(*conv));
            steps.push(Step {
                run,
                inputs: reader.inputs.clone(),
                output: id,
                dies: Vec::new(),
            });
        }
        let mut seen = vec![false; self.graph.nodes().len()];
        for output in self.graph.output_nodes() {
            seen[output.index()] = true;
        }
        for step in steps.iter_mut().rev() {
            for input in &step.inputs {
                if !std::mem::replace(&mut seen[input.index()], true) {
                    step.dies.push(*input);
                }
            }
        }
        Ok(steps)
    }

    /// Returns the code of a node; `None` if another step does its work.
    fn step(&self, id: NodeId, node: &Node) -> Result<Option<Box<Run>>, StepError> {
        let (storage, compute) = (self.storage, self.compute);
        Ok(Some(match node.op {
            Op::Input => return Ok(None),
            Op::Conv(_) if self.graph.folds_into_next(id, &self.uses) => return Ok(None),
            Op::Conv(conv) => self.conv(conv, FoldedConv::new(node, None, self.weights)?)?,
            Op::BatchNorm => {
                let before = self.graph.node(node.inputs[0]);
                if let (Op::Conv(conv), true) =
                    (before.op, self.graph.folds_into_next(node.inputs[0], &self.uses))
                {
                    let folded = FoldedConv::new(before, Some(node), self.weights)?;
                    return Ok(Some(self.conv(conv, folded)?));
                }
                let ScaleShift { scale, shift } = ScaleShift::new(node, self.weights)?;
                let channel = |values: Vec<f64>| {
                    let values = values.iter().map(|value| *value as f32).collect();
                    self.tensor(values, (1, node.shape.c, 1, 1), storage)
                };
                let (scale, shift) = (channel(scale)?, channel(shift)?);
                Box::new(move |x| x[0].broadcast_mul(&scale)?.broadcast_add(&shift))
            }
            Op::Relu => Box::new(|x| x[0].relu()),
            Op::Sigmoid => Box::new(|x| (x[0].neg()?.exp()? + 1.0)?.recip()),
            Op::Add => Box::new(|x| x[0] + x[1]),
            Op::Concat => Box::new(|x| Tensor::cat(x, 1)),
            Op::Scale => Box::new(|x| x[0].broadcast_mul(x[1])),
            Op::Upsample(by) => {
                let Shape { h, w, .. } = node.shape;
                match by.interpolation {
                    Interpolation::Nearest => Box::new(move |x| x[0].upsample_nearest2d(h, w)),
                    Interpolation::Bilinear { align_corners } => Box::new(move |x| {
                        let x = x[0].to_dtype(compute)?;
                        x.upsample_bilinear2d(h, w, align_corners)?.to_dtype(storage)
                    }),
                }
            }
            // Sums of thousands of elements lose too much in 16 bits.
            Op::GlobalAvgPool => Box::new(move |x| {
                let x = x[0].to_dtype(DType::F32)?;
                x.mean_keepdim(D::Minus1)?
                    .mean_keepdim(D::Minus2)?
                    .to_dtype(storage)
            }),
            Op::Linear(linear) => self.linear(linear, node)?,
        }))
    }

    fn conv(&self, conv: Conv, folded: FoldedConv) -> CandleResult<Box<Run>> {
        let (storage, compute) = (self.storage, self.compute);
        let weight = self.conv_weight(conv, folded.weight)?;
        let bias = self.tensor(folded.bias, (1, conv.outputs, 1, 1), compute)?;
        Ok(Box::new(move |x| {
            let x = x[0].to_dtype(compute)?;
            let y = x.conv2d(&weight, conv.padding(), conv.stride, 1, 1)?;
            y.broadcast_add(&bias)?.to_dtype(storage)
        }))
    }

    fn linear(&self, linear: Linear, node: &Node) -> Result<Box<Run>, StepError> {
        let (storage, compute) = (self.storage, self.compute);
        let params = node.params();
        let weight = self.weights.load(&params[0])?.into_owned();
        let bias = self.weights.load(&params[1])?.into_owned();
        let weight = self
            .tensor(weight, (linear.outputs, linear.inputs), compute)?
            .t()?
            .contiguous()?;
        let bias = self.tensor(bias, (1, linear.outputs), compute)?;
        Ok(Box::new(move |x| {
            let x = x[0].to_dtype(compute)?;
            let y = x.reshape((x.dim(0)?, linear.inputs))?.matmul(&weight)?;
            let y = y.broadcast_add(&bias)?;
            y.reshape((x.dim(0)?, linear.outputs, 1, 1))?.to_dtype(storage)
        }))
    }

    fn conv_weight(&self, conv: Conv, values: Vec<f32>) -> CandleResult<Tensor> {
        // Rounded to the storage format even where the arithmetic is wider: the precision says what is kept.
        let shape = (conv.outputs, conv.inputs, conv.kernel, conv.kernel);
        self.tensor(values, shape, self.storage)?.to_dtype(self.compute)
    }

    fn tensor<S: Into<candle_core::Shape>>(
        &self,
        values: Vec<f32>,
        shape: S,
        dtype: DType,
    ) -> CandleResult<Tensor> {
        Tensor::from_vec(values, shape, &Device::Cpu)?
            .to_dtype(dtype)?
            .to_device(self.device)
    }
}

struct CandleSession {
    backend: &'static str,
    steps: Vec<Step>,
    pool: ThreadPool,
    device: Device,
    storage: DType,
    shapes: Shapes,
    outputs: Vec<NodeId>,
    values: Vec<Option<Tensor>>,
}

/// Copies the elements of a flat tensor.
fn copy(from: &Tensor, to: &mut [f32]) -> CandleResult<()> {
    let (storage, layout) = from.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(storage), Some((start, end))) => {
            to.copy_from_slice(&storage.as_slice::<f32>()?[start..end]);
        }
        // Another device's memory is copied into a vector of the library's.
        _ => to.copy_from_slice(&from.to_vec1::<f32>()?),
    }
    Ok(())
}

impl Session for CandleSession {
    fn run(&mut self, images: &[f32], results: &mut [f32]) -> Result<(), RuntimeError> {
        self.shapes.check(images, results)?;
        let Self {
            steps,
            pool,
            device,
            storage,
            values,
            shapes,
            outputs,
            ..
        } = self;
        let Shape { n, c, h, w } = shapes.input;
        let outputs = &*outputs;
        let computed = pool.install(|| -> CandleResult<()> {
            values[0] = Some(Tensor::from_slice(images, (n, c, h, w), device)?.to_dtype(*storage)?);
            for step in steps.iter() {
                let input = |id: &NodeId| {
                    values[id.index()]
                        .as_ref()
                        .expect("inputs run before their users")
                };
                let inputs: Vec<&Tensor> = step.inputs.iter().map(input).collect();
                let value = (step.run)(&inputs)?;
                values[step.output.index()] = Some(value);
                for dead in &step.dies {
                    values[dead.index()] = None;
                }
            }
            for (output, result) in outputs.iter().zip(shapes.split(results)) {
                let value = values[output.index()].as_ref().expect("all steps have run");
                copy(&value.to_dtype(DType::F32)?.flatten_all()?, result)?;
            }
            Ok(())
        });
        self.values.fill(None);
        computed.map_err(|error| RuntimeError::device(self.backend, error))
    }

    fn shapes(&self) -> &Shapes {
        &self.shapes
    }
}

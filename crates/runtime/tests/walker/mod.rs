//! A naive walk over a graph in f64, each op written as its definition: exactly, or with operands rounded as the engine rounds
//! them ([`rounding`]), or with a branch left out.
#![allow(dead_code, reason = "each test file needs a part")]

pub mod rounding;

use hrnet::{
    Classifier, Features, FoldedConv, Graph, Head, Heatmaps, HrnetSpec, Interpolation, Node, NodeId, Op,
    Precision, Shape, StageOneSpec, Upsample, WeightSource,
};
use rounding::{Operands, Rounding};
use runtime::{BACKENDS, Backend, RuntimeError};

/// The backends that can run here; one whose library is not here is told of, and fails where it is required.
pub fn backends() -> Vec<&'static dyn Backend> {
    let here = |backend: &&dyn Backend| match backend.identity() {
        Ok(_) => true,
        Err(error @ RuntimeError::Missing { .. }) => {
            let what = format!("backend {} against the reference", backend.name());
            testkit::not_run(&backend.name().to_uppercase(), &what, &error.to_string());
            false
        }
        Err(error) => panic!("{}: {error}", backend.name()),
    };
    BACKENDS.iter().copied().filter(here).collect()
}

/// Small networks with other heads than a classifier's: feature maps in both places, and heatmaps of either kernel.
pub fn other_heads() -> Vec<HrnetSpec> {
    let [plain, gated] = networks();
    let pyramid = |spec: &HrnetSpec, location, strides: &[usize]| {
        spec.features_only(location, strides)
            .expect("strides of the network")
    };
    vec![
        pyramid(&plain, Features::Incre, &[2, 4, 8, 16]),
        pyramid(&gated, Features::Stage4, &[4, 16]),
        plain.with_head(Heatmaps::new(17)),
        gated.with_head(Heatmaps { maps: 5, kernel: 3 }),
    ]
}

/// Small classifiers that hold each op.
pub fn networks() -> [HrnetSpec; 2] {
    let tiny = HrnetSpec {
        stem: 4,
        stage1: StageOneSpec { blocks: 2, mid: 4 },
        widths: vec![3, 6, 12],
        modules: vec![1, 2],
        blocks: 2,
        se_reduction: None,
        head: Head::Classifier(Classifier {
            mids: vec![2, 4, 8],
            features: 24,
            classes: 10,
        }),
    };
    [
        tiny.clone(),
        HrnetSpec {
            se_reduction: Some(2),
            ..tiny
        },
    ]
}

/// Numbers from -1 to 1.
pub fn images(shape: Shape) -> Vec<f32> {
    (0..shape.elements())
        .map(|i| ((i * 7919 % 1009) as f32 / 504.5) - 1.0)
        .collect()
}

/// The largest absolute value.
pub fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |max, x| x.abs().max(max))
}

/// A walk over a graph.
pub struct Walker<'a> {
    graph: &'a Graph,
    weights: &'a dyn WeightSource,
    /// The rounding of operands; `None` for none.
    rounding: Option<&'a Rounding<'a>>,
    /// A sum that takes its first term alone.
    without: Option<NodeId>,
}

impl<'a> Walker<'a> {
    /// By the definition.
    pub fn new(graph: &'a Graph, weights: &'a dyn WeightSource) -> Self {
        Self {
            graph,
            weights,
            rounding: None,
            without: None,
        }
    }

    /// The same with rounded operands.
    pub fn rounding(self, rounding: &'a Rounding<'a>) -> Self {
        Self {
            rounding: Some(rounding),
            ..self
        }
    }

    /// The same without what this sum adds.
    pub fn without(self, sum: NodeId) -> Self {
        assert_eq!(self.graph.node(sum).op, Op::Add);
        Self {
            without: Some(sum),
            ..self
        }
    }

    /// The graph's value for `images`.
    pub fn result(&self, images: &[f32]) -> Vec<f64> {
        self.values(images).swap_remove(self.graph.output_node().index())
    }

    /// The value of each node for `images`.
    pub fn values(&self, images: &[f32]) -> Vec<Vec<f64>> {
        let mut values: Vec<Vec<f64>> = Vec::new();
        for (id, _) in self.graph.iter() {
            let value = self.value(id, images, &values);
            values.push(value);
        }
        values
    }

    fn parameters(&self, node: &Node) -> Vec<Vec<f64>> {
        let load = |param| self.weights.load(param).expect("seeded");
        let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect();
        node.params().iter().map(|param| wide(&load(param))).collect()
    }

    fn value(&self, id: NodeId, images: &[f32], values: &[Vec<f64>]) -> Vec<f64> {
        let node = self.graph.node(id);
        let input = |i: usize| &values[node.inputs[i].index()];
        let map = |f: &dyn Fn(f64) -> f64| input(0).iter().map(|x| f(*x)).collect::<Vec<f64>>();
        let out = node.shape;
        let from = |i: usize| self.graph.node(node.inputs[i]).shape;
        match node.op {
            Op::Input => images.iter().map(|x| f64::from(*x)).collect(),
            Op::Conv(_) if self.rounding.is_some() => self.rounded(id, None, values),
            Op::BatchNorm if self.rounding.is_some() => self.rounded(node.inputs[0], Some(node), values),
            Op::Conv(_) => {
                let params = self.parameters(node);
                let bias = params.get(1).cloned().unwrap_or_else(|| vec![0.0; out.c]);
                self.convolved(node, input(0), &params[0], &bias)
            }
            Op::BatchNorm => {
                let params = self.parameters(node);
                each(out, |n, c, y, x| {
                    let [weight, bias, mean, variance] = [0, 1, 2, 3].map(|p| params[p][c]);
                    (input(0)[at(out, n, c, y, x)] - mean) / (variance + 1e-5).sqrt() * weight + bias
                })
            }
            Op::Relu => map(&|x| x.max(0.0)),
            Op::Sigmoid => map(&|x| 1.0 / (1.0 + (-x).exp())),
            Op::Add if self.without == Some(id) => input(0).clone(),
            Op::Add => input(0).iter().zip(input(1)).map(|(a, b)| a + b).collect(),
            Op::Concat => {
                let maps = (0..node.inputs.len()).flat_map(|i| (0..from(i).c).map(move |c| (i, c)));
                let maps: Vec<(usize, usize)> = maps.collect();
                each(out, |n, c, y, x| {
                    let (map, channel) = maps[c];
                    input(map)[at(from(map), n, channel, y, x)]
                })
            }
            Op::Scale => each(out, |n, c, y, x| {
                input(0)[at(out, n, c, y, x)] * input(1)[n * out.c + c]
            }),
            Op::Upsample(Upsample {
                factor,
                interpolation,
            }) => each(out, |n, c, y, x| match interpolation {
                Interpolation::Nearest => input(0)[at(from(0), n, c, y / factor, x / factor)],
                Interpolation::Bilinear { align_corners } => {
                    let Shape { h, w, .. } = from(0);
                    let (y, x) = (
                        between(y, h, factor, align_corners),
                        between(x, w, factor, align_corners),
                    );
                    let row = |y: usize| {
                        let pixel = |x: usize| input(0)[at(from(0), n, c, y, x)];
                        pixel(x.first) * (1.0 - x.share) + pixel(x.second) * x.share
                    };
                    row(y.first) * (1.0 - y.share) + row(y.second) * y.share
                }
            }),
            Op::GlobalAvgPool => each(out, |n, c, _, _| {
                let area = from(0).h * from(0).w;
                let start = (n * out.c + c) * area;
                input(0)[start..start + area].iter().sum::<f64>() / area as f64
            }),
            Op::Linear(linear) => {
                let mut params = self.parameters(node);
                if let Some(rounding) = self.rounding {
                    rounding.linear(&mut params[0]);
                }
                each(out, |n, c, _, _| {
                    let row = &params[0][c * linear.inputs..(c + 1) * linear.inputs];
                    let x = &input(0)[n * linear.inputs..(n + 1) * linear.inputs];
                    params[1][c] + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()
                })
            }
        }
    }

    /// A convolution with its batch norm folded into it, on rounded operands; nothing where its batch norm is to come, which is
    /// computed in one with it.
    fn rounded(&self, conv: NodeId, batch_norm: Option<&Node>, values: &[Vec<f64>]) -> Vec<f64> {
        let node = self.graph.node(conv);
        let folds = || self.graph.folds_into_next(conv, &self.graph.consumer_counts());
        if batch_norm.is_none() && folds() {
            return Vec::new();
        }
        let folded = FoldedConv::new(node, batch_norm, self.weights).expect("seeded");
        let rounding = self.rounding.expect("asked for");
        let Operands { input, weights, bias } =
            rounding.operands(self.graph, node, &values[node.inputs[0].index()], &folded);
        self.convolved(node, &input, &weights, &bias)
    }

    /// A convolution by its definition.
    fn convolved(&self, node: &Node, input: &[f64], weights: &[f64], bias: &[f64]) -> Vec<f64> {
        let Op::Conv(conv) = node.op else {
            panic!("{} is no convolution", node.place)
        };
        let s = self.graph.node(node.inputs[0]).shape;
        let pad = conv.padding();
        each(node.shape, |n, c, y, x| {
            let mut sum = 0.0;
            for ci in 0..conv.inputs {
                for ky in 0..conv.kernel {
                    for kx in 0..conv.kernel {
                        let (iy, ix) = (y * conv.stride + ky, x * conv.stride + kx);
                        if iy < pad || ix < pad || iy - pad >= s.h || ix - pad >= s.w {
                            continue;
                        }
                        let w = weights[((c * conv.inputs + ci) * conv.kernel + ky) * conv.kernel + kx];
                        sum += w * input[at(s, n, ci, iy - pad, ix - pad)];
                    }
                }
            }
            sum + bias[c]
        })
    }
}

/// Two neighbouring pixels of an axis, and the second one's share.
struct Between {
    first: usize,
    second: usize,
    share: f64,
}

/// The pixels between which output pixel `i` of an axis lies, of `count` that are upsampled by `factor`.
fn between(i: usize, count: usize, factor: usize, align_corners: bool) -> Between {
    let last = (count - 1) as f64;
    let position = match align_corners {
        true => i as f64 * last / (count * factor - 1) as f64,
        false => ((i as f64 + 0.5) / factor as f64 - 0.5).clamp(0.0, last),
    };
    let first = position.floor() as usize;
    Between {
        first,
        second: (first + 1).min(count - 1),
        share: position - position.floor(),
    }
}

fn at(s: Shape, n: usize, c: usize, y: usize, x: usize) -> usize {
    ((n * s.c + c) * s.h + y) * s.w + x
}

fn each(s: Shape, value: impl Fn(usize, usize, usize, usize) -> f64) -> Vec<f64> {
    let mut values = Vec::with_capacity(s.elements());
    for n in 0..s.n {
        for c in 0..s.c {
            for y in 0..s.h {
                values.extend((0..s.w).map(|x| value(n, c, y, x)));
            }
        }
    }
    values
}

/// The pairs of a backend of ours and a precision that must run here, whatever `arithmetic` says: on a unit that `ZOO_ISA`
/// names what that unit multiplies on this CPU, else all, for plain code multiplies every format.
pub fn pairs_that_must_run() -> Vec<(&'static str, Precision)> {
    let named = std::env::var("ZOO_ISA").ok();
    let has = |feature: &str| kernels::cpu_features().contains(&feature);
    let runs = |precision: Precision| match (named.as_deref(), precision) {
        (Some("avx2-vnni" | "avx2"), Precision::Bf16) => false,
        // Tiles stand beside the best vector unit, which computes what does not suit them.
        (Some("amx-twin"), Precision::Bf16) if !has("avx512f") => !has("avx2"),
        (Some("avx512" | "amx" | "amx-twin"), Precision::Bf16) => has("avx512bf16"),
        (Some("avx512" | "amx"), Precision::I16 | Precision::Int8) => has("avx512vnni"),
        (Some("amx-twin"), Precision::I16 | Precision::Int8) => has("avx512vnni") || !has("avx512f"),
        _ => true,
    };
    let of = |name: &'static str, precisions: &'static [Precision]| {
        precisions.iter().map(move |precision| (name, *precision))
    };
    let engine = ["cpu", "cpu-exact"]
        .into_iter()
        .flat_map(|name| of(name, &Precision::ALL));
    let engine = engine.filter(|(_, precision)| runs(*precision));
    engine.chain(of("candle", &Precision::FLOATS)).collect()
}

//! Batches, and convolutions written as their definition.
#![allow(dead_code, reason = "each test file needs a part")]

use kernels::engine::{
    Algorithm, ConvParams, ConvShape, Grid, Layer, Map, Op, Placed, Program, ProgramBuilder, ProgramError,
    Rows, Target,
};

/// Numbers in -1 to 1 that depend on the index and a salt alone.
pub fn numbers(count: usize, salt: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 7919 + salt * 104_729) % 2003) as f32 / 1001.0 - 1.0)
        .collect()
}

/// A batch `[n, channels, h, w]`.
#[derive(Clone)]
pub struct Batch {
    pub channels: usize,
    pub size: (usize, usize, usize),
    pub values: Vec<f64>,
}

impl Batch {
    pub fn new(channels: usize, size: (usize, usize, usize), values: &[f32]) -> Self {
        let values = values.iter().map(|v| f64::from(*v)).collect();
        Self {
            channels,
            size,
            values,
        }
    }

    pub fn at(&self, n: usize, c: usize, y: isize, x: isize) -> f64 {
        let (_, h, w) = self.size;
        let inside = |i: isize, extent: usize| usize::try_from(i).ok().filter(|i| *i < extent);
        match (inside(y, h), inside(x, w)) {
            (Some(y), Some(x)) => self.values[((n * self.channels + c) * h + y) * w + x],
            _ => 0.0,
        }
    }

    pub fn map(
        channels: usize,
        size: (usize, usize, usize),
        value: impl Fn(usize, usize, isize, isize) -> f64,
    ) -> Self {
        let (n, h, w) = size;
        let mut values = Vec::with_capacity(n * channels * h * w);
        for image in 0..n {
            for c in 0..channels {
                for (y, x) in (0..h * w).map(|i| ((i / w).cast_signed(), (i % w).cast_signed())) {
                    values.push(value(image, c, y, x));
                }
            }
        }
        Self {
            channels,
            size,
            values,
        }
    }

    pub fn convolved(&self, shape: ConvShape, weights: &[f32], bias: &[f32]) -> Self {
        let ConvShape {
            inputs,
            outputs,
            kernel,
            stride,
        } = shape;
        let (n, h, w) = self.size;
        let pad = (kernel.cast_signed() - 1) / 2;
        Self::map(
            outputs,
            (n, h.div_ceil(stride), w.div_ceil(stride)),
            |n, c, y, x| {
                let mut sum = f64::from(bias[c]);
                for ci in 0..inputs {
                    for tap in 0..kernel * kernel {
                        let (ky, kx) = (
                            (tap / kernel).cast_signed() - pad,
                            (tap % kernel).cast_signed() - pad,
                        );
                        let weight = weights[(c * inputs + ci) * kernel * kernel + tap];
                        let stride = stride.cast_signed();
                        sum += f64::from(weight) * self.at(n, ci, y * stride + ky, x * stride + kx);
                    }
                }
                sum
            },
        )
    }
}

/// The program of these operations.
pub fn program(ops: impl IntoIterator<Item = Op<Placed>>, target: Target) -> Result<Program, ProgramError> {
    let mut builder = ProgramBuilder::new(target);
    ops.into_iter().try_for_each(|op| builder.push(op))?;
    builder.finish()
}

/// The parameters of a layer whose inputs are numbers as they are.
pub fn params(layer: Layer, algorithm: Algorithm, (weights, bias): (&[f32], &[f32])) -> ConvParams {
    ConvParams {
        shape: layer.shape,
        format: layer.format,
        algorithm,
        weights: weights.to_vec(),
        bias: bias.to_vec(),
        steps: [].into(),
        means: Vec::new(),
    }
}

/// A convolution without a ReLU.
pub fn conv(conv: ConvParams, from: Map, to: Map, sum: Option<Map>) -> Op<Placed> {
    Op::Conv {
        conv,
        from,
        sum,
        adds: None,
        relu: false,
        to: Some(to),
        packs: None,
    }
}

/// Runs the operations on images of this batch and compares with what is expected.
pub fn agrees(
    what: &str,
    ops: Vec<Op<Placed>>,
    target: Target,
    input: &Batch,
    (expected, allowed): (&[f64], f64),
) {
    let images: Vec<f32> = input.values.iter().map(|v| *v as f32).collect();
    let mut program = program(ops, target).expect("a program");
    let mut result = vec![f32::NAN; expected.len()];
    for run in 0..2 {
        program.run(&images, &mut result);
        for (i, (ours, theirs)) in result.iter().zip(expected).enumerate() {
            let error = (f64::from(*ours) - theirs).abs();
            assert!(
                error <= allowed,
                "{what}, run {run}: element {i} is {ours}, expected {theirs}"
            );
        }
        result.fill(f32::NAN);
    }
}

/// `n`, `h` and `w` of maps; sides of both grids' tiles.
const SIZES: [((usize, usize, usize), usize, usize); 9] = [
    ((1, 8, 8), 4, 4),
    ((1, 14, 14), 4, 4),
    ((1, 7, 7), 2, 2),
    ((3, 7, 5), 2, 2),
    ((2, 12, 20), 4, 2),
    ((1, 28, 28), 4, 4),
    ((1, 28, 28), 2, 4),
    ((1, 1, 1), 2, 2),
    ((5, 2, 6), 4, 4),
];

/// Input and output channels.
const CHANNELS: [(usize, usize); 7] = [(3, 8), (18, 18), (5, 7), (16, 33), (1, 1), (24, 6), (70, 97)];

/// A size with its grids, and channels.
pub type Case = (((usize, usize, usize), usize, usize), (usize, usize));

/// Each size with all channels, numbered. Under the address sanitizer, where a product takes a hundred times as long, each pair of
/// channels occurs once, the largest in a small map.
pub fn cases() -> impl Iterator<Item = (usize, Case)> {
    let all = SIZES
        .iter()
        .flat_map(|size| CHANNELS.iter().map(move |channels| (*size, *channels)));
    all.enumerate().step_by(if cfg!(zoo_asan) { 10 } else { 1 })
}

/// The layer on an image whose channels' numbers are taken to lie in 0 to `largest`, twice: the second time
/// with the first result added.
pub fn run(
    layer: Layer,
    algorithm: Algorithm,
    images: (&[f32], &[f32]),
    parameters: (&[f32], &[f32]),
) -> Vec<f32> {
    run_of_means(layer, algorithm, images, parameters, &[])
}

/// The same, where the channels have known means.
pub fn run_of_means(
    layer: Layer,
    algorithm: Algorithm,
    (images, largest): (&[f32], &[f32]),
    (weights, bias): (&[f32], &[f32]),
    means: &[f32],
) -> Vec<f32> {
    let packing = layer.packing(algorithm, largest, false);
    // Packing may move a map to another grid, and orders it as planes from aligned rows.
    let planes = layer.input.rows == Rows::Planes;
    let moves = !planes && layer.format.is_packed() && layer.target.threads == 2;
    let image = Map {
        offset: 0,
        channels: layer.shape.inputs,
        grid: Grid {
            p: if moves { 3 } else { layer.input.p },
            rows: if planes { Rows::Aligned } else { layer.input.rows },
            ..layer.input
        },
    };
    let packed = Map {
        offset: image.offset + image.elements(),
        channels: layer.format.elements(image.channels),
        grid: layer.input,
    };
    let first = Map {
        offset: packed.offset + packed.elements(),
        channels: layer.shape.outputs,
        grid: layer.output,
    };
    let second = Map {
        offset: first.offset + first.elements(),
        ..first
    };
    let layer_params = || ConvParams {
        steps: packing.steps.clone(),
        means: means.to_vec(),
        ..params(layer, algorithm, (weights, bias))
    };
    let ops = [
        Op::Load { to: image },
        Op::Pack {
            packing: packing.clone(),
            pack: (),
            from: image,
            to: packed,
        },
        conv(layer_params(), packed, first, None),
        conv(layer_params(), packed, second, Some(first)),
        Op::StoreMap { from: second, at: 0 },
    ];
    let mut program = program(ops, layer.target).expect("a program");
    let Grid { n, h, w, .. } = layer.output;
    let mut result = vec![f32::NAN; n * h * w * layer.shape.outputs];
    program.run(images, &mut result);
    result
}

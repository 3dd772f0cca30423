//! Narrow operands: every vector unit, format and algorithm against convolutions written as their definition in f64, and
//! the units against each other.

mod common;

use common::{Batch, CHANNELS, SIZES, numbers};
use kernels::engine::{
    Algorithm, ConvShape, Convolution, Format, Grid, Inputs, Isa, Layer, Map, Program, Step, Steps, Target,
};

/// Formats that round what they multiply.
const NARROW: [Format; 4] = [Format::F16, Format::Bf16, Format::I16, Format::Int8];

fn layers(isa: Isa, format: Format) -> Vec<Layer> {
    let sizes = SIZES
        .iter()
        .flat_map(|size| CHANNELS.iter().map(move |c| (*size, *c)));
    let mut layers = Vec::new();
    for (index, ((size, p, q), (inputs, outputs))) in sizes.enumerate() {
        for (kernel, stride) in [(1, 1), (3, 1), (3, 2)] {
            let (n, h, w) = size;
            layers.push(Layer {
                shape: ConvShape {
                    inputs,
                    outputs,
                    kernel,
                    stride,
                },
                format,
                input: Grid { n, h, w, p },
                output: Grid {
                    n,
                    h: h.div_ceil(stride),
                    w: w.div_ceil(stride),
                    p: if stride == 1 { p } else { q },
                },
                target: Target {
                    isa,
                    threads: index % 3 + 1,
                },
            });
        }
    }
    layers
}

/// The layer on an image whose channels' numbers are taken to lie in 0 to `largest`, twice: the second time
/// with the first result added.
fn run(
    layer: Layer,
    algorithm: Algorithm,
    images: (&[f32], &[f32]),
    parameters: (&[f32], &[f32]),
) -> Vec<f32> {
    run_of_means(layer, algorithm, images, parameters, &[])
}

/// The same, where the channels have known means.
fn run_of_means(
    layer: Layer,
    algorithm: Algorithm,
    (images, largest): (&[f32], &[f32]),
    (weights, bias): (&[f32], &[f32]),
    means: &[f32],
) -> Vec<f32> {
    let packing = layer.packing(algorithm, largest, false);
    // Packing may move a map to another grid.
    let moves = layer.format.is_packed() && layer.target.threads == 2;
    let image = Map {
        offset: 0,
        channels: layer.shape.inputs,
        grid: Grid {
            p: if moves { 3 } else { layer.input.p },
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
    let inputs = Inputs {
        steps: &packing.steps,
        means,
    };
    let conv = || Convolution::new(layer, algorithm, (weights, bias), false, inputs);
    let steps = [
        Step::load(image),
        Step::pack(packing.clone(), image, packed, layer.target.isa),
        Step::conv(conv(), packed, first, None),
        Step::conv(conv(), packed, second, Some(first)),
        Step::store_map(second),
    ];
    let Target { isa, threads } = layer.target;
    let elements = second.offset + second.elements();
    let steps = Steps::of(steps).expect("memory");
    let mut program = Program::new(steps, elements, isa, threads).expect("a program");
    let Grid { n, h, w, .. } = layer.output;
    let mut result = vec![f32::NAN; n * h * w * layer.shape.outputs];
    program.run(images, &mut result);
    result
}

/// What twice a sum of so many products of such numbers deviates by.
fn deviation(products: usize) -> f64 {
    2.0 / 3.0 * (products as f64).sqrt()
}

/// The largest error that is allowed, in deviations of the output.
fn allowed(format: Format, kernel: &str) -> f64 {
    match (format, kernel) {
        (Format::F32, _) => 1e-5,
        (Format::F16, "winograd4") => 1e-2,
        (Format::F16, _) => 3e-3,
        (Format::Bf16, _) => 3e-2,
        (Format::I16, "winograd4") => 2e-2,
        (Format::I16, _) => 4e-3,
        (Format::Int8, _) => 1e-1,
    }
}

#[test]
fn convolutions_of_narrow_operands_are_near_their_definition_and_alike_on_all_units() {
    for format in NARROW {
        for portable in layers(Isa::named("portable").expect("always there"), format) {
            let (from, shape) = (portable.input, portable.shape);
            let mut images = numbers(from.n * shape.inputs * from.h * from.w, 1);
            let largest: Vec<f32> = (0..shape.inputs).map(|c| [1.5, 0.75, 1.0][c % 3]).collect();
            for (plane, pixels) in images.chunks_exact_mut(from.h * from.w).enumerate() {
                let scale = largest[plane % shape.inputs] / 1.5;
                pixels.iter_mut().for_each(|x| *x = x.abs() * scale);
            }
            let weights = numbers(shape.outputs * shape.inputs * shape.kernel.pow(2), 2);
            let bias = numbers(shape.outputs, 3);
            let parameters = (weights.as_slice(), bias.as_slice());
            let size = (from.n, from.h, from.w);
            let exact = Batch::new(shape.inputs, size, &images).convolved(shape, &weights, &bias);
            let exact: Vec<f64> = exact.values.iter().map(|x| 2.0 * x).collect();
            let deviation = deviation(shape.inputs * shape.kernel.pow(2));
            for isa in Isa::available() {
                if isa.multiplies(format).is_none() {
                    continue;
                }
                let layer = Layer {
                    target: Target {
                        isa,
                        ..portable.target
                    },
                    ..portable
                };
                for algorithm in layer.algorithms() {
                    let ours = run(layer, algorithm, (&images, &largest), parameters);
                    let conv = Convolution::new(layer, algorithm, parameters, false, Inputs::default());
                    let kernel = conv
                        .name()
                        .rsplit_once('_')
                        .map_or(String::new(), |(_, k)| k.to_owned());
                    let bound = allowed(format, &kernel) * deviation;
                    for (i, (a, b)) in ours.iter().zip(&exact).enumerate() {
                        let error = (f64::from(*a) - b).abs();
                        assert!(
                            error <= bound,
                            "{layer}, {kernel}: element {i} is {a}, expected {b}"
                        );
                    }
                    if format.whole() && portable.algorithms().contains(&algorithm) {
                        let theirs = run(portable, algorithm, (&images, &largest), parameters);
                        for (i, (a, b)) in ours.iter().zip(&theirs).enumerate() {
                            let error = f64::from((a - b).abs());
                            assert!(
                                error <= 1e-5 * deviation,
                                "{layer}, {kernel}: {i}: {a}, portable {b}"
                            );
                        }
                    }
                }
            }
        }
    }
}

/// All inputs at the end of their range and all weights alike is the largest sum there is.
#[test]
fn sums_of_whole_numbers_do_not_overflow() {
    for format in [Format::I16, Format::Int8] {
        for isa in Isa::available() {
            if isa.multiplies(format).is_none() {
                continue;
            }
            for (kernel, inputs) in [(1, 2048), (3, 512)] {
                let grid = Grid {
                    n: 1,
                    h: 8,
                    w: 8,
                    p: 4,
                };
                let layer = Layer {
                    shape: ConvShape {
                        inputs,
                        outputs: 3,
                        kernel,
                        stride: 1,
                    },
                    format,
                    input: grid,
                    output: grid,
                    target: Target { isa, threads: 1 },
                };
                let weights = vec![-1.0; 3 * inputs * kernel * kernel];
                let images = vec![1.0; inputs * 64];
                for algorithm in layer.algorithms() {
                    let result = run(
                        layer,
                        algorithm,
                        (&images, &vec![1.0; inputs]),
                        (&weights, &[0.0; 3]),
                    );
                    let expected = -2.0 * (inputs * kernel * kernel) as f32;
                    // A pixel away from the border.
                    let error = (result[3 * 8 + 3] / expected - 1.0).abs();
                    assert!(
                        error < 5e-3,
                        "{layer}, {algorithm}: {} for {expected}",
                        result[27]
                    );
                }
            }
        }
    }
}

#[test]
fn inputs_out_of_range_are_cut_to_it() {
    let isa = Isa::best();
    let grid = Grid {
        n: 1,
        h: 4,
        w: 4,
        p: 4,
    };
    for (format, expected) in [(Format::I16, [3.0, 0.0]), (Format::Int8, [3.0, 0.0])] {
        if isa.multiplies(format).is_none() {
            continue;
        }
        let layer = Layer {
            shape: ConvShape {
                inputs: 1,
                outputs: 1,
                kernel: 1,
                stride: 1,
            },
            format,
            input: grid,
            output: grid,
            target: Target { isa, threads: 1 },
        };
        for (input, expected) in [1e30, -1.0].into_iter().zip(expected) {
            let result = run(layer, Algorithm::Direct, (&[input; 16], &[1.0]), (&[1.5], &[0.0]));
            let error = (result[0] - expected).abs();
            assert!(
                error <= 2e-3 * expected.abs(),
                "{format} {input}: {}, not {expected}",
                result[0]
            );
        }
    }
}

/// Weights far beyond f16's range either way keep their bits: each output has a step of its own.
#[test]
fn weights_of_any_size_fit_f16() {
    let grid = Grid {
        n: 1,
        h: 8,
        w: 8,
        p: 4,
    };
    for isa in Isa::available() {
        let layer = Layer {
            shape: ConvShape {
                inputs: 2,
                outputs: 5,
                kernel: 3,
                stride: 1,
            },
            format: Format::F16,
            input: grid,
            output: grid,
            target: Target { isa, threads: 1 },
        };
        let sizes = [1e-12, 1e-5, 1.0, 1e7, 0.0];
        let weights: Vec<f32> = numbers(5 * 18, 4)
            .iter()
            .zip(0..)
            .map(|(x, i)| x * sizes[i / 18])
            .collect();
        let images = numbers(2 * 64, 5);
        let bias = [0.0; 5];
        let exact = Batch::new(2, (1, 8, 8), &images).convolved(layer.shape, &weights, &bias);
        for algorithm in layer.algorithms() {
            let ours = run(layer, algorithm, (&images, &[1.0; 2]), (&weights, &bias));
            for (i, (a, b)) in ours.iter().zip(&exact.values).enumerate() {
                let error = (f64::from(*a) - 2.0 * b).abs();
                let size = f64::from(sizes[i / 64]);
                assert!(
                    error <= 3e-2 * size,
                    "{layer}, {algorithm}: {i} is {a}, not {}",
                    2.0 * b
                );
            }
        }
    }
}

#[test]
fn what_rounding_weights_adds_to_the_mean_is_taken_off() {
    let isa = Isa::named("portable").expect("always there");
    let grid = Grid {
        n: 1,
        h: 4,
        w: 4,
        p: 4,
    };
    let shape = ConvShape {
        inputs: 40,
        outputs: 3,
        kernel: 1,
        stride: 1,
    };
    let layer = Layer {
        shape,
        format: Format::Int8,
        input: grid,
        output: grid,
        target: Target { isa, threads: 1 },
    };
    let weights = numbers(shape.outputs * shape.inputs, 2);
    let means: Vec<f32> = (0..shape.inputs).map(|c| (c % 5 + 1) as f32).collect();
    let images: Vec<f32> = means.iter().flat_map(|mean| [*mean; 16]).collect();
    // Steps of 0.02: every mean is a whole number.
    let largest = vec![5.1; shape.inputs];
    for algorithm in layer.algorithms() {
        let error = |means: &[f32]| {
            let values = run_of_means(
                layer,
                algorithm,
                (&images, &largest),
                (&weights, &[0.0; 3]),
                means,
            );
            let one = |(output, weights): (usize, &[f32])| {
                let exact: f32 = 2.0
                    * weights
                        .iter()
                        .zip(images.chunks(16))
                        .map(|(w, x)| w * x[0])
                        .sum::<f32>();
                (values[16 * output] - exact).abs()
            };
            weights
                .chunks(shape.inputs)
                .enumerate()
                .map(one)
                .fold(0.0, f32::max)
        };
        let (without, with) = (error(&[]), error(&means));
        assert!(
            with < 1e-4 && without > 100.0 * with,
            "{algorithm}: {without}, {with} with means"
        );
    }
}

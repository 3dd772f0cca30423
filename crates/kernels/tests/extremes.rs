//! Narrow operands at the ends of their ranges and beyond: sums do not overflow, inputs saturate, and weights keep their bits.

mod common;

use common::{Batch, numbers, run, run_of_means};
use kernels::engine::{ConvShape, Format, Grid, Isa, Layer, Rows, Target};

/// A layer on one map of 8x8 pixels with tiles of 2 and of 4.
fn on_small_maps(isa: Isa, format: Format, shape: ConvShape) -> [Layer; 2] {
    [2, 4].map(|p| {
        let [n, h, w] = [1, 8, 8];
        let output = Grid {
            n,
            h,
            w,
            p,
            rows: Rows::Dense,
        };
        let stride = shape.stride;
        Layer {
            shape,
            format,
            input: Grid {
                h: h * stride,
                w: w * stride,
                p: p * stride,
                ..output
            },
            output,
            target: Target { isa, threads: 1 },
        }
    })
}

/// All inputs at the end of their range and all weights alike is the largest sum there is.
#[test]
fn sums_of_whole_numbers_do_not_overflow() {
    for format in [Format::I16, Format::I8x2, Format::Int8] {
        for isa in Isa::all() {
            if isa.multiplies(format).is_none() {
                continue;
            }
            for (kernel, inputs, stride) in [(1, 2048, 1), (3, 512, 1), (3, 512, 2)] {
                let shape = ConvShape {
                    inputs,
                    outputs: 3,
                    kernel,
                    stride,
                };
                for layer in on_small_maps(isa, format, shape) {
                    extremes(layer);
                }
            }
        }
    }
}

fn extremes(layer: Layer) {
    let ConvShape { inputs, kernel, .. } = layer.shape;
    let Grid { h, w, .. } = layer.input;
    // Outputs of their own sizes, one of them of weights of both signs.
    let weight = |i: usize| match i / (inputs * kernel * kernel) {
        0 => -1.0,
        1 => 0.25,
        _ => [2.0, -2.0][i % 2],
    };
    let weights: Vec<f32> = (0..layer.shape.weights()).map(weight).collect();
    let images = vec![1.0; inputs * h * w];
    let exact = Batch::new(inputs, (1, h, w), &images).convolved(layer.shape, &weights, &[0.0; 3]);
    let largest = (inputs * kernel * kernel) as f64;
    for algorithm in layer.algorithms() {
        let result = run(
            layer,
            algorithm,
            (&images, &vec![1.0; inputs]),
            (&weights, &[0.0; 3]),
        );
        assert_eq!(result.len(), exact.values.len());
        for (i, (ours, exact)) in result.iter().zip(&exact.values).enumerate() {
            let error = (f64::from(*ours) - 2.0 * exact).abs() / largest;
            assert!(
                error < 5e-3,
                "{layer}, {algorithm}: element {i} is {ours}, expected {}",
                2.0 * exact
            );
        }
    }
}

/// Inputs beyond the range count as its end: in 16 bits, transforms of what does not saturate would overflow.
#[test]
fn inputs_out_of_range_are_cut_to_it() {
    for isa in Isa::all() {
        for format in [Format::I16, Format::I8x2, Format::Int8] {
            if isa.multiplies(format).is_none() {
                continue;
            }
            for (kernel, stride) in [(1, 1), (3, 1), (3, 2)] {
                let shape = ConvShape {
                    inputs: 3,
                    outputs: 2,
                    kernel,
                    stride,
                };
                for layer in on_small_maps(isa, format, shape) {
                    cuts(layer);
                }
            }
        }
    }
}

fn cuts(layer: Layer) {
    let shape = layer.shape;
    let Grid { h, w, .. } = layer.input;
    let weights = numbers(shape.weights(), 2);
    let parameters = (weights.as_slice(), [0.5, -0.5].as_slice());
    let largest = [1.0, 0.5, 2.0];
    // Pixels within the range, beyond it by little and by much, and below zero.
    let pixel = |i: usize| [0.25, 1.5, 1e30, -1.0, 0.75, -1e30, 1.0][i * 5 % 7] * largest[i / (h * w)];
    let beyond: Vec<f32> = (0..3 * h * w).map(pixel).collect();
    let within: Vec<f32> = beyond
        .iter()
        .enumerate()
        .map(|(i, x)| x.clamp(0.0, largest[i / (h * w)]))
        .collect();
    for algorithm in layer.algorithms() {
        let [beyond, within] =
            [&beyond, &within].map(|images| run(layer, algorithm, (images, &largest), parameters));
        assert_eq!(beyond, within, "{layer}, {algorithm}");
        assert!(beyond.iter().any(|x| *x != 0.0), "{layer}, {algorithm}");
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
        rows: Rows::Dense,
    };
    for isa in Isa::all() {
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
        rows: Rows::Dense,
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
            let exact = weights.chunks(shape.inputs).map(|weights| {
                let products = weights.iter().zip(images.chunks(16)).map(|(w, x)| w * x[0]);
                2.0 * products.sum::<f32>()
            });
            let values: Vec<f32> = values.iter().copied().step_by(16).collect();
            testkit::largest_difference(&values, &exact.collect::<Vec<f32>>())
        };
        let (without, with) = (error(&[]), error(&means));
        assert!(
            with < 1e-4 && without > 100.0 * with,
            "{algorithm}: {without}, {with} with means"
        );
    }
}

//! Narrow operands: every vector unit, format and algorithm against convolutions written as their definition in f64, and
//! the units against each other.

mod common;

use common::{Batch, cases, numbers, run};
use kernels::engine::{Algorithm, ConvShape, Format, Grid, Isa, Layer, Rows, Target};

/// Formats that round what they multiply.
const NARROW: [Format; 5] = [Format::F16, Format::Bf16, Format::I16, Format::I8x2, Format::Int8];

fn layers(isa: Isa, format: Format) -> Vec<Layer> {
    let mut layers = Vec::new();
    for (index, ((size, p, q), (inputs, outputs))) in cases() {
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
                input: Grid {
                    n,
                    h,
                    w,
                    p,
                    rows: Rows::Dense,
                },
                output: Grid {
                    n,
                    h: h.div_ceil(stride),
                    w: w.div_ceil(stride),
                    p: if stride == 1 { p } else { q },
                    rows: Rows::Dense,
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

/// The standard deviation of twice a sum of that many products.
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
        (Format::I8x2, _) => 2e-4,
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
            for isa in Isa::all() {
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
                    let name = layer.kernel(algorithm);
                    let kernel = name.split('_').nth(3).expect("a kernel's parts");
                    let bound = allowed(format, kernel) * deviation;
                    for (i, (a, b)) in ours.iter().zip(&exact).enumerate() {
                        let error = (f64::from(*a) - b).abs();
                        assert!(
                            error <= bound,
                            "{layer}, {kernel}: element {i} is {a}, expected {b}"
                        );
                    }
                    // AVX2 has room for smaller weights.
                    let alike = format.whole() && (isa.vectors().name(), format) != ("avx2", Format::Int8);
                    if alike && portable.algorithms().contains(&algorithm) {
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

/// Whole numbers are multiplied and summed exactly, and what finishes them rounds alike wherever a product is added in one step: the
/// instructions that a unit has for them change no bit. Weights of every other channel are zero in the second round, so that no
/// two meet in a product of AVX2.
#[test]
fn units_that_fuse_products_give_the_same_bits_of_whole_numbers() {
    let fuses = |isa: &Isa| isa.lanes() >= 8;
    let units: Vec<Isa> = Isa::available().into_iter().filter(fuses).collect();
    for (format, sparse) in [(Format::I16, false), (Format::Int8, false), (Format::Int8, true)] {
        let exact = |isa: &&Isa| {
            let any_weights = (isa.name(), format) != ("avx2", Format::Int8);
            isa.multiplies(format).is_some() && (sparse || any_weights)
        };
        let mut units = units.iter().filter(exact);
        let Some(first) = units.next() else {
            continue;
        };
        let others: Vec<&Isa> = units.collect();
        for layer in layers(*first, format).into_iter().step_by(3) {
            let (from, shape) = (layer.input, layer.shape);
            let images = numbers(from.n * shape.inputs * from.h * from.w, 8);
            let images: Vec<f32> = images.iter().map(|x| x.abs()).collect();
            let taps = shape.kernel * shape.kernel;
            let mut weights = numbers(shape.weights(), 9);
            for (i, weight) in weights.iter_mut().enumerate() {
                *weight *= if sparse && i / taps % shape.inputs % 2 == 1 {
                    0.0
                } else {
                    1.0
                };
            }
            let (bias, largest) = (numbers(shape.outputs, 10), vec![1.5; shape.inputs]);
            for algorithm in layer.algorithms() {
                let run = |isa: &Isa| {
                    let target = Target {
                        isa: *isa,
                        ..layer.target
                    };
                    run(
                        Layer { target, ..layer },
                        algorithm,
                        (&images, &largest),
                        (&weights, &bias),
                    )
                };
                let expected = run(first);
                for isa in &others {
                    let ours = run(isa);
                    let differs = ours
                        .iter()
                        .zip(&expected)
                        .position(|(a, b)| a.to_bits() != b.to_bits());
                    assert_eq!(differs, None, "{layer}, {algorithm}: {} differs", isa.name());
                }
            }
        }
    }
}

/// Layouts, packing and tails of tiles do not depend on who multiplies them: plain code beside vectors of each number of lanes
/// gives what the hardware gives, but for how the vector unit rounds what it finishes.
#[test]
fn tiles_of_every_unit_give_the_same() {
    let hardware = Isa::with_tiles();
    if let Err(why) = &hardware {
        testkit::tell("ISA", "products of tiles on the CPU", &why.to_string());
    }
    let portable = Isa::named("portable").expect("always there").twin();
    let others: Vec<Isa> = Isa::available()
        .into_iter()
        .map(Isa::twin)
        .chain(hardware)
        .collect();
    for format in [Format::Int8, Format::I8x2, Format::Bf16] {
        for layer in layers(portable, format) {
            let (from, shape) = (layer.input, layer.shape);
            let images = numbers(from.n * shape.inputs * from.h * from.w, 5);
            let images: Vec<f32> = images.iter().map(|x| x.abs()).collect();
            let (weights, bias) = (numbers(shape.weights(), 6), numbers(shape.outputs, 7));
            let run = |isa| {
                let target = Target { isa, ..layer.target };
                let layer = Layer { target, ..layer };
                let largest = vec![1.0; shape.inputs];
                run(layer, Algorithm::Tiles, (&images, &largest), (&weights, &bias))
            };
            let expected = run(portable);
            let scale = expected
                .iter()
                .fold(0.0_f64, |most, x| f64::from(x.abs()).max(most));
            for isa in others.iter().filter(|isa| isa.multiplies(format).is_some()) {
                let error = testkit::largest_difference(&run(*isa), &expected);
                assert!(
                    error <= 1e-6 * scale,
                    "{} {layer}: {error:e} of {scale}",
                    isa.name()
                );
            }
        }
    }
}

/// Formats that a unit multiplies on this CPU. One that got lost would otherwise be tested by nothing and served by another.
#[test]
fn every_unit_multiplies_what_this_cpu_has_instructions_for() {
    let features = kernels::cpu_features();
    let has = |feature: &str| features.contains(&feature);
    for isa in Isa::available() {
        for format in [Format::F32].into_iter().chain(NARROW) {
            let expected = match (isa.name(), format) {
                // Tiles alone multiply digits.
                (_, Format::I8x2) => continue,
                ("avx512", Format::Bf16) => has("avx512bf16"),
                ("avx512", Format::I16 | Format::Int8) => has("avx512vnni"),
                ("avx2-vnni" | "avx2", Format::Bf16) => false,
                ("avx512" | "avx2-vnni" | "avx2" | "neon" | "portable", _) => true,
                (other, _) => panic!("what does {other} multiply?"),
            };
            let what = format!("{format} on {}", isa.name());
            assert_eq!(isa.multiplies(format).is_some(), expected, "{what}");
            if !expected {
                testkit::tell(
                    "ISA",
                    &format!("products of {what}"),
                    "there is no instruction for them",
                );
            }
        }
    }
}

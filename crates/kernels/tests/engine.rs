//! Every vector unit of this CPU, algorithm and grid against convolutions written as their definition, over sizes at,
//! below and above the edges of tiles, vectors and blocks.

mod common;

use common::{Batch, agrees, cases, numbers, params};
use kernels::engine::{
    Algorithm, ConvShape, Format, Grid, Isa, Layer, Map, Op, Placed, ProgramBuilder, Row, Rows, Target,
};

#[test]
fn convolutions_are_their_definition() {
    for isa in Isa::available() {
        for (index, ((size, p, q), (inputs, outputs))) in cases() {
            // A 3x3 convolution may store its output on tiles of another size, and rows of tiles may be aligned in both maps or in one.
            let (dense, aligned) = (Rows::Dense, Rows::Aligned);
            let mut windows = vec![
                (1, 1, p, [dense, dense]),
                (3, 1, p, [dense, dense]),
                (3, 1, q, [dense, dense]),
                (3, 2, q, [dense, dense]),
                (1, 1, p, [aligned, aligned]),
                (3, 1, p, [aligned, aligned]),
                (3, 2, q, [dense, aligned]),
                (3, 2, q, [aligned, dense]),
                (3, 2, q, [aligned, aligned]),
            ];
            windows.dedup();
            for (kernel, stride, tile, rows) in windows {
                let shape = ConvShape {
                    inputs,
                    outputs,
                    kernel,
                    stride,
                };
                let (n, h, w) = size;
                let layer = Layer {
                    shape,
                    format: Format::F32,
                    input: Grid {
                        n,
                        h,
                        w,
                        p,
                        rows: rows[0],
                    },
                    output: Grid {
                        n,
                        h: h.div_ceil(stride),
                        w: w.div_ceil(stride),
                        p: tile,
                        rows: rows[1],
                    },
                    target: Target {
                        isa,
                        threads: index % 3 + 1,
                    },
                };
                for algorithm in layer.algorithms() {
                    check(layer, algorithm);
                }
            }
        }
    }
}

fn check(layer: Layer, algorithm: Algorithm) {
    let shape = layer.shape;
    let ConvShape {
        inputs,
        outputs,
        kernel,
        ..
    } = shape;
    let (from, to) = (layer.input, layer.output);
    let size @ (n, h, w) = (from.n, from.h, from.w);
    let input = Batch::new(inputs, size, &numbers(n * inputs * h * w, 1));
    let weights = numbers(outputs * inputs * kernel * kernel, 2);
    let bias = numbers(outputs, 3);
    let relu = outputs % 2 == 0;

    // The convolution twice: alone, and with its own result added; so what lies outside the map is read as well.
    let image = Map {
        offset: GUARD,
        channels: inputs,
        grid: from,
    };
    let first = Map {
        offset: image.offset + image.elements() + GUARD,
        channels: outputs,
        grid: to,
    };
    let second = Map {
        offset: first.offset + first.elements() + GUARD,
        ..first
    };
    let conv = |from, sum, to| Op::Conv {
        conv: params(layer, algorithm, (&weights, &bias)),
        from,
        sum,
        adds: None,
        relu,
        to: Some(to),
        packs: None,
    };
    let what = format!("{layer}, {algorithm}");
    let ops = |last: Op<Placed>| {
        vec![
            Op::Load { to: image },
            conv(image, None, first),
            conv(image, Some(first), second),
            last,
        ]
    };
    let alone = input.convolved(shape, &weights, &bias);
    let rectified = |x: f64| if relu { x.max(0.0) } else { x };
    let expected: Vec<f64> = alone
        .values
        .iter()
        .map(|x| rectified(x + rectified(*x)))
        .collect();
    let allowed = 2e-6
        * (inputs * kernel * kernel) as f64
        * if algorithm == Algorithm::Winograd {
            8.0
        } else {
            1.0
        };
    let store = Op::StoreMap { from: second, at: 0 };
    agrees(&what, ops(store), layer.target, &input, (&expected, allowed));
    if cfg!(zoo_asan) {
        return;
    }
    // What lies before, between and behind the maps was zero and is.
    for map in [image, first, second] {
        let guard = |offset: usize| Row {
            offset,
            n: 1,
            channels: GUARD,
        };
        for offset in [map.offset - GUARD, map.offset + map.elements()] {
            let from = guard(offset);
            let ops = ops(Op::StoreRow { from, at: 0 });
            agrees(&what, ops, layer.target, &input, (&[0.0; GUARD], 0.0));
        }
    }
}

/// Elements before, between and behind maps that no kernel may write.
const GUARD: usize = 64;

/// `ZOO_REQUIRE_ISA=avx512,avx2` makes the tests fail on a CPU that could not run them for these units.
#[test]
fn units_that_are_required_are_there() {
    let all: &[&str] = match cfg!(target_arch = "aarch64") {
        true => &["neon"],
        false => &["avx512", "avx2-vnni", "avx2"],
    };
    for name in all {
        if let Err(missing) = Isa::named(name) {
            testkit::tell("ISA", &format!("kernels on {name}"), &missing.to_string());
        }
    }
    for name in testkit::required("ISA") {
        let found = Isa::named(&name);
        assert!(found.is_ok(), "ZOO_REQUIRE_ISA: {}", found.expect_err("missing"));
    }
}

#[test]
fn units_are_named_and_unknown_ones_refused() {
    for isa in Isa::available() {
        assert_eq!(Isa::named(isa.name()), Ok(isa));
    }
    let error = Isa::named("mmx").expect_err("no such unit").to_string();
    assert!(error.contains("mmx") && error.contains("portable"), "{error}");
}

#[test]
fn kernels_that_several_products_of_a_stride_of_two_share_are_stored_once() {
    for isa in Isa::available() {
        // As many outputs as blocks of any number of rows divide.
        let shape = ConvShape {
            inputs: 5,
            outputs: 48,
            kernel: 3,
            stride: 2,
        };
        let grid = |side: usize, p: usize| Grid {
            n: 1,
            h: side,
            w: side,
            p,
            rows: Rows::Dense,
        };
        let layer = Layer {
            shape,
            format: Format::F32,
            input: grid(16, 4),
            output: grid(8, 2),
            target: Target { isa, threads: 1 },
        };
        let map = |offset: usize, channels: usize, grid: Grid| Map {
            offset,
            channels,
            grid,
        };
        let from = map(0, shape.inputs, layer.input);
        let (weights, bias) = (numbers(shape.weights(), 1), numbers(shape.outputs, 2));
        let op = Op::Conv {
            conv: params(layer, Algorithm::Winograd, (&weights, &bias)),
            from,
            sum: None,
            adds: None,
            relu: false,
            to: Some(map(from.elements(), shape.outputs, layer.output)),
            packs: None,
        };
        let mut builder = ProgramBuilder::new(layer.target);
        builder.push(op).expect("a step");
        let numbers = 16 * shape.inputs * shape.outputs + shape.outputs;
        assert_eq!(builder.steps()[0].weight_bytes(), 4 * numbers, "{}", isa.name());
    }
}

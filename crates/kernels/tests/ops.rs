//! Operations that are not convolutions, against their definition, on every vector unit of this CPU.

mod common;

use common::{Batch, agrees, numbers};
use kernels::engine::{
    Activation, Format, Grid, Interpolation, Isa, LinearParams, Map, Op, ProgramBuilder, Row, Rows, Target,
};

#[test]
fn maps_are_upsampled_and_added() {
    for isa in Isa::available() {
        for (size, p, q, factor) in [((1, 7, 7), 2, 4, 2), ((2, 3, 5), 2, 2, 4), ((1, 2, 2), 4, 4, 8)] {
            let (n, h, w) = size;
            let small = Grid {
                n,
                h,
                w,
                p,
                rows: Rows::Dense,
            };
            let large = Grid {
                n,
                h: h * factor,
                w: w * factor,
                p: q,
                rows: Rows::Dense,
            };
            let input = Batch::new(3, size, &numbers(n * 3 * h * w, 5));
            let from = Map {
                offset: 0,
                channels: 3,
                grid: small,
            };
            let once = Map {
                offset: from.elements(),
                channels: 3,
                grid: large,
            };
            let twice = Map {
                offset: once.offset + once.elements(),
                ..once
            };
            let f = factor.cast_signed();
            let grown = Batch::map(3, (n, h * factor, w * factor), |n, c, y, x| {
                input.at(n, c, y / f, x / f)
            });
            let upsample = |sum, relu, to| Op::Upsample {
                factor,
                interpolation: Interpolation::Nearest,
                table: (),
                from,
                sum,
                relu,
                to,
            };
            let ops = vec![
                Op::Load { to: from },
                upsample(None, false, once),
                upsample(Some(once), true, twice),
                Op::Add {
                    a: twice,
                    sum: Some(once),
                    relu: false,
                    to: twice,
                },
                Op::StoreMap { from: twice, at: 0 },
            ];
            let expected: Vec<f64> = grown.values.iter().map(|x| (2.0 * x).max(0.0) + x).collect();
            let target = Target { isa, threads: 2 };
            agrees(isa.name(), ops, target, &input, (&expected, 1e-6));
        }
    }
}

/// The value of a channel at a position in pixels' centres, linear between them.
fn interpolated(batch: &Batch, (n, c): (usize, usize), (y, x): (f64, f64)) -> f64 {
    let (_, h, w) = batch.size;
    let along = |position: f64, extent: usize| {
        let position = position.clamp(0.0, (extent - 1) as f64);
        (
            position.floor(),
            (position.floor() + 1.0).min((extent - 1) as f64),
            position.fract(),
        )
    };
    let ((y0, y1, fy), (x0, x1, fx)) = (along(y, h), along(x, w));
    let row = |y: f64| {
        let pixel = |x: f64| batch.at(n, c, y as isize, x as isize);
        pixel(x0) * (1.0 - fx) + pixel(x1) * fx
    };
    row(y0) * (1.0 - fy) + row(y1) * fy
}

#[test]
fn bilinear_upsampling_is_its_definition_with_and_without_aligned_corners() {
    let sizes = [
        ((1, 7, 7), 2, 4, 2),
        ((2, 3, 5), 2, 2, 4),
        ((1, 2, 2), 4, 4, 8),
        ((1, 1, 1), 4, 4, 2),
        ((3, 1, 6), 1, 8, 3),
        ((1, 9, 4), 4, 2, 1),
    ];
    for isa in Isa::available() {
        for (size, p, q, factor) in sizes {
            for align_corners in [false, true] {
                let (n, h, w) = size;
                let (large_h, large_w) = (h * factor, w * factor);
                let input = Batch::new(2, size, &numbers(n * 2 * h * w, 6));
                let from = Map {
                    offset: 0,
                    channels: 2,
                    grid: Grid {
                        n,
                        h,
                        w,
                        p,
                        rows: Rows::Dense,
                    },
                };
                let to = Map {
                    offset: from.elements(),
                    channels: 2,
                    grid: Grid {
                        n,
                        h: large_h,
                        w: large_w,
                        p: q,
                        rows: Rows::Dense,
                    },
                };
                let position = |i: isize, small: usize, large: usize| match align_corners {
                    true if large == 1 => 0.0,
                    true => i as f64 * (small - 1) as f64 / (large - 1) as f64,
                    false => (i as f64 + 0.5) / factor as f64 - 0.5,
                };
                let grown = Batch::map(2, (n, large_h, large_w), |n, c, y, x| {
                    let at = (position(y, h, large_h), position(x, w, large_w));
                    interpolated(&input, (n, c), at)
                });
                let upsample = |sum, relu| Op::Upsample {
                    factor,
                    interpolation: Interpolation::Bilinear { align_corners },
                    table: (),
                    from,
                    sum,
                    relu,
                    to,
                };
                let ops = vec![
                    Op::Load { to: from },
                    upsample(None, false),
                    upsample(Some(to), true),
                    Op::StoreMap { from: to, at: 0 },
                ];
                let expected: Vec<f64> = grown.values.iter().map(|x| (2.0 * x).max(0.0)).collect();
                let what = format!("{}, {size:?} x{factor}, {align_corners}", isa.name());
                let target = Target { isa, threads: 2 };
                agrees(&what, ops, target, &input, (&expected, 1e-5));
            }
        }
    }
}

#[test]
fn pools_gates_and_linear_layers_are_their_definition() {
    let formats = [(Format::F32, 1e-5), (Format::F16, 3e-3)];
    let all = Isa::available()
        .into_iter()
        .flat_map(|isa| formats.map(|format| (isa, format)));
    for (isa, (format, tolerance)) in all {
        let (size, channels, outputs) = ((3, 7, 6), 37, 5);
        let (n, h, w) = size;
        let input = Batch::new(channels, size, &numbers(n * channels * h * w, 7));
        let grid = Grid {
            n,
            h,
            w,
            p: 2,
            rows: Rows::Dense,
        };
        let map = Map {
            offset: 0,
            channels,
            grid,
        };
        let mean = Row {
            offset: map.elements(),
            n,
            channels,
        };
        let gate = Row {
            offset: mean.offset + mean.elements(),
            n,
            channels,
        };
        let gated = Map {
            offset: gate.offset + gate.elements(),
            ..map
        };
        let pooled = Row {
            offset: gated.offset + gated.elements(),
            n,
            channels,
        };
        let last = Row {
            offset: pooled.offset + pooled.elements(),
            n,
            channels: outputs,
        };
        let linear = |outputs: usize, salt: usize| LinearParams {
            weights: numbers(channels * outputs, salt),
            bias: numbers(outputs, salt + 1),
            format,
        };
        let (inner, outer) = (linear(channels, 11), linear(outputs, 13));
        let area = (h * w) as f64;
        let sum = |batch: &Batch, n: usize, c: usize| -> f64 {
            (0..h * w)
                .map(|i| batch.at(n, c, (i / w).cast_signed(), (i % w).cast_signed()))
                .sum()
        };
        let apply = |linear: &LinearParams, x: &[f64], o: usize| {
            let row = &linear.weights[o * channels..(o + 1) * channels];
            f64::from(linear.bias[o]) + row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum::<f64>()
        };
        let mut expected = Vec::new();
        for image in 0..n {
            let means: Vec<f64> = (0..channels).map(|c| sum(&input, image, c) / area).collect();
            let gates: Vec<f64> = (0..channels)
                .map(|c| 1.0 / (1.0 + (-apply(&inner, &means, c)).exp()))
                .collect();
            let pooled: Vec<f64> = (0..channels)
                .map(|c| {
                    let pixel = |i: usize| input.at(image, c, (i / w).cast_signed(), (i % w).cast_signed());
                    (0..h * w)
                        .map(|i| (pixel(i) * gates[c] + pixel(i)).max(0.0))
                        .sum::<f64>()
                        / area
                })
                .collect();
            expected.extend((0..outputs).map(|o| apply(&outer, &pooled, o).max(0.0)));
        }
        let layer = |linear, activation, from, to| Op::Linear {
            linear,
            activation,
            from,
            to,
        };
        let ops = vec![
            Op::Load { to: map },
            Op::Pool { from: map, to: mean },
            layer(inner, Activation::Sigmoid, mean, gate),
            Op::Gate {
                from: map,
                gate,
                sum: Some(map),
                relu: true,
                to: gated,
            },
            Op::Pool {
                from: gated,
                to: pooled,
            },
            layer(outer, Activation::Relu, pooled, last),
            Op::StoreRow { from: last, at: 0 },
        ];
        let name = format!("{} {format}", isa.name());
        let target = Target { isa, threads: 2 };
        agrees(&name, ops, target, &input, (&expected, tolerance));
    }
}

#[test]
fn channels_of_several_maps_follow_each_other() {
    let grid = Grid {
        n: 2,
        h: 5,
        w: 6,
        p: 2,
        rows: Rows::Dense,
    };
    let mut offset = 0;
    let mut map = |channels: usize| {
        let map = Map {
            offset,
            channels,
            grid,
        };
        offset += map.elements();
        map
    };
    let (image, doubled, all) = (map(3), map(3), map(9));
    for isa in Isa::available() {
        let input = Batch::new(3, (2, 5, 6), &numbers(2 * 3 * 30, 4));
        let expected = Batch::map(9, (2, 5, 6), |n, c, y, x| {
            let factor = if (3..6).contains(&c) { 2.0 } else { 1.0 };
            factor * input.at(n, c % 3, y, x)
        });
        let ops = || {
            vec![
                Op::Load { to: image },
                Op::Add {
                    a: image,
                    sum: Some(image),
                    relu: false,
                    to: doubled,
                },
                Op::Concat {
                    from: vec![image, doubled, image],
                    to: all,
                },
                Op::StoreMap { from: all, at: 0 },
            ]
        };
        for threads in [1, 2, 4] {
            let target = Target { isa, threads };
            agrees(isa.name(), ops(), target, &input, (&expected.values, 1e-6));
        }
    }
}

/// Two values beside each other in the results, the second one first.
#[test]
fn several_results_lie_where_they_are_stored() {
    let grid = Grid {
        n: 2,
        h: 3,
        w: 5,
        p: 2,
        rows: Rows::Dense,
    };
    let map = Map {
        offset: 0,
        channels: 2,
        grid,
    };
    let means = Row {
        offset: map.elements(),
        n: 2,
        channels: 2,
    };
    let pixels = map.pixels();
    for isa in Isa::available() {
        let input = Batch::new(2, (2, 3, 5), &numbers(pixels, 3));
        let mean = |image: &[f64]| image.iter().sum::<f64>() / 15.0;
        let mut expected: Vec<f64> = input.values.chunks(15).map(mean).collect();
        expected.extend(&input.values);
        let ops = vec![
            Op::Load { to: map },
            Op::Pool { from: map, to: means },
            Op::StoreMap {
                from: map,
                at: means.elements(),
            },
            Op::StoreRow { from: means, at: 0 },
        ];
        let target = Target { isa, threads: 2 };
        agrees(isa.name(), ops, target, &input, (&expected, 1e-6));
    }
}

/// More than the engine keeps together, and no whole cache lines: what follows goes elsewhere.
#[test]
fn weights_of_more_than_a_chunk_and_an_odd_number_are_followed_by_others() {
    let side = 4099;
    let of = |offset: usize, channels: usize| Row {
        offset,
        n: 1,
        channels,
    };
    let (first, second, third) = (of(0, side), of(side, side), of(2 * side, 3));
    // Output `o` of the first layer is input `o + 1`, wherever that lies in the weights; of the second the sum of every third.
    let layer = |weights: Vec<f32>, format: Format, from: Row, to: Row| Op::Linear {
        linear: LinearParams {
            weights,
            bias: vec![0.0; to.channels],
            format,
        },
        activation: Activation::None,
        from,
        to,
    };
    let mut next = vec![0.0; side * side];
    (0..side).for_each(|o| next[o * side + (o + 1) % side] = 1.0);
    let thirds = (0..3 * side).map(|i| if i % side % 3 == i / side { 1.0 } else { 0.0 });
    let input = Batch::new(side, (1, 1, 1), &numbers(side, 3));
    let grid = Grid {
        n: 1,
        h: 1,
        w: 1,
        p: 1,
        rows: Rows::Dense,
    };
    let map = Map {
        offset: third.offset + third.elements(),
        channels: side,
        grid,
    };
    let ops = vec![
        Op::Load { to: map },
        Op::Pool { from: map, to: first },
        layer(next, Format::F32, first, second),
        layer(thirds.collect(), Format::F16, second, third),
        Op::StoreRow { from: third, at: 0 },
    ];
    let of_third = |third: usize| (0..side).filter(move |o| o % 3 == third).map(|o| (o + 1) % side);
    let expected = [0, 1, 2].map(|third| of_third(third).map(|i| input.values[i]).sum::<f64>());
    let target = Target {
        isa: Isa::best(),
        threads: 2,
    };
    agrees("a large layer", ops, target, &input, (&expected, 1e-3));
}

/// A program's memory is used again, within a run and from one to the next.
#[test]
fn images_are_loaded_over_what_the_run_before_left() {
    let grid = Grid {
        n: 1,
        h: 3,
        w: 3,
        p: 2,
        rows: Rows::Dense,
    };
    let map = Map {
        offset: 0,
        channels: 1,
        grid,
    };
    let row = |offset: usize, channels: usize| Row {
        offset,
        n: 1,
        channels,
    };
    let mean = row(map.elements(), 1);
    let ones = LinearParams {
        weights: vec![0.0; map.elements()],
        bias: vec![1.0; map.elements()],
        format: Format::F32,
    };
    for isa in Isa::available() {
        let mut builder = ProgramBuilder::new(Target { isa, threads: 1 });
        let ops = [
            Op::Load { to: map },
            Op::Pool { from: map, to: mean },
            Op::Linear {
                linear: ones.clone(),
                activation: Activation::None,
                from: mean,
                to: row(map.offset, map.elements()),
            },
            Op::StoreRow { from: mean, at: 0 },
        ];
        for op in ops {
            builder.push(op).expect("a step");
        }
        let mut program = builder.finish().expect("a program");
        for run in 0..2 {
            let mut result = [0.0];
            program.run(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &mut result);
            assert_eq!(result, [5.0], "{}, run {run}", isa.name());
        }
    }
}

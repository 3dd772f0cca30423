//! Tiles of operands in planes against tiles of the same operands gathered into a panel, on every unit, and operands that a
//! convolution writes against those that are packed afterwards.

mod common;

use common::{numbers, params, program, run};
use kernels::engine::{
    Algorithm, ConvParams, ConvShape, Format, Grid, Isa, Layer, Map, Op, Packs, Placed, ProgramError,
    Refusal, Rows, Target,
};

/// `n`, `h` and `w` of outputs, and the side of their tiles: odd rows, rows cut below, full vectors, several images.
const SIZES: [((usize, usize, usize), usize); 7] = [
    ((1, 14, 14), 1),
    ((1, 28, 28), 2),
    ((2, 15, 14), 1),
    ((1, 7, 32), 2),
    ((3, 6, 24), 2),
    ((1, 16, 12), 4),
    ((2, 3, 5), 1),
];

/// Input and output channels: runs shorter than a tile, tiles that overlap, blocks and groups with a rest.
const CHANNELS: [(usize, usize); 6] = [(18, 18), (5, 7), (64, 17), (36, 72), (34, 37), (12, 100)];

fn layers() -> impl Iterator<Item = Layer> {
    let isa = Isa::named("portable").expect("always there").twin();
    let of =
        move |index: usize, ((n, h, w), p): ((usize, usize, usize), usize), (inputs, outputs), format| {
            [(1, 1), (3, 1), (3, 2)].map(|(kernel, stride)| Layer {
                shape: ConvShape {
                    inputs,
                    outputs,
                    kernel,
                    stride,
                },
                format,
                input: Grid {
                    n,
                    h: h * stride - (stride - 1) * (index % 2),
                    w: w * stride,
                    p: p * stride,
                    rows: Rows::Planes,
                },
                output: Grid {
                    n,
                    h,
                    w,
                    p,
                    rows: Rows::Aligned,
                },
                target: Target {
                    isa,
                    threads: index % 3 + 1,
                },
            })
        };
    let sizes = SIZES
        .iter()
        .flat_map(|size| CHANNELS.iter().map(move |channels| (*size, *channels)));
    let few = sizes.enumerate().step_by(if cfg!(zoo_asan) { 23 } else { 5 });
    few.flat_map(move |(index, (size, channels))| {
        [Format::Int8, Format::I8x2, Format::Bf16]
            .map(|format| of(index, size, channels, format))
            .into_iter()
            .flatten()
    })
}

/// Units of every number of lanes with tiles of the format in plain code, and the hardware's.
fn units(format: Format) -> Vec<Isa> {
    let twins = Isa::available().into_iter().map(Isa::twin);
    let all = twins.chain(Isa::with_tiles());
    all.filter(|isa| isa.multiplies(format).is_some()).collect()
}

fn images(layer: Layer) -> Vec<f32> {
    let Grid { n, h, w, .. } = layer.input;
    numbers(n * layer.shape.inputs * h * w, 5)
        .iter()
        .map(|x| x.abs())
        .collect()
}

#[test]
fn planes_give_what_a_panel_gives() {
    for layer in layers() {
        assert!(!layer.algorithms().is_empty(), "{layer}");
        let shape = layer.shape;
        let weights = numbers(shape.weights(), 2);
        let bias = numbers(shape.outputs, 3);
        let largest = vec![1.0; shape.inputs];
        let images = images(layer);
        let run = |layer| run(layer, Algorithm::Tiles, (&images, &largest), (&weights, &bias));
        let dense = |grid: Grid| Grid {
            rows: Rows::Dense,
            ..grid
        };
        let expected = run(Layer {
            input: dense(layer.input),
            output: dense(layer.output),
            ..layer
        });
        for isa in units(layer.format) {
            let target = Target { isa, ..layer.target };
            let ours = run(Layer { target, ..layer });
            for (i, (a, b)) in ours.iter().zip(&expected).enumerate() {
                assert!(
                    (a - b).abs() <= 1e-4,
                    "{layer} on {}: {i}: {a}, panel {b}",
                    isa.name()
                );
            }
        }
    }
}

/// Inputs are small whole numbers, which bf16 holds, so that operands have the bits of the map that they were packed from.
#[test]
fn operands_that_are_added_give_what_their_map_gives() {
    let same = |layer: &Layer| layer.format == Format::Bf16 && layer.shape.stride == 1;
    for layer in layers().filter(same) {
        let channels = layer.shape.inputs;
        let shape = ConvShape {
            outputs: channels,
            ..layer.shape
        };
        let layer = Layer { shape, ..layer };
        let weights = numbers(shape.weights(), 2);
        let bias = numbers(channels, 3);
        let packing = layer.packing(Algorithm::Tiles, &vec![1.0; channels], false);
        let images: Vec<f32> = images(layer).iter().map(|x| (100.0 * x).round()).collect();
        let mut end = 0;
        let mut map = |channels, grid| {
            let offset = end;
            let map = Map {
                offset,
                channels,
                grid,
            };
            end += map.elements();
            map
        };
        let image = map(channels, layer.output);
        let operands = map(Format::Bf16.elements(channels), layer.input);
        let to = map(channels, layer.output);
        let result = |isa: Isa, sum, adds| {
            let ops = [
                Op::Load { to: image },
                Op::<Placed>::Pack {
                    packing: packing.clone(),
                    pack: (),
                    from: image,
                    to: operands,
                },
                Op::Conv {
                    conv: params(layer, Algorithm::Tiles, (&weights, &bias)),
                    from: operands,
                    sum,
                    adds,
                    relu: true,
                    to: Some(to),
                    packs: None,
                },
                Op::StoreMap { from: to, at: 0 },
            ];
            let mut program = program(ops, Target { isa, ..layer.target }).expect("a program");
            let mut result = vec![f32::NAN; to.pixels()];
            program.run(&images, &mut result);
            result
        };
        for isa in units(layer.format) {
            let expected = result(isa, Some(image), None);
            assert!(expected != result(isa, None, None), "{layer}");
            assert_eq!(
                result(isa, None, Some(operands)),
                expected,
                "{layer} on {}",
                isa.name()
            );
        }
    }
}

#[test]
fn operands_that_cannot_be_added_are_refused() {
    let isa = Isa::named("portable").expect("always there").twin();
    let target = Target { isa, threads: 1 };
    let output = Grid {
        n: 1,
        h: 14,
        w: 14,
        p: 1,
        rows: Rows::Aligned,
    };
    let planes = Grid {
        rows: Rows::Planes,
        ..output
    };
    let shape = ConvShape {
        inputs: 18,
        outputs: 18,
        kernel: 3,
        stride: 1,
    };
    let map = |offset, channels, grid| Map {
        offset,
        channels,
        grid,
    };
    let operands = map(0, 9, planes);
    let to = map(operands.elements(), 18, output);
    let added = map(to.offset + to.elements(), 9, planes);
    let refused = |format: Format, sum, adds| {
        let layer = Layer {
            shape,
            format,
            input: planes,
            output,
            target,
        };
        let conv = Op::Conv {
            conv: params(
                layer,
                Algorithm::Tiles,
                (&numbers(shape.weights(), 1), &[0.0; 18]),
            ),
            from: Map {
                channels: format.elements(18),
                ..operands
            },
            sum,
            adds: Some(adds),
            relu: false,
            to: Some(to),
            packs: None,
        };
        match program([conv], target) {
            Ok(_) => None,
            Err(ProgramError::Step { refusal, .. }) => Some(refusal),
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(refused(Format::Bf16, None, added), None);
    let unlike = Some(Refusal::Unlike);
    let sum = map(added.offset + added.elements(), 18, output);
    assert_eq!(refused(Format::Bf16, Some(sum), added), unlike, "a map as well");
    assert_eq!(refused(Format::Bf16, None, sum), unlike, "a map");
    assert_eq!(refused(Format::Int8, None, added), unlike, "other operands");
    let few = Map { channels: 8, ..added };
    assert_eq!(refused(Format::Bf16, None, few), unlike, "other channels");
    let over = Map {
        offset: to.offset,
        ..added
    };
    assert_eq!(refused(Format::Bf16, None, over), Some(Refusal::Overwrites));
}

/// Two convolutions of one another: the second one's operands are packed by an operation of their own, or written by the first,
/// with a map beside them or without.
#[test]
fn operands_that_a_convolution_writes_are_those_that_are_packed() {
    for layer in layers() {
        let shape = layer.shape;
        let weights = numbers(shape.weights(), 2);
        let bias = numbers(shape.outputs, 3);
        let packing = layer.packing(Algorithm::Tiles, &vec![1.0; shape.inputs], false);
        // Whole numbers of one digit become those of two, and the other way round.
        let format = match (layer.format, shape.inputs % 4) {
            (Format::Int8, 0) => Format::I8x2,
            (Format::I8x2, 0) => Format::Int8,
            (format, _) => format,
        };
        let second = Layer {
            shape: ConvShape {
                inputs: shape.outputs,
                outputs: 9,
                kernel: 3,
                stride: 1,
            },
            format,
            input: Grid {
                rows: Rows::Planes,
                ..layer.output
            },
            ..layer
        };
        if second.algorithms().is_empty() {
            continue;
        }
        let largest: Vec<f32> = (0..shape.outputs).map(|c| 2.0 + c as f32).collect();
        let repacking = second.packing(Algorithm::Tiles, &largest, false);
        let (other, other_bias) = (numbers(second.shape.weights(), 7), numbers(9, 8));
        let mut end = 0;
        let mut map = |channels, grid| {
            let offset = end;
            let map = Map {
                offset,
                channels,
                grid,
            };
            end += map.elements();
            map
        };
        let aligned = |grid| Grid {
            rows: Rows::Aligned,
            ..grid
        };
        let image = map(shape.inputs, aligned(layer.input));
        let operands = map(layer.format.elements(shape.inputs), layer.input);
        let sum = map(shape.outputs, layer.output);
        let middle = map(shape.outputs, layer.output);
        let packed = map(format.elements(shape.outputs), second.input);
        let last = map(9, second.output);
        let first_params = || ConvParams {
            steps: packing.steps.clone(),
            ..params(layer, Algorithm::Tiles, (&weights, &bias))
        };
        let pack = |packing, from, to| Op::<Placed>::Pack {
            packing,
            pack: (),
            from,
            to,
        };
        let images = images(layer);
        let result = |isa: Isa, to: Option<Map>, packs: Option<Map>| {
            let conv = |to, packs: Option<Map>, sum| Op::Conv {
                conv: first_params(),
                from: operands,
                sum,
                adds: None,
                relu: true,
                to,
                packs: packs.map(|to| Packs {
                    packing: repacking.clone(),
                    to,
                }),
            };
            let mut ops = vec![
                Op::Load { to: image },
                pack(packing.clone(), image, operands),
                conv(Some(sum), None, None),
                conv(to, packs, Some(sum)),
            ];
            ops.extend((packs.is_none()).then(|| pack(repacking.clone(), middle, packed)));
            ops.push(Op::Conv {
                conv: ConvParams {
                    steps: repacking.steps.clone(),
                    ..params(second, Algorithm::Tiles, (&other, &other_bias))
                },
                from: packed,
                sum: None,
                adds: None,
                relu: false,
                to: Some(last),
                packs: None,
            });
            ops.push(Op::StoreMap { from: last, at: 0 });
            let target = Target { isa, ..layer.target };
            let mut program = program(ops, target).expect("a program");
            let Grid { n, h, w, .. } = last.grid;
            let mut result = vec![f32::NAN; n * 9 * h * w];
            program.run(&images, &mut result);
            // What the first run left in the memory is not in the way of the second.
            program.run(&images, &mut result);
            result
        };
        for isa in units(layer.format) {
            let apart = result(isa, Some(middle), None);
            assert!(apart.iter().any(|x| *x != 0.0), "{layer}");
            let what = format!("{layer} on {}", isa.name());
            assert_eq!(
                result(isa, Some(middle), Some(packed)),
                apart,
                "{what}, beside its map"
            );
            assert_eq!(result(isa, None, Some(packed)), apart, "{what}, alone");
            // The map that is added may become the output.
            assert_eq!(result(isa, Some(sum), Some(packed)), apart, "{what}, in place");
        }
    }
}

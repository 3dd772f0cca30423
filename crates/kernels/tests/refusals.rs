//! Operations that a program's builder refuses. Running a program is not checked any more: an operation that would read or
//! write where it must not is refused when it is added, with the reason.

mod common;

use std::sync::Arc;

use common::program as program_of;
use kernels::engine::{
    Activation, Algorithm, ConvParams, ConvShape, Format, Grid, Interpolation, Isa, Layer, LinearParams, Map,
    Op, Packing, Placed, Program, ProgramError, Refusal, Row, Rows, Target,
};

type Step = Op<Placed>;

const GRID: Grid = Grid {
    n: 2,
    h: 8,
    w: 8,
    p: 4,
    rows: Rows::Dense,
};

const LARGE: Grid = Grid { h: 16, w: 16, ..GRID };

fn map(offset: usize, channels: usize, grid: Grid) -> Map {
    Map {
        offset,
        channels,
        grid,
    }
}

fn row(offset: usize, n: usize, channels: usize) -> Row {
    Row { offset, n, channels }
}

/// Three maps of three channels that lie apart.
fn maps() -> [Map; 3] {
    [0, 1, 2].map(|i| map(i * map(0, 3, GRID).elements(), 3, GRID))
}

fn program(step: Step) -> Result<Program, ProgramError> {
    program_on(step, Isa::best())
}

fn program_on(step: Step, isa: Isa) -> Result<Program, ProgramError> {
    program_of([step], Target { isa, threads: 1 })
}

/// Why the step is refused.
fn refused(step: Step) -> Refusal {
    let listed = step.to_string();
    match program(step) {
        Err(ProgramError::Step { step, refusal }) => {
            assert_eq!(step, listed);
            refusal
        }
        other => panic!("{listed}: {other:?}"),
    }
}

/// A 3x3 convolution of three channels to three.
fn params() -> ConvParams {
    let shape = ConvShape {
        inputs: 3,
        outputs: 3,
        kernel: 3,
        stride: 1,
    };
    ConvParams {
        shape,
        format: Format::F32,
        algorithm: Algorithm::Direct,
        weights: vec![0.5; shape.weights()],
        bias: vec![0.0; 3],
        steps: [].into(),
        means: Vec::new(),
    }
}

/// That convolution from map to map.
fn conv(from: Map, to: Map, sum: Option<Map>) -> Step {
    common::conv(params(), from, to, sum)
}

fn load(to: Map) -> Step {
    Op::Load { to }
}

fn pack(packing: Packing, from: Map, to: Map) -> Step {
    Op::Pack {
        packing,
        pack: (),
        from,
        to,
    }
}

/// Twice as many rows and columns.
fn upsample(from: Map, to: Map, sum: Option<Map>) -> Step {
    Op::Upsample {
        factor: 2,
        interpolation: Interpolation::Nearest,
        table: (),
        from,
        sum,
        relu: false,
        to,
    }
}

fn add(a: Map, sum: Option<Map>, to: Map) -> Step {
    let relu = false;
    Op::Add { a, sum, relu, to }
}

fn pool(from: Map, to: Row) -> Step {
    Op::Pool { from, to }
}

fn linear(from: Row, to: Row, biases: usize) -> Step {
    let linear = LinearParams {
        weights: vec![0.0; from.channels * to.channels],
        bias: vec![0.0; biases],
        format: Format::F32,
    };
    linear_of(linear, from, to)
}

fn linear_of(linear: LinearParams, from: Row, to: Row) -> Step {
    Op::Linear {
        linear,
        activation: Activation::None,
        from,
        to,
    }
}

fn gate(from: Map, gate: Row, sum: Option<Map>, to: Map) -> Step {
    Op::Gate {
        from,
        gate,
        sum,
        relu: false,
        to,
    }
}

fn store_map(from: Map) -> Step {
    Op::StoreMap { from, at: 0 }
}

fn store_row(from: Row) -> Step {
    Op::StoreRow { from, at: 0 }
}

fn packing(format: Format, steps: usize) -> Packing {
    Packing {
        format,
        steps: Arc::from(vec![1.0; steps]),
        limits: (0.0, 255.0),
    }
}

fn count(what: &'static str, actual: usize, expected: usize) -> Refusal {
    Refusal::Count {
        what,
        actual,
        expected,
    }
}

#[test]
fn operands_that_the_unit_does_not_multiply_are_refused() {
    let [a, b, _] = maps();
    for isa in Isa::available() {
        for format in [
            Format::F32,
            Format::F16,
            Format::Bf16,
            Format::I16,
            Format::I8x2,
            Format::Int8,
        ] {
            let to = map(b.offset, format.elements(3), GRID);
            let step = pack(packing(format, 3), a, to);
            match (isa.multiplies(format), program_on(step, isa)) {
                (Some(_), Ok(_)) => {}
                (None, Err(ProgramError::Step { refusal, .. })) => {
                    let unit = isa.name();
                    assert_eq!(refusal, Refusal::Format { unit, format });
                }
                (how, other) => panic!("{format} on {}: {how:?}, {other:?}", isa.name()),
            }
        }
    }
}

/// Sizes whose product is small again because it is more than can be counted: the memory would seem to hold them.
#[test]
fn sizes_that_cannot_be_counted_are_refused() {
    let [a, ..] = maps();
    let half = 1_usize << (usize::BITS - 1);
    let sizes = [
        map(0, half, GRID),
        map(0, usize::MAX, GRID),
        map(usize::MAX - 8, 3, GRID),
        map(0, 1, Grid { n: half, ..GRID }),
        map(
            0,
            1,
            Grid {
                n: 1 << 32,
                h: 1 << 32,
                w: 4,
                p: 4,
                rows: Rows::Dense,
            },
        ),
        map(0, 1, Grid { p: 1 << 32, ..GRID }),
        map(0, 0, GRID),
        map(0, 3, Grid { n: 0, ..GRID }),
        map(0, 3, Grid { h: 0, ..GRID }),
        map(0, 3, Grid { w: 0, ..GRID }),
        map(0, 3, Grid { p: 0, ..GRID }),
    ];
    for size in sizes {
        // Listing such a step says its sides, which needs no counting.
        assert_eq!(refused(load(size)), Refusal::Size, "{size:?}");
        assert_eq!(refused(store_map(size)), Refusal::Size, "{size:?}");
        assert_eq!(refused(add(size, None, size)), Refusal::Size, "{size:?}");
    }
    for size in [row(0, half, 2), row(usize::MAX, 1, 1), row(0, 0, 3), row(0, 2, 0)] {
        assert_eq!(refused(store_row(size)), Refusal::Size, "{size:?}");
    }
    assert_eq!(refused(pool(a, row(usize::MAX - 2, 2, 3))), Refusal::Size);
}

#[test]
fn more_memory_than_can_be_counted_is_an_error() {
    for offset in [usize::MAX / 8, usize::MAX / 4, usize::MAX / 2] {
        let error = program(load(map(offset, 3, GRID))).expect_err("too much");
        assert!(matches!(error, ProgramError::Memory { .. }), "{offset}: {error}");
    }
}

#[test]
fn results_that_cannot_be_counted_are_refused() {
    for at in [usize::MAX, usize::MAX - 5] {
        let [a, ..] = maps();
        assert_eq!(refused(Op::StoreMap { from: a, at }), Refusal::Size);
        let from = row(0, 2, 3);
        assert_eq!(refused(Op::StoreRow { from, at }), Refusal::Size);
    }
}

#[test]
fn parameters_of_another_number_than_the_layer_needs_are_refused() {
    let [a, b, _] = maps();
    let of = |change: &dyn Fn(&mut ConvParams)| {
        let mut params = params();
        change(&mut params);
        refused(common::conv(params, a, b, None))
    };
    let fewer = of(&|params| params.weights.truncate(80));
    assert_eq!(fewer, count("weights of a convolution", 80, 81));
    assert_eq!(of(&|params| params.bias.push(0.0)), count("biases", 4, 3));
    let steps = of(&|params| params.steps = [1.0; 2].into());
    assert_eq!(steps, count("steps of inputs", 2, 3));
    let means = of(&|params| params.means = vec![0.0; 4]);
    assert_eq!(means, count("means of inputs", 4, 3));
    for (kernel, stride) in [(5, 1), (3, 3), (1, 2), (0, 1), (3, 0)] {
        let shape = of(&|params| (params.shape.kernel, params.shape.stride) = (kernel, stride));
        assert_eq!(shape, Refusal::Window { kernel, stride });
    }
    let layer = Layer {
        shape: ConvShape {
            kernel: 1,
            ..params().shape
        },
        format: Format::F32,
        input: GRID,
        output: GRID,
        target: Target {
            isa: Isa::best(),
            threads: 1,
        },
    };
    let filtered = of(&|params| {
        params.shape.kernel = 1;
        params.algorithm = Algorithm::Winograd;
    });
    let expected = Refusal::Algorithm {
        algorithm: Algorithm::Winograd,
        layer: layer.to_string(),
    };
    assert_eq!(filtered, expected);
}

#[test]
fn a_linear_layer_of_other_weights_than_its_rows_say_is_refused() {
    let half = 1_usize << (usize::BITS - 1);
    let of = |weights: usize, format: Format| LinearParams {
        weights: vec![0.0; weights],
        bias: vec![0.0; 2],
        format,
    };
    let uncounted = linear_of(of(0, Format::F32), row(0, 2, half), row(0, 2, 2));
    assert_eq!(refused(uncounted), Refusal::Size);
    let few = linear_of(of(5, Format::F32), row(0, 2, 3), row(6, 2, 2));
    assert_eq!(refused(few), count("weights of a linear layer", 5, 6));
    for format in [Format::Bf16, Format::I16, Format::I8x2, Format::Int8] {
        let narrow = linear_of(of(6, format), row(0, 2, 3), row(6, 2, 2));
        assert_eq!(refused(narrow), Refusal::Kept(format));
    }
}

#[test]
fn outputs_over_inputs_are_refused() {
    let [a, b, _] = maps();
    let over = map(a.offset + 16, 3, GRID);
    let means = row(a.elements() - 1, 2, 3);
    let steps = [
        conv(a, over, None),
        conv(a, a, None),
        pack(packing(Format::F32, 0), a, over),
        upsample(a, map(16, 3, LARGE), None),
        pool(a, means),
        linear(row(0, 2, 3), row(5, 2, 3), 3),
        gate(b, row(0, 2, 3), None, a),
    ];
    for step in steps {
        let listed = step.to_string();
        assert_eq!(refused(step), Refusal::Overwrites, "{listed}");
    }
    let sums = [
        conv(b, a, Some(over)),
        add(over, None, a),
        add(a, Some(over), a),
        gate(over, row(b.offset + b.elements(), 2, 3), None, a),
        gate(b, row(b.offset + b.elements(), 2, 3), Some(over), a),
    ];
    for step in sums {
        let listed = step.to_string();
        assert_eq!(refused(step), Refusal::OverwritesSum, "{listed}");
    }
    assert!(
        program(conv(b, a, Some(a))).is_ok(),
        "a sum may lie where its result goes"
    );
    assert!(program(add(a, Some(a), a)).is_ok());
}

#[test]
fn grids_that_do_not_go_together_are_refused() {
    let [a, b, _] = maps();
    let at_b = |grid: Grid| map(b.offset, 3, grid);
    let grown = |grid: Grid| upsample(a, at_b(grid), None);
    let packed = |grid: Grid| pack(packing(Format::F32, 0), a, at_b(grid));
    type OfGrid<'a> = &'a dyn Fn(Grid) -> Step;
    let of_steps: [(OfGrid<'_>, &[Grid]); 3] = [
        // A convolution of stride 1 keeps images and pixels.
        (
            &|grid| conv(a, at_b(grid), None),
            &[Grid { h: 7, ..GRID }, Grid { n: 1, ..GRID }],
        ),
        // Packing may go to other tiles, of the same images and pixels.
        (
            &packed,
            &[
                Grid { n: 1, ..GRID },
                Grid { n: 3, ..GRID },
                Grid { h: 7, ..GRID },
                Grid { w: 9, ..GRID },
            ],
        ),
        // Another image would be looked for behind those that are there.
        (
            &grown,
            &[
                Grid { n: 3, ..LARGE },
                Grid { n: 1, ..LARGE },
                Grid { h: 15, ..LARGE },
                Grid { w: 17, ..LARGE },
            ],
        ),
    ];
    for (step, grids) in of_steps {
        for to in grids {
            let step = step(*to);
            let listed = step.to_string();
            assert_eq!(refused(step), Refusal::Grids { from: GRID, to: *to }, "{listed}");
        }
    }
}

#[test]
fn channels_that_do_not_go_together_are_refused() {
    let [a, b, _] = maps();
    let of = |channels: usize| map(b.offset, channels, GRID);
    let large = |channels: usize| map(a.elements(), channels, LARGE);
    let packed = |to: Map, packing: Packing| pack(packing, a, to);
    let cases = [
        (conv(map(0, 2, GRID), b, None), count("elements of inputs", 2, 3)),
        (conv(a, of(4), None), count("outputs", 4, 3)),
        (packed(of(2), packing(Format::F32, 0)), count("elements", 2, 3)),
        (packed(of(3), packing(Format::Int8, 3)), count("elements", 3, 1)),
        (
            packed(of(1), packing(Format::Int8, 2)),
            count("steps of channels", 2, 3),
        ),
        (
            packed(of(2), packing(Format::I16, 4)),
            count("steps of channels", 4, 3),
        ),
        (upsample(a, large(4), None), count("channels", 4, 3)),
        (pool(a, row(b.offset, 2, 4)), count("channels", 4, 3)),
        (pool(a, row(b.offset, 3, 3)), count("images", 3, 2)),
        (linear(row(0, 2, 3), row(6, 2, 4), 3), count("biases", 3, 4)),
        (linear(row(0, 2, 3), row(6, 3, 3), 3), count("images", 3, 2)),
        (gate(a, row(4000, 2, 4), None, b), count("gates", 4, 3)),
        (gate(a, row(4000, 1, 3), None, b), count("images of gates", 1, 2)),
    ];
    for (step, refusal) in cases {
        let listed = step.to_string();
        assert_eq!(refused(step), refusal, "{listed}");
    }
}

#[test]
fn maps_that_do_not_make_one_are_refused() {
    let [a, b, c] = maps();
    let concat = |from: &[Map], to: Map| {
        refused(Op::Concat {
            from: from.to_vec(),
            to,
        })
    };
    let six = map(3 * c.offset, 6, GRID);
    let coarse = Grid { p: 2, ..GRID };
    let moved = Map { grid: coarse, ..b };
    let grids = Refusal::Grids {
        from: coarse,
        to: GRID,
    };
    assert_eq!(concat(&[a, moved], six), grids);
    assert_eq!(concat(&[a, b, c], six), count("channels", 6, 9));
    assert_eq!(concat(&[], six), count("channels", 6, 0));
    let over = Map { channels: 6, ..b };
    assert_eq!(concat(&[a, b], over), Refusal::Overwrites);
    let half = Map {
        channels: usize::MAX / 2 + 1,
        ..a
    };
    assert_eq!(concat(&[half, half], six), Refusal::Size);
}

#[test]
fn sums_of_other_shapes_are_refused() {
    let [a, b, c] = maps();
    let narrow = map(c.offset, 2, GRID);
    let coarse = map(c.offset, 3, Grid { p: 2, ..GRID });
    let gates = row(6000, 2, 3);
    for other in [narrow, coarse] {
        let steps = [
            conv(a, b, Some(other)),
            upsample(a, map(a.elements(), 3, LARGE), Some(other)),
            add(other, None, b),
            add(a, Some(other), b),
            gate(other, gates, None, b),
            gate(a, gates, Some(other), b),
        ];
        for step in steps {
            let listed = step.to_string();
            assert_eq!(refused(step), Refusal::Unlike, "{listed}");
        }
    }
}

#[test]
fn a_refusal_says_which_step_and_why() {
    let [a, ..] = maps();
    let error = program(conv(a, a, None)).expect_err("overwritten").to_string();
    let expected =
        "step `conv3x3s1_f32_direct 2x3x8x8@0 -> 2x3x8x8@0` is refused: it writes over what it reads";
    assert_eq!(error, expected);
}

//! What a program refuses. Steps are safe code, and running one is not checked any more: whatever would read or write where
//! it must not is refused here, with the reason.

use std::sync::Arc;

use kernels::engine::{
    Activation, Algorithm, ConvShape, Convolution, Format, Grid, Inputs, Isa, Layer, Linear, Map, Packing,
    Program, ProgramError, Refusal, Row, Step, Steps, Target,
};

/// Elements of the memory of the programs.
const MEMORY: usize = 8192;

const GRID: Grid = Grid {
    n: 2,
    h: 8,
    w: 8,
    p: 4,
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
    program_on(step, Isa::best(), MEMORY)
}

fn program_on(step: Step, isa: Isa, memory: usize) -> Result<Program, ProgramError> {
    Program::new(Steps::of([step]).expect("memory"), memory, isa, 1)
}

/// Why the step is refused.
fn refused(step: Step) -> Refusal {
    let told = step.to_string();
    match program(step) {
        Err(ProgramError::Step { step, refusal }) => {
            assert_eq!(step, told);
            refusal
        }
        other => panic!("{told}: {other:?}"),
    }
}

fn layer(format: Format, isa: Isa) -> Layer {
    Layer {
        shape: ConvShape {
            inputs: 3,
            outputs: 3,
            kernel: 3,
            stride: 1,
        },
        format,
        input: GRID,
        output: GRID,
        target: Target { isa, threads: 1 },
    }
}

fn convolution(layer: Layer, algorithm: Algorithm) -> Convolution {
    let (weights, bias) = (vec![0.5; layer.shape.weights()], vec![0.0; layer.shape.outputs]);
    Convolution::new(layer, algorithm, (&weights, &bias), false, Inputs::default())
}

/// A convolution of three channels to three on [`GRID`], from map to map.
fn conv(from: Map, to: Map, residual: Option<Map>) -> Step {
    let layer = layer(Format::F32, Isa::best());
    Step::conv(convolution(layer, Algorithm::Direct), from, to, residual)
}

fn linear(from: Row, to: Row, biases: usize) -> Step {
    let linear = Linear {
        weights: vec![0.0; from.channels * to.channels],
        bias: vec![0.0; biases],
        activation: Activation::None,
        format: Format::F32,
    };
    Step::linear(linear, from, to)
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

/// Wide vectors would read and write past tables and scratch memory that were laid out for narrow ones.
#[test]
fn steps_that_are_prepared_for_another_unit_are_refused() {
    let [a, b, _] = maps();
    for (prepared, unit) in pairs_of_units() {
        let refusal = Refusal::Unit {
            prepared: prepared.name(),
            unit: unit.name(),
        };
        let layer = layer(Format::F32, prepared);
        let convolutions = layer
            .algorithms()
            .into_iter()
            .map(|algorithm| Step::conv(convolution(layer, algorithm), a, b, None));
        let coarse = Grid { p: 2, ..GRID };
        let packing = || packing(Format::F32, 0);
        let others = [
            Step::pack(packing(), a, b, prepared),
            Step::pack(packing(), a, map(b.offset, 3, coarse), prepared),
            Step::enlarge(a, map(a.elements(), 3, LARGE), 2, None, false, prepared),
        ];
        for step in convolutions.chain(others) {
            assert_eq!(step.isa(), Some(prepared), "{step}");
            let told = step.to_string();
            match program_on(step, unit, MEMORY) {
                Err(ProgramError::Step { refusal: why, .. }) => assert_eq!(why, refusal, "{told}"),
                other => panic!("{told}: {other:?}"),
            }
        }
    }
}

/// Units of this CPU that differ, each with each.
fn pairs_of_units() -> Vec<(Isa, Isa)> {
    let all = Isa::available();
    let pairs = all.iter().flat_map(|a| all.iter().map(move |b| (*a, *b)));
    pairs.filter(|(a, b)| a != b).collect()
}

#[test]
fn steps_that_every_unit_runs_are_of_none() {
    let [a, b, _] = maps();
    let (means, gates) = (row(0, 2, 3), row(6, 2, 3));
    let steps = [
        Step::load(a),
        Step::add(a, None, b, true),
        Step::pool(a, row(a.elements(), 2, 3)),
        linear(means, gates, 3),
        Step::gate(a, row(b.offset + b.elements(), 2, 3), None, b, false),
        Step::store_map(a),
        Step::store_row(means),
    ];
    for step in steps {
        assert_eq!(step.isa(), None, "{step}");
        program(step).expect("a program");
    }
}

#[test]
fn operands_that_the_unit_does_not_multiply_are_refused() {
    let [a, b, _] = maps();
    for isa in Isa::available() {
        for format in [Format::F32, Format::F16, Format::Bf16, Format::I16, Format::Int8] {
            let to = map(b.offset, format.elements(3), GRID);
            let step = Step::pack(packing(format, 3), a, to, isa);
            match (isa.multiplies(format), program_on(step, isa, MEMORY)) {
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

#[test]
fn values_outside_of_the_memory_are_refused() {
    let [a, b, c] = maps();
    let last = |elements: usize| MEMORY - elements + 1;
    let behind = map(last(a.elements()), 3, GRID);
    let steps = [
        Step::load(behind),
        conv(behind, a, None),
        conv(a, behind, None),
        conv(a, b, Some(behind)),
        Step::pack(packing(Format::F32, 0), behind, a, Isa::best()),
        Step::pack(packing(Format::F32, 0), a, behind, Isa::best()),
        Step::enlarge(behind, map(0, 3, LARGE), 2, None, false, Isa::best()),
        Step::enlarge(
            a,
            map(last(map(0, 3, LARGE).elements()), 3, LARGE),
            2,
            None,
            false,
            Isa::best(),
        ),
        Step::add(behind, None, a, false),
        Step::add(a, Some(behind), b, false),
        Step::add(a, Some(b), behind, false),
        Step::pool(behind, row(0, 2, 3)),
        Step::pool(a, row(last(6), 2, 3)),
        linear(row(last(6), 2, 3), row(0, 2, 3), 3),
        linear(row(0, 2, 3), row(last(6), 2, 3), 3),
        Step::gate(behind, row(0, 2, 3), None, a, false),
        Step::gate(a, row(last(6), 2, 3), None, b, false),
        Step::gate(a, row(c.offset, 2, 3), Some(behind), b, false),
        Step::store_map(behind),
        Step::store_row(row(last(6), 2, 3)),
    ];
    for step in steps {
        let told = step.to_string();
        let Refusal::Outside { start, end, memory } = refused(step) else {
            panic!("{told}")
        };
        assert!(start < end && end == MEMORY + 1 && memory == MEMORY, "{told}");
    }
    assert!(
        program(Step::load(map(MEMORY - a.elements(), 3, GRID))).is_ok(),
        "up to its end"
    );
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
        assert_eq!(refused(Step::load(size)), Refusal::Size, "{size:?}");
        assert_eq!(refused(Step::store_map(size)), Refusal::Size, "{size:?}");
        assert_eq!(
            refused(Step::add(size, None, size, false)),
            Refusal::Size,
            "{size:?}"
        );
    }
    for size in [row(0, half, 2), row(usize::MAX, 1, 1), row(0, 0, 3), row(0, 2, 0)] {
        assert_eq!(refused(Step::store_row(size)), Refusal::Size, "{size:?}");
    }
    assert_eq!(refused(Step::pool(a, row(usize::MAX - 2, 2, 3))), Refusal::Size);
}

#[test]
fn more_memory_than_can_be_counted_is_an_error() {
    for memory in [
        usize::MAX,
        usize::MAX - 15,
        usize::MAX / 4,
        isize::MAX.cast_unsigned(),
    ] {
        let error = program_on(Step::load(maps()[0]), Isa::best(), memory).expect_err("too much");
        assert!(matches!(error, ProgramError::Memory { .. }), "{memory}: {error}");
    }
}

#[test]
#[should_panic(expected = "weights of a linear layer")]
fn a_linear_layer_whose_weights_cannot_be_counted_is_refused() {
    let half = 1_usize << (usize::BITS - 1);
    let linear = Linear {
        weights: Vec::new(),
        bias: vec![0.0; 2],
        activation: Activation::None,
        format: Format::F32,
    };
    let _ = Step::linear(linear, row(0, 2, half), row(0, 2, 2));
}

#[test]
fn outputs_over_inputs_are_refused() {
    let [a, b, _] = maps();
    let over = map(a.offset + 16, 3, GRID);
    let means = row(a.elements() - 1, 2, 3);
    let steps = [
        conv(a, over, None),
        conv(a, a, None),
        Step::pack(packing(Format::F32, 0), a, over, Isa::best()),
        Step::enlarge(a, map(16, 3, LARGE), 2, None, false, Isa::best()),
        Step::pool(a, means),
        linear(row(0, 2, 3), row(5, 2, 3), 3),
        Step::gate(b, row(0, 2, 3), None, a, false),
    ];
    for step in steps {
        let told = step.to_string();
        assert_eq!(refused(step), Refusal::Overwrites, "{told}");
    }
    let sums = [
        conv(b, a, Some(over)),
        Step::add(over, None, a, false),
        Step::add(a, Some(over), a, false),
        Step::gate(over, row(b.offset + b.elements(), 2, 3), None, a, false),
        Step::gate(b, row(b.offset + b.elements(), 2, 3), Some(over), a, false),
    ];
    for step in sums {
        let told = step.to_string();
        assert_eq!(refused(step), Refusal::OverwritesSum, "{told}");
    }
    assert!(
        program(conv(b, a, Some(a))).is_ok(),
        "a sum may lie where its result goes"
    );
    assert!(program(Step::add(a, Some(a), a, false)).is_ok());
}

#[test]
fn grids_that_do_not_go_together_are_refused() {
    let [a, b, _] = maps();
    let at_b = |grid: Grid| map(b.offset, 3, grid);
    let enlarge = |grid: Grid| Step::enlarge(a, at_b(grid), 2, None, false, Isa::best());
    let pack = |grid: Grid| Step::pack(packing(Format::F32, 0), a, at_b(grid), Isa::best());
    type OfGrid<'a> = &'a dyn Fn(Grid) -> Step;
    let of_steps: [(OfGrid<'_>, &[Grid]); 3] = [
        // A convolution knows its grids.
        (
            &|grid| conv(a, at_b(grid), None),
            &[
                Grid { p: 2, ..GRID },
                Grid { h: 7, ..GRID },
                Grid { n: 1, ..GRID },
            ],
        ),
        // Packing may go to other tiles, of the same images and pixels.
        (
            &pack,
            &[
                Grid { n: 1, ..GRID },
                Grid { n: 3, ..GRID },
                Grid { h: 7, ..GRID },
                Grid { w: 9, ..GRID },
            ],
        ),
        // Another image would be looked for behind those that are there.
        (
            &enlarge,
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
            let told = step.to_string();
            assert_eq!(refused(step), Refusal::Grids { from: GRID, to: *to }, "{told}");
        }
    }
}

#[test]
fn channels_that_do_not_go_together_are_refused() {
    let [a, b, _] = maps();
    let of = |channels: usize| map(b.offset, channels, GRID);
    let large = |channels: usize| map(a.elements(), channels, LARGE);
    let pack = |to: Map, packing: Packing| Step::pack(packing, a, to, Isa::best());
    let cases = [
        (conv(map(0, 2, GRID), b, None), count("elements of inputs", 2, 3)),
        (conv(a, of(4), None), count("outputs", 4, 3)),
        (pack(of(2), packing(Format::F32, 0)), count("elements", 2, 3)),
        (pack(of(3), packing(Format::Int8, 3)), count("elements", 3, 1)),
        (
            pack(of(1), packing(Format::Int8, 2)),
            count("steps of channels", 2, 3),
        ),
        (
            pack(of(2), packing(Format::I16, 4)),
            count("steps of channels", 4, 3),
        ),
        (
            Step::enlarge(a, large(4), 2, None, false, Isa::best()),
            count("channels", 4, 3),
        ),
        (Step::pool(a, row(b.offset, 2, 4)), count("channels", 4, 3)),
        (Step::pool(a, row(b.offset, 3, 3)), count("images", 3, 2)),
        (linear(row(0, 2, 3), row(6, 2, 4), 3), count("biases", 3, 4)),
        (linear(row(0, 2, 3), row(6, 3, 3), 3), count("images", 3, 2)),
        (
            Step::gate(a, row(4000, 2, 4), None, b, false),
            count("gates", 4, 3),
        ),
        (
            Step::gate(a, row(4000, 1, 3), None, b, false),
            count("images of gates", 1, 2),
        ),
    ];
    for (step, refusal) in cases {
        let told = step.to_string();
        assert_eq!(refused(step), refusal, "{told}");
    }
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
            Step::enlarge(a, map(a.elements(), 3, LARGE), 2, Some(other), false, Isa::best()),
            Step::add(other, None, b, false),
            Step::add(a, Some(other), b, false),
            Step::gate(other, gates, None, b, false),
            Step::gate(a, gates, Some(other), b, false),
        ];
        for step in steps {
            let told = step.to_string();
            assert_eq!(refused(step), Refusal::Unlike, "{told}");
        }
    }
}

#[test]
fn a_refusal_says_which_step_and_why() {
    let [a, ..] = maps();
    let error = program(Step::load(map(MEMORY, 3, GRID)))
        .expect_err("outside")
        .to_string();
    let expected = format!(
        "step `load -> 2x3x8x8@8192` is refused: elements 8192 to {} of a memory of 8192",
        MEMORY + a.elements()
    );
    assert_eq!(error, expected);
}

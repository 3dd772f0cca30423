use std::hint::black_box;

use super::*;
use crate::engine::simd::{Portable, Step};

/// Numbers that look random and are the same each time.
struct Numbers(u32);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }

    /// Bytes of any value, or bf16 of either sign between 2^-7 and 2^8, with zeros and numbers below the normal ones among them.
    fn lines(&mut self, operand: Operand, lines: usize) -> Vec<Line> {
        let mut of = |_| {
            let mut line = Line::ZERO;
            for pair in line.0.chunks_exact_mut(2) {
                let bits = self.next() as u16;
                let bits = match (operand, bits % 16) {
                    (Operand::Bf16, 0) => bits & 0x8000,
                    (Operand::Bf16, 1) => bits & 0x807f,
                    (Operand::Bf16, _) => (bits & 0x87ff) | 0x3c00,
                    (Operand::I8U8 | Operand::I8I8 | Operand::U8I8 | Operand::U8U8, _) => bits,
                };
                pair.copy_from_slice(&bits.to_ne_bytes());
            }
            line
        };
        (0..lines).map(&mut of).collect()
    }
}

/// A group with everything that its lines are indexed by uneven, and the memory it lies in.
struct Case {
    shape: Shape,
    operand: Operand,
    weights: Vec<Line>,
    inputs: Vec<Line>,
    starts: Starts,
    pitch: usize,
}

impl Case {
    fn any(numbers: &mut Numbers, operand: Operand) -> Self {
        let depth = [ROWS, 1 + numbers.below(ROWS)][numbers.below(2)];
        let shape = Shape::new(1 + numbers.below(BLOCKS), 1 + numbers.below(ROWS)).with_depth(depth);
        let pitch = 2 + numbers.below(30);
        let reach = (depth - 1) * pitch + VECTORS;
        let room = 1 + numbers.below(50);
        let starts: Vec<usize> = (0..1 + numbers.below(12)).map(|_| numbers.below(room)).collect();
        // The last tile ends with the inputs, so that nothing beyond them can be read unseen.
        let end = starts.iter().max().expect("a tile") + reach;
        Self {
            shape,
            operand,
            weights: numbers.lines(operand, starts.len() * shape.blocks * shape.rows),
            inputs: numbers.lines(operand, end),
            starts: Starts::new(starts),
            pitch,
        }
    }

    fn group(&self) -> Group<'_> {
        Group {
            operand: self.operand,
            weights: &self.weights,
            inputs: &self.inputs,
            starts: self.starts.all(),
            pitch: self.pitch,
        }
    }

    fn sums(&self, unit: MatrixUnit) -> Vec<Line> {
        self.summed(unit, &mut Beside::nothing())
    }

    fn summed(&self, unit: MatrixUnit, beside: &mut Beside<'_>) -> Vec<Line> {
        let mut sums = Sums::zero();
        sums.lines().fill(Line([0xa5; 64]));
        unit.configured(self.shape, |tiles| tiles.sum(&self.group(), &sums, beside));
        sums.lines().to_vec()
    }

    /// The channels of a line's place, as the operand says.
    fn number(&self, line: &Line, place: usize, weight: bool) -> Vec<f64> {
        let bytes = &line.0[4 * place..4 * place + 4];
        let signed = match self.operand {
            Operand::Bf16 => {
                let pairs = bytes
                    .chunks_exact(2)
                    .map(|two| u16::from_ne_bytes([two[0], two[1]]));
                let wide = pairs.map(|bits| f32::from_bits(u32::from(bits) << 16));
                return wide
                    .map(|x| if x.is_subnormal() { 0.0 } else { f64::from(x) })
                    .collect();
            }
            Operand::I8U8 => weight,
            Operand::I8I8 => true,
            Operand::U8I8 => !weight,
            Operand::U8U8 => false,
        };
        let number = |byte: &u8| {
            if signed {
                f64::from(byte.cast_signed())
            } else {
                f64::from(*byte)
            }
        };
        bytes.iter().map(number).collect()
    }

    /// A sum by its definition in f64, and the sum of its products' magnitudes.
    fn defined(&self, block: usize, vector: usize, row: usize, pixel: usize) -> (f64, f64) {
        let Shape { blocks, rows, depth } = self.shape;
        let (mut sum, mut size) = (0.0, 0.0);
        for (tile, start) in self.starts.lines.iter().enumerate() {
            for k in 0..depth {
                let tile = tile * blocks + block;
                let weights = self.number(&self.weights[tile * rows + row], k, true);
                let inputs = self.number(&self.inputs[start + k * self.pitch + vector], pixel, false);
                for (w, x) in weights.iter().zip(inputs) {
                    sum += w * x;
                    size += (w * x).abs();
                }
            }
        }
        (sum, size)
    }
}

#[test]
fn every_unit_sums_groups_as_they_are_defined() {
    let mut numbers = Numbers(9);
    for operand in Operand::ALL {
        for _ in 0..20 {
            let case = Case::any(&mut numbers, operand);
            for unit in MatrixUnit::available() {
                let sums = case.sums(unit);
                for (at, line) in sums.iter().enumerate() {
                    let (tile, row) = (at / ROWS, at % ROWS);
                    let (block, vector) = (tile / VECTORS, tile % VECTORS);
                    if block >= case.shape.blocks || row >= case.shape.rows {
                        assert_eq!(line.0, [0xa5; 64], "{}: line {at} is not its own", unit.name());
                        continue;
                    }
                    for pixel in 0..16 {
                        let (sum, size) = case.defined(block, vector, row, pixel);
                        let found = match operand {
                            Operand::Bf16 => f64::from(line.f32s()[pixel]),
                            Operand::I8U8 | Operand::I8I8 | Operand::U8I8 | Operand::U8U8 => {
                                f64::from(line.i32s()[pixel])
                            }
                        };
                        let error = (found - sum).abs();
                        let bound = if operand == Operand::Bf16 {
                            1e-6 * size
                        } else {
                            0.0
                        };
                        assert!(
                            error <= bound,
                            "{} {operand:?} {:?}: {found} for {sum}, line {at}, pixel {pixel}",
                            unit.name(),
                            case.shape
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn the_hardware_and_its_twin_agree_to_the_bit() {
    let mut numbers = Numbers(77);
    for operand in Operand::ALL {
        for _ in 0..100 {
            let case = Case::any(&mut numbers, operand);
            let twin = case.sums(MatrixUnit::Twin);
            for unit in MatrixUnit::available() {
                assert!(
                    case.sums(unit) == twin,
                    "{} {operand:?} {:?}",
                    unit.name(),
                    case.shape
                );
            }
        }
    }
}

/// Work that uses many registers and the stack.
struct Count {
    done: usize,
    numbers: [f32; 64],
}

impl Step for Count {
    #[inline(always)]
    fn step(&mut self) {
        self.done += 1;
        self.numbers.iter_mut().for_each(|x| *x = black_box(*x + 1.0));
    }
}

#[test]
fn steps_beside_are_as_many_as_counted_and_change_no_sum() {
    let mut numbers = Numbers(21);
    for operand in Operand::ALL {
        for _ in 0..20 {
            let case = Case::any(&mut numbers, operand);
            for unit in MatrixUnit::available() {
                for every in [1, 2, 3, 100] {
                    let mut work = Count {
                        done: 0,
                        numbers: [0.0; 64],
                    };
                    let found = case.summed(unit, &mut Beside::new(Portable, every, &mut work));
                    assert!(found == case.sums(unit), "{} every {every}", unit.name());
                    let expected = steps(case.starts.all().tiles(), case.shape, 1, every);
                    assert_eq!(work.done, expected, "{} every {every}", unit.name());
                    assert_eq!(work.numbers, [expected as f32; 64]);
                }
            }
        }
    }
}

#[test]
fn groups_that_reach_beyond_their_memory_are_refused() {
    type Change = fn(&mut Case);
    let changes: [(&str, Change); 5] = [
        ("a weight is missing", |case| {
            case.weights.truncate(case.weights.len() - 1)
        }),
        ("an input is missing", |case| {
            case.inputs.truncate(case.inputs.len() - 1)
        }),
        ("a tile begins too late", |case| {
            case.starts = Starts::new(vec![0, case.inputs.len()]);
            case.weights = vec![Line::ZERO; 2 * case.shape.blocks * case.shape.rows];
        }),
        ("rows lie too far apart", |case| case.pitch = usize::MAX / 64),
        ("there is no tile", |case| case.starts = Starts::new(Vec::new())),
    ];
    for unit in MatrixUnit::available() {
        for (what, change) in changes {
            let mut case = Case::any(&mut Numbers(5), Operand::I8U8);
            change(&mut case);
            let refused = std::panic::catch_unwind(|| case.sums(unit)).is_err();
            assert!(refused, "{}: {what}", unit.name());
        }
    }
}

#[test]
fn threads_that_ran_before_and_after_use_the_unit() {
    let case = Case::any(&mut Numbers(3), Operand::I8U8);
    let expected = case.sums(MatrixUnit::Twin);
    for unit in MatrixUnit::available() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!(case.sums(unit) == expected, "{}", unit.name()));
            }
        });
    }
}

use super::*;

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
    runs: Vec<usize>,
    pitch: usize,
    tiles: usize,
}

impl Case {
    fn any(numbers: &mut Numbers, operand: Operand) -> Self {
        let shape = Shape::new(1 + numbers.below(BLOCKS), 1 + numbers.below(ROWS));
        let (tiles, pitch) = (1 + numbers.below(4), 2 + numbers.below(30));
        let reach = (ROWS * tiles - 1) * pitch + VECTORS;
        let room = 1 + numbers.below(50);
        let runs: Vec<usize> = (0..1 + numbers.below(3)).map(|_| numbers.below(room)).collect();
        // The last run ends with the inputs, so that nothing beyond them can be read unseen.
        let end = runs.iter().max().expect("a run") + reach;
        Self {
            shape,
            operand,
            weights: numbers.lines(operand, runs.len() * tiles * shape.blocks * shape.rows),
            inputs: numbers.lines(operand, end),
            runs,
            pitch,
            tiles,
        }
    }

    fn group(&self) -> Group<'_> {
        Group {
            operand: self.operand,
            weights: &self.weights,
            inputs: &self.inputs,
            runs: &self.runs,
            pitch: self.pitch,
            tiles: self.tiles,
        }
    }

    fn sums(&self, unit: MatrixUnit) -> Vec<Line> {
        let mut sums = [Line([0xa5; 64]); SUMS];
        unit.configured(self.shape, |tiles| tiles.sum(&self.group(), &mut sums));
        sums.to_vec()
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
        let Shape { blocks, rows } = self.shape;
        let (mut sum, mut size) = (0.0, 0.0);
        for (run, start) in self.runs.iter().enumerate() {
            for k in 0..ROWS * self.tiles {
                let tile = (run * self.tiles + k / ROWS) * blocks + block;
                let weights = self.number(&self.weights[tile * rows + row], k % ROWS, true);
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
        ("a run begins too late", |case| {
            *case.runs.last_mut().expect("a run") = case.inputs.len()
        }),
        ("rows lie too far apart", |case| case.pitch = usize::MAX / 64),
        ("there is no run", |case| case.runs.clear()),
    ];
    for unit in MatrixUnit::available() {
        for (what, change) in changes {
            let mut case = Case::any(&mut Numbers(5), Operand::I8U8);
            case.runs.sort_unstable();
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

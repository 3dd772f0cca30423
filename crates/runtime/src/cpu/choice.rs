//! The choice of the algorithm for a layer: the fastest if all were measured, else the one with the least estimated effort.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use hrnet::Precision;
use kernels::engine::{Algorithm, Format, Grid, Layer, Rows, Target};

use super::grids::in_planes;

/// Times of layers on this machine, ns, by layer and algorithm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Costs(BTreeMap<String, u64>);

/// The machine's costs, which every session that is prepared afterwards goes by.
static COSTS: OnceLock<Costs> = OnceLock::new();

/// Sets the costs by which all sessions that are prepared from now on choose their algorithms; only the first call counts.
pub fn use_costs(costs: Costs) {
    let _ = COSTS.set(costs);
}

/// A line of a cost table that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `{text}` is no cost: expected LAYER, ALGORITHM and nanoseconds, separated by tabs")]
pub struct CostsError {
    line: usize,
    text: String,
}

impl Costs {
    /// Returns the time of one run of a layer by an algorithm, ns.
    pub fn get(&self, layer: Layer, algorithm: Algorithm) -> Option<u64> {
        self.0.get(&key(layer, algorithm)).copied()
    }

    /// Sets a time, in place of an older one.
    pub fn set(&mut self, layer: Layer, algorithm: Algorithm, ns: u64) {
        self.0.insert(key(layer, algorithm), ns);
    }

    /// Adds all times of `others`.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Returns the number of times.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns one line per time: layer, algorithm, nanoseconds, separated by tabs.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|(key, ns)| format!("{key}\t{ns}\n")).collect()
    }

    /// Reads the text of [`Costs::to_text`].
    ///
    /// # Errors
    /// If a line cannot be read.
    pub fn parse(text: &str) -> Result<Self, CostsError> {
        let line = |(index, line): (usize, &str)| {
            let cost = line
                .rsplit_once('\t')
                .filter(|(key, _)| key.contains('\t'))
                .and_then(|(key, ns)| Some((key.to_owned(), ns.parse().ok()?)));
            cost.ok_or_else(|| CostsError {
                line: index + 1,
                text: line.to_owned(),
            })
        };
        Ok(Self(
            text.lines().enumerate().map(line).collect::<Result<_, _>>()?,
        ))
    }
}

/// A layer and an algorithm in a table: on the unit that computes it, so that times of vector kernels serve with and without a
/// matrix unit beside.
fn key(layer: Layer, algorithm: Algorithm) -> String {
    format!("{}\t{algorithm}", layer.on_unit_of(algorithm))
}

/// The rules by which the formats and algorithms of a network are chosen.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    precision: Precision,
    winograd: bool,
    costs: Option<&'static Costs>,
}

/// Weights of a layer from which on 16 bits spare memory that counts: smaller ones stay near, and widening them for each
/// of many pixels takes time.
const HALVED: usize = 1 << 16;

/// A layer in a format, and how it is computed.
pub(super) type Candidate = (Layer, Algorithm);

impl Choice {
    /// By the machine's costs, if there are some, with or without Winograd.
    pub(super) fn new(precision: Precision, winograd: bool) -> Self {
        Self {
            precision,
            winograd,
            costs: COSTS.get(),
        }
    }

    /// In f32 by estimates alone and without Winograd: the same on every machine that has the vector unit.
    pub(super) const fn plain() -> Self {
        Self {
            precision: Precision::F32,
            winograd: false,
            costs: None,
        }
    }

    /// The formats that may serve a layer of this precision, its own first: wider ones too, where filtering makes them
    /// faster. A layer whose inputs have a sign, or which is kept in 16 bits, is `wide`: it cannot be int8.
    fn formats(self, layer: Layer, wide: bool) -> Vec<Format> {
        let weights = layer.shape.weights();
        let digits = Layer {
            format: Format::I8x2,
            ..layer
        };
        // Two digits on tiles are exacter than 16 bits on vectors, which leave bits to sums and filtering.
        let sixteen = match digits.multiplies_tiles() {
            true => Format::I8x2,
            false => Format::I16,
        };
        let float = if weights < HALVED {
            Format::F32
        } else {
            Format::F16
        };
        match (self.precision, wide) {
            (Precision::F32, _) => vec![Format::F32],
            (Precision::F16, _) => vec![float],
            (Precision::Bf16, _) => vec![Format::Bf16, float],
            (Precision::I16, _) => vec![sixteen, Format::F32],
            (Precision::Int8, true) => vec![sixteen],
            (Precision::Int8, false) => vec![Format::Int8, Format::I16],
        }
    }

    /// Returns the candidates for a layer, which may be int8 unless it is wide.
    pub(super) fn candidates(self, layer: Layer, wide: bool) -> Vec<Candidate> {
        let mut formats = self.formats(layer, wide);
        if !self.winograd {
            // Only filtering makes a wider format faster.
            formats.truncate(1);
        }
        let mut candidates = Vec::new();
        for format in &formats {
            let of_format = Layer {
                format: *format,
                ..layer
            };
            let own = *format == formats[0];
            for algorithm in of_format.algorithms() {
                let filtered = algorithm == Algorithm::Winograd;
                if (filtered && self.winograd) || (!filtered && own) {
                    candidates.push((of_format, algorithm));
                }
            }
            if of_format.input.rows == Rows::Aligned && own {
                let layer = Layer {
                    input: in_planes(of_format.input),
                    ..of_format
                };
                let algorithms = layer.algorithms().into_iter();
                candidates.extend(algorithms.map(|algorithm| (layer, algorithm)));
            }
            if let Some(moved) = moved(of_format).filter(|_| own) {
                let unfiltered = moved.algorithms().into_iter();
                let unfiltered = unfiltered.filter(|algorithm| *algorithm != Algorithm::Winograd);
                candidates.extend(unfiltered.map(|algorithm| (moved, algorithm)));
            }
        }
        candidates
    }

    pub(super) fn of(self, layer: Layer, wide: bool) -> Candidate {
        let candidates = self.candidates(layer, wide);
        let measured = self.costs.and_then(|costs| fastest(costs, &candidates));
        measured.unwrap_or_else(|| Self::estimated(layer, &candidates))
    }

    /// The candidate for a layer with the least estimated effort.
    pub(super) fn estimated(given: Layer, candidates: &[Candidate]) -> Candidate {
        let effort = |(layer, algorithm): &&Candidate| {
            let moved = layer.input.p != given.input.p;
            layer.effort(*algorithm) + if moved { moving(*layer) } else { 0 }
        };
        let best = candidates.iter().min_by_key(effort);
        *best.expect("a direct convolution suits any layer")
    }
}

/// A layer of stride 2 whose operands are packed on tiles twice as wide as the output's, so that what it computes together
/// lies together in the output, too.
fn moved(layer: Layer) -> Option<Layer> {
    let grid = Grid {
        p: 2 * layer.output.p,
        rows: layer.output.rows,
        ..layer.input
    };
    let moves = layer.shape.stride == 2 && layer.format.is_packed() && grid != layer.input;
    moves.then_some(Layer { input: grid, ..layer })
}

/// An estimate of the instructions that moving operands to another grid takes a layer that shares them with another.
fn moving(layer: Layer) -> usize {
    let Target { isa, threads } = layer.target;
    let vectors = layer.input.positions() / isa.lanes();
    8 * vectors * layer.format.elements(layer.shape.inputs) / threads
}

/// The fastest of these, if all were measured.
fn fastest(costs: &Costs, candidates: &[Candidate]) -> Option<Candidate> {
    let times: Option<Vec<_>> = candidates
        .iter()
        .map(|(layer, algorithm)| Some((costs.get(*layer, *algorithm)?, (*layer, *algorithm))))
        .collect();
    times?
        .into_iter()
        .min_by_key(|(ns, _)| *ns)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use kernels::engine::{ConvShape, Grid, Isa, Target};

    use super::*;

    fn layer() -> Layer {
        let grid = Grid {
            n: 1,
            h: 28,
            w: 28,
            p: 4,
            rows: Rows::Dense,
        };
        Layer {
            shape: ConvShape {
                inputs: 36,
                outputs: 36,
                kernel: 3,
                stride: 1,
            },
            format: Format::F32,
            input: grid,
            output: grid,
            target: Target {
                isa: Isa::best(),
                threads: 1,
            },
        }
    }

    fn choice(precision: Precision, winograd: bool) -> Choice {
        Choice {
            precision,
            winograd,
            costs: None,
        }
    }

    #[test]
    fn costs_decide_only_where_all_are_known() {
        let candidates = choice(Precision::F32, true).candidates(layer(), false);
        let mut costs = Costs::default();
        costs.set(candidates[0].0, candidates[0].1, 5);
        assert_eq!(fastest(&costs, &candidates), None);
        for (layer, algorithm) in &candidates[1..] {
            costs.set(*layer, *algorithm, 7);
        }
        assert_eq!(fastest(&costs, &candidates), Some(candidates[0]));
    }

    #[test]
    fn without_costs_a_3x3_layer_is_filtered_unless_that_is_not_wanted() {
        let algorithm = |winograd| choice(Precision::F32, winograd).of(layer(), false).1;
        assert_eq!(algorithm(true), Algorithm::Winograd);
        assert_ne!(algorithm(false), Algorithm::Winograd);
    }

    #[test]
    fn a_precision_is_served_by_its_own_format_or_by_a_wider_one_that_is_filtered() {
        for (precision, own) in [(Precision::I16, Format::I16), (Precision::Int8, Format::Int8)] {
            let candidates = choice(precision, true).candidates(layer(), false);
            let wider = candidates.iter().filter(|(layer, _)| layer.format != own);
            assert!(wider.clone().count() > 0);
            assert!(
                wider
                    .clone()
                    .all(|(_, algorithm)| *algorithm == Algorithm::Winograd)
            );
            let wide = choice(precision, true).candidates(layer(), true);
            assert!(wide.iter().all(|(layer, _)| layer.format != Format::Int8));
        }
    }

    #[test]
    fn sixteen_bits_are_digits_wherever_there_are_tiles_that_sum_them() {
        let isa = Isa::named("portable").expect("always there").twin();
        let on_tiles = |inputs, stride| {
            let output = Grid {
                n: 1,
                h: 7,
                w: 7,
                p: 4,
                rows: Rows::Dense,
            };
            let input = Grid {
                h: 7 * stride,
                w: 7 * stride,
                p: 1,
                rows: Rows::Aligned,
                ..output
            };
            Layer {
                shape: ConvShape {
                    inputs,
                    stride,
                    ..layer().shape
                },
                input: if stride == 1 { output } else { input },
                output,
                target: Target { isa, threads: 1 },
                ..layer()
            }
        };
        for (inputs, stride, expected) in [
            (36, 1, Format::I8x2),
            (36, 2, Format::I8x2),
            (7282, 1, Format::I16),
        ] {
            let candidates = choice(Precision::I16, false).candidates(on_tiles(inputs, stride), false);
            assert!(!candidates.is_empty());
            for (layer, algorithm) in candidates {
                assert_eq!(layer.format, expected, "{layer} {algorithm}");
            }
        }
    }

    #[test]
    fn times_of_vector_kernels_serve_with_and_without_tiles() {
        let on = |isa| Layer {
            format: Format::Int8,
            target: Target { isa, threads: 1 },
            ..layer()
        };
        let (vectors, tiles) = (on(Isa::best()), on(Isa::with_twin()));
        let mut costs = Costs::default();
        for algorithm in tiles.algorithms() {
            costs.set(tiles, algorithm, 5);
        }
        for algorithm in vectors.algorithms() {
            assert_eq!(costs.get(vectors, algorithm), Some(5), "{algorithm}");
        }
        assert_eq!(costs.get(tiles, Algorithm::Tiles), Some(5));
        assert_eq!(costs.get(vectors, Algorithm::Tiles), None);
        let name = tiles.kernel(Algorithm::Direct);
        assert!(
            name.starts_with(&format!("conv3x3s1_int8_{}_direct_", Isa::best().name())),
            "{name}"
        );
        let name = tiles.kernel(Algorithm::Tiles);
        assert!(
            name.starts_with("conv3x3s1_int8_amx-twin_") && name.ends_with("panel"),
            "{name}"
        );
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let mut costs = Costs::default();
        for (algorithm, ns) in layer().algorithms().into_iter().zip(100..) {
            costs.set(layer(), algorithm, ns);
        }
        assert_eq!(Costs::parse(&costs.to_text()), Ok(costs));
        for text in ["x", "x\t5", "x\ty\tz", "x\ty\t-1"] {
            let error = Costs::parse(text).expect_err(text).to_string();
            assert!(error.contains("line 1"), "{error}");
        }
    }
}

//! Which algorithm computes a layer: the fastest where all were measured, else the one with the least estimated effort.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use kernels::engine::{Algorithm, Layer};

/// Times of layers on this machine, ns, by layer and algorithm.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Costs(BTreeMap<String, u64>);

/// The machine's costs, which every session that is prepared afterwards goes by.
static COSTS: OnceLock<Costs> = OnceLock::new();

/// Has all sessions that are prepared from now on choose their algorithms by these costs; the first call counts.
pub fn use_costs(costs: Costs) {
    let _ = COSTS.set(costs);
}

/// A line of a cost table that is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `{text}` is no cost: expected LAYER, ALGORITHM and nanoseconds, separated by tabs")]
pub struct CostsError {
    line: usize,
    text: String,
}

impl Costs {
    /// The time of one run of a layer by an algorithm, ns.
    pub fn get(&self, layer: Layer, algorithm: Algorithm) -> Option<u64> {
        self.0.get(&key(layer, algorithm)).copied()
    }

    /// Keeps a time, in place of an older one.
    pub fn set(&mut self, layer: Layer, algorithm: Algorithm, ns: u64) {
        self.0.insert(key(layer, algorithm), ns);
    }

    /// Takes over all times of others.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Times kept.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One line a time: layer, algorithm, nanoseconds, separated by tabs.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|(key, ns)| format!("{key}\t{ns}\n")).collect()
    }

    /// The costs of [`Costs::to_text`].
    ///
    /// # Errors
    /// If a line is none of its lines.
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

fn key(layer: Layer, algorithm: Algorithm) -> String {
    format!("{layer}\t{algorithm}")
}

/// How the algorithms of a network are chosen.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    winograd: bool,
    costs: Option<&'static Costs>,
}

impl Choice {
    /// By the machine's costs, if there are some, with or without Winograd.
    pub(super) fn new(winograd: bool) -> Self {
        Self {
            winograd,
            costs: COSTS.get(),
        }
    }

    /// By estimates alone and without Winograd: the same on every machine that has the vector unit.
    pub(super) const fn plain() -> Self {
        Self {
            winograd: false,
            costs: None,
        }
    }

    /// The algorithms that come into question.
    pub(super) fn candidates(self, layer: Layer) -> Vec<Algorithm> {
        let mut algorithms = layer.algorithms();
        algorithms.retain(|algorithm| self.winograd || *algorithm != Algorithm::Winograd);
        algorithms
    }

    pub(super) fn of(self, layer: Layer) -> Algorithm {
        let candidates = self.candidates(layer);
        let measured = self.costs.and_then(|costs| fastest(costs, layer, &candidates));
        measured.unwrap_or_else(|| Self::estimated(layer, &candidates))
    }

    /// The algorithm with the least estimated effort.
    pub(super) fn estimated(layer: Layer, candidates: &[Algorithm]) -> Algorithm {
        let best = candidates
            .iter()
            .min_by_key(|algorithm| layer.effort(**algorithm));
        *best.expect("a direct convolution suits any layer")
    }
}

/// The fastest of these algorithms, if all were measured.
fn fastest(costs: &Costs, layer: Layer, algorithms: &[Algorithm]) -> Option<Algorithm> {
    let times: Option<Vec<_>> = algorithms
        .iter()
        .map(|algorithm| Some((costs.get(layer, *algorithm)?, *algorithm)))
        .collect();
    times?
        .into_iter()
        .min_by_key(|(ns, _)| *ns)
        .map(|(_, algorithm)| algorithm)
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
        };
        Layer {
            shape: ConvShape {
                inputs: 36,
                outputs: 36,
                kernel: 3,
                stride: 1,
            },
            input: grid,
            output: grid,
            target: Target {
                isa: Isa::best(),
                threads: 1,
            },
        }
    }

    #[test]
    fn costs_decide_only_where_all_are_known() {
        let layer = layer();
        let algorithms = layer.algorithms();
        let mut costs = Costs::default();
        costs.set(layer, algorithms[0], 5);
        assert_eq!(fastest(&costs, layer, &algorithms), None);
        for algorithm in &algorithms[1..] {
            costs.set(layer, *algorithm, 7);
        }
        assert_eq!(fastest(&costs, layer, &algorithms), Some(algorithms[0]));
    }

    #[test]
    fn without_costs_a_3x3_layer_is_filtered_unless_that_is_not_wanted() {
        let choice = |winograd| Choice {
            winograd,
            costs: None,
        };
        assert_eq!(choice(true).of(layer()), Algorithm::Winograd);
        assert_ne!(choice(false).of(layer()), Algorithm::Winograd);
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

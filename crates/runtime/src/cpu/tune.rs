//! Times every algorithm of every layer of a network.

use hrnet::{Graph, Precision};
use kernels::engine::{Algorithm, ConvParams, Layer, Map, Op, ProgramBuilder, Target};

use super::choice::{Candidate, Choice, Costs};
use super::fuse::Plan;
use super::grids::{self, Grids};
use super::{FAST, unit_of};
use crate::RuntimeError;

/// Weights that a timed program streams through, bytes: more than caches hold, as in a whole network.
const STREAMED: usize = 48 << 20;

/// Layers in a timed program, at most.
const COPIES: usize = 64;

/// Runs of a timed program; the fastest counts.
const RUNS: usize = 6;

/// One layer in one format and the times of its algorithms, ns.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// The layer.
    pub layer: Layer,
    /// Each algorithm's time.
    pub times: Vec<(Algorithm, u64)>,
    /// The algorithm that would be taken in this format if nothing were measured.
    pub estimated: Algorithm,
}

/// Times every algorithm of every layer of the graph in this precision that `known` lacks, on the engine's vector unit. `time` runs
/// its argument and returns the time it took, ns; `told` is called with each layer.
///
/// # Errors
/// If there is no such vector unit, too little memory, or the engine does not support an op of the graph.
pub fn tune(
    graph: &Graph,
    precision: Precision,
    threads: usize,
    known: &mut Costs,
    mut time: impl FnMut(&mut dyn FnMut()) -> u64,
    mut told: impl FnMut(Tuned),
) -> Result<(), RuntimeError> {
    let failed = |reason: String| RuntimeError::device(FAST.name, reason);
    let (isa, _) = unit_of(precision).map_err(|error| RuntimeError::device(FAST.name, error))?;
    let target = Target { isa, threads };
    let plan = Plan::new(graph).map_err(failed)?;
    let choice = Choice::new(precision, true);
    for (node, layer) in grids::layers(&plan, graph, target, &Grids::new(graph, isa, precision)) {
        let candidates = choice.candidates(layer, !graph.is_non_negative(graph.node(node).inputs[0]));
        for of_format in candidates.chunk_by(|(a, _), (b, _)| a == b) {
            let unknown = |(layer, algorithm): &Candidate| known.get(*layer, *algorithm).is_none();
            if !of_format.iter().any(unknown) {
                continue;
            }
            let mut times = Vec::new();
            for (layer, algorithm) in of_format {
                let ns = measured(*layer, *algorithm, &mut time).map_err(failed)?;
                known.set(*layer, *algorithm, ns);
                times.push((*algorithm, ns));
            }
            told(Tuned {
                layer: of_format[0].0,
                times,
                estimated: Choice::estimated(of_format[0].0, of_format).1,
            });
        }
    }
    Ok(())
}

/// The time of one run of the layer, ns.
fn measured(
    layer: Layer,
    algorithm: Algorithm,
    time: &mut impl FnMut(&mut dyn FnMut()) -> u64,
) -> Result<u64, String> {
    let shape = layer.shape;
    let from = Map {
        offset: 0,
        channels: layer.format.elements(shape.inputs),
        grid: layer.input,
    };
    let to = Map {
        offset: from.elements(),
        channels: shape.outputs,
        grid: layer.output,
    };
    let weights = (0..shape.weights()).map(|i| (i % 17) as f32 / 17.0 - 0.5);
    let conv = ConvParams {
        shape,
        format: layer.format,
        algorithm,
        weights: weights.collect(),
        bias: vec![0.0; shape.outputs],
        steps: [].into(),
        means: Vec::new(),
    };
    let mut builder = ProgramBuilder::new(layer.target);
    let mut copy = || {
        let op = Op::Conv {
            conv: conv.clone(),
            from,
            sum: None,
            adds: None,
            relu: true,
            to: Some(to),
            packs: None,
        };
        builder.push(op).map_err(|error| error.to_string())?;
        Ok::<usize, String>(builder.steps()[0].weight_bytes())
    };
    let copies = (STREAMED / copy()?).clamp(1, COPIES);
    for _ in 1..copies {
        copy()?;
    }
    let mut program = builder.finish().map_err(|error| error.to_string())?;
    let mut run = || program.run(&[], &mut []);
    run();
    let best = (0..RUNS).map(|_| time(&mut run)).min().unwrap_or(0);
    Ok(best / copies as u64)
}

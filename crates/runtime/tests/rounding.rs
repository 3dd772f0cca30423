//! The engine in every precision against a walk that rounds what each convolution multiplies as the engine does. What is left
//! is how sums are rounded, which tells a network that lacks a branch from one that is whole: against unrounded values, 8 bits
//! are as far off as that.

#![expect(clippy::print_stdout, reason = "the differences seen, for --nocapture")]

mod walker;

use std::sync::Arc;

use hrnet::{Graph, Node, NodeId, Op, Part, Precision, SeededWeights, Shape};
use runtime::{Calibration, Options};
use testkit::largest_difference;
use walker::rounding::Rounding;
use walker::{Walker, images, largest, networks, pairs_that_must_run};

/// The largest difference that is allowed, as a share of the largest logit. Seen were up to 4e-7, and where 16 bits are filtered
/// 1.5e-3; values that are not rounded are 5e-4 (i16), 2e-3 (bf16) and 1e-2 (int8) away, and those that lack a branch 2e-2.
///
/// A sum that is rounded otherwise may fall on the other side of the middle between two steps of the next layer, which is then
/// off by a whole step: hence more than sums alone would ask for.
fn allowed(backend: &str, precision: Precision) -> f64 {
    match (backend, precision) {
        (_, Precision::F32) => 1e-5,
        (_, Precision::F16) => 1e-4,
        (_, Precision::Bf16) => 1e-3,
        // The walk does not round tiles after they are transformed, nor kernels.
        ("cpu", Precision::I16) => 4e-3,
        (_, Precision::I16) => 2e-4,
        (_, Precision::Int8) => 2e-3,
    }
}

/// The sums that exchange branches.
fn exchanges(graph: &Graph) -> Vec<NodeId> {
    let is_exchange = |node: &Node| matches!(Part::of(&node.place), Some(Part::Exchange(_)));
    let exchanges = graph
        .iter()
        .filter(|(_, node)| node.op == Op::Add && is_exchange(node));
    exchanges.map(|(id, _)| id).collect()
}

#[test]
fn the_engine_rounds_what_it_multiplies_and_nothing_else_and_no_branch_is_missing() {
    let weights = SeededWeights::new(3);
    let (mut formats, mut wrong) = (Vec::new(), Vec::new());
    // Rows of 192 pixels lie in planes where the unit has tiles, rows of 32 are gathered.
    for (spec, shape) in networks()
        .into_iter()
        .zip([Shape::new(2, 3, 48, 32), Shape::new(1, 3, 32, 192)])
    {
        let graph = spec.graph(shape).expect("a tiny network");
        let images = images(shape);
        let calibration = Calibration::stand_in(&graph, &weights).expect("ranges");
        for (name, precision) in pairs_that_must_run() {
            if name == "candle" {
                continue;
            }
            let options = Options {
                calibration: Some(Arc::new(calibration.clone())),
                ..Options::new(precision)
            };
            let backend = runtime::backend(name).expect("the engine");
            let mut session = backend.prepare(&graph, &weights, options).expect("prepared");
            let rounding = Rounding::new(&session.steps(), precision, Some(&calibration));
            formats.push((name, precision, rounding.count(precision)));
            let logits = session.logits(&images).expect("run");
            let walker = || Walker::new(&graph, &weights).rounding(&rounding);
            let expected = walker().result(&images);
            let scale = largest(&expected);
            let error = |expected: &[f64]| largest_difference(&logits, expected) / scale;
            let (whole, allowed) = (error(&expected), allowed(name, precision));
            let exact = error(&Walker::new(&graph, &weights).result(&images));
            let exchanges = exchanges(&graph);
            assert!(exchanges.len() >= 14, "{} exchanges", exchanges.len());
            let lacking = exchanges
                .iter()
                .map(|sum| error(&walker().without(*sum).result(&images)));
            let least = lacking.fold(f64::INFINITY, f64::min);
            let what = format!(
                "{name} {precision}: {whole:.1e} apart, allowed are {allowed:.0e}; {exact:.1e} of unrounded values; {least:.1e} \
                 without a branch"
            );
            println!("{what}");
            // What a branch makes must be told from what is allowed, with room.
            if whole > allowed || least < 2.0 * allowed {
                wrong.push(what);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // A network in 8 bits all of whose layers took another format would say nothing of 8 bits.
    for (name, precision, layers) in formats {
        assert!(
            layers > 0 || precision == Precision::F16,
            "{name}: no layer in {precision}"
        );
    }
}

//! A plan whose convolutions read operands of their formats, packed once a value.

use std::collections::BTreeMap;

use hrnet::{Graph, NodeId};
use kernels::engine::{Algorithm, Format, Layer, Packing};

use super::choice::Choice;
use super::plan::{Plan, PlanStep, Value, Work};
use crate::Calibration;

/// How one convolution is computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    pub(super) algorithm: Algorithm,
    pub(super) packing: Packing,
}

/// How each convolution is computed, by its node.
pub(super) type ChosenOf = BTreeMap<NodeId, Chosen>;

/// How each of these layers is to be computed; a calibration is there where whole numbers are.
pub(super) fn chosen(
    layers: Vec<(NodeId, Layer)>,
    graph: &Graph,
    choice: Choice,
    calibration: Option<&Calibration>,
) -> ChosenOf {
    let choose = |(node, layer): (NodeId, Layer)| {
        let (layer, algorithm) = choice.of(layer, !graph.is_non_negative(graph.node(node).inputs[0]));
        let format = layer.format;
        let name = &graph.node(node).name;
        let range = calibration.and_then(|calibration| match format {
            Format::I16 => calibration.seen(name),
            _ => calibration.range(name),
        });
        let (lo, hi) = range.map_or((0.0, 0.0), |range| (range.lo, range.hi));
        let room = if format == Format::I16 { HEADROOM } else { 1.0 };
        let packing = layer.packing(algorithm, (room * lo, room * hi));
        (node, Chosen { algorithm, packing })
    };
    layers.into_iter().map(choose).collect()
}

/// How much more than what was seen fits into 16 bits: images differ, and a fourth of a bit is little of them.
const HEADROOM: f32 = 1.2;

/// The plan with the steps that pack what convolutions of packed formats read.
pub(super) fn packed(plan: &Plan, chosen: &ChosenOf) -> Plan {
    let mut packer = Packer {
        plan: Plan {
            steps: Vec::with_capacity(plan.steps.len()),
            values: Vec::with_capacity(plan.values.len()),
        },
        renamed: Vec::with_capacity(plan.values.len()),
        packed: Vec::new(),
    };
    for step in &plan.steps {
        packer.step(plan, step, chosen);
    }
    packer.plan
}

struct Packer {
    plan: Plan,
    /// The new value of each old one.
    renamed: Vec<Value>,
    /// Values that are packed, how, and as what.
    packed: Vec<(Value, Packing, Value)>,
}

impl Packer {
    fn step(&mut self, old: &Plan, step: &PlanStep, chosen: &ChosenOf) {
        let mut step = PlanStep {
            work: step.work.reading(|value| self.renamed[value]),
            sum: step.sum.map(|value| self.renamed[value]),
            ..*step
        };
        if let Work::Conv { conv, from, .. } = &mut step.work
            && let packing = chosen[conv].packing
            && packing.format.is_packed()
        {
            *from = self.pack(*from, packing);
        }
        if let Some(output) = step.output {
            let value = self.value(old.values[output]);
            self.renamed.push(value);
            step.output = Some(value);
        }
        self.plan.steps.push(step);
    }

    fn value(&mut self, node: NodeId) -> Value {
        self.plan.values.push(node);
        self.plan.values.len() - 1
    }

    /// The value as operands, by a step of its own unless there was one.
    fn pack(&mut self, from: Value, packing: Packing) -> Value {
        let known = |(value, how, _): &&(Value, Packing, Value)| (*value, *how) == (from, packing);
        if let Some((.., packed)) = self.packed.iter().find(known) {
            return *packed;
        }
        let output = self.value(self.plan.values[from]);
        self.packed.push((from, packing, output));
        self.plan.steps.push(PlanStep {
            work: Work::Pack { packing, from },
            sum: None,
            relu: false,
            output: Some(output),
        });
        output
    }
}

#[cfg(test)]
mod tests {
    use hrnet::{HrnetSpec, Op, Shape};
    use kernels::engine::{Isa, Target};

    use super::*;
    use crate::cpu::steps;

    #[test]
    fn a_value_is_packed_once_for_all_convolutions_that_read_it_alike() {
        let graph = HrnetSpec::imagenet([2, 4, 8, 16])
            .graph(Shape::square(1, 64))
            .expect("a network");
        let plan = Plan::new(&graph).expect("a plan");
        let isa = Isa::named("portable").expect("always there");
        let layers = steps::layers(&plan, &graph, Target { isa, threads: 1 });
        let count = layers.len();
        let choice = Choice::new(hrnet::Precision::Int8, false);
        let chosen = chosen(layers, &graph, choice, None);
        let packed = packed(&plan, &chosen);
        let mut packs = Vec::new();
        for step in &packed.steps {
            match step.work {
                Work::Pack { packing, from } => {
                    assert!(!packs.contains(&(from, packing)), "packed twice");
                    packs.push((from, packing));
                }
                Work::Conv { conv, from, .. } => {
                    let maker = packed.steps.iter().find(|step| step.output == Some(from));
                    let Some(Work::Pack { packing, .. }) = maker.map(|step| step.work) else {
                        panic!("a convolution reads {maker:?}");
                    };
                    assert_eq!(packing, chosen[&conv].packing);
                    // The images are the only numbers below zero.
                    let reads_images = graph.node(graph.node(conv).inputs[0]).op == Op::Input;
                    assert_eq!(packing.format == Format::I16, reads_images);
                }
                _ => {}
            }
        }
        assert!(
            packs.len() < count,
            "{} packs for {count} convolutions",
            packs.len()
        );
    }
}

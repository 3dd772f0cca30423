//! Third pass: the format and algorithm of each convolution, and the operations that pack operands for them.

use std::collections::BTreeMap;

use hrnet::{Graph, NodeId};
use kernels::engine::{Algorithm, Format, Grid, Layer, Op, Packing, Packs, Rows};

use super::choice::Choice;
use super::fuse::{Fused, Plan, ValueId, value};
use crate::Calibration;

/// The format and algorithm of one convolution.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub(super) layer: Layer,
    pub(super) algorithm: Algorithm,
    pub(super) packing: Packing,
    /// Of the input channels, where they are known.
    pub(super) means: Vec<f32>,
}

/// The format and algorithm of each convolution, by its node.
pub(super) type ChosenOf = BTreeMap<NodeId, Chosen>;

/// Chooses the format and algorithm of each of these layers; formats of integers need the calibration.
pub(super) fn chosen(
    layers: Vec<(NodeId, Layer)>,
    graph: &Graph,
    choice: Choice,
    calibration: Option<&Calibration>,
) -> ChosenOf {
    let choose = |(node, layer): (NodeId, Layer)| {
        let signed = !graph.is_non_negative(graph.node(node).inputs[0]);
        let name = &graph.node(node).name();
        let kept = calibration.is_some_and(|calibration| calibration.keeps(name));
        let (layer, algorithm) = choice.of(layer, signed || kept);
        let seen = calibration.and_then(|calibration| {
            let range = match layer.format {
                Format::I16 | Format::I8x2 => calibration.seen(name)?,
                Format::Int8 => calibration.range(name)?,
                Format::F32 | Format::F16 | Format::Bf16 => return None,
            };
            Some((range, calibration.channels(name)?))
        });
        let (largest, means) = match seen {
            Some((range, channels)) => {
                let largest = held(layer.format, range.largest(), &channels.largest);
                (largest, channels.means.clone())
            }
            None => (vec![0.0; layer.shape.inputs], Vec::new()),
        };
        let chosen = Chosen {
            layer,
            algorithm,
            packing: layer.packing(algorithm, &largest, signed),
            means,
        };
        (node, chosen)
    };
    layers.into_iter().map(choose).collect()
}

/// The headroom of 16 bits over the largest observed value of all channels: images differ.
const HEADROOM: f32 = 1.5;

/// The headroom of 16 bits over the largest observed value of one channel, up to that of all: a channel has few numbers.
const CHANNEL_HEADROOM: f32 = 3.0;

/// The least share that a channel holds of what fits of all, however little was seen of it: what an image shows for the first
/// time is cut at a fourth of the range at worst.
const LEAST_SHARE: f32 = 0.25;

/// The magnitudes that operands hold of each channel, where `whole` is that of all together.
///
/// A channel of small numbers has small steps, and its weights are multiplied by them: what its inputs gain, its weights lose.
/// In 16 bits inputs are what counts. In 8 bits both do and share the difference: a channel holds the root of its share, in
/// which there is room enough for what was not seen.
fn held(format: Format, whole: f32, largest: &[f32]) -> Vec<f32> {
    let (of_all, share): (f32, fn(f32, f32) -> f32) = match format {
        Format::I16 | Format::I8x2 => (HEADROOM * whole, |largest, of_all| {
            CHANNEL_HEADROOM * largest / of_all
        }),
        Format::Int8 => (whole, |largest, of_all| (largest / of_all).sqrt()),
        Format::F32 | Format::F16 | Format::Bf16 => unreachable!("{format} has no steps"),
    };
    if of_all <= 0.0 {
        return vec![0.0; largest.len()];
    }
    let of_one = |largest: &f32| of_all * share(*largest, of_all).clamp(LEAST_SHARE, 1.0);
    largest.iter().map(of_one).collect()
}

/// Has convolutions of packed formats read operands: inserts the operations that pack their inputs, each value once for all
/// convolutions that read it alike, and has convolutions on planes write the operands themselves.
pub(super) fn packed(plan: Plan, chosen: &ChosenOf) -> Plan {
    without_maps(written_at_once(packed_apart(plan, chosen), chosen), chosen)
}

/// Has convolutions in bf16 add the operands of a value where there are some, rather than its map, and write no map that nothing else
/// reads. The sums of a network then have the bits of its operands: 8 of a fraction, as in other engines' bf16.
fn without_maps(mut plan: Plan, chosen: &ChosenOf) -> Plan {
    let mut operands: BTreeMap<ValueId, ValueId> = BTreeMap::new();
    for op in &mut plan.ops {
        if let Op::Conv { conv, sum, adds, .. } = op
            && in_bf16_planes(chosen[&conv.conv].layer)
            && let Some(value) = sum.and_then(|sum| operands.get(&sum))
        {
            (*sum, *adds) = (None, Some(*value));
        }
        match op {
            Op::Pack {
                packing,
                pack,
                from,
                to,
            } if packing.format == Format::Bf16 && pack.rows == Rows::Planes => {
                operands.insert(*from, *to);
            }
            Op::Conv {
                to: Some(map),
                packs: Some(Packs { packing, to }),
                ..
            } if packing.format == Format::Bf16 => {
                operands.insert(*map, *to);
            }
            Op::Load { .. }
            | Op::Conv { .. }
            | Op::Pack { .. }
            | Op::Upsample { .. }
            | Op::Add { .. }
            | Op::Concat { .. }
            | Op::Pool { .. }
            | Op::Linear { .. }
            | Op::Gate { .. }
            | Op::StoreMap { .. }
            | Op::StoreRow { .. } => {}
        }
    }
    let reads = reads(&plan);
    for op in &mut plan.ops {
        if let Op::Conv {
            to, packs: Some(_), ..
        } = op
        {
            *to = to.filter(|map| reads.contains_key(map));
        }
    }
    plan
}

fn in_bf16_planes(layer: Layer) -> bool {
    layer.format == Format::Bf16 && layer.input.rows == Rows::Planes
}

/// How often each value is read.
fn reads(plan: &Plan) -> BTreeMap<ValueId, usize> {
    let mut reads = BTreeMap::new();
    for op in &plan.ops {
        for (access, operand) in op.operands() {
            if !access.writes() {
                *reads.entry(value(operand)).or_default() += 1;
            }
        }
    }
    reads
}

/// Has convolutions on planes write the operands that are packed of their outputs, and nothing else where nothing else is read.
fn written_at_once(plan: Plan, chosen: &ChosenOf) -> Plan {
    let reads = reads(&plan);
    let mut packs: BTreeMap<ValueId, Vec<usize>> = BTreeMap::new();
    for (index, op) in plan.ops.iter().enumerate() {
        if let Op::Pack { pack, from, .. } = op
            && pack.rows == Rows::Planes
        {
            packs.entry(*from).or_default().push(index);
        }
    }
    let mut ops: Vec<Option<Op<Fused>>> = plan.ops.into_iter().map(Some).collect();
    for index in 0..ops.len() {
        let Some(Op::Conv {
            conv, to: Some(to), ..
        }) = &ops[index]
        else {
            continue;
        };
        let (layer, output) = (chosen[&conv.conv].layer, *to);
        let suits = |at: &&usize| {
            matches!(&ops[**at], Some(Op::Pack { packing, .. }) if layer.input.rows == Rows::Planes
                && packing.format.tiles_like(layer.format))
        };
        let at = packs.get(&output).and_then(|packs| packs.iter().find(suits));
        let Some(Op::Pack {
            packing,
            to: operands,
            ..
        }) = at.and_then(|at| ops[*at].take())
        else {
            continue;
        };
        let alone = reads[&output] == 1;
        if let Some(Op::Conv { to, packs, .. }) = &mut ops[index] {
            *packs = Some(Packs {
                packing,
                to: operands,
            });
            *to = to.filter(|_| !alone);
        }
    }
    Plan {
        ops: ops.into_iter().flatten().collect(),
        values: plan.values,
    }
}

fn packed_apart(plan: Plan, chosen: &ChosenOf) -> Plan {
    let mut packer = Packer {
        plan: Plan {
            ops: Vec::with_capacity(plan.ops.len()),
            values: plan.values,
        },
        packed: Vec::new(),
    };
    for mut op in plan.ops {
        if let Op::Conv { conv, from, .. } = &mut op
            && let Chosen { packing, layer, .. } = &chosen[&conv.conv]
            && packing.format.is_packed()
        {
            *from = packer.pack(*from, packing, layer.input);
        }
        packer.plan.ops.push(op);
    }
    packer.plan
}

struct Packer {
    plan: Plan,
    packed: Vec<Packed>,
}

/// A value that is packed.
struct Packed {
    from: ValueId,
    packing: Packing,
    grid: Grid,
    to: ValueId,
}

impl Packer {
    /// The value as operands, by an operation of its own unless there was one.
    fn pack(&mut self, from: ValueId, packing: &Packing, grid: Grid) -> ValueId {
        let alike = |packed: &&Packed| (packed.from, &packed.packing, packed.grid) == (from, packing, grid);
        if let Some(packed) = self.packed.iter().find(alike) {
            return packed.to;
        }
        let to = self.plan.add_value(self.plan.values[from.0]);
        self.packed.push(Packed {
            from,
            packing: packing.clone(),
            grid,
            to,
        });
        self.plan.ops.push(Op::Pack {
            packing: packing.clone(),
            pack: grid,
            from,
            to,
        });
        to
    }
}

#[cfg(test)]
mod tests {
    use hrnet::{HrnetSpec, Op as GraphOp, SeededWeights, Shape};
    use kernels::engine::{Isa, Target};

    use super::*;
    use crate::cpu::fuse::value;
    use crate::cpu::grids::{self, Grids};

    /// The layers of an int8 network on plain code.
    fn layers(plan: &Plan, graph: &Graph) -> Vec<(NodeId, Layer)> {
        let isa = Isa::named("portable").expect("always there");
        let grids = Grids::new(graph, isa, hrnet::Precision::Int8);
        grids::layers(plan, graph, Target { isa, threads: 1 }, &grids)
    }

    #[test]
    fn int8_leaves_in_16_bits_what_a_calibration_keeps() {
        let graph = HrnetSpec::imagenet([2, 4, 8, 16])
            .graph(Shape::square(1, 32))
            .expect("a network");
        let mut calibration = Calibration::stand_in(&graph, &SeededWeights::new(1)).expect("ranges");
        let plan = Plan::new(&graph).expect("a plan");
        let choice = Choice::new(hrnet::Precision::Int8, false);
        let mut formats = |kept: &str| {
            calibration.keep(|name| name == kept);
            let layers = layers(&plan, &graph);
            let chosen = chosen(layers, &graph, choice, Some(&calibration));
            let format =
                |(node, chosen): (&NodeId, &Chosen)| (graph.node(*node).name(), chosen.packing.format);
            chosen.iter().map(format).collect::<BTreeMap<_, _>>()
        };
        let (before, after) = (formats(""), formats("conv2"));
        assert_eq!((before["conv2"], after["conv2"]), (Format::Int8, Format::I16));
        let others = |formats: &BTreeMap<String, Format>| {
            let mut others = formats.clone();
            others.remove("conv2");
            others
        };
        assert_eq!(others(&before), others(&after));
    }

    #[test]
    fn channels_have_room_for_more_than_was_seen_and_never_for_more_than_all_together() {
        let seen = [0.0, 0.001, 1.0, 3.0, 4.0];
        let i16 = held(Format::I16, 4.0, &seen);
        assert_eq!(i16, [1.5, 1.5, 3.0, 6.0, 6.0]);
        // The range of 8 bits may cut off what was seen.
        let int8 = held(Format::Int8, 3.0, &seen);
        assert_eq!(int8[..2], [0.75, 0.75], "the least share");
        assert_eq!(int8[3..], [3.0, 3.0]);
        for (held, seen) in int8.iter().zip(&seen) {
            assert!(*held >= seen.min(3.0) && *held > 0.0, "{held} of {seen}");
        }
        assert_eq!(
            held(Format::I16, 0.0, &[0.0, 0.0]),
            [0.0, 0.0],
            "nothing but zeros"
        );
    }

    #[test]
    fn blocks_in_bf16_on_tiles_add_operands_and_write_no_map_that_nobody_reads() {
        let graph = HrnetSpec::imagenet([2, 4, 8, 16])
            .graph(Shape::square(1, 224))
            .expect("a network");
        let isa = Isa::named("portable").expect("always there").twin();
        let plan = Plan::new(&graph).expect("a plan");
        let grids = Grids::new(&graph, isa, hrnet::Precision::Bf16);
        let layers = grids::layers(&plan, &graph, Target { isa, threads: 1 }, &grids);
        // As if tiles were always the fastest.
        let choose = |(node, layer): (NodeId, Layer)| {
            let candidates = Choice::new(hrnet::Precision::Bf16, false).candidates(layer, false);
            let on_planes = |(layer, _): &&(Layer, Algorithm)| layer.input.rows == Rows::Planes;
            let candidate = candidates.iter().find(on_planes).or(candidates.first());
            let (layer, algorithm) = *candidate.expect("an algorithm");
            let packing = layer.packing(algorithm, &vec![0.0; layer.shape.inputs], true);
            let means = Vec::new();
            let chosen = Chosen {
                layer,
                algorithm,
                packing,
                means,
            };
            (node, chosen)
        };
        let plan = packed(plan, &layers.into_iter().map(choose).collect());
        let mut written = Vec::new();
        let (mut adding, mut without_map) = (0, 0);
        for op in &plan.ops {
            for (access, operand) in op.operands() {
                match access.writes() {
                    true => written.push(value(operand)),
                    false => assert!(
                        written.contains(&value(operand)),
                        "{op:?} reads what is not there"
                    ),
                }
            }
            if let Op::Conv {
                sum,
                adds: Some(_),
                to,
                ..
            } = op
            {
                assert_eq!(*sum, None);
                adding += 1;
                without_map += usize::from(to.is_none());
            }
        }
        let reads = reads(&plan);
        for op in &plan.ops {
            if let Op::Conv { to: Some(map), .. } = op {
                assert!(reads.contains_key(map), "{op:?} writes what nobody reads");
            }
        }
        // Most of 23 branches of four blocks at 56, 28 and 14 pixels, of stage 1 and of the exchanges.
        assert!(
            adding > 100 && without_map > 80,
            "{adding}, {without_map} without a map"
        );
    }

    #[test]
    fn a_value_is_packed_once_for_all_convolutions_that_read_it_alike() {
        let graph = HrnetSpec::imagenet([2, 4, 8, 16])
            .graph(Shape::square(1, 64))
            .expect("a network");
        let plan = Plan::new(&graph).expect("a plan");
        let layers = layers(&plan, &graph);
        let count = layers.len();
        let choice = Choice::new(hrnet::Precision::Int8, false);
        let chosen = chosen(layers, &graph, choice, None);
        let packed = packed(plan, &chosen);
        let mut packs = Vec::new();
        for op in &packed.ops {
            match op {
                Op::Pack {
                    packing, pack, from, ..
                } => {
                    let pack = (*from, packing.clone(), *pack);
                    assert!(!packs.contains(&pack), "packed twice");
                    packs.push(pack);
                }
                Op::Conv { conv, from, .. } => {
                    let makes = |op: &&Op<_>| op.output().map(value) == Some(*from);
                    let maker = packed.ops.iter().find(makes);
                    let Some(Op::Pack { packing, .. }) = maker else {
                        panic!("a convolution reads {maker:?}");
                    };
                    assert_eq!(*packing, chosen[&conv.conv].packing);
                    // The images are the only numbers below zero.
                    let reads_images = graph.node(graph.node(conv.conv).inputs[0]).op == GraphOp::Input;
                    assert_eq!(packing.format == Format::I16, reads_images);
                }
                Op::Load { .. }
                | Op::Upsample { .. }
                | Op::Add { .. }
                | Op::Concat { .. }
                | Op::Pool { .. }
                | Op::Linear { .. }
                | Op::Gate { .. }
                | Op::StoreMap { .. }
                | Op::StoreRow { .. } => {}
            }
        }
        assert!(
            packs.len() < count,
            "{} packs for {count} convolutions",
            packs.len()
        );
    }
}

//! Operations as lines of a program's listing.

use std::fmt;

use super::form::{Placed, Ready};
use super::op::{Form, Op, Packs};
use super::parts::{Access, OpLayer, Operand, Parts};
use super::step::Step;
use crate::engine::algo::conv::{ConvParams, Convolution};
use crate::engine::algo::layer::ConvShape;
use crate::engine::algo::linear::{Activation, Linear, LinearParams};
use crate::engine::algo::pack::Repack;
use crate::engine::layout::grid::{Grid, Rows};
use crate::engine::layout::map::{Map, Row};
use crate::engine::quant::format::Format;

/// Forms whose operations can be listed.
trait Listed: Form<Map = Map, Row = Row> {
    /// The name of a convolution's kernel, as far as it is known.
    fn kernel(conv: &Self::Conv) -> String;

    /// The format in which a linear layer's weights are kept.
    fn kept(linear: &Self::Linear) -> Format;
}

impl Listed for Placed {
    fn kernel(conv: &ConvParams) -> String {
        let ConvShape { kernel, stride, .. } = conv.shape;
        format!(
            "conv{kernel}x{kernel}s{stride}_{}_{}",
            conv.format, conv.algorithm
        )
    }

    fn kept(linear: &LinearParams) -> Format {
        linear.format
    }
}

impl Listed for Ready {
    fn kernel(conv: &Box<Convolution>) -> String {
        conv.name()
    }

    fn kept(linear: &Linear) -> Format {
        linear.format()
    }
}

/// ` f16`, or nothing for f32.
fn kept(format: Format) -> String {
    match format {
        Format::F32 => String::new(),
        Format::F16 | Format::Bf16 | Format::I16 | Format::I8x2 | Format::Int8 => format!(" {format}"),
    }
}

impl fmt::Display for Op<Placed> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(self, f)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(&self.0, f)
    }
}

/// The operation's name, with the kernel or format of its layer.
fn name<F: Listed>(parts: &Parts<'_, F>) -> String {
    match &parts.layer {
        Some(OpLayer::Conv(conv)) => F::kernel(conv),
        Some(OpLayer::Linear(linear)) => format!("{}{}", parts.name, kept(F::kept(linear))),
        None => parts.name.clone().into_owned(),
    }
}

/// The scales and the tiles of operands.
fn packed<F: Listed>(op: &Op<F>) -> String {
    let (packing, from, to) = match op {
        Op::Pack {
            packing, from, to, ..
        } => (packing, from, to),
        Op::Conv {
            packs: Some(Packs { packing, to }),
            ..
        } => (packing, to, to),
        Op::Conv { packs: None, .. }
        | Op::Load { .. }
        | Op::Upsample { .. }
        | Op::Add { .. }
        | Op::Concat { .. }
        | Op::Pool { .. }
        | Op::Linear { .. }
        | Op::Gate { .. }
        | Op::StoreMap { .. }
        | Op::StoreRow { .. } => return String::new(),
    };
    let ends = |(low, high): (f32, f32), step: &f32| (low.min(*step), high.max(*step));
    let (low, high) = packing.steps.iter().fold((f32::INFINITY, 0.0), ends);
    let scales = match high > 0.0 {
        true => format!(", scales {low:.3e} to {high:.3e}"),
        false => String::new(),
    };
    match (from.grid.p == to.grid.p, to.grid.rows) {
        (_, Rows::Planes) => format!("{scales}, in planes"),
        (true, Rows::Dense | Rows::Aligned) => scales,
        (false, Rows::Dense | Rows::Aligned) => format!("{scales}, on tiles of {}", to.grid.p),
    }
}

/// A value's shape and offset.
fn value(operand: Operand<&Map, &Row>) -> String {
    match operand {
        Operand::Map(map) => {
            let Grid { n, h, w, .. } = map.grid;
            format!("{n}x{}x{h}x{w}@{}", map.channels, map.offset)
        }
        Operand::Row(row) => format!("{}x{}@{}", row.n, row.channels, row.offset),
    }
}

fn list<F: Listed>(op: &Op<F>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let parts = op.parts();
    f.write_str(&name(&parts))?;
    for (index, (access, operand)) in parts.operands.iter().enumerate() {
        let joint = match (access, index) {
            (Access::Write | Access::WriteApart, _) => continue,
            (Access::Read | Access::Added | Access::InPlace, 0) => " ",
            (Access::Read, _) => ", ",
            (Access::Added | Access::InPlace, _) => " + ",
        };
        write!(f, "{joint}{}", value(*operand))?;
    }
    f.write_str(&packed(op))?;
    match parts.activation {
        Activation::None => {}
        Activation::Relu => f.write_str(", relu")?,
        Activation::Sigmoid => f.write_str(", sigmoid")?,
    }
    let written = parts.operands.iter();
    let written = written.filter(|(access, _)| access.writes());
    for (index, (_, output)) in written.enumerate() {
        let joint = if index == 0 { " -> " } else { ", " };
        write!(f, "{joint}{}", value(*output))?;
    }
    Ok(())
}

impl Step {
    /// Returns what the step computes on which shapes, the same for all steps that cost the same:
    /// `conv3x3s1_f32_avx512_winograd4_6x64 18x56x56 -> 18`.
    ///
    /// A kernel's name says the vector unit or the matrix unit that runs it, the algorithm and, of a vector unit, how many sums it
    /// keeps in registers at most: 6 output channels by 64 pixels; with `channels`, 7 pixels by 48 output channels.
    pub fn kind(&self) -> String {
        let parts = self.0.parts();
        let mut text = name(&parts);
        let shape = parts.operands.first().map(|(_, first)| match first {
            Operand::Map(map) => format!("{}x{}x{}", map.channels, map.grid.h, map.grid.w),
            Operand::Row(row) => row.channels.to_string(),
        });
        text.extend(shape.map(|shape| format!(" {shape}")));
        let outputs = parts.layer.as_ref().map(|layer| match layer {
            OpLayer::Conv(conv) => conv.shape().outputs,
            OpLayer::Linear(linear) => linear.outputs(),
        });
        text.extend(outputs.map(|outputs| format!(" -> {outputs}")));
        if parts
            .operands
            .iter()
            .skip(1)
            .any(|(access, _)| matches!(access, Access::Added | Access::InPlace))
        {
            text.push_str(" + sum");
        }
        if let Op::Pack {
            pack: Repack::Moved { .. },
            ..
        } = &self.0
        {
            text.push_str(" moved");
        }
        text
    }
}

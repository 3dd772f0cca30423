//! Operations as lines of a program's listing.

use std::fmt;

use super::form::{Placed, Ready};
use super::op::{Form, Op};
use super::step::Step;
use crate::engine::algo::conv::{ConvParams, Convolution};
use crate::engine::algo::layer::ConvShape;
use crate::engine::algo::linear::{Linear, LinearParams};
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
        Format::F16 | Format::Bf16 | Format::I16 | Format::Int8 => format!(" {format}"),
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

fn list<F: Listed>(op: &Op<F>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let map = |map: &Map| {
        format!(
            "{}x{}x{}x{}@{}",
            map.grid.n, map.channels, map.grid.h, map.grid.w, map.offset
        )
    };
    let row = |row: &Row| format!("{}x{}@{}", row.n, row.channels, row.offset);
    let plus = |sum: &Option<Map>| {
        sum.as_ref()
            .map_or(String::new(), |sum| format!(" + {}", map(sum)))
    };
    let then = |relu: bool| if relu { ", relu" } else { "" };
    match op {
        Op::Load { to } => write!(f, "load -> {}", map(to)),
        Op::Conv {
            conv,
            from,
            sum,
            relu,
            to,
        } => {
            let (kernel, from, to) = (F::kernel(conv), map(from), map(to));
            write!(f, "{kernel} {from}{}{} -> {to}", plus(sum), then(*relu))
        }
        Op::Pack {
            packing, from, to, ..
        } => {
            let ends = |(low, high): (f32, f32), step: &f32| (low.min(*step), high.max(*step));
            let (low, high) = packing.steps.iter().fold((f32::INFINITY, 0.0), ends);
            let steps = match high > 0.0 {
                true => format!(", steps {low:.3e} to {high:.3e}"),
                false => String::new(),
            };
            let tiles = match from.grid.p == to.grid.p {
                true => String::new(),
                false => format!(", on tiles of {}", to.grid.p),
            };
            let (format, from, to) = (packing.format, map(from), map(to));
            write!(f, "pack {format} {from}{steps}{tiles} -> {to}")
        }
        Op::Upsample {
            factor,
            from,
            sum,
            relu,
            to,
            ..
        } => {
            let (from, to) = (map(from), map(to));
            write!(f, "upsample x{factor} {from}{}{} -> {to}", plus(sum), then(*relu))
        }
        Op::Add { a, sum, relu, to } => {
            write!(f, "add {}{}{} -> {}", map(a), plus(sum), then(*relu), map(to))
        }
        Op::Pool { from, to } => write!(f, "pool {} -> {}", map(from), row(to)),
        Op::Linear {
            linear,
            activation,
            from,
            to,
        } => {
            let kept = kept(F::kept(linear));
            write!(f, "linear{kept} {}, {activation:?} -> {}", row(from), row(to))
        }
        Op::Gate {
            from, sum, relu, to, ..
        } => write!(f, "gate {}{}{} -> {}", map(from), plus(sum), then(*relu), map(to)),
        Op::StoreMap { from, .. } => write!(f, "store {}", map(from)),
        Op::StoreRow { from, .. } => write!(f, "store {}", row(from)),
    }
}

impl Step {
    /// Returns what the step computes on which shapes, the same for all steps that cost the same:
    /// `conv3x3s1_f32_avx512_winograd4 18x56x56 -> 18`.
    pub fn kind(&self) -> String {
        let shape = |map: &Map| format!("{}x{}x{}", map.channels, map.grid.h, map.grid.w);
        let plus = |sum: &Option<Map>| if sum.is_some() { " + sum" } else { "" };
        match &self.0 {
            Op::Load { to } => format!("load {}", shape(to)),
            Op::Conv {
                conv, from, sum, to, ..
            } => {
                let (kernel, from) = (conv.name(), shape(from));
                format!("{kernel} {from} -> {}{}", to.channels, plus(sum))
            }
            Op::Pack {
                packing, from, to, ..
            } => {
                let moved = if from.grid == to.grid { "" } else { " moved" };
                format!("pack {} {}{moved}", packing.format, shape(from))
            }
            Op::Upsample {
                factor, from, sum, ..
            } => format!("upsample x{factor} {}{}", shape(from), plus(sum)),
            Op::Add { a, .. } => format!("add {}", shape(a)),
            Op::Pool { from, .. } => format!("pool {}", shape(from)),
            Op::Linear { linear, from, to, .. } => {
                let kept = kept(linear.format());
                format!("linear{kept} {} -> {}", from.channels, to.channels)
            }
            Op::Gate { from, sum, .. } => format!("gate {}{}", shape(from), plus(sum)),
            Op::StoreMap { from, .. } => format!("store {}", shape(from)),
            Op::StoreRow { from, .. } => format!("store {}", from.channels),
        }
    }
}

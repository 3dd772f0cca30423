//! A step as a line of a program's listing.

use std::fmt;

use super::{Op, Step};
use crate::engine::layout::map::{Linear, Map};
use crate::engine::quant::format::Format;

/// The format that a linear layer's weights are kept in, where that is not f32.
fn kept(linear: &Linear) -> String {
    if linear.format == Format::F32 {
        String::new()
    } else {
        format!(" {}", linear.format)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let map = |map: &Map| {
            format!(
                "{}x{}x{}x{}@{}",
                map.grid.n, map.channels, map.grid.h, map.grid.w, map.offset
            )
        };
        let plus = |sum: &Option<Map>| {
            sum.as_ref()
                .map_or(String::new(), |sum| format!(" + {}", map(sum)))
        };
        let then = |relu: bool| if relu { ", relu" } else { "" };
        match &self.0 {
            Op::Load { to } => write!(f, "load -> {}", map(to)),
            Op::Conv {
                conv,
                from,
                to,
                residual,
            } => {
                write!(
                    f,
                    "{} {}{}{} -> {}",
                    conv.name(),
                    map(from),
                    plus(residual),
                    then(conv.relu()),
                    map(to)
                )
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
                write!(
                    f,
                    "pack {} {}{steps}{tiles} -> {}",
                    packing.format,
                    map(from),
                    map(to)
                )
            }
            Op::Enlarge {
                factor,
                from,
                to,
                sum,
                relu,
                ..
            } => {
                write!(
                    f,
                    "enlarge x{factor} {}{}{} -> {}",
                    map(from),
                    plus(sum),
                    then(*relu),
                    map(to)
                )
            }
            Op::Add { a, b, to, relu } => {
                write!(f, "add {}{}{} -> {}", map(a), plus(b), then(*relu), map(to))
            }
            Op::Pool { from, to } => {
                write!(f, "pool {} -> {}x{}@{}", map(from), to.n, to.channels, to.offset)
            }
            Op::Linear { linear, from, to, .. } => write!(
                f,
                "linear{} {}x{}@{}, {:?} -> {}x{}@{}",
                kept(linear),
                from.n,
                from.channels,
                from.offset,
                linear.activation,
                to.n,
                to.channels,
                to.offset
            ),
            Op::Gate {
                from, sum, to, relu, ..
            } => {
                write!(f, "gate {}{}{} -> {}", map(from), plus(sum), then(*relu), map(to))
            }
            Op::StoreMap { from } => write!(f, "store {}", map(from)),
            Op::StoreRow { from } => write!(f, "store {}x{}@{}", from.n, from.channels, from.offset),
        }
    }
}

impl Step {
    /// What it computes on what shapes, the same for all steps that cost the same: `conv3x3s1_f32_avx512_winograd4
    /// 18x56x56 -> 18`.
    pub fn kind(&self) -> String {
        let shape = |map: &Map| format!("{}x{}x{}", map.channels, map.grid.h, map.grid.w);
        let plus = |sum: &Option<Map>| if sum.is_some() { " + sum" } else { "" };
        match &self.0 {
            Op::Load { to } => format!("load {}", shape(to)),
            Op::Conv {
                conv,
                from,
                to,
                residual,
            } => {
                format!(
                    "{} {} -> {}{}",
                    conv.name(),
                    shape(from),
                    to.channels,
                    plus(residual)
                )
            }
            Op::Pack {
                packing, from, to, ..
            } => {
                let moved = if from.grid == to.grid { "" } else { " moved" };
                format!("pack {} {}{moved}", packing.format, shape(from))
            }
            Op::Enlarge {
                factor, from, sum, ..
            } => format!("enlarge x{factor} {}{}", shape(from), plus(sum)),
            Op::Add { a, .. } => format!("add {}", shape(a)),
            Op::Pool { from, .. } => format!("pool {}", shape(from)),
            Op::Linear { linear, from, to, .. } => {
                format!("linear{} {} -> {}", kept(linear), from.channels, to.channels)
            }
            Op::Gate { from, sum, .. } => format!("gate {}{}", shape(from), plus(sum)),
            Op::StoreMap { from } => format!("store {}", shape(from)),
            Op::StoreRow { from } => format!("store {}", from.channels),
        }
    }
}

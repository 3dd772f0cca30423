//! The forms of operations that the engine knows: placed in memory, and ready to run.

use super::op::{Access, Form, Op, Pass};
use crate::engine::algo::conv::{ConvParams, Convolution};
use crate::engine::algo::layer::Layer;
use crate::engine::algo::linear::{Linear, LinearParams};
use crate::engine::algo::pack::Moves;
use crate::engine::algo::upsample::Nearest;
use crate::engine::layout::map::{Map, Row};
use crate::engine::simd::isa::Target;

/// Operations whose values lie in a program's memory, with parameters as they were read.
#[derive(Clone, Copy, Debug)]
pub struct Placed;

impl Form for Placed {
    type Map = Map;
    type Row = Row;
    type Conv = ConvParams;
    type Linear = LinearParams;
    type Pack = ();
    type Upsample = ();
}

/// Operations that are prepared for one target: the form that runs.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Ready;

impl Form for Ready {
    type Map = Map;
    type Row = Row;
    type Conv = Box<Convolution>;
    type Linear = Linear;
    /// Nothing where both grids are the same.
    type Pack = Option<Moves>;
    type Upsample = Nearest;
}

/// The pass that packs weights and computes tables for a target, of operations that [`Op::check`] accepts for it.
pub(in crate::engine) struct Prepare(pub(in crate::engine) Target);

impl Pass<Placed, Ready> for Prepare {
    type Error = std::convert::Infallible;

    fn map(&mut self, _: Access, map: Map) -> Result<Map, Self::Error> {
        Ok(map)
    }

    fn row(&mut self, _: Access, row: Row) -> Result<Row, Self::Error> {
        Ok(row)
    }

    fn conv(&mut self, conv: ConvParams, from: &Map, to: &Map) -> Result<Box<Convolution>, Self::Error> {
        Ok(Box::new(Convolution::new(conv.layer(from, to, self.0), conv)))
    }

    fn linear(&mut self, linear: LinearParams) -> Result<Linear, Self::Error> {
        Ok(Linear::new(linear))
    }

    fn pack(&mut self, (): (), from: &Map, to: &Map) -> Result<Option<Moves>, Self::Error> {
        let moves = || Moves::new(from.grid, to.grid, self.0.isa.lanes());
        Ok((from.grid != to.grid).then(moves))
    }

    fn upsample(&mut self, (): (), factor: usize, from: &Map, to: &Map) -> Result<Nearest, Self::Error> {
        Ok(Nearest::new(from.grid, to.grid, factor, self.0.isa.lanes()))
    }
}

impl ConvParams {
    /// The layer of these parameters between two maps.
    pub(in crate::engine) fn layer(&self, from: &Map, to: &Map, target: Target) -> Layer {
        Layer {
            shape: self.shape,
            format: self.format,
            input: from.grid,
            output: to.grid,
            target,
        }
    }
}

impl Op<Placed> {
    /// Prepares the operation, which was checked for the target.
    pub(in crate::engine) fn prepared(self, target: Target) -> Op<Ready> {
        match self.pass(&mut Prepare(target)) {
            Ok(ready) => ready,
            Err(never) => match never {},
        }
    }
}

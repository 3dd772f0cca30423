//! The forms of operations that the engine knows: placed in memory, and ready to run.

use super::builder::ProgramError;
use super::op::{Form, Packs, Pass};
use super::packed::{Packed, Store};
use super::parts::Access;
use crate::engine::algo::conv::{ConvParams, Convolution};
use crate::engine::algo::layer::Layer;
use crate::engine::algo::linear::{Linear, LinearParams};
use crate::engine::algo::pack::Repack;
use crate::engine::algo::upsample::{Interpolation, Upsampling};
use crate::engine::layout::grid::Grid;
use crate::engine::layout::map::{Map, Row};
use crate::engine::quant::format::Packing;
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
    type Pack = Repack;
    type Upsample = Upsampling;
}

/// The pass that packs weights into a store and computes tables for a target, of operations that [`Op::check`](super::op::Op::check) accepts for it.
pub(super) struct Prepare<'a> {
    pub(super) target: Target,
    pub(super) weights: &'a mut Store,
}

impl Pass<Placed, Ready> for Prepare<'_> {
    type Error = ProgramError;

    fn map(&mut self, _: Access, map: Map) -> Result<Map, ProgramError> {
        Ok(map)
    }

    fn row(&mut self, _: Access, row: Row) -> Result<Row, ProgramError> {
        Ok(row)
    }

    fn conv(
        &mut self,
        conv: ConvParams,
        from: &Map,
        to: Option<&Map>,
        packs: Option<&Packs<Ready>>,
    ) -> Result<Box<Convolution>, ProgramError> {
        let packs = packs.map(|packs| (&packs.packing, &packs.to));
        let to = to
            .or(packs.map(|(_, to)| to))
            .expect("`Op::check` found an output");
        let mut conv = Convolution::new(conv.layer(from.grid, to.grid.of_map(), self.target), conv, packs);
        self.settle(conv.weights_mut())?;
        Ok(Box::new(conv))
    }

    fn linear(&mut self, linear: LinearParams) -> Result<Linear, ProgramError> {
        let mut linear = Linear::new(linear);
        self.settle(linear.weights_mut())?;
        Ok(linear)
    }

    fn pack(&mut self, (): (), packing: &Packing, from: &Map, to: &Map) -> Result<Repack, ProgramError> {
        Ok(Repack::new(from, to, packing.format, self.target.isa.lanes()))
    }

    fn upsample(
        &mut self,
        (): (),
        interpolation: Interpolation,
        from: &Map,
        to: &Map,
    ) -> Result<Upsampling, ProgramError> {
        let lanes = self.target.isa.lanes();
        Ok(Upsampling::new(interpolation, from.grid, to.grid, lanes))
    }
}

impl Prepare<'_> {
    fn settle(&mut self, packed: &mut Packed) -> Result<(), ProgramError> {
        let bytes = packed.elements() * size_of::<f32>();
        let settled = self.weights.settle(packed);
        settled.map_err(|source| ProgramError::Memory { bytes, source })
    }
}

impl ConvParams {
    /// The layer of these parameters between two grids.
    pub(in crate::engine) fn layer(&self, input: Grid, output: Grid, target: Target) -> Layer {
        Layer {
            shape: self.shape,
            format: self.format,
            input,
            output,
            target,
        }
    }
}

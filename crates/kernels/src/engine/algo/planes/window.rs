//! The kernel of a layer in rows of tiles.

use crate::engine::algo::layer::ConvShape;
use crate::engine::layout::planes::Planes;
use crate::engine::micro::matrix::ROWS;
use crate::engine::quant::format::Format;

/// The kernel, in rows of tiles of one digit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) kernel: usize,
    pub(super) elements: usize,
}

impl Window {
    pub(super) fn of(shape: ConvShape, format: Format) -> Self {
        Self {
            kernel: shape.kernel,
            elements: format.elements(shape.inputs) / format.digits(),
        }
    }

    /// Rows of a run: the elements of a row of the kernel.
    pub(super) fn run(self) -> usize {
        self.kernel * self.elements
    }

    /// Tiles of a run.
    pub(super) fn tiles(self) -> usize {
        self.run().div_ceil(ROWS)
    }

    /// Rows of a tile: as many as share a run evenly.
    pub(super) fn depth(self) -> usize {
        self.run().div_ceil(self.tiles())
    }

    /// The first row of a tile of a run: the last tile ends with the run.
    pub(super) fn row(self, tile: usize) -> usize {
        (tile * self.depth()).min(self.run() - self.depth())
    }

    /// The row that is the tile's own `i`th; `None` for one of the tile before.
    pub(super) fn own(self, tile: usize, i: usize) -> Option<usize> {
        let row = self.row(tile) + i;
        (row >= tile * self.depth()).then_some(row)
    }

    /// The begins of the inputs of the tiles of a phase.
    pub(super) fn starts(
        self,
        planes: &Planes,
        p: usize,
        (y, x): (usize, usize),
        shape: ConvShape,
    ) -> Vec<usize> {
        let ConvShape { kernel, stride, .. } = shape;
        let pad = kernel / 2;
        let tile = |run: usize, tile: usize| {
            let y = (stride * y + run).cast_signed() - pad.cast_signed();
            // Of a vector and its neighbours above and below, of which the first is the one above.
            let vector = (1 + y.div_euclid(p.cast_signed())).cast_unsigned();
            let y = y.rem_euclid(p.cast_signed()).cast_unsigned();
            planes.line(y, stride * x + 1 - pad) + vector + self.row(tile) * planes.pitch()
        };
        let tiles = |run: usize| (0..self.tiles()).map(move |index| tile(run, index));
        (0..kernel).flat_map(tiles).collect()
    }
}

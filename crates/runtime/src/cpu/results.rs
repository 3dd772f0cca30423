//! The results of a graph with several outputs. A program stores one map or row; of several values it stores the stretch of
//! memory in which they lie, as it is, and each value's pixels are read from that.

use hrnet::Shape;
use kernels::engine::{Grid, Map, Row};

use super::steps::Place;
use crate::Shapes;

/// Elements of a row of the map that stands for a stretch of memory: places of values are multiples of it.
const ROW: usize = super::memory::ALIGNMENT;

/// The values that a program stores together.
#[derive(Debug)]
pub(super) struct Stored {
    /// The stretch as a map whose pixels lie in the order of the memory.
    stretch: Map,
    /// The place of each value in the memory.
    places: Vec<Place>,
    /// The elements of the stretch, as the last run left them.
    elements: Vec<f32>,
}

impl Stored {
    /// The values at these places.
    pub(super) fn new(places: Vec<Place>) -> Self {
        let stretch = stretch(&places);
        Self {
            stretch,
            places,
            elements: vec![0.0; stretch.elements()],
        }
    }

    /// Returns the memory in which the program stores its result.
    pub(super) fn elements(&mut self) -> &mut [f32] {
        &mut self.elements
    }

    /// Puts each value into its part of `results`, `[n, c, h, w]`.
    pub(super) fn read(&self, shapes: &Shapes, results: &mut [f32]) {
        let parts = shapes.split(results);
        for ((place, shape), result) in self.places.iter().zip(&shapes.outputs).zip(parts) {
            match place {
                Place::Map(map) => self.pixels(map, *shape, result),
                Place::Row(Row { offset, .. }) => {
                    let start = offset - self.stretch.offset;
                    result.copy_from_slice(&self.elements[start..start + result.len()]);
                }
            }
        }
    }

    fn pixels(&self, map: &Map, Shape { c, h, w, .. }: Shape, result: &mut [f32]) {
        let start = map.offset - self.stretch.offset;
        for (index, row) in result.chunks_exact_mut(w).enumerate() {
            let (image, channel, y) = (index / (c * h), index / h % c, index % h);
            let channel = start + channel * map.grid.stride();
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = self.elements[channel + map.grid.place(image, y, x)];
            }
        }
    }
}

/// The stretch of memory from the first of these values to the last one's end.
pub(super) fn stretch(places: &[Place]) -> Map {
    let ends = places.iter().map(|place| place.offset() + place.elements());
    let start = places.iter().map(Place::offset).min().unwrap_or(0);
    let elements = ends.max().unwrap_or(0) - start;
    let grid = Grid {
        n: 1,
        h: 1,
        w: ROW,
        p: 1,
    };
    Map {
        offset: start,
        channels: elements.div_ceil(grid.stride()),
        grid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_the_memory_as_it_lies_there() {
        let row = |offset: usize, channels: usize| {
            Place::Row(Row {
                offset,
                n: 1,
                channels,
            })
        };
        let map = stretch(&[row(96, 20), row(32, 10)]);
        assert_eq!((map.offset, map.elements()), (32, 96), "whole rows of {ROW}");
        let places: Vec<usize> = (0..ROW).map(|x| map.grid.place(0, 0, x)).collect();
        assert_eq!(places, (0..map.grid.stride()).collect::<Vec<_>>());
    }
}

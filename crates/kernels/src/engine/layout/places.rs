//! The places of the outputs of a product with places along the lanes, vector by vector.

use std::ops::Range;

use crate::engine::layout::grid::{Grid, first};
use crate::engine::layout::slots::{Outside, Slots};

/// The output places of each vector.
#[derive(Debug)]
pub(in crate::engine) struct Places {
    lanes: usize,
    /// Vectors of a 1x1 convolution whose input is taken as it lies.
    pub(in crate::engine) flat: Vec<Flat>,
    /// The others, whose pixels are gathered.
    pub(in crate::engine) slots: Slots,
    /// The places outside the map that no vector has.
    pub(in crate::engine) outside: Outside,
}

/// A whole vector of a channel's places.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Flat {
    pub(in crate::engine) place: usize,
    /// Lanes inside the map.
    inside: u32,
}

/// The place of a vector.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct Place {
    /// The place of its first lane.
    pub(in crate::engine) first: usize,
    /// Lanes that exist.
    pub(in crate::engine) there: u32,
    /// Those inside the map.
    pub(in crate::engine) inside: u32,
}

impl Places {
    /// Those of a convolution that gathers all its pixels.
    pub(in crate::engine) fn gathered(
        (input, output): (Grid, Grid),
        window: (usize, usize),
        lanes: usize,
    ) -> Self {
        Self {
            lanes,
            flat: Vec::new(),
            slots: Slots::new((input, output), window, lanes, |_| true),
            outside: Outside::of(output, lanes),
        }
    }

    /// All vectors as they lie, or only the whole ones, with the rest gathered: whichever seems less work.
    pub(in crate::engine) fn of_1x1(grid: Grid, (inputs, outputs): (usize, usize), lanes: usize) -> Self {
        let all = flat(grid, lanes);
        let (whole, rest): (Vec<Flat>, Vec<Flat>) = all.iter().partition(|flat| flat.inside == first(lanes));
        let begins: Vec<usize> = rest.iter().map(|flat| flat.place).collect();
        let rest = |place: usize| begins.binary_search(&(place / lanes * lanes)).is_ok();
        let mixed = Self {
            lanes,
            flat: whole,
            slots: Slots::new((grid, grid), (1, 1), lanes, rest),
            outside: Outside::of(grid, lanes),
        };
        // Vectors without a pixel are not computed, but read: the mean of an image takes all of its places.
        let computed = |place: usize| all.binary_search_by_key(&place, |flat| flat.place).is_ok();
        let outside = Outside::of(grid, lanes).without(computed);
        let all = Self {
            lanes,
            outside,
            flat: all,
            slots: Slots::new((grid, grid), (1, 1), lanes, |_| false),
        };
        let effort = |places: &Self| places.effort(inputs, inputs, outputs);
        if effort(&mixed) < effort(&all) { mixed } else { all }
    }

    pub(in crate::engine) fn vectors(&self) -> usize {
        self.flat.len() + self.slots.list.len()
    }

    /// The number of vectors from this one on that can share a panel: they lie one after the other, or are gathered.
    pub(in crate::engine) fn run(&self, vector: usize) -> usize {
        if vector >= self.flat.len() {
            return self.vectors() - vector;
        }
        let adjoin = |pair: &&[Flat]| pair[0].place + self.lanes == pair[1].place;
        1 + self.flat[vector..].windows(2).take_while(adjoin).count()
    }

    /// The first place of vectors that lie one after the other inside the map.
    pub(in crate::engine) fn whole(&self, vectors: Range<usize>) -> Option<usize> {
        let flats = self.flat.get(vectors)?;
        flats
            .iter()
            .all(|flat| flat.inside == first(self.lanes))
            .then(|| flats[0].place)
    }

    /// The place of a vector; meaningless if its places lie apart.
    #[inline(always)]
    pub(in crate::engine) fn of(&self, vector: usize) -> Place {
        match self.flat.get(vector) {
            Some(flat) => Place {
                first: flat.place,
                there: first(self.lanes),
                inside: flat.inside,
            },
            None => {
                let slot = &self.slots.list[vector - self.flat.len()];
                let (first, there) = slot.together().unwrap_or_default();
                let inside = there;
                Place { first, there, inside }
            }
        }
    }

    /// Returns `true` if the places of a vector lie together.
    pub(in crate::engine) fn together(&self, vector: usize) -> bool {
        let slot = vector
            .checked_sub(self.flat.len())
            .map(|slot| &self.slots.list[slot]);
        slot.is_none_or(|slot| slot.together().is_some())
    }

    /// An estimate of the vector instructions for all places of `outputs` outputs.
    pub(in crate::engine) fn effort(&self, inputs: usize, depth: usize, outputs: usize) -> usize {
        let products = self.vectors() * outputs * depth;
        products + self.slots.gathers() * inputs + (2 * self.flat.len() + self.slots.stores()) * outputs
    }
}

/// All vectors of a channel that hold a pixel.
fn flat(grid: Grid, lanes: usize) -> Vec<Flat> {
    let inside = grid.flat_masks(lanes).into_iter().enumerate();
    inside
        .filter(|(_, inside)| *inside != 0)
        .map(|(vector, inside)| Flat {
            place: vector * lanes,
            inside,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::layout::grid::Rows;

    /// Memory is used again, so a place that nobody writes holds what another map left, and means of images take it.
    #[test]
    fn places_outside_the_map_are_computed_or_cleared() {
        for (n, h, w, p) in [
            (1, 1, 1, 4),
            (2, 1, 1, 4),
            (8, 1, 1, 2),
            (17, 2, 1, 4),
            (3, 5, 3, 4),
            (1, 7, 7, 2),
        ] {
            for (rows, lanes) in [
                (Rows::Dense, 4),
                (Rows::Dense, 8),
                (Rows::Dense, 16),
                (Rows::Aligned, 16),
            ] {
                let grid = Grid { n, h, w, p, rows };
                // With few channels moving pixels costs the most, with many it costs nothing.
                for channels in [(1, 1), (64, 64), (512, 2048)] {
                    let places = Places::of_1x1(grid, channels, lanes);
                    let mut written = vec![false; grid.positions()];
                    for flat in &places.flat {
                        written[flat.place..flat.place + lanes].fill(true);
                    }
                    places.outside.each(|place| written[place] = true);
                    for (place, written) in written.into_iter().enumerate() {
                        let is_tile = place % grid.phase() < grid.tiles();
                        if is_tile && grid.pixel(place).is_none() {
                            assert!(written, "{grid:?}, {lanes} lanes, {channels:?}: place {place}");
                        }
                    }
                }
            }
        }
    }
}

//! Output pixels that are computed together, where each element of a kernel finds their input pixels, and where they
//! are stored.

use std::ops::Range;

use crate::engine::layout::grid::{Grid, Rows, first};
use crate::engine::simd::{MAX_LANES, Simd};

/// All pixels of an output, in slots of up to a vector.
#[derive(Debug)]
pub(in crate::engine) struct Slots {
    pub(in crate::engine) list: Vec<Slot>,
    /// For each slot and element of the kernel, its first run of pixels.
    loads: Vec<Load>,
    taps: usize,
}

/// Up to a vector of output pixels.
#[derive(Debug)]
pub(in crate::engine) struct Slot {
    /// Runs of places that lie together in the output.
    pieces: Vec<Piece>,
    /// For each element of the kernel, the runs of pixels after the first that lie together in the input.
    more: Vec<(usize, Load)>,
}

/// A run of pixels that lie together in the input.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// From a channel's begin to what goes to lane 0.
    offset: isize,
    /// The lanes that are there.
    mask: u32,
}

/// A run of places that lie together in the output.
#[derive(Debug)]
pub(in crate::engine) struct Piece {
    /// The place of the first.
    pub(in crate::engine) place: usize,
    /// Lanes that are stored.
    pub(in crate::engine) there: u32,
    /// Which lanes they come from; none if they are the first ones in order.
    pick: Option<[i32; MAX_LANES]>,
}

impl Slots {
    /// The pixels of the output whose place on the natural grid is wanted, in slots of `lanes` lanes. The natural grid
    /// is what comes out on the tiles of the input, whatever grid it is stored on.
    pub(in crate::engine) fn new(
        (input, output): (Grid, Grid),
        (kernel, stride): (usize, usize),
        lanes: usize,
        wanted: impl Fn(usize) -> bool,
    ) -> Self {
        let natural = Grid {
            p: input.p / stride,
            rows: input.rows,
            ..output
        };
        let pixel = |place: usize| Some((place, natural.pixel(place)?));
        let pixels: Vec<Pixel> = (0..natural.positions())
            .filter(|place| wanted(*place))
            .filter_map(pixel)
            .collect();
        let mut slots = Self {
            list: Vec::new(),
            loads: Vec::new(),
            taps: kernel * kernel,
        };
        for pixels in in_slots(&pixels, natural, lanes) {
            let place = |(_, (n, y, x)): &Pixel| {
                u32::try_from(output.place(*n, *y, *x)).expect("fewer than four thousand million pixels")
            };
            let places: Vec<u32> = pixels.iter().map(place).collect();
            let runs = runs(input, natural.phase(), (kernel, stride), &pixels);
            slots.loads.extend(&runs[0]);
            slots.list.push(Slot {
                pieces: pieces(&places.iter().copied().map(Some).collect::<Vec<_>>()),
                more: runs[1..]
                    .iter()
                    .flat_map(|loads| loads.iter().copied().enumerate())
                    .filter(|(_, load)| load.mask != 0)
                    .collect(),
            });
        }
        slots
    }

    /// An estimate of the instructions that gather one channel.
    pub(in crate::engine) fn gathers(&self) -> usize {
        let gathers = |slot: &Slot| 4 * self.taps + 8 * slot.more.len();
        self.list.iter().map(gathers).sum()
    }

    /// An estimate of the instructions that store one channel.
    pub(in crate::engine) fn stores(&self) -> usize {
        let stores = |slot: &Slot| match slot.together() {
            Some(_) => 2,
            None => 6 * slot.pieces.len(),
        };
        self.list.iter().map(stores).sum()
    }

    /// Copies what some slots need of one channel to `to`, `[tap][slot][lane]`.
    ///
    /// # Safety
    /// `channel` points to a channel of the input's grid, `to` to as much as is written and a vector more; the slots exist.
    #[inline(always)]
    pub(in crate::engine) unsafe fn gather<S: Simd>(
        &self,
        s: S,
        channel: *const f32,
        slots: Range<usize>,
        to: Room,
    ) {
        let (start, count) = (slots.start, slots.len());
        let Room {
            start: to,
            tap: row,
            slot: step,
        } = to;
        // SAFETY: there are `taps` loads for each slot, and the slots exist by the contract above. A mask has the lanes whose pixel
        // lies in the channel, and no other is touched. What is stored lies before the end of what `to` has room for: a vector at
        // the last slot of the last tap is the vector more.
        unsafe {
            for tap in 0..self.taps {
                for i in 0..count {
                    let Load { offset, mask } = *self.loads.get_unchecked((start + i) * self.taps + tap);
                    let pixels = s.load_masked(channel.wrapping_offset(offset), mask);
                    s.store(to.add(tap * row + i * step), pixels);
                }
            }
            for (i, slot) in self.list[slots].iter().enumerate() {
                for (tap, Load { offset, mask }) in &slot.more {
                    let pixels = s.load_masked(channel.wrapping_offset(*offset), *mask);
                    s.store_masked(to.add(tap * row + i * step), *mask, pixels);
                }
            }
        }
    }
}

/// The memory that [`Slots::gather`] puts pixels in.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Room {
    /// Those of the first tap and slot.
    pub(in crate::engine) start: *mut f32,
    /// Elements from one tap's to the next.
    pub(in crate::engine) tap: usize,
    /// Elements from one slot's to the next.
    pub(in crate::engine) slot: usize,
}

/// A place on the natural grid, and its image, row and column.
type Pixel = (usize, (usize, usize, usize));

/// For each run of pixels that lie together in the input, and each element of the kernel, where it is loaded.
fn runs(input: Grid, phase: usize, (kernel, stride): (usize, usize), pixels: &[Pixel]) -> Vec<Vec<Load>> {
    let together = |a: &Pixel, b: &Pixel| a.0 + 1 == b.0 && a.0 / phase == b.0 / phase;
    let pad = (kernel / 2).cast_signed();
    let mut lane = 0;
    let load = |run: &[Pixel], lane: usize, tap: usize| {
        let along = |i: usize, d: usize| (i * stride + d).cast_signed() - pad;
        let at = |(_, (n, y, x)): &Pixel| (*n, along(*y, tap / kernel), along(*x, tap % kernel));
        let inside = |pixel: &Pixel| {
            let (_, y, x) = at(pixel);
            (0..input.h.cast_signed()).contains(&y) && (0..input.w.cast_signed()).contains(&x)
        };
        let lanes = run.iter().enumerate().filter(|(_, pixel)| inside(pixel));
        let (n, y, x) = at(&run[0]);
        Load {
            offset: input.signed_place(n, y, x) - lane.cast_signed(),
            mask: lanes.fold(0, |mask, (i, _)| mask | 1 << (lane + i)),
        }
    };
    pixels
        .chunk_by(together)
        .map(|run| {
            let first = lane;
            lane += run.len();
            (0..kernel * kernel).map(|tap| load(run, first, tap)).collect()
        })
        .collect()
}

/// The pixels of each slot of `lanes` lanes. Aligned rows of tiles share no slot.
fn in_slots(pixels: &[Pixel], natural: Grid, lanes: usize) -> Vec<Vec<Pixel>> {
    let slots = |pixels: &[Pixel]| pixels.chunks(lanes).map(<[Pixel]>::to_vec).collect::<Vec<_>>();
    match natural.rows {
        Rows::Dense => slots(&whole_first(pixels, natural.phase(), lanes)),
        Rows::Aligned | Rows::Planes => pixels
            .chunk_by(|a, b| a.0 / natural.pitch() == b.0 / natural.pitch())
            .flat_map(slots)
            .collect(),
    }
}

/// The pixels in an order in which slots of `lanes` lanes cross from one phase to another as seldom as can be: what fills
/// slots of a phase alone comes first.
fn whole_first(pixels: &[Pixel], phase: usize, lanes: usize) -> Vec<Pixel> {
    let phases = pixels.chunk_by(|a, b| a.0 / phase == b.0 / phase);
    let (whole, rest): (Vec<&[Pixel]>, Vec<&[Pixel]>) = phases
        .map(|pixels| pixels.split_at(pixels.len() / lanes * lanes))
        .unzip();
    [whole.concat(), rest.concat()].concat()
}

/// The runs of places that lie together, of lanes that may have none.
pub(in crate::engine) fn pieces(places: &[Option<u32>]) -> Vec<Piece> {
    let mut runs: Vec<Vec<usize>> = Vec::new();
    for (lane, place) in places.iter().enumerate() {
        let Some(place) = place else { continue };
        let follows = |run: &&mut Vec<usize>| {
            run.last()
                .is_some_and(|last| places[*last] == place.checked_sub(1))
        };
        match runs.iter_mut().find(follows) {
            Some(run) => run.push(lane),
            None => runs.push(vec![lane]),
        }
    }
    let piece = |run: Vec<usize>| {
        let in_order = run.iter().enumerate().all(|(i, lane)| i == *lane);
        let lane = |i: usize| run.get(i).map_or(0, |lane| i32::try_from(*lane).unwrap_or(0));
        Piece {
            place: places[run[0]].map_or(0, |place| place as usize),
            there: first(run.len()),
            pick: (!in_order).then(|| std::array::from_fn(lane)),
        }
    };
    runs.into_iter().map(piece).collect()
}

impl Slot {
    /// The place of the first pixel, and their lanes, if they are stored together and in order.
    pub(in crate::engine) fn together(&self) -> Option<(usize, u32)> {
        match self.pieces.as_slice() {
            [piece] if piece.pick.is_none() => Some((piece.place, piece.there)),
            _ => None,
        }
    }

    /// The runs of places that lie together.
    pub(in crate::engine) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }
}

impl Piece {
    /// The run's pixels of a slot's, first lanes first.
    #[inline(always)]
    pub(in crate::engine) fn of<S: Simd>(&self, s: S, pixels: S::V) -> S::V {
        match &self.pick {
            None => pixels,
            Some(pick) => s.permute(pixels, pick),
        }
    }
}

/// The places of a channel outside the map, which are kept at zero.
#[derive(Debug)]
pub(in crate::engine) struct Outside {
    /// Elements from one channel to the next.
    stride: usize,
    /// First place and lanes of each vector that has some.
    list: Vec<(usize, u32)>,
}

impl Outside {
    pub(in crate::engine) fn of(grid: Grid, lanes: usize) -> Self {
        let inside = grid.flat_masks(lanes).into_iter().enumerate();
        let list = inside.filter_map(|(vector, inside)| {
            let tiles = grid.tiles().saturating_sub(vector * lanes % grid.phase());
            let outside = first(tiles) & first(lanes) & !inside;
            (outside != 0).then_some((vector * lanes, outside))
        });
        Self {
            stride: grid.stride(),
            list: list.collect(),
        }
    }

    /// Calls `f` with each place.
    #[cfg(test)]
    pub(in crate::engine) fn each(&self, mut f: impl FnMut(usize)) {
        for (place, lanes) in &self.list {
            (0..32)
                .filter(|lane| lanes >> lane & 1 == 1)
                .for_each(|lane| f(place + lane));
        }
    }

    /// Those of the vectors whose first place is not among these.
    pub(in crate::engine) fn without(mut self, these: impl Fn(usize) -> bool) -> Self {
        self.list.retain(|(place, _)| !these(*place));
        self
    }

    /// Zeros for these channels.
    ///
    /// # Safety
    /// `map` points to a map of the grid with the channels, which nobody else writes.
    #[inline(always)]
    pub(in crate::engine) unsafe fn clear<S: Simd>(&self, s: S, map: *mut f32, channels: Range<usize>) {
        for channel in channels {
            for (place, lanes) in &self.list {
                // SAFETY: the map has the channel, by the contract above, and the channel the lanes at each place of the grid.
                unsafe { s.store_masked(map.add(channel * self.stride + place), *lanes, s.splat(0.0)) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fills_no_slot_of_its_phase_crosses_to_another() {
        // 16 phases of 49 pixels: three slots each, and one of what is left.
        let [n, h, w, p] = [1, 28, 28, 4];
        let output = Grid {
            n,
            h,
            w,
            p,
            rows: Rows::Dense,
        };
        let input = Grid {
            h: 56,
            w: 56,
            p: 8,
            ..output
        };
        let slots = Slots::new((input, output), (3, 2), 16, |_| true).list;
        let apart: Vec<usize> = (0..slots.len())
            .filter(|slot| slots[*slot].together().is_none())
            .collect();
        assert_eq!((slots.len(), apart), (49, vec![48]));
    }

    #[test]
    fn every_pixel_of_the_output_is_in_one_slot_and_stored_once() {
        for (n, h, w, p, stride, out) in [(1, 14, 14, 4, 2, 2), (2, 56, 56, 4, 2, 4), (3, 10, 6, 2, 1, 2)] {
            let input = Grid {
                n,
                h,
                w,
                p,
                rows: Rows::Dense,
            };
            let output = Grid {
                n,
                h: h / stride,
                w: w / stride,
                p: out,
                rows: Rows::Dense,
            };
            for lanes in [4, 7, 16] {
                let slots = Slots::new((input, output), (3, stride), lanes, |_| true).list;
                assert_eq!(slots.len(), (n * output.h * output.w).div_ceil(lanes));
                let pieces = slots.iter().flat_map(|slot| &slot.pieces);
                let stored = |piece: &Piece| piece.place..piece.place + piece.there.count_ones() as usize;
                let mut places: Vec<usize> = pieces.flat_map(stored).collect();
                places.sort_unstable();
                let inside = (0..output.positions()).filter(|place| output.pixel(*place).is_some());
                assert!(inside.eq(places));
            }
        }
    }
}

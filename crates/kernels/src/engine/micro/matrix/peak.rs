//! The most that a matrix unit could do.

use std::hint::black_box;

use super::{BLOCKS, Beside, Group, Line, MatrixUnit, Operand, ROWS, Shape, Starts, Sums, VECTORS};

/// Tiles of a group that stays in the first cache: 12 KiB of weights and 8 KiB of inputs.
const TILES: usize = 4;

/// Sums this many groups of the largest shape, whose operands stay in the first cache; returns the multiply-accumulates done.
/// Their number over the time that the call takes is the unit's peak on one thread.
pub fn matrix_peak_macs(unit: MatrixUnit, operand: Operand, groups: usize) -> u64 {
    let shape = Shape::new(BLOCKS, ROWS);
    let weights = vec![Line::ZERO; TILES * BLOCKS * ROWS];
    let inputs = vec![Line::ZERO; TILES * ROWS * VECTORS];
    let starts = Starts::new((0..TILES).map(|tile| tile * ROWS * VECTORS).collect());
    let sums = Sums::zero();
    let group = Group {
        operand,
        weights: &weights,
        inputs: &inputs,
        starts: starts.all(),
        pitch: VECTORS,
    };
    unit.configured(shape, |tiles| {
        for _ in 0..groups {
            tiles.sum(black_box(&group), &sums, &mut Beside::nothing());
        }
    });
    black_box(&sums);
    let product = (ROWS * ROWS * ROWS * operand.channels()) as u64;
    groups as u64 * (TILES * BLOCKS * VECTORS) as u64 * product
}

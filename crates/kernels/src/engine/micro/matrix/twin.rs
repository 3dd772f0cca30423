//! A group of sums in plain code, in the order of AMX's own definition.

use super::{Beside, Group, Line, Operand, ROWS, SUMS, Shape, Sums, VECTORS};

pub(in crate::engine) fn sum(shape: Shape, group: &Group<'_>, stored: &Sums, beside: &mut Beside<'_>) {
    let lines = |block: usize, vector: usize| (block * VECTORS + vector) * ROWS;
    let mut sums = [Line::ZERO; SUMS];
    let mut weights = group.weights.chunks_exact(shape.rows);
    let mut pairs = 0_usize;
    for start in group.starts.lines {
        for block in 0..shape.blocks {
            let a = weights.next().expect("weights of every product");
            for vector in 0..VECTORS {
                let b = |i: usize| &group.inputs[start + i * group.pitch + vector];
                for (a, c) in a.iter().zip(&mut sums[lines(block, vector)..]) {
                    product(group.operand, shape.depth, a, b, c);
                }
            }
            pairs += 1;
            if pairs.is_multiple_of(beside.every) {
                beside.step();
            }
        }
    }
    for block in 0..shape.blocks {
        for vector in 0..VECTORS {
            for row in lines(block, vector)..lines(block, vector) + shape.rows {
                // SAFETY: the line is one of the sums, and whoever reads them does so in no call of this.
                unsafe { stored.0.get().cast::<Line>().add(row).write(sums[row]) };
            }
        }
    }
}

/// One row of a product: the sums of one output.
fn product<'a>(operand: Operand, depth: usize, a: &Line, b: impl Fn(usize) -> &'a Line, c: &mut Line) {
    match operand {
        Operand::Bf16 => floats(depth, a, b, c),
        Operand::I8U8 => integers(depth, a, b, c, signed, unsigned),
        Operand::I8I8 => integers(depth, a, b, c, signed, signed),
        Operand::U8I8 => integers(depth, a, b, c, unsigned, signed),
        Operand::U8U8 => integers(depth, a, b, c, unsigned, unsigned),
    }
}

fn signed(byte: u8) -> i32 {
    i32::from(byte.cast_signed())
}

fn unsigned(byte: u8) -> i32 {
    i32::from(byte)
}

fn integers<'a>(
    depth: usize,
    a: &Line,
    b: impl Fn(usize) -> &'a Line,
    c: &mut Line,
    weight: impl Fn(u8) -> i32,
    input: impl Fn(u8) -> i32,
) {
    let mut sums = c.i32s();
    for i in 0..depth {
        let b = b(i);
        for (pixel, sum) in sums.iter_mut().enumerate() {
            for channel in 0..4 {
                let product = weight(a.0[4 * i + channel]) * input(b.0[4 * pixel + channel]);
                // AMX wraps, and so does this.
                *sum = sum.wrapping_add(product);
            }
        }
    }
    for (bytes, sum) in c.0.chunks_exact_mut(4).zip(sums) {
        bytes.copy_from_slice(&sum.to_ne_bytes());
    }
}

/// Even and odd channels have sums of their own over a tile, which are then added to each other and to what was there. A product
/// of two bf16 is exact in f32, so a multiplication and an addition round once, as a fused one does.
fn floats<'a>(depth: usize, a: &Line, b: impl Fn(usize) -> &'a Line, c: &mut Line) {
    let mut sums = c.f32s();
    let mut parts = [[0.0_f32; 2]; 16];
    for i in 0..depth {
        let b = b(i);
        for (pixel, parts) in parts.iter_mut().enumerate() {
            for (channel, part) in parts.iter_mut().enumerate() {
                let product = bf16(a, 2 * i + channel) * bf16(b, 2 * pixel + channel);
                *part = flushed(product + *part);
            }
        }
    }
    for ((bytes, sum), [even, odd]) in c.0.chunks_exact_mut(4).zip(&mut sums).zip(parts) {
        *sum = flushed(*sum + flushed(even + odd));
        bytes.copy_from_slice(&sum.to_ne_bytes());
    }
}

fn bf16(line: &Line, at: usize) -> f32 {
    let bits = u16::from_ne_bytes([line.0[2 * at], line.0[2 * at + 1]]);
    flushed(f32::from_bits(u32::from(bits) << 16))
}

/// Zero, with its sign, instead of a number below the normal ones.
fn flushed(x: f32) -> f32 {
    if x.is_subnormal() { 0.0_f32.copysign(x) } else { x }
}

//! The vector instructions on packed operands, lane by lane, in plain Rust.

use crate::engine::quant::format::{LARGEST_OF_DIGITS, digits};

/// The nearest whole number in a range; ties go to the even one.
fn nearest(x: u32, low: i32, high: i32) -> i32 {
    (f32::from_bits(x).round_ties_even() as i32).clamp(low, high)
}

/// The two i16 of a lane.
fn pair_of(x: u32) -> [i16; 2] {
    [x as i16, (x >> 16) as i16]
}

fn joined([low, high]: [i16; 2]) -> u32 {
    u32::from(low.cast_unsigned()) | u32::from(high.cast_unsigned()) << 16
}

pub(in crate::engine) fn pair(x: [u32; 2]) -> u32 {
    joined(x.map(|x| nearest(x, i16::MIN.into(), i16::MAX.into()) as i16))
}

pub(in crate::engine) fn quad(x: [u32; 4]) -> u32 {
    u32::from_le_bytes(x.map(|x| nearest(x, 0, 255) as u8))
}

pub(in crate::engine) fn digit(x: [u32; 4], digit: usize) -> u32 {
    let largest = LARGEST_OF_DIGITS as i32;
    u32::from_le_bytes(x.map(|x| digits(nearest(x, -largest, largest))[digit].cast_unsigned()))
}

pub(in crate::engine) fn pair_bf16([a, b]: [u32; 2]) -> u32 {
    let rounded = |x: u32| x.wrapping_add(0x7fff + (x >> 16 & 1));
    rounded(a) >> 16 | rounded(b) & 0xffff_0000
}

pub(in crate::engine) fn dot_i16([w, x, sum]: [u32; 3]) -> u32 {
    let ([w0, w1], [x0, x1]) = (pair_of(w).map(i32::from), pair_of(x).map(i32::from));
    sum.wrapping_add((w0 * x0).wrapping_add(w1 * x1).cast_unsigned())
}

pub(in crate::engine) fn dot_u8([w, x, sum]: [u32; 3]) -> u32 {
    let products = w.to_le_bytes().into_iter().zip(x.to_le_bytes());
    let products = products.map(|(w, x)| i32::from(w.cast_signed()) * i32::from(x));
    sum.wrapping_add(products.sum::<i32>().cast_unsigned())
}

pub(in crate::engine) fn dot_bf16([w, x, sum]: [u32; 3]) -> u32 {
    let low = |x: u32| f32::from_bits(x << 16);
    let high = |x: u32| f32::from_bits(x & 0xffff_0000);
    let sum = low(w).mul_add(low(x), f32::from_bits(sum));
    high(w).mul_add(high(x), sum).to_bits()
}

pub(in crate::engine) fn halves(a: u32, b: u32, f: impl Fn(i16, i16) -> i16) -> u32 {
    let ([a0, a1], [b0, b1]) = (pair_of(a), pair_of(b));
    joined([f(a0, b0), f(a1, b1)])
}

pub(in crate::engine) fn lower([a, b]: [u32; 2]) -> u32 {
    joined([pair_of(a)[0], pair_of(b)[0]])
}

pub(in crate::engine) fn upper([a, b]: [u32; 2]) -> u32 {
    joined([pair_of(a)[1], pair_of(b)[1]])
}

pub(in crate::engine) fn narrow<const N: u32>(v: [u32; 2]) -> u32 {
    let saturated = |x: u32| (x.cast_signed() >> N).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
    joined(v.map(saturated))
}

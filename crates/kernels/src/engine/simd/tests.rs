//! Every unit's instructions on narrow operands against plain Rust.

use super::{MAX_LANES, Simd, Work, lanes};
use crate::engine::simd::isa::on;
use crate::engine::{Format, Isa};

/// One operation on three vectors of bits.
#[derive(Clone, Copy)]
enum Operation {
    Pairs,
    Quads,
    PairsBf16,
    DotI16,
    DotU8,
    ToF32,
    Add,
    Sub,
    Narrow,
    AddI32,
    SubI32,
}

use Operation::*;

const ALL: [Operation; 11] = [
    Pairs, Quads, PairsBf16, DotI16, DotU8, ToF32, Add, Sub, Narrow, AddI32, SubI32,
];

struct On(Operation, [[u32; MAX_LANES]; 3]);

impl<S: Simd> Work<S> for On {
    type Output = Vec<u32>;

    #[inline(always)]
    unsafe fn run(self) -> Vec<u32> {
        let mut out = [0.0_f32; MAX_LANES];
        // SAFETY: the caller's; there is room for the widest vector.
        unsafe {
            let [a, b, c] = self.1.map(|v| S::load(v.map(f32::from_bits).as_ptr()));
            let v = match self.0 {
                Pairs => S::pairs(a, b),
                Quads => S::quads([a, b, c, a]),
                PairsBf16 => S::pairs_bf16(a, b),
                DotI16 => S::dot_i16(a, b, c),
                DotU8 => S::dot_u8(a, b, c),
                ToF32 => S::to_f32(a),
                Add => S::add_i16(a, b),
                Sub => S::sub_i16(a, b),
                // Interleaved, moved in the same way, and put back.
                Narrow => {
                    let [low, high] = S::interleave(a, b);
                    S::narrow::<3>([S::add_i32(low, low), S::add_i32(high, high)])
                }
                AddI32 => S::add_i32(a, b),
                SubI32 => S::sub_i32(a, b),
            };
            S::store(out.as_mut_ptr(), v);
        }
        out[..S::LANES].iter().map(|x| x.to_bits()).collect()
    }
}

fn expected(operation: Operation, [a, b, c]: [u32; 3]) -> u32 {
    match operation {
        Pairs => lanes::pair([a, b]),
        Quads => lanes::quad([a, b, c, a]),
        PairsBf16 => lanes::pair_bf16([a, b]),
        DotI16 => lanes::dot_i16([a, b, c]),
        DotU8 => lanes::dot_u8([a, b, c]),
        ToF32 => (a.cast_signed() as f32).to_bits(),
        Add => lanes::halves(a, b, i16::saturating_add),
        Sub => lanes::halves(a, b, i16::saturating_sub),
        Narrow => {
            let twice = |x: u32| x.wrapping_add(x);
            lanes::narrow::<3>([twice(lanes::lower([a, b])), twice(lanes::upper([a, b]))])
        }
        AddI32 => a.wrapping_add(b),
        SubI32 => a.wrapping_sub(b),
    }
}

/// Bits that depend on the index alone: numbers that fit for conversions, any bits for the rest.
fn bits(operation: Operation, index: u32) -> u32 {
    let any = index
        .wrapping_mul(0x9e37_79b9)
        .rotate_left(13)
        .wrapping_mul(0x85eb_ca6b);
    match operation {
        Pairs | PairsBf16 => {
            let scale = [1.0, 100.0, 300.0, 50_000.0][index as usize % 4];
            ((f64::from(any) / f64::from(u32::MAX) - 0.5) as f32 * scale).to_bits()
        }
        Quads => ((f64::from(any) / f64::from(u32::MAX)) as f32 * 255.0).to_bits(),
        DotI16 | DotU8 | ToF32 | Add | Sub | Narrow | AddI32 | SubI32 => any,
    }
}

#[test]
fn instructions_do_what_plain_code_does() {
    for isa in Isa::available() {
        let vnni = isa.multiplies(Format::I16).is_some();
        for operation in ALL {
            if matches!(operation, DotI16 | DotU8) && !vnni {
                continue;
            }
            for round in 0..200 {
                let lane = |v: u32, lane: usize| bits(operation, round * 64 + v * 16 + lane as u32);
                let v = [0, 1, 2].map(|v| std::array::from_fn(|i| lane(v, i)));
                // SAFETY: an `Isa` is the proof that the CPU has the unit.
                let ours = unsafe { on!(isa, On(operation, v)) };
                for (i, ours) in ours.into_iter().enumerate() {
                    let theirs = expected(operation, v.map(|v| v[i]));
                    assert_eq!(ours, theirs, "{}, {:?}: lane {i}", isa.name(), v.map(|v| v[i]));
                }
            }
        }
    }
}

struct Widened<'a>(&'a [u16; MAX_LANES]);

impl<S: Simd> Work<S> for Widened<'_> {
    type Output = Vec<u32>;

    #[inline(always)]
    unsafe fn run(self) -> Vec<u32> {
        let mut out = [0.0_f32; MAX_LANES];
        // SAFETY: the caller's; there is room for the widest vector.
        unsafe { S::store(out.as_mut_ptr(), S::widen(self.0.as_ptr())) };
        out[..S::LANES].iter().map(|x| x.to_bits()).collect()
    }
}

#[test]
fn every_f16_is_widened_exactly() {
    for isa in Isa::available() {
        for first in (0..=u16::MAX).step_by(isa.lanes()) {
            let bits: [u16; MAX_LANES] = std::array::from_fn(|i| first.wrapping_add(i as u16));
            // SAFETY: an `Isa` is the proof that the CPU has the unit.
            let ours = unsafe { on!(isa, Widened(&bits)) };
            for (ours, bits) in ours.into_iter().zip(bits) {
                let theirs = half::f16::from_bits(bits);
                let same = f32::from_bits(ours) == theirs.to_f32();
                assert!(same || theirs.is_nan(), "{}: {bits:#x} is {ours:#x}", isa.name());
            }
        }
    }
}

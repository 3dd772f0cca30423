//! Every unit's instructions on narrow operands against plain Rust.

use super::{I16, Int8, MAX_LANES, Simd, Work, lanes};
use crate::engine::simd::isa::on;
use crate::engine::{Format, Isa};

/// One operation on three vectors of bits.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Operation {
    Pairs,
    Quads,
    HighDigits,
    LowDigits,
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

const ALL: [Operation; 13] = [
    Pairs, Quads, HighDigits, LowDigits, PairsBf16, DotI16, DotU8, ToF32, Add, Sub, Narrow, AddI32, SubI32,
];

impl Operation {
    /// The format of what it multiplies.
    fn format(self) -> Format {
        match self {
            DotI16 => Format::I16,
            DotU8 => Format::Int8,
            Pairs | Quads | HighDigits | LowDigits | PairsBf16 | ToF32 | Add | Sub | Narrow | AddI32
            | SubI32 => Format::F32,
        }
    }
}

struct On(Operation, [[u32; MAX_LANES]; 3]);

impl<S: Simd> Work<S> for On {
    /// Nothing if the unit does not multiply the operands.
    type Output = Option<Vec<u32>>;

    #[inline(always)]
    fn run(self, s: S) -> Option<Vec<u32>> {
        let [a, b, c] = self.1.map(|v| s.load_array(&v.map(f32::from_bits)));
        let v = match self.0 {
            Pairs => s.pairs(a, b),
            Quads => s.quads([a, b, c, a]),
            HighDigits => s.digits([a, b, c, a])[0],
            LowDigits => s.digits([a, b, c, a])[1],
            PairsBf16 => s.pairs_bf16(a, b),
            DotI16 => s.dot_i16(I16::found(s)?, a, b, c),
            DotU8 => s.dot_u8(Int8::found(s)?, a, b, c),
            ToF32 => s.to_f32(a),
            Add => s.add_i16(a, b),
            Sub => s.sub_i16(a, b),
            // Interleaved, moved in the same way, and put back.
            Narrow => {
                let [low, high] = s.interleave(a, b);
                s.narrow::<3>([s.add_i32(low, low), s.add_i32(high, high)])
            }
            AddI32 => s.add_i32(a, b),
            SubI32 => s.sub_i32(a, b),
        };
        Some(bits_of(s, v))
    }
}

fn bits_of<S: Simd>(s: S, v: S::V) -> Vec<u32> {
    s.to_array(v)[..S::LANES].iter().map(|x| x.to_bits()).collect()
}

fn expected(operation: Operation, [a, b, c]: [u32; 3]) -> u32 {
    match operation {
        Pairs => lanes::pair([a, b]),
        Quads => lanes::quad([a, b, c, a]),
        HighDigits => lanes::digit([a, b, c, a], 0),
        LowDigits => lanes::digit([a, b, c, a], 1),
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

/// Weights of half the magnitude: two of them are within any unit's [`Simd::PAIR`].
fn halved(weights: u32) -> u32 {
    u32::from_le_bytes(
        weights
            .to_le_bytes()
            .map(|w| (w.cast_signed() / 2).cast_unsigned()),
    )
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
        // The largest numbers, what is about a multiple of 256, and any between.
        HighDigits | LowDigits => {
            let whole = any.cast_signed() % 32640;
            let whole = match index % 4 {
                0 => whole.signum() * 32639,
                1 => whole / 256 * 256 + [-128, 127][index as usize / 4 % 2],
                _ => whole,
            };
            (whole.clamp(-32639, 32639) as f32).to_bits()
        }
        Quads => ((f64::from(any) / f64::from(u32::MAX)) as f32 * 255.0).to_bits(),
        DotI16 | DotU8 | ToF32 | Add | Sub | Narrow | AddI32 | SubI32 => any,
    }
}

#[test]
fn instructions_do_what_plain_code_does() {
    for isa in Isa::available() {
        for operation in ALL {
            for round in 0..200 {
                let lane = |v: u32, lane: usize| bits(operation, round * 64 + v * 16 + lane as u32);
                let mut v = [0, 1, 2].map(|v| std::array::from_fn(|i| lane(v, i)));
                if operation == DotU8 && isa.pair().is_some() {
                    v[0] = v[0].map(halved);
                }
                let Some(ours) = on!(isa, s => s.call(On(operation, v))) else {
                    assert!(isa.multiplies(operation.format()).is_none(), "{operation:?}");
                    continue;
                };
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
    fn run(self, s: S) -> Vec<u32> {
        // SAFETY: there are numbers for the widest vector.
        let v = unsafe { s.widen(self.0.as_ptr()) };
        bits_of(s, v)
    }
}

#[test]
fn every_f16_is_widened_exactly() {
    for isa in Isa::available() {
        for first in (0..=u16::MAX).step_by(isa.lanes()) {
            let bits: [u16; MAX_LANES] = std::array::from_fn(|i| first.wrapping_add(i as u16));
            let ours = on!(isa, s => s.call(Widened(&bits)));
            for (ours, bits) in ours.into_iter().zip(bits) {
                let theirs = half::f16::from_bits(bits);
                let same = f32::from_bits(ours) == theirs.to_f32();
                assert!(same || theirs.is_nan(), "{}: {bits:#x} is {ours:#x}", isa.name());
            }
        }
    }
}

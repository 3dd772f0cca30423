//! The number formats of a convolution's operands, and weights in them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::engine::micro::matrix::Operand;
use crate::engine::simd::Simd;

/// The format of the operands that a convolution multiplies. Sums are f32, or i32 that become f32 before they can overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// Maps as they are.
    F32,
    /// Maps as they are and weights kept in f16, which are widened before they are multiplied.
    F16,
    /// bf16, in pairs of channels.
    Bf16,
    /// Fixed point of 16 bits, in pairs of channels.
    I16,
    /// Fixed point of 16 bits as two signed digits of 8, each in fours of channels: the high digits of all channels, then the low
    /// ones. For matrix units alone, which multiply 8 bits.
    I8x2,
    /// Inputs of 0 to 255 and weights of -127 to 127, in fours of channels.
    Int8,
}

/// The conversion of the numbers of a map to operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Packing {
    /// The operands' format.
    pub format: Format,
    /// The scale of each channel: the value of 1 in its whole numbers. Empty for formats with a point of their own.
    pub steps: Arc<[f32]>,
    /// The least and the largest whole number; others saturate at them. They mean nothing for other formats.
    pub limits: (f32, f32),
}

impl Format {
    /// Channels in one element of 32 bits.
    pub fn channels(self) -> usize {
        match self {
            Self::F32 | Self::F16 => 1,
            Self::Bf16 | Self::I16 => 2,
            Self::I8x2 | Self::Int8 => 4,
        }
    }

    /// Elements that hold `channels` channels, of all digits.
    pub fn elements(self, channels: usize) -> usize {
        self.digits() * channels.div_ceil(self.channels())
    }

    /// Digits of a number, each of which has elements of its own.
    pub(in crate::engine) fn digits(self) -> usize {
        match self {
            Self::I8x2 => 2,
            Self::F32 | Self::F16 | Self::Bf16 | Self::I16 | Self::Int8 => 1,
        }
    }

    /// Returns `true` if convolutions of this format can write operands of the other one: tiles multiply both, and their elements hold
    /// the same channels.
    pub fn tiles_like(self, other: Self) -> bool {
        let channels = |format: Self| format.tiles().map(|_| format.channels());
        channels(self).is_some() && channels(self) == channels(other)
    }

    /// The operands of tiles that are this format; `None` for a format that tiles do not multiply.
    pub(in crate::engine) fn tiles(self) -> Option<Operand> {
        match self {
            Self::Bf16 => Some(Operand::Bf16),
            Self::I8x2 => Some(Operand::I8I8),
            Self::Int8 => Some(Operand::I8U8),
            Self::F32 | Self::F16 | Self::I16 => None,
        }
    }

    /// Returns `true` if operands are whole numbers, in steps.
    pub fn whole(self) -> bool {
        match self {
            Self::I16 | Self::I8x2 | Self::Int8 => true,
            Self::F32 | Self::F16 | Self::Bf16 => false,
        }
    }

    /// Returns `true` if tiles alone multiply it, and no vector unit.
    pub(in crate::engine) fn tiles_only(self) -> bool {
        match self {
            Self::I8x2 => true,
            Self::F32 | Self::F16 | Self::Bf16 | Self::I16 | Self::Int8 => false,
        }
    }

    /// Returns `true` if weights are in steps of each output's own: whole numbers, and f16, whose range is small.
    fn stepped(self) -> bool {
        match self {
            Self::F16 | Self::I16 | Self::I8x2 | Self::Int8 => true,
            Self::F32 | Self::Bf16 => false,
        }
    }

    /// Returns `true` if maps are packed for it.
    pub fn is_packed(self) -> bool {
        match self {
            Self::Bf16 | Self::I16 | Self::I8x2 | Self::Int8 => true,
            Self::F32 | Self::F16 => false,
        }
    }

    /// `f32`, `f16`, `bf16`, `i16`, `i8x2` or `int8`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::I16 => "i16",
            Self::I8x2 => "i8x2",
            Self::Int8 => "int8",
        }
    }

    /// A weight in steps: the nearest whole number where the format has only those.
    pub(in crate::engine) fn steps(self, weight: f32, step: f32) -> f32 {
        match self.whole() {
            true => (weight / step).round_ties_even(),
            false => weight / step,
        }
    }

    /// One element of these channels' weights, which are whole numbers where the format's are: that of a digit, the high one first.
    pub(in crate::engine) fn element(self, weights: [f32; 4], digit: usize) -> f32 {
        let [a, b, ..] = weights;
        f32::from_bits(match self {
            Self::F32 | Self::F16 => return a,
            Self::Bf16 => {
                let bits = |x: f32| u32::from(half::bf16::from_f32(x).to_bits());
                bits(a) | bits(b) << 16
            }
            Self::I16 => {
                let bits = |x: f32| u32::from((x as i16).cast_unsigned());
                bits(a) | bits(b) << 16
            }
            Self::I8x2 => u32::from_le_bytes(weights.map(|x| digits(x as i32)[digit].cast_unsigned())),
            Self::Int8 => u32::from_le_bytes(weights.map(|x| (x as i8).cast_unsigned())),
        })
    }

    /// Vectors of inputs as operands, those of a digit; inputs past [`Format::channels`] do not count.
    #[inline(always)]
    pub(in crate::engine) fn packed<S: Simd>(self, s: S, v: [S::V; 4], digit: usize) -> S::V {
        match self {
            Self::F32 | Self::F16 => v[0],
            Self::Bf16 => s.pairs_bf16(v[0], v[1]),
            Self::I16 => s.pairs(v[0], v[1]),
            Self::I8x2 => s.digits(v)[digit],
            Self::Int8 => s.quads(v),
        }
    }
}

/// The largest magnitude of a number of two digits: 127 x 256 + 127.
pub(in crate::engine) const LARGEST_OF_DIGITS: f32 = 32639.0;

/// The most products that a sum of digits adds: two digits of at most 128 each in two orders, 2 x 2^14, fit i32 so many times.
pub(in crate::engine) const LONGEST_OF_DIGITS: usize = 1 << 16;

/// The high and the low digit of a number `256 high + low`, both of -128 to 127. The low byte is the low digit, for 256 is 0 in it;
/// what is above the nearest multiple of 256 is at most 127.
pub(in crate::engine) fn digits(x: i32) -> [i8; 2] {
    [((x + 128) >> 8) as i8, x as i8]
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Packing {
    /// Operands that have a point of their own.
    pub(in crate::engine) fn of_floats(format: Format) -> Self {
        Self {
            format,
            steps: Arc::new([]),
            limits: (0.0, 0.0),
        }
    }
}

/// The largest i32 that a sum of whole products may reach.
const LARGEST: f64 = i32::MAX as f64;

/// The numbers whose products a unit sums exactly.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Room {
    /// The largest magnitude of an input.
    pub(in crate::engine) limit: f32,
    /// See [`Simd::PAIR`].
    pub(in crate::engine) pair: Option<f32>,
}

impl Room {
    /// Inputs up to a limit, and any weights.
    pub(in crate::engine) fn of(limit: f32) -> Self {
        Self { limit, pair: None }
    }
}

/// The largest magnitude of one weight in steps, for `runs` of weights, whole elements, that are summed before their sum becomes an f32:
/// as fine as fits the format and can never overflow the sum.
pub(in crate::engine) fn weight_step<'a>(
    format: Format,
    room: Room,
    runs: impl Iterator<Item = &'a [f32]>,
) -> f32 {
    let most = match format {
        Format::F32 | Format::Bf16 => return 1.0,
        Format::F16 => return half_step(runs.flatten()),
        Format::I16 => f64::from(i16::MAX),
        Format::I8x2 => f64::from(LARGEST_OF_DIGITS),
        Format::Int8 => 127.0,
    };
    let step = |run: &[f32]| {
        let largest = run.iter().map(|w| f64::from(w.abs())).fold(0.0, f64::max);
        let together: f64 = run.iter().map(|w| f64::from(w.abs())).sum();
        // Rounding may add half a step a weight.
        let most_together = match format {
            // Sums of digits hold all products, see `LONGEST_OF_DIGITS`.
            Format::I8x2 => f64::INFINITY,
            Format::F32 | Format::F16 | Format::Bf16 | Format::I16 | Format::Int8 => {
                LARGEST / f64::from(room.limit) - 0.5 * run.len() as f64
            }
        };
        let of_sums = (largest / most).max(together / most_together);
        let of_pair = |most: f32| largest_pair(run) / (f64::from(most) * SHY);
        of_sums.max(room.pair.map_or(0.0, of_pair))
    };
    let step = runs.map(step).fold(0.0, f64::max);
    if step > 0.0 {
        step as f32 * (1.0 + f32::EPSILON)
    } else {
        1.0
    }
}

/// Two magnitudes whose sum is at most a whole number are so when each is rounded to the nearest, too; this share of it is left for
/// how dividing them by their step is rounded.
const SHY: f64 = 1.0 - 1e-6;

/// The largest sum of the magnitudes of two weights that are multiplied together.
fn largest_pair(run: &[f32]) -> f64 {
    let pairs = run
        .chunks(2)
        .map(|pair| pair.iter().map(|w| f64::from(w.abs())).sum());
    pairs.fold(0.0, f64::max)
}

/// The power of two that brings the largest weight near the end of f16's range, so that small ones are not lost at the
/// other.
fn half_step<'a>(weights: impl Iterator<Item = &'a f32>) -> f32 {
    let largest = weights.map(|w| w.abs()).fold(0.0, f32::max);
    if largest.is_normal() {
        let exponent = largest.log2().floor() as i32 - LARGEST_EXPONENT;
        2.0_f32.powi(exponent.max(f32::MIN_EXP))
    } else {
        1.0
    }
}

/// The exponent of the largest weight in f16: one less than the largest of all, so that rounding never overflows.
const LARGEST_EXPONENT: i32 = 14;

/// Weights in a format.
#[derive(Default)]
pub(in crate::engine) struct Weights<'a> {
    /// In the order that is asked for.
    pub(in crate::engine) elements: Cow<'a, [f32]>,
    /// Each output's scale: the value of 1 in its sum with whole inputs. Empty for formats without steps.
    pub(in crate::engine) scales: Vec<f32>,
    /// The sum that rounding the weights adds to each output on inputs of their means; empty if the means are not known.
    pub(in crate::engine) drift: Vec<f32>,
}

impl Weights<'_> {
    /// The same with elements in another order.
    pub(in crate::engine) fn ordered(self, order: impl Fn(&[f32]) -> Vec<f32>) -> Weights<'static> {
        Weights {
            elements: order(&self.elements).into(),
            scales: self.scales,
            drift: self.drift,
        }
    }
}

/// Weights `[outputs, inputs, taps]` as elements `[outputs][digit][element of inputs][tap]` in this format, for sums of `run` elements
/// that have room; `means` are those of the inputs as they are multiplied, or nothing.
pub(in crate::engine) fn weights<'a>(
    (format, room): (Format, Room),
    (outputs, taps, means): (usize, usize, &[f32]),
    run: usize,
    weights: &'a [f32],
) -> Weights<'a> {
    if format == Format::F32 {
        return Weights {
            elements: weights.into(),
            ..Weights::default()
        };
    }
    let channels = format.channels();
    let inputs = weights.len() / taps / outputs;
    let quads = inputs.div_ceil(channels);
    let mut all = Weights {
        elements: Vec::with_capacity(weights.len().div_ceil(channels)).into(),
        ..Weights::default()
    };
    for weights in weights.chunks_exact(inputs * taps) {
        let element = |i: usize| {
            let weight = |c: usize| {
                let channel = i / taps * channels + c;
                let weight = weights.get(channel * taps + i % taps);
                weight.copied().filter(|_| c < channels).unwrap_or(0.0)
            };
            std::array::from_fn::<f32, 4, _>(weight)
        };
        let own: Vec<[f32; 4]> = (0..quads * taps).map(element).collect();
        let step = weight_step(format, room, own.chunks(run).map(<[[f32; 4]]>::as_flattened));
        for digit in 0..format.digits() {
            let elements = own
                .iter()
                .map(|own| format.element(own.map(|w| format.steps(w, step)), digit));
            all.elements.to_mut().extend(elements);
        }
        if format.stepped() {
            all.scales.push(step);
        }
        if format.whole() && !means.is_empty() {
            all.drift
                .push(drift(weights, |w| format.steps(w, step) * step, means));
        }
    }
    all
}

/// The sum that rounding its weights adds to an output `[inputs, taps]` on inputs of their means.
fn drift(weights: &[f32], rounded: impl Fn(f32) -> f32, means: &[f32]) -> f32 {
    let taps = weights.len() / means.len();
    let one = |(weights, mean): (&[f32], &f32)| {
        let grown = |w: &f32| f64::from(rounded(*w)) - f64::from(*w);
        weights.iter().map(grown).sum::<f64>() * f64::from(*mean)
    };
    weights.chunks_exact(taps).zip(means).map(one).sum::<f64>() as f32
}

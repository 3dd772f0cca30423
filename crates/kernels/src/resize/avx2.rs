//! The kernels of resizing on 256-bit vectors of integers.
#![expect(
    unsafe_code,
    reason = "vectors are loaded and stored through pointers, by a unit that was found"
)]

use std::arch::x86_64::*;

use super::opencv::{self, Group};
use super::pillow::{self, Fours, HALF, PRECISION, ROWS, SPLIT, Weighted};
use super::{CHANNELS, LANES};
use crate::engine::Isa;

/// The proof that this CPU has AVX2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// The proof, if the chosen unit is at least as wide.
    pub(crate) fn of(isa: Isa) -> Option<Self> {
        (isa.lanes() >= 8 && std::arch::is_x86_feature_detected!("avx2")).then_some(Self(()))
    }

    /// Runs work that the compiler then makes of 256-bit vectors; it must be inlined.
    #[inline(always)]
    pub(crate) fn call(self, work: impl FnOnce()) {
        #[target_feature(enable = "avx2")]
        fn inner(work: impl FnOnce()) {
            work();
        }
        // SAFETY: `self` proves the unit.
        unsafe { inner(work) }
    }

    /// Makes the line unless it would read beyond the source.
    pub(super) fn mix_columns(self, source: &[u8], groups: &[Group], line: &mut [i16]) -> bool {
        // SAFETY: `self` proves the unit.
        unsafe { mix_columns(source, groups, line) }
    }

    pub(super) fn mix_rows(self, lines: [&[i16]; 2], weights: [i16; 2], out: &mut [u8]) {
        self.call(
            #[inline(always)]
            || opencv::mix_rows(lines, weights, out),
        );
    }

    /// Makes the block of lines unless it would read beyond a source.
    pub(super) fn filter_columns(self, sources: [&[u8]; ROWS], fours: &Fours, lines: &mut [u8]) -> bool {
        // SAFETY: `self` proves the unit.
        unsafe { filter_columns(sources, fours, lines) }
    }

    pub(super) fn filter_rows(self, parts: [Weighted; 2], line: &mut [u8]) {
        self.call(
            #[inline(always)]
            || pillow::filter_rows(parts, line),
        );
    }
}

/// Of each half of 16 bytes: the first channel of a pixel and the next, the second of both, the third of both, and
/// nothing; the pixels begin at `lower` in the lower half, and at `upper` in the upper one.
#[target_feature(enable = "avx2")]
fn twos(lower: i8, upper: i8) -> __m256i {
    let half = |at: i8| {
        _mm_setr_epi8(
            at,
            -1,
            at + 3,
            -1,
            at + 1,
            -1,
            at + 4,
            -1,
            at + 2,
            -1,
            at + 5,
            -1,
            -1,
            -1,
            -1,
            -1,
        )
    };
    _mm256_set_m128i(half(upper), half(lower))
}

#[target_feature(enable = "avx2")]
fn mix_columns(source: &[u8], groups: &[Group], line: &mut [i16]) -> bool {
    let Some(last) = groups.last() else {
        return false;
    };
    // Columns ascend.
    if last.bytes[opencv::GROUP - 1] + 8 > source.len() || line.len() != groups.len() * 4 * LANES {
        return false;
    }
    let (source, line) = (source.as_ptr(), line.as_mut_ptr());
    let twos = twos(0, 8);
    for (i, group) in groups.iter().enumerate() {
        // SAFETY: eight bytes can be read from the begin of each of the group's columns, and the line has 16 elements for each group,
        // as was checked.
        unsafe {
            let mixed = [0, 1].map(|odd| {
                let lower = _mm_loadl_epi64(source.add(group.bytes[odd]).cast());
                let upper = _mm_loadl_epi64(source.add(group.bytes[odd + 2]).cast());
                let both = _mm256_broadcastsi128_si256(_mm_unpacklo_epi64(lower, upper));
                let weights = _mm256_loadu_si256(group.weights[odd].as_ptr().cast());
                _mm256_srai_epi32::<4>(_mm256_madd_epi16(_mm256_shuffle_epi8(both, twos), weights))
            });
            _mm256_storeu_si256(line.add(16 * i).cast(), _mm256_packs_epi32(mixed[0], mixed[1]));
        }
    }
    true
}

#[target_feature(enable = "avx2")]
fn filter_columns(sources: [&[u8]; ROWS], fours: &Fours, lines: &mut [u8]) -> bool {
    let Some(last) = fours.bytes.last() else {
        return false;
    };
    // Columns ascend; the last four is loaded with 4 bytes that do not count.
    let end = last + fours.count * 4 * CHANNELS + 4;
    let stride = lines.len() / ROWS;
    let fits = sources.iter().all(|source| end <= source.len());
    if !fits || stride < fours.bytes.len() * LANES || fours.weights.len() != fours.bytes.len() * fours.count {
        return false;
    }
    let (sources, lines) = (sources.map(<[u8]>::as_ptr), lines.as_mut_ptr());
    let lines: [*mut u8; ROWS] = std::array::from_fn(|row| lines.wrapping_add(row * stride));
    let twos = twos(0, 6);
    let columns = fours.bytes.iter().zip(fours.weights.chunks_exact(fours.count));
    for (x, (begin, weights)) in columns.enumerate() {
        // SAFETY: all bytes of a column's fours and four more can be read from each source, and four bytes a column be written to each
        // line, as was checked; an array of 16 weights is a vector.
        unsafe {
            let mut high = [_mm256_setzero_si256(); ROWS];
            let mut low = high;
            for (four, [above, below]) in weights.iter().enumerate() {
                let at = begin + four * 4 * CHANNELS;
                let above = _mm256_loadu_si256(above.as_ptr().cast());
                let below = _mm256_loadu_si256(below.as_ptr().cast());
                for row in 0..ROWS {
                    let pixels = _mm_loadu_si128(sources[row].add(at).cast());
                    let pixels = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(pixels), twos);
                    high[row] = _mm256_add_epi32(high[row], _mm256_madd_epi16(pixels, above));
                    low[row] = _mm256_add_epi32(low[row], _mm256_madd_epi16(pixels, below));
                }
            }
            let pixels = packed(high, low);
            for (line, pixel) in lines.into_iter().zip(pixels) {
                line.add(x * LANES).cast::<i32>().write_unaligned(pixel);
            }
        }
    }
    true
}

/// The pixels of sums in two parts, rounded, one of each row.
#[inline]
#[target_feature(enable = "avx2")]
fn packed(high: [__m256i; ROWS], low: [__m256i; ROWS]) -> [i32; ROWS] {
    let sums: [__m128i; ROWS] = std::array::from_fn(|row| {
        let both = _mm256_add_epi32(_mm256_slli_epi32::<{ SPLIT.cast_signed() }>(high[row]), low[row]);
        let sum = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256::<1>(both));
        _mm_srai_epi32::<{ PRECISION.cast_signed() }>(_mm_add_epi32(sum, _mm_set1_epi32(HALF)))
    });
    // Both packings saturate.
    let bytes = _mm_packus_epi16(
        _mm_packs_epi32(sums[0], sums[1]),
        _mm_packs_epi32(sums[2], sums[3]),
    );
    [
        _mm_extract_epi32::<0>(bytes),
        _mm_extract_epi32::<1>(bytes),
        _mm_extract_epi32::<2>(bytes),
        _mm_extract_epi32::<3>(bytes),
    ]
}

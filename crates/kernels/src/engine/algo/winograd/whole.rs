//! The transform of stride 1 on inputs of 16 bits: what fits, what is kept, and what saturates.

use crate::engine::simd::{I16, Simd};

/// The largest magnitude `L` of inputs of 16 bits to F(4x4, 3x3), with or without a sign.
///
/// The rows of `B^T`, and of each the sums of its positive and of its negative elements:
///
/// ```text
/// row 0:  4  0 -5  0  1  0    5   5
/// row 1:  0 -4 -4  1  1  0    2   8
/// row 2:  0  4 -4 -1  1  0    5   5
/// row 3:  0 -2 -1  2  1  0    3   3
/// row 4:  0  2 -1 -2  1  0    3   3
/// row 5:  0  4  0 -5  0  1    5   5
/// ```
///
/// The first axis is summed in 16 bits. With a sign, a row comes to both of its sums times `L`, 10 `L` at most: 32767 / 10.
/// Without one it comes to the larger of the two, 8 `L`: this axis would be exact up to 32767 / 8 = 4095. The second axis
/// wants less. An element in row `r` and column `c` of the tile comes to `max(P, N) L`, where `P = p_r p_c + n_r n_c` and
/// `N = p_r n_c + n_r p_c`: 68 `L` where both are 1, 18 `L` where both are 3 or 4, 30 `L` where one of them is, 50 `L`
/// elsewhere. It keeps what its [`dropped`] bits leave of 16: with `L = 32767 * 4 / 36 = 3640` that is 72, 9, 18 and 36 `L`.
/// So the element (1, 1) never saturates, and those of 36 not even at 50 times the largest input that was seen, for plans
/// leave half as much again to what was not. With 4095 they would saturate at 64, 8, 16 and 32 `L`: (1, 1) in range, and the
/// others within what was seen. Steps that are 12 % finer are not worth that.
pub(in crate::engine) fn limit(signed: bool) -> f32 {
    if signed { 3276.0 } else { 3640.0 }
}

/// Bits of an element of F(4x4, 3x3) that its second axis adds and does not keep: with more dropped, rounding transformed
/// inputs would outweigh all else, for the way back magnifies it. Rows and columns 3 and 4 add up the least and are
/// magnified the most, by up to 8 an axis. What is beyond, see [`limit`], saturates: inputs would have to be at both ends of their
/// range in the pattern of the transform, pixel by pixel.
const fn dropped(row: usize, column: usize) -> u32 {
    match (row, column) {
        (1, 1) => 3,
        (3 | 4, 3 | 4) => 0,
        (3 | 4, _) | (_, 3 | 4) => 1,
        _ => 2,
    }
}

/// The scale of an element of a transformed input: the value of 1 in it.
pub(in crate::engine) fn scale(element: usize) -> f32 {
    (1_u32 << dropped(element / 6, element % 6)) as f32
}

/// [`forward`](super::stride1::forward) of pairs of i16, for the first axis.
#[inline(always)]
pub(in crate::engine) fn forward_pairs<S: Simd, const M: usize>(s: S, d: [S::V; 6]) -> [S::V; 6] {
    if M == 2 {
        let zero = s.splat(0.0);
        let (a, b) = (s.sub_i16(d[0], d[2]), s.add_i16(d[1], d[2]));
        return [a, b, s.sub_i16(d[2], d[1]), s.sub_i16(d[1], d[3]), zero, zero];
    }
    let even = s.sub_i16(d[4], s.shift_i16::<2>(d[2]));
    let odd = s.sub_i16(d[3], s.shift_i16::<2>(d[1]));
    let far = s.sub_i16(d[4], d[2]);
    let apart = s.sub_i16(d[3], d[1]);
    let near = s.shift_i16::<1>(apart);
    let first = s.shift_i16::<2>(s.sub_i16(d[0], d[2]));
    let last = s.sub_i16(s.sub_i16(d[5], d[3]), s.shift_i16::<2>(apart));
    [
        s.add_i16(first, far),
        s.add_i16(even, odd),
        s.sub_i16(even, odd),
        s.add_i16(far, near),
        s.sub_i16(far, near),
        last,
    ]
}

/// [`forward`](super::stride1::forward) of pairs of i16 for the second axis of row `ROW`: of F(4x4, 3x3) in 32 bits, without the bits that are [`dropped`].
#[inline(always)]
pub(in crate::engine) fn forward_again<S: Simd, const M: usize, const ROW: usize>(
    s: S,
    i16: I16<S>,
    d: [S::V; 6],
) -> [S::V; 6] {
    if M == 2 {
        return forward_pairs::<S, M>(s, d);
    }
    let (evens, odds) = (s.interleave(d[2], d[4]), s.interleave(d[1], d[3]));
    let ends = s.interleave(d[0], d[5]);
    // Half of the last bit that is kept is added, so that cutting off the others rounds to the nearest: to each sum once.
    // Elements 1 and 2 are the sum and the difference of `even` and `odd`, 3 and 4 those of `far` and `near`, so it goes to
    // the first of the two alone. In row 1 element 1 drops three bits and element 2 but two: with 3 in `even` and 1 in `odd`
    // the sum has the half of 8, the difference that of 4.
    let zero = bits(s, 0);
    let half = bits(s, (1 << dropped(ROW, 0)) / 2);
    let half_of_inner = bits(s, (1 << dropped(ROW, 3)) / 2);
    let (more, one) = if ROW == 1 {
        (bits(s, 3), bits(s, 1))
    } else {
        (half, zero)
    };
    let mut sums = [[zero; 2]; 6];
    for side in 0..2 {
        let (evens, odds, ends) = (evens[side], odds[side], ends[side]);
        let even = s.dot_i16(i16, pair(s, -4, 1), evens, more);
        let odd = s.dot_i16(i16, pair(s, -4, 1), odds, one);
        let far = s.dot_i16(i16, pair(s, -1, 1), evens, half_of_inner);
        let near = s.dot_i16(i16, pair(s, -2, 2), odds, zero);
        let first = s.dot_i16(i16, pair(s, -5, 1), evens, half);
        let last = s.dot_i16(i16, pair(s, 4, -5), odds, half);
        sums[0][side] = s.dot_i16(i16, pair(s, 4, 0), ends, first);
        sums[1][side] = s.add_i32(even, odd);
        sums[2][side] = s.sub_i32(even, odd);
        sums[3][side] = s.add_i32(far, near);
        sums[4][side] = s.sub_i32(far, near);
        sums[5][side] = s.dot_i16(i16, pair(s, 0, 1), ends, last);
    }
    let mut narrow = [zero; 6];
    for i in 0..6 {
        narrow[i] = match dropped(ROW, i) {
            0 => s.narrow::<0>(sums[i]),
            1 => s.narrow::<1>(sums[i]),
            2 => s.narrow::<2>(sums[i]),
            _ => s.narrow::<3>(sums[i]),
        };
    }
    narrow
}

/// Two i16 in all lanes.
#[inline(always)]
fn pair<S: Simd>(s: S, low: i16, high: i16) -> S::V {
    bits(
        s,
        u32::from(low.cast_unsigned()) | u32::from(high.cast_unsigned()) << 16,
    )
}

/// These bits in all lanes.
#[inline(always)]
fn bits<S: Simd>(s: S, bits: u32) -> S::V {
    s.splat(f32::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use super::super::stride1::forward;
    use super::*;
    use crate::engine::simd::Portable;

    /// `B^T` of F(4x4, 3x3), as [`forward`] computes it.
    const ROWS: [[i32; 6]; 6] = [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ];

    /// The sums of the positive and of the negative elements.
    fn sums(elements: impl Iterator<Item = i32> + Clone) -> [i32; 2] {
        [1, -1].map(|sign| elements.clone().map(|element| (sign * element).max(0)).sum())
    }

    #[test]
    fn the_matrix_is_the_one_that_is_computed() {
        for column in 0..6 {
            let unit = |i: usize| [if i == column { 1.0 } else { 0.0 }; 4];
            let rows = forward::<Portable, 4>(Portable, std::array::from_fn(unit));
            for (row, value) in rows.iter().enumerate() {
                assert_eq!(value[0], ROWS[row][column] as f32, "row {row}, column {column}");
            }
        }
    }

    #[test]
    fn the_first_axis_never_leaves_16_bits() {
        for row in ROWS {
            let [positive, negative] = sums(row.into_iter()).map(|sum| sum as f32);
            assert!((positive + negative) * limit(true) <= 32767.0, "{row:?}");
            assert!(positive.max(negative) * limit(false) <= 32767.0, "{row:?}");
        }
    }

    #[test]
    fn the_second_axis_saturates_only_where_plans_leave_room() {
        for (r, c) in (0..36).map(|element| (element / 6, element % 6)) {
            let products = ROWS[r].into_iter().flat_map(|a| ROWS[c].map(|b| a * b));
            let [positive, negative] = sums(products);
            let largest = positive.max(negative) as f32;
            let kept = 32767.0 * scale(r * 6 + c) / limit(false);
            let inner = [r, c].into_iter().filter(|i| matches!(i, 3 | 4)).count();
            let expected = match ((r, c), inner) {
                ((1, 1), _) => (68.0, 72.0),
                (_, 0) => (50.0, 36.0),
                (_, 1) => (30.0, 18.0),
                (_, _) => (18.0, 9.0),
            };
            assert_eq!((largest, kept.floor()), expected, "({r}, {c})");
            assert!(inner > 0 || 1.5 * kept >= largest, "({r}, {c}) of what was seen");
        }
    }
}

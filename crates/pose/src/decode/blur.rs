//! The Gaussian blur that DARK and UDP decode.

use super::Map;
use crate::Size;

/// The values beyond a map's border, as a blur takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Border {
    /// Zeros.
    Zero,
    /// The map mirrored about its outermost pixels, without repeating them: OpenCV's default.
    Mirror,
}

/// A map blurred in f64, `[height, width]`.
pub(super) struct Blurred {
    values: Vec<f64>,
    size: Size,
}

impl Blurred {
    /// Returns the map blurred with a Gaussian of this many taps, an odd number, and of OpenCV's standard deviation for it.
    pub(super) fn new(map: &Map, taps: usize, border: Border) -> Self {
        let size = map.size;
        let weights = gaussian(taps);
        let mut rows = vec![0.0; size.pixels()];
        let mut padded = vec![0.0; size.width + taps - 1];
        for (row, blurred) in map
            .values
            .chunks_exact(size.width)
            .zip(rows.chunks_exact_mut(size.width))
        {
            for (place, value) in padded.iter_mut().enumerate() {
                let index = border.index(place, taps / 2, size.width);
                *value = index.map_or(0.0, |x| f64::from(row[x]));
            }
            for (tap, weight) in weights.iter().enumerate() {
                for (blurred, value) in blurred.iter_mut().zip(&padded[tap..]) {
                    *blurred += weight * value;
                }
            }
        }
        let mut values = vec![0.0; size.pixels()];
        for (y, blurred) in values.chunks_exact_mut(size.width).enumerate() {
            for (tap, weight) in weights.iter().enumerate() {
                let Some(y) = border.index(y + tap, taps / 2, size.height) else {
                    continue;
                };
                for (blurred, row) in blurred.iter_mut().zip(&rows[y * size.width..]) {
                    *blurred += weight * row;
                }
            }
        }
        Self { values, size }
    }

    pub(super) fn map(&self) -> Map<'_, f64> {
        Map {
            values: &self.values,
            size: self.size,
        }
    }

    /// Returns the highest value.
    pub(super) fn highest(&self) -> f64 {
        self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Returns the logarithms of the map, multiplied so that its highest value is that before the blur, and of values between
    /// `low` and `high`; `None` if nothing positive is left of the map.
    pub(super) fn logarithms(&self, peak: f32, low: f64, high: f64) -> Option<Logarithms<'_>> {
        let highest = self.highest();
        (highest > 0.0).then(|| Logarithms {
            map: self.map(),
            factor: f64::from(peak) / highest,
            low,
            high,
        })
    }
}

/// Logarithms of a blurred map, computed where they are read.
pub(super) struct Logarithms<'a> {
    map: Map<'a, f64>,
    factor: f64,
    low: f64,
    high: f64,
}

impl Logarithms<'_> {
    pub(super) fn at(&self, x: usize, y: usize) -> f64 {
        (self.map.at(x, y) * self.factor).clamp(self.low, self.high).ln()
    }
}

impl Border {
    /// Returns the index on the map of a place that is `before` to the right of it, if anything is there.
    fn index(self, place: usize, before: usize, length: usize) -> Option<usize> {
        match place.checked_sub(before) {
            Some(index) if index < length => Some(index),
            _ if self == Self::Zero => None,
            _ if length == 1 => Some(0),
            beyond => {
                let period = 2 * (length - 1);
                let index = match beyond {
                    Some(index) => index % period,
                    None => (before - place) % period,
                };
                Some(index.min(period - index))
            }
        }
    }
}

/// Returns the weights of a Gaussian, whose sum is 1.
fn gaussian(taps: usize) -> Vec<f64> {
    let middle = (taps - 1) as f64 / 2.0;
    let sigma = 0.3 * (middle - 1.0) + 0.8;
    let weight = |tap: usize| (-(tap as f64 - middle).powi(2) / (2.0 * sigma * sigma)).exp();
    let weights: Vec<f64> = (0..taps).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_turns_at_the_outermost_pixels_as_often_as_it_must() {
        let of = |length| -> Vec<usize> {
            (0..11)
                .map(|place| Border::Mirror.index(place, 4, length).expect("an index"))
                .collect()
        };
        assert_eq!(of(5), [4, 3, 2, 1, 0, 1, 2, 3, 4, 3, 2]);
        assert_eq!(of(2), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]);
        assert_eq!(of(1), [0; 11]);
        assert_eq!(
            (Border::Zero.index(3, 4, 5), Border::Zero.index(9, 4, 5)),
            (None, None)
        );
    }

    #[test]
    fn a_mirrored_constant_stays_and_one_among_zeros_fades_at_the_border() {
        let map = Map {
            values: &[0.5; 12][..],
            size: Size::new(4, 3),
        };
        let mirrored = Blurred::new(&map, 11, Border::Mirror);
        assert!(mirrored.values.iter().all(|value| (value - 0.5).abs() < 1e-12));
        let zeros = Blurred::new(&map, 11, Border::Zero);
        assert!(zeros.map().at(0, 0) < zeros.map().at(1, 1) && zeros.highest() < 0.4);
    }
}

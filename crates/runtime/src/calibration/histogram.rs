//! Counts of values, from which ranges are chosen.

use super::{Method, Range};

/// Bins of the counts. Half of them may lie on a side of zero that is empty, and half of the others beyond the largest
/// value: that leaves eight for each level of 8 bits.
const BINS: usize = 8192;

/// Levels of 8 bits.
const LEVELS: f64 = 255.0;

/// Ends that are tried on each side of zero for the least error.
const TRIED: usize = 256;

/// The least radius: what is smaller by far is as good as zero.
const LEAST_RADIUS: f64 = 1.0 / (1_u64 << 40) as f64;

/// Counts of values in bins of equal width around zero.
///
/// The radius is a power of two that doubles as larger values come, so that two bins become one and the counts do not depend
/// on the order of the values. Zeros, half of what a ReLU leaves, are counted by themselves: they are rounded without error.
pub(super) struct Histogram {
    radius: f64,
    bins: Vec<u64>,
    zeros: u64,
    lo: f32,
    hi: f32,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self {
            radius: LEAST_RADIUS,
            bins: vec![0; BINS],
            zeros: 0,
            lo: 0.0,
            hi: 0.0,
        }
    }

    /// Counts the values, or gives the first that is no finite number.
    pub(super) fn add(&mut self, values: &[f32]) -> Result<(), f32> {
        if let Some(odd) = values.iter().find(|value| !value.is_finite()) {
            return Err(*odd);
        }
        let ends = |(lo, hi): (f32, f32), value: &f32| (lo.min(*value), hi.max(*value));
        (self.lo, self.hi) = values.iter().fold((self.lo, self.hi), ends);
        let largest = f64::from(self.hi.max(-self.lo));
        while largest >= self.radius {
            self.double();
        }
        let half = (BINS / 2) as f64;
        let scale = half / self.radius;
        for value in values {
            if *value == 0.0 {
                self.zeros += 1;
            } else {
                // In f64 neither the product nor, but for the tiniest values, the sum is rounded.
                self.bins[(f64::from(*value) * scale + half) as usize] += 1;
            }
        }
        Ok(())
    }

    fn double(&mut self) {
        self.radius *= 2.0;
        if self.bins.iter().all(|count| *count == 0) {
            return;
        }
        let mut wider = vec![0; BINS];
        for (index, pair) in self.bins.chunks_exact(2).enumerate() {
            wider[BINS / 4 + index] = pair[0] + pair[1];
        }
        self.bins = wider;
    }

    /// The range that the method chooses.
    pub(super) fn range(&self, method: Method) -> Range {
        let all = Range::around(self.lo, self.hi);
        match method {
            Method::MinMax => all,
            Method::Percentile(percent) => {
                let beyond = (1.0 - percent / 100.0) / 2.0;
                let [lo, hi] = [beyond, 1.0 - beyond].map(|share| self.quantile(share) as f32);
                Range::around(lo.max(all.lo), hi.min(all.hi))
            }
            Method::Mse => self.least_error(all).range,
        }
    }

    fn width(&self) -> f64 {
        2.0 * self.radius / BINS as f64
    }

    /// The value in the middle of a bin.
    fn middle(&self, bin: usize) -> f64 {
        (bin as f64 + 0.5) * self.width() - self.radius
    }

    /// The value that this share of all lie below, as if those of a bin lay evenly in it.
    fn quantile(&self, share: f64) -> f64 {
        let total = self.zeros + self.bins.iter().sum::<u64>();
        let mut rank = share * total as f64;
        for (bin, count) in self.bins.iter().enumerate() {
            if bin == BINS / 2 {
                rank -= self.zeros as f64;
                if rank <= 0.0 {
                    return 0.0;
                }
            }
            if *count > 0 && rank <= *count as f64 {
                let within = rank.max(0.0) / *count as f64;
                return self.middle(bin) + (within - 0.5) * self.width();
            }
            rank -= *count as f64;
        }
        f64::from(self.hi)
    }

    /// The range with the least squared error, of ends at equal distances. Values inside are rounded to a step `s`, which adds
    /// `s^2 / 12` each; those outside lie as far off as they lie beyond the end. docs/engine/fixed-point.md derives both.
    fn least_error(&self, all: Range) -> Estimated {
        let below = Tail::new((0..BINS / 2).rev().map(|bin| (-self.middle(bin), self.bins[bin])));
        let above = Tail::new((BINS / 2..BINS).map(|bin| (self.middle(bin), self.bins[bin])));
        let numbers = below.numbers() + above.numbers();
        let lows = Self::tried(-f64::from(all.lo), &below, self.width());
        let highs = Self::tried(f64::from(all.hi), &above, self.width());
        let error = |low: &Cut, high: &Cut| {
            let step = (low.end + high.end) / LEVELS;
            low.error + high.error + (numbers - low.numbers - high.numbers) * step * step / 12.0
        };
        let mut best = Estimated {
            range: all,
            error: f64::INFINITY,
        };
        for low in &lows {
            for high in &highs {
                let error = error(low, high);
                if error < best.error {
                    let range = Range::around(-low.end as f32, high.end as f32);
                    best = Estimated { range, error };
                }
            }
        }
        best
    }

    /// Returns the parts cut off on one side by ends up to the largest value, which cuts off nothing.
    fn tried(largest: f64, tail: &Tail, width: f64) -> Vec<Cut> {
        let whole = Cut {
            end: largest,
            numbers: 0.0,
            error: 0.0,
        };
        let shorter = (1..TRIED).map(|part| tail.cut(largest * part as f64 / TRIED as f64, width));
        match largest > 0.0 {
            true => std::iter::once(whole).chain(shorter).collect(),
            false => vec![whole],
        }
    }
}

/// A range, and the squared error that 8 bits of it would make of all values, by the model of [`Histogram::least_error`].
struct Estimated {
    range: Range,
    error: f64,
}

/// One side of zero, as sums over all bins from each on: of counts, of values, of squares.
struct Tail(Vec<[f64; 3]>);

/// The part that an end cuts off.
struct Cut {
    /// As a distance from zero.
    end: f64,
    /// Values beyond.
    numbers: f64,
    /// The squares of their distances from the end, summed.
    error: f64,
}

impl Tail {
    /// The bins' middles, as distances from zero, with their counts, the nearest first.
    fn new(bins: impl DoubleEndedIterator<Item = (f64, u64)>) -> Self {
        let mut sum = [0.0; 3];
        let mut sums = vec![sum];
        for (middle, count) in bins.rev() {
            let count = count as f64;
            sum = [
                sum[0] + count,
                sum[1] + count * middle,
                sum[2] + count * middle * middle,
            ];
            sums.push(sum);
        }
        sums.reverse();
        Self(sums)
    }

    fn numbers(&self) -> f64 {
        self.0[0][0]
    }

    /// The cut at the bin's edge that is next to `end`.
    fn cut(&self, end: f64, width: f64) -> Cut {
        let bin = ((end / width).round() as usize).clamp(1, self.0.len() - 1);
        let end = bin as f64 * width;
        let [numbers, values, squares] = self.0[bin];
        Cut {
            end,
            numbers,
            error: (squares - 2.0 * end * values + end * end * numbers).max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[f32]) -> Histogram {
        let mut histogram = Histogram::new();
        histogram.add(values).expect("numbers");
        histogram
    }

    /// Evenly spread from 0 to 1, both included.
    fn even(count: usize) -> impl Iterator<Item = f32> {
        (0..=count).map(move |i| i as f32 / count as f32)
    }

    #[test]
    fn all_that_was_seen_lies_between_the_least_and_the_largest() {
        let range = histogram(&[0.5, -3.0, 2.0]).range(Method::MinMax);
        assert_eq!(range, Range { lo: -3.0, hi: 2.0 });
        let above = histogram(&[0.5, 2.0]).range(Method::MinMax);
        assert_eq!(above, Range { lo: 0.0, hi: 2.0 }, "padding reads zero");
        for method in [Method::MinMax, Method::Percentile(99.0), Method::Mse] {
            let zero = histogram(&[0.0; 5]).range(method);
            assert_eq!(zero, Range { lo: 0.0, hi: 0.0 }, "{method}");
        }
        assert!(Histogram::new().add(&[1.0, f32::NAN]).is_err_and(f32::is_nan));
    }

    #[test]
    fn counts_do_not_depend_on_the_order_of_the_values() {
        let values: Vec<f32> = (0..5000)
            .map(|i| ((i * 7919 % 5003) as f32 - 2000.0).powi(3) * 1e-6)
            .collect();
        let whole = histogram(&values);
        let mut parts = Histogram::new();
        for part in values.chunks(7).rev() {
            parts.add(part).expect("numbers");
        }
        assert_eq!((whole.radius, whole.zeros), (parts.radius, parts.zeros));
        assert_eq!(whole.bins, parts.bins);
        assert_eq!(whole.bins.iter().sum::<u64>() + whole.zeros, 5000);
    }

    #[test]
    fn a_percentile_cuts_off_as_much_below_as_above() {
        let both: Vec<f32> = even(10_000).map(|value| 2.0 * value - 1.0).collect();
        let range = histogram(&both).range(Method::Percentile(99.0));
        assert!(
            (range.hi - 0.99).abs() < 1e-3 && (range.lo + 0.99).abs() < 1e-3,
            "{range:?}"
        );
        // Half of the values are zeros, as behind a ReLU: the upper half percent of all is one percent of the others.
        let positive: Vec<f32> = even(9_999).flat_map(|value| [0.0, value]).collect();
        let range = histogram(&positive).range(Method::Percentile(99.0));
        assert!((range.hi - 0.99).abs() < 1e-3 && range.lo == 0.0, "{range:?}");
    }

    /// The squared error of rounding the values to 256 levels of the range, with zero as one of them.
    fn error(values: &[f32], range: Range) -> f64 {
        let step = f64::from(range.hi - range.lo) / LEVELS;
        let zero = (f64::from(-range.lo) / step).round();
        let rounded = |value: f64| ((value / step + zero).round().clamp(0.0, LEVELS) - zero) * step;
        values
            .iter()
            .map(|value| (rounded(f64::from(*value)) - f64::from(*value)).powi(2))
            .sum()
    }

    #[test]
    fn the_error_is_a_twelfth_of_the_squared_step_inside_and_the_distance_beyond() {
        // Inside a range of 255 steps of 1/255 nothing is cut: the noise of rounding alone, 1 / (12 * 255^2).
        let values: Vec<f32> = (0..50_000)
            .map(|i| (i * 7919 % 50_021) as f32 / 50_021.0)
            .collect();
        let noise = error(&values, Range { lo: 0.0, hi: 1.0 }) / values.len() as f64;
        assert!((noise * 12.0 * LEVELS * LEVELS - 1.0).abs() < 0.02, "{noise}");
        // With a long tail much is cut, and what the model expects is what rounding and cutting do.
        let tail: Vec<f32> = values.iter().map(|value| -(1.0 - value).ln()).collect();
        let histogram = histogram(&tail);
        let Estimated {
            range,
            error: expected,
        } = histogram.least_error(histogram.range(Method::MinMax));
        let measured = error(&tail, range);
        let cut: f64 = tail
            .iter()
            .map(|value| f64::from(value - range.hi).max(0.0).powi(2))
            .sum();
        assert!(
            (expected / measured - 1.0).abs() < 0.03,
            "{expected} and {measured}"
        );
        assert!(
            (0.05..0.5).contains(&(cut / measured)),
            "both parts count: {}",
            cut / measured
        );
    }

    #[test]
    fn the_least_error_is_within_a_twentieth_of_the_best_there_is() {
        let bell = |i: usize| {
            // Sums of twelve numbers are nearly normal.
            let numbers = (0..12).map(|k| ((i * 7919 + k * 104_729) % 10_007) as f32 / 10_007.0);
            numbers.sum::<f32>() - 6.0
        };
        let mut lonely: Vec<f32> = even(20_000).collect();
        lonely.push(12.0);
        let relu: Vec<f32> = (0..20_000).map(|i| bell(i).max(0.0).powi(2)).collect();
        let both: Vec<f32> = (0..20_000).map(|i| bell(i) * bell(i + 3).abs()).collect();
        for (name, values) in [("lonely", lonely), ("relu", relu), ("both", both)] {
            let histogram = histogram(&values);
            let all = histogram.range(Method::MinMax);
            let chosen = error(&values, histogram.range(Method::Mse));
            let scaled = |part: usize| {
                let part = part as f32 / 200.0;
                error(&values, Range::around(all.lo * part, all.hi * part))
            };
            let best = (1..=200).map(scaled).fold(f64::INFINITY, f64::min);
            assert!(chosen <= 1.05 * best, "{name}: {chosen} and {best}");
        }
        let range = histogram(&even(20_000).collect::<Vec<_>>()).range(Method::Mse);
        assert!(range.hi > 0.99, "nothing to gain by cutting: {range:?}");
    }
}

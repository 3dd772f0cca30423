use crate::verdict::share_interval;
use crate::{Fidelity, Interval};

/// Logits beside the reference's, image by image.
#[derive(Clone, Debug, Default)]
pub struct Closeness {
    images: usize,
    agreeing: usize,
    /// Of all logits: how many, and of the reference's the sum, the sum of squares and the largest absolute value.
    logits: usize,
    sum: f64,
    squares: f64,
    largest: f64,
    /// Of the differences: the sum of squares and the largest.
    error_squares: f64,
    largest_error: f64,
    /// The sum over images.
    divergence: f64,
}

impl Closeness {
    /// Takes in images with so many classes each; both slices are `[n, classes]`. A logit that is NaN is infinitely far off.
    ///
    /// # Panics
    /// If the slices are not equally long, or there are no classes.
    pub fn add(&mut self, logits: &[f32], reference: &[f32], classes: usize) {
        assert_eq!(logits.len(), reference.len(), "logits to compare");
        let images = logits.chunks_exact(classes).zip(reference.chunks_exact(classes));
        for (ours, right) in images {
            self.images += 1;
            self.agreeing += usize::from(first(ours) == first(right));
            self.divergence += divergence(right, ours);
        }
        self.logits += logits.len();
        for (ours, right) in logits.iter().zip(reference) {
            let (error, right) = (distance(*ours, *right), f64::from(*right));
            self.sum += right;
            self.squares += right * right;
            self.largest = self.largest.max(right.abs());
            self.error_squares += error * error;
            self.largest_error = self.largest_error.max(error);
        }
    }

    /// The fidelity of all images so far; `None` without images.
    pub fn fidelity(&self) -> Option<Fidelity> {
        (self.images > 0).then(|| Fidelity {
            largest_error: self.largest_error / self.largest.max(f64::MIN_POSITIVE),
            top1_agreement: Some(self.agreeing as f64 / self.images as f64),
            error_in_deviations: Some(self.largest_error / self.deviation()),
            divergence: Some(self.divergence / self.images as f64),
        })
    }

    /// The root mean square of the differences, in standard deviations of the reference's logits; `None` without images.
    pub fn typical_error(&self) -> Option<f64> {
        let mean = self.error_squares / self.logits as f64;
        (self.logits > 0).then(|| mean.sqrt() / self.deviation())
    }

    /// Wilson's 95 % interval of the share of images like these whose first class is the reference's.
    pub fn agreement(&self) -> Interval {
        share_interval(self.agreeing, self.images)
    }

    /// Images taken in.
    pub fn images(&self) -> usize {
        self.images
    }

    /// The standard deviation of the reference's logits of all images.
    fn deviation(&self) -> f64 {
        let mean = self.sum / self.logits as f64;
        let variance = self.squares / self.logits as f64 - mean * mean;
        variance.max(0.0).sqrt().max(f64::MIN_POSITIVE)
    }
}

/// Heatmaps beside the reference's. They have no classes, and most of their values are near zero, so that errors are shares of
/// the reference's largest value.
#[derive(Clone, Debug, Default)]
pub struct MapCloseness {
    values: usize,
    /// The reference's largest absolute value.
    largest: f64,
    /// Of the differences: the sum of squares and the largest.
    error_squares: f64,
    largest_error: f64,
}

impl MapCloseness {
    /// Adds the maps of one or more images. A value that is NaN has an infinite error.
    ///
    /// # Panics
    /// If the slices do not have the same length.
    pub fn add(&mut self, maps: &[f32], reference: &[f32]) {
        assert_eq!(maps.len(), reference.len(), "values to compare");
        self.values += maps.len();
        for (ours, right) in maps.iter().zip(reference) {
            let error = distance(*ours, *right);
            self.largest = self.largest.max(f64::from(*right).abs());
            self.error_squares += error * error;
            self.largest_error = self.largest_error.max(error);
        }
    }

    /// The fidelity of all maps so far, which is an error alone; `None` without any.
    pub fn fidelity(&self) -> Option<Fidelity> {
        (self.values > 0).then(|| Fidelity {
            largest_error: self.largest_error / self.largest.max(f64::MIN_POSITIVE),
            ..Fidelity::default()
        })
    }

    /// The root mean square of the differences, as a share of the reference's largest value; `None` without maps.
    pub fn typical_error(&self) -> Option<f64> {
        let mean = self.error_squares / self.values as f64;
        (self.values > 0).then(|| mean.sqrt() / self.largest.max(f64::MIN_POSITIVE))
    }
}

/// The absolute difference of two values; infinite if one is NaN, which a largest value would pass over.
fn distance(ours: f32, right: f32) -> f64 {
    let error = (f64::from(ours) - f64::from(right)).abs();
    if error.is_nan() { f64::INFINITY } else { error }
}

/// The class of the largest logit.
fn first(logits: &[f32]) -> Option<usize> {
    (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b]))
}

/// The Kullback-Leibler divergence of the softmax of `logits` from that of `right`, nats.
fn divergence(right: &[f32], logits: &[f32]) -> f64 {
    let log_sum = |logits: &[f32]| {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|logit| f64::from(logit - largest).exp()).sum();
        f64::from(largest) + sum.ln()
    };
    let (of_right, of_ours) = (log_sum(right), log_sum(logits));
    let terms = right.iter().zip(logits).map(|(right, ours)| {
        let right = f64::from(*right) - of_right;
        right.exp() * (right - (f64::from(*ours) - of_ours))
    });
    let sum = terms.sum::<f64>();
    // Rounding may leave a little less than nothing; what is no number is not nothing.
    if sum.is_nan() { f64::INFINITY } else { sum.max(0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(logits: &[f32], reference: &[f32], classes: usize) -> Closeness {
        let mut closeness = Closeness::default();
        closeness.add(logits, reference, classes);
        closeness
    }

    #[test]
    fn the_same_logits_are_as_close_as_can_be() {
        let same = of(&[1.0, -3.0, 2.0], &[1.0, -3.0, 2.0], 3);
        let exact = Fidelity {
            largest_error: 0.0,
            top1_agreement: Some(1.0),
            error_in_deviations: Some(0.0),
            divergence: Some(0.0),
        };
        assert_eq!((same.fidelity(), same.typical_error()), (Some(exact), Some(0.0)));
        assert_eq!(Closeness::default().fidelity(), None);
        assert_eq!(Closeness::default().typical_error(), None);
    }

    #[test]
    fn errors_are_told_in_deviations_and_probabilities_in_nats() {
        // Probabilities of 1/2, 1/2 and of 1/4, 3/4, then two images that agree.
        let third = 3.0_f32.ln();
        let close = of(&[0.0, third, 4.0, 8.0], &[0.0, 0.0, 4.0, 8.0], 2);
        let fidelity = close.fidelity().expect("two images");
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a}, not {b}");
        // Equal logits: the last is the first class of both.
        assert_eq!(fidelity.top1_agreement, Some(1.0));
        near(fidelity.divergence.expect("known"), (4.0_f64 / 3.0).ln() / 4.0);
        // 0, 0, 4 and 8: mean 3, variance 11.
        near(
            fidelity.error_in_deviations.expect("known"),
            3.0_f64.ln() / 11.0_f64.sqrt(),
        );
        near(fidelity.largest_error, 3.0_f64.ln() / 8.0);
        near(
            close.typical_error().expect("known"),
            3.0_f64.ln() / 2.0 / 11.0_f64.sqrt(),
        );
        let swapped = of(&[1.0, 0.0, 0.0, 1.0], &[0.0, 1.0, 0.0, 1.0], 2);
        assert_eq!(swapped.fidelity().expect("two images").top1_agreement, Some(0.5));
        assert_eq!(swapped.images(), 2);
        let agreement = swapped.agreement();
        assert!(agreement.low < 0.5 && agreement.high > 0.5);
    }

    #[test]
    fn what_is_no_number_is_as_far_off_as_can_be() {
        for odd in [[f32::NAN, 1.0], [1.0, f32::NAN]] {
            let fidelity = of(&odd, &[0.5, 1.0], 2).fidelity().expect("an image");
            assert_eq!(fidelity.largest_error, f64::INFINITY);
            assert_eq!(fidelity.error_in_deviations, Some(f64::INFINITY));
            assert_eq!(fidelity.divergence, Some(f64::INFINITY));
        }
    }

    #[test]
    fn errors_of_heatmaps_are_shares_of_the_largest_value_and_nothing_else_is_known() {
        let mut maps = MapCloseness::default();
        assert_eq!((maps.fidelity(), maps.typical_error()), (None, None));
        maps.add(&[0.5, -0.5], &[0.5, 0.0]);
        maps.add(&[0.0, -4.0], &[0.0, -4.0]);
        let fidelity = maps.fidelity().expect("maps");
        let expected = Fidelity {
            largest_error: 0.125,
            ..Fidelity::default()
        };
        assert_eq!((fidelity, fidelity.top1_agreement), (expected, None));
        assert_eq!(
            maps.typical_error(),
            Some(0.0625),
            "0.5 in one of four values, of 4"
        );
        let json = serde_json::to_string(&fidelity).expect("JSON");
        assert_eq!(json, r#"{"largest_error":0.125}"#);
        maps.add(&[f32::NAN], &[1.0]);
        assert_eq!(maps.fidelity().expect("maps").largest_error, f64::INFINITY);
    }

    #[test]
    fn what_is_added_in_parts_comes_to_the_same() {
        let logits: Vec<f32> = (0..60).map(|i| (i * 37 % 23) as f32 / 5.0).collect();
        let reference: Vec<f32> = (0..60).map(|i| (i * 41 % 29) as f32 / 6.0).collect();
        let whole = of(&logits, &reference, 10);
        let mut parts = Closeness::default();
        for (ours, right) in logits.chunks(20).zip(reference.chunks(20)) {
            parts.add(ours, right, 10);
        }
        assert_eq!(whole.fidelity(), parts.fidelity());
        assert!(whole.fidelity().expect("images").divergence > Some(0.0));
    }
}

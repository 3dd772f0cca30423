use crate::Interval;

/// Bounds of the share of a whole data set by a random beginning of it, **at any time**: they hold with the requested chance for
/// all beginnings at once, so a run may be stopped as soon as they are tight enough.
///
/// An interval for a fixed number of images, as Wilson's, would be wrong in a run that is looked at after every batch: sooner
/// or later it fails to hold. These bounds are those of Waudby-Smith and Ramdas (2020) for sampling without replacement:
/// every count of right images in the whole is a hypothesis, and stays in while the ratio of its prior (uniform) to
/// its posterior is below one over the chance of error, which by Ville's inequality it exceeds seldom enough.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Images of the whole.
    images: usize,
    /// Logarithms of factorials from 0 to `images + 1`.
    factorials: Vec<f64>,
    error: f64,
}

impl Bounds {
    /// For a data set of so many images, wrong with at most this chance.
    pub fn new(images: usize, error: f64) -> Self {
        let mut factorials = Vec::with_capacity(images + 2);
        let mut sum = 0.0;
        factorials.push(sum);
        for n in 1..=images + 1 {
            sum += (n as f64).ln();
            factorials.push(sum);
        }
        Self {
            images,
            factorials,
            error,
        }
    }

    /// Images of the whole.
    pub fn images(&self) -> usize {
        self.images
    }

    /// The interval of the share of the whole after `right` of the first `seen` images.
    pub fn after(&self, right: usize, seen: usize) -> Interval {
        let wrong = seen - right;
        let (least, most) = (right, self.images - wrong);
        // The posterior has one peak, near the share so far.
        let peak = (right as f64 / seen.max(1) as f64 * self.images as f64) as usize;
        let peak = peak.clamp(least, most);
        let low = first(least, peak, |count| self.is_in(count, right, seen));
        let high = self.images
            - first(self.images - most, self.images - peak, |rest| {
                self.is_in(self.images - rest, right, seen)
            });
        let share = |count: usize| count as f64 / self.images.max(1) as f64;
        Interval {
            low: share(low),
            high: share(high),
        }
    }

    /// Returns `true` if `count` right images in the whole are still possible.
    fn is_in(&self, count: usize, right: usize, seen: usize) -> bool {
        let ways = self.choose(count, right) + self.choose(self.images - count, seen - right);
        let all = self.choose(self.images + 1, seen + 1);
        let ratio = all - ways - ((self.images + 1) as f64).ln();
        ratio < -self.error.ln()
    }

    /// The logarithm of the number of ways to choose `k` of `n`.
    fn choose(&self, n: usize, k: usize) -> f64 {
        self.factorials[n] - self.factorials[k] - self.factorials[n - k]
    }
}

/// The first number from `low` to `high` that the predicate holds of; it holds of `high`, and of all after the first.
fn first(mut low: usize, mut high: usize, holds: impl Fn(usize) -> bool) -> usize {
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_close_in_on_the_whole() {
        let bounds = Bounds::new(2000, 0.05);
        let nothing = bounds.after(0, 0);
        assert_eq!((nothing.low, nothing.high), (0.0, 1.0));
        let mut last = 1.0;
        for seen in [50, 500, 1000, 1900] {
            let Interval { low, high } = bounds.after(seen * 4 / 5, seen);
            assert!(
                low < 0.8 && 0.8 < high && high - low < last,
                "{seen}: {low} to {high}"
            );
            last = high - low;
        }
        let all = bounds.after(1600, 2000);
        assert_eq!((all.low, all.high), (0.8, 0.8), "the whole is known");
    }

    #[test]
    fn they_hold_at_all_times_at_once() {
        // 400 random orders of a data set with 300 of 400 right: each is looked at after every image.
        let (images, right, trials) = (400, 300, 400);
        let bounds = Bounds::new(images, 0.05);
        let mut rng = fastrand::Rng::with_seed(7);
        let mut failures = 0;
        for _ in 0..trials {
            let mut answers: Vec<bool> = (0..images).map(|image| image < right).collect();
            rng.shuffle(&mut answers);
            let mut so_far = 0;
            let fails = answers.iter().enumerate().any(|(index, answer)| {
                so_far += usize::from(*answer);
                let interval = bounds.after(so_far, index + 1);
                !(interval.low..=interval.high).contains(&0.75)
            });
            failures += usize::from(fails);
        }
        // 5 % of 400 are 20; beyond 33 chance would be one in a thousand.
        assert!(failures <= 33, "{failures} of {trials} orders broke the bounds");
    }
}

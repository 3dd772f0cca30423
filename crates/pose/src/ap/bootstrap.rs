//! Intervals of AP and AR over other images drawn like these.

use super::{Curves, Evaluation};

/// An interval of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Intervals of the figures that papers claim.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Intervals {
    /// Of AP.
    pub ap: Interval,
    /// Of AP at the threshold 0.50.
    pub ap50: Interval,
    /// Of AP at the threshold 0.75.
    pub ap75: Interval,
    /// Of AR.
    pub ar: Interval,
}

impl Evaluation {
    /// Returns percentile bootstrap intervals over images: as many images are drawn with replacement as there are, `resamples`
    /// times, and the interval holds the middle `confidence` of the figures (0.95). The same seed gives the same intervals.
    ///
    /// It is a statement about other images drawn like these. Persons and detections of one image stay together. `None` if
    /// nothing is drawn, or no drawing has a person that counts.
    pub fn intervals(&self, resamples: usize, confidence: f64, seed: u64) -> Option<Intervals> {
        let drawn = draw(self.images, resamples, seed, |times| self.all.curves(times));
        let interval =
            |figure: &dyn Fn(&Curves) -> f64| middle(drawn.iter().map(figure).collect(), confidence);
        Some(Intervals {
            ap: interval(&Curves::ap)?,
            ap50: interval(&|curves| curves.precisions[0])?,
            ap75: interval(&|curves| curves.precisions[5])?,
            ar: interval(&Curves::ar)?,
        })
    }
}

impl Evaluation {
    /// Returns the percentile bootstrap interval of this AP less another one on the same images: both are of the same drawings, as by
    /// [`Evaluation::intervals`].
    ///
    /// `None` if the other one has another number of images, nothing is drawn, or no drawing has a person that counts.
    pub fn difference(&self, other: &Self, resamples: usize, confidence: f64, seed: u64) -> Option<Interval> {
        if self.images != other.images {
            return None;
        }
        let drawn = draw(self.images, resamples, seed, |times| {
            Some(self.all.curves(times)?.ap() - other.all.curves(times)?.ap())
        });
        middle(drawn, confidence)
    }
}

/// Draws as many images with replacement as there are, `resamples` times, and returns what is found of each drawing, which says how
/// many times each image is in it.
fn draw<T>(images: usize, resamples: usize, seed: u64, find: impl Fn(&[u32]) -> Option<T>) -> Vec<T> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut times = vec![0_u32; images];
    let mut drawn = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        times.fill(0);
        for _ in 0..images {
            times[rng.usize(..images)] += 1;
        }
        drawn.extend(find(&times));
    }
    drawn
}

/// Returns the middle of these values that holds a share of them, between neighbours in proportion.
fn middle(mut values: Vec<f64>, share: f64) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |quantile: f64| {
        let place = quantile.clamp(0.0, 1.0) * last as f64;
        let below = place.floor() as usize;
        let above = (below + 1).min(last);
        values[below] + (values[above] - values[below]) * (place - below as f64)
    };
    Some(Interval {
        low: at((1.0 - share) / 2.0),
        high: at((1.0 + share) / 2.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_leaves_out_as_many_on_both_sides() {
        let values = (0..=100).rev().map(f64::from).collect();
        let interval = middle(values, 0.9).expect("values");
        assert!((interval.low - 5.0).abs() < 1e-9 && (interval.high - 95.0).abs() < 1e-9);
        let all = middle(vec![3.0, 1.0, 2.0], 1.0).expect("values");
        assert_eq!((all.low, all.high), (1.0, 3.0));
        assert_eq!(middle(Vec::new(), 0.9), None);
    }
}

//! The verdict of few processes: by a spread that is known from elsewhere.

use crate::stats::median;

/// The standard error of a median over the median absolute deviation and the root of the count, for normal noise: the
/// median's over the mean's, times the standard deviation over the absolute one.
pub(super) const MEDIAN_ERROR: f64 = 1.2533 * 1.4826;

/// The 97.5th percentile of the normal distribution.
pub(super) const NORMAL_95: f64 = 1.959_964;

/// The 97.5th percentile of Student's distribution with six degrees of freedom.
pub(super) const STUDENT_95: f64 = 2.446_912;

/// The chance that Student's variable with six degrees of freedom lies farther from 0 than `t`.
pub(super) fn student(t: f64) -> f64 {
    let square = 6.0 + t * t;
    let sine = t.abs() / square.sqrt();
    // 1 - sine has no digits left far out; this form of it has.
    let rest = 6.0 / (square * (1.0 + sine));
    // 1 - 15/8 (s - 2/3 s^3 + 1/5 s^5), of which (1 - s)^3 is a factor.
    rest.powi(3) * (8.0 + 9.0 * sine + 3.0 * sine * sine) / 8.0
}

/// The median and its standard error of a few logarithms.
pub(super) fn centre(logs: &[f64]) -> Option<(f64, f64)> {
    let centre = median(&mut logs.to_vec())?;
    let mut away: Vec<f64> = logs.iter().map(|log| (log - centre).abs()).collect();
    let mad = median(&mut away)?;
    Some((centre, MEDIAN_ERROR * mad / (logs.len() as f64).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn student_is_that_of_the_tables() {
        for (t, two_sided) in [
            (0.0, 1.0),
            (STUDENT_95, 0.05),
            (1.943_180, 0.1),
            (3.707_428, 0.01),
            (5.958_816, 0.001),
            (-5.958_816, 0.001),
        ] {
            let p = student(t);
            assert!((p - two_sided).abs() < 1e-4 * two_sided.max(0.01), "{t}: {p}");
        }
        let (far, farther) = (student(1e4), student(1e5));
        assert!(
            far > 0.0 && (far / farther - 1e6).abs() < 100.0,
            "the tail falls as t^-6"
        );
    }

    #[test]
    fn the_centre_of_few_logs_and_its_error() {
        assert_eq!(centre(&[]), None);
        assert_eq!(centre(&[2.0]), Some((2.0, 0.0)));
        let (middle, error) = centre(&[1.0, 2.0, 3.0, 9.0]).expect("logs");
        assert_eq!(middle, 2.5);
        assert!((error - MEDIAN_ERROR / 2.0).abs() < 1e-12, "{error}");
    }
}

use super::spread::NORMAL_95;
use crate::Interval;

/// Wilson's 95 % interval of the true share after `found` of `of` trials; 0 to 1 without trials.
pub fn share_interval(found: usize, of: usize) -> Interval {
    if of == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (n, share) = (of as f64, found as f64 / of as f64);
    let square = NORMAL_95 * NORMAL_95;
    let centre = share + square / (2.0 * n);
    let half = NORMAL_95 * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
    let scale = 1.0 + square / n;
    Interval {
        low: ((centre - half) / scale).max(0.0),
        high: ((centre + half) / scale).min(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_wilsons() {
        let near = |found, of, low: f64, high: f64| {
            let interval = share_interval(found, of);
            let off = (interval.low - low).abs().max((interval.high - high).abs());
            assert!(off < 1e-3, "{found} of {of}: {interval:?}");
        };
        near(0, 30, 0.0, 0.1135);
        near(30, 30, 0.8865, 1.0);
        near(5, 10, 0.2366, 0.7634);
        assert_eq!(share_interval(0, 0), Interval { low: 0.0, high: 1.0 });
    }
}

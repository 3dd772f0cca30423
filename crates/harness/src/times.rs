use crate::{Quantile, Ratio, Record, Summary};

/// Order statistics of the records of one case, over all processes that measured it.
///
/// Every command and every page prints these, so a name means the same everywhere: the median is the median of the processes'
/// medians, p90 is the sample's own 90th percentile, and a bound is a confidence bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Times {
    /// Processes that have samples.
    pub processes: usize,
    /// Timed runs of all processes.
    pub samples: usize,
    /// Median of the processes' medians, ns.
    pub median_ns: f64,
    /// Median absolute deviation of all samples from their median, ns.
    pub mad_ns: f64,
    /// Interval of the median, ns: a 95 % interval by the samples of one process or by the medians of six and more processes,
    /// and the range of the medians of two to five.
    pub interval: Option<(f64, f64)>,
    /// The 90th percentile of all samples, ns; `None` if there are fewer than [`Times::P90_SAMPLES`].
    pub p90_ns: Option<f64>,
    /// Upper bound of the true 90th percentile at 99 % confidence, ns; `None` like `p90_ns`.
    pub p90_bound_ns: Option<f64>,
    /// The fastest run, ns.
    pub min_ns: f64,
    /// The slowest run, ns.
    pub max_ns: f64,
}

impl Times {
    /// Samples that a 90th percentile needs: the largest of this many bounds the true one with 99 % confidence.
    pub const P90_SAMPLES: usize = 44;

    /// The times of these records, or `None` if no record has any.
    pub fn of(records: &[&Record]) -> Option<Self> {
        let measured: Vec<&&Record> = records.iter().filter(|record| record.error.is_none()).collect();
        let mut medians: Vec<u64> = measured
            .iter()
            .filter_map(|record| Some(record.summary()?.median_ns.round() as u64))
            .collect();
        let mut samples: Vec<u64> = measured
            .iter()
            .flat_map(|record| record.samples_ns.iter().copied())
            .collect();
        let pooled = Summary::of(&samples)?;
        medians.sort_unstable();
        samples.sort_unstable();
        let interval = match medians.len() {
            1 => interval(&samples),
            2..6 => Some((medians[0] as f64, medians[medians.len() - 1] as f64)),
            _ => interval(&medians),
        };
        let p90 = match Quantile::of(&samples, 0.9) {
            Quantile::Known { ns, bound_ns } => Some((ns, bound_ns)),
            Quantile::Needs(_) => None,
        };
        Some(Self {
            processes: medians.len(),
            samples: samples.len(),
            median_ns: Summary::of(&medians)?.median_ns,
            mad_ns: pooled.mad_ns,
            interval,
            p90_ns: p90.map(|(ns, _)| ns),
            p90_bound_ns: p90.map(|(_, bound_ns)| bound_ns),
            min_ns: pooled.min_ns,
            max_ns: pooled.max_ns,
        })
    }

    /// Median, ms.
    pub fn median_ms(&self) -> f64 {
        self.median_ns / 1e6
    }

    /// The interval of the median, ms.
    pub fn interval_ms(&self) -> Option<(f64, f64)> {
        self.interval.map(|(low, high)| (low / 1e6, high / 1e6))
    }

    /// The median absolute deviation as a share of the median.
    pub fn spread(&self) -> f64 {
        if self.median_ns > 0.0 {
            self.mad_ns / self.median_ns
        } else {
            0.0
        }
    }
}

/// The 95 % interval of the median of these values: that of their ratio to 1.
fn interval(values: &[u64]) -> Option<(f64, f64)> {
    let interval = Ratio::of(values, &vec![1; values.len()])?.interval?;
    Some((interval.low, interval.high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provenance;

    #[test]
    fn one_process_has_an_interval_and_a_percentile_if_its_samples_suffice() {
        let of = |count: u64| {
            let samples = (1..=count).map(|ms| ms * 1_000_000).collect();
            let case = "preprocess/decode".parse().expect("a case");
            let record = Record::new(case, Record::now(), Ok(samples), Provenance::default());
            Times::of(&[&record]).expect("measured")
        };
        assert_eq!((of(5).interval, of(5).p90_ns), (None, None));
        assert_eq!(of(6).interval_ms(), Some((1.0, 6.0)));
        let last = Times::P90_SAMPLES as u64;
        assert_eq!((of(last - 1).p90_ns, of(last - 1).p90_bound_ns), (None, None));
        assert_eq!((of(last).p90_ns, of(last).p90_bound_ns), (Some(40e6), Some(44e6)));
        assert_eq!((of(100).p90_ns, of(100).p90_bound_ns), (Some(90e6), Some(97e6)));
    }
}

/// Order statistics of raw samples; means of latencies are skewed by the machine's other work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Number of samples.
    pub samples: usize,
    /// Median, ns.
    pub median_ns: f64,
    /// Median absolute deviation from the median, ns.
    pub mad_ns: f64,
    /// Fastest sample, ns.
    pub min_ns: f64,
    /// Slowest sample, ns.
    pub max_ns: f64,
}

impl Summary {
    /// The summary of these samples, or `None` if there are none.
    pub fn of(samples_ns: &[u64]) -> Option<Self> {
        let mut sorted: Vec<f64> = samples_ns.iter().map(|ns| *ns as f64).collect();
        let median_ns = median(&mut sorted)?;
        let (min_ns, max_ns) = (sorted[0], sorted[sorted.len() - 1]);
        let mut deviations: Vec<f64> = sorted.iter().map(|ns| (ns - median_ns).abs()).collect();
        let mad_ns = median(&mut deviations)?;
        Some(Self {
            samples: sorted.len(),
            median_ns,
            mad_ns,
            min_ns,
            max_ns,
        })
    }

    /// Median, ms.
    pub fn median_ms(&self) -> f64 {
        self.median_ns / 1e6
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

/// Sorts the values and returns their median; `None` without values.
pub fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[half]),
        _ => Some(f64::midpoint(values[half - 1], values[half])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_statistics_of_small_samples() {
        assert_eq!(Summary::of(&[]), None);
        let one = Summary::of(&[7]).expect("a sample");
        assert_eq!((one.median_ns, one.mad_ns, one.samples), (7.0, 0.0, 1));
        let odd = Summary::of(&[9, 1, 5, 100, 6]).expect("samples");
        assert_eq!(
            (odd.median_ns, odd.mad_ns, odd.min_ns, odd.max_ns),
            (6.0, 3.0, 1.0, 100.0)
        );
        let even = Summary::of(&[4, 2, 8, 6]).expect("samples");
        assert_eq!((even.median_ns, even.mad_ns, even.spread()), (5.0, 2.0, 0.4));
    }
}

/// The confidence of bounds on quantiles.
const CONFIDENCE: f64 = 0.99;

/// A latency that a share of all runs does not exceed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantile {
    /// There are samples enough.
    Known {
        /// The sample's own quantile, ns.
        ns: f64,
        /// Upper bound of the true quantile at 99 % confidence, whatever the distribution: one of the samples, ns.
        bound_ns: f64,
    },
    /// There are too few samples: the largest is such a bound of this many.
    Needs(usize),
}

impl Quantile {
    /// The quantile below which a `share` of all runs stays, between 0 and 1.
    ///
    /// The largest of `n` samples exceeds it with probability `1 - share^n`; the bound is the smallest sample that does so
    /// with enough confidence, by the binomial distribution of how many samples lie below the quantile.
    pub fn of(samples_ns: &[u64], share: f64) -> Self {
        let n = samples_ns.len();
        let needs = needs(share);
        if n < needs {
            return Self::Needs(needs);
        }
        let mut sorted = samples_ns.to_vec();
        sorted.sort_unstable();
        let own = ((n as f64 * share).ceil() as usize).clamp(1, n) - 1;
        Self::Known {
            ns: sorted[own] as f64,
            bound_ns: sorted[rank(n, share)] as f64,
        }
    }
}

/// Samples of which the largest bounds the quantile: 44 for p90, 90 for p95, 459 for p99.
fn needs(share: f64) -> usize {
    ((1.0 - CONFIDENCE).ln() / share.ln()).ceil() as usize
}

/// The index of the smallest of `n` sorted samples that bounds the quantile.
fn rank(n: usize, share: f64) -> usize {
    let mut ln_chance = n as f64 * (1.0 - share).ln();
    let mut below = 0.0;
    for k in 0..n {
        // The sample at index `k` is no bound if more than `k` samples lie below the quantile.
        below += ln_chance.exp();
        if below >= CONFIDENCE {
            return k;
        }
        ln_chance += ((n - k) as f64 / (k + 1) as f64 * share / (1.0 - share)).ln();
    }
    n - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_samples_are_needed_and_no_fewer() {
        for (share, count) in [(0.9, 44), (0.95, 90), (0.99, 459)] {
            let samples: Vec<u64> = (1..=count).collect();
            let fewer = &samples[1..];
            assert_eq!(Quantile::of(fewer, share), Quantile::Needs(samples.len()));
            let Quantile::Known { ns, bound_ns } = Quantile::of(&samples, share) else {
                panic!("{count} samples are enough for {share}");
            };
            assert_eq!(bound_ns, count as f64, "the largest, just");
            assert_eq!(ns, (count as f64 * share).ceil());
        }
        assert_eq!(Quantile::of(&[], 0.9), Quantile::Needs(44));
    }

    #[test]
    fn more_samples_bring_the_bound_nearer() {
        let of = |count: u64| {
            let samples: Vec<u64> = (1..=count).rev().collect();
            match Quantile::of(&samples, 0.9) {
                Quantile::Known { bound_ns, .. } => bound_ns / count as f64,
                Quantile::Needs(_) => panic!("{count} samples are enough"),
            }
        };
        assert!(of(44) > of(100) && of(100) > of(1000) && of(1000) > 0.9);
        // By the normal approximation 0.9 + 2.326 * sqrt(0.09 / 1000) = 0.922.
        assert!((of(1000) - 0.922).abs() < 0.003, "{}", of(1000));
    }

    #[test]
    fn the_bound_holds_as_often_as_it_says() {
        // A generator of uniform numbers: the true 90th percentile is 0.9 of the range.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut draw = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state >> 44
        };
        let truth = 0.9 * (1_u64 << 20) as f64;
        let holds = |_: &u32| {
            let samples: Vec<u64> = (0..60).map(|_| draw()).collect();
            matches!(Quantile::of(&samples, 0.9), Quantile::Known { bound_ns, .. } if bound_ns >= truth)
        };
        let held = (0..4000).filter(holds).count();
        // 99 % and at most what the next smaller sample would miss.
        assert!((3940..4000).contains(&held), "{held} of 4000");
    }
}

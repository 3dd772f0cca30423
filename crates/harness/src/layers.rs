use serde::{Deserialize, Serialize};

use crate::{Case, Provenance, Summary};

/// The times of all steps of a network in several runs: where a cell's time goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerTimes {
    /// Version of this form, [`LayerTimes::SCHEMA`].
    pub schema: u32,
    /// What was run.
    pub case: Case,
    /// When it began, RFC 3339 in UTC.
    pub started: String,
    /// Multiply-accumulates a second of fused f32 instructions on as many threads, right after.
    pub peak_macs_per_s: f64,
    /// The steps in the order in which they run.
    pub steps: Vec<StepTimes>,
    /// What ran where.
    #[serde(flatten)]
    pub provenance: Provenance,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepTimes {
    /// The node of the graph that it computes; of several that are fused, the convolution or linear layer where there is
    /// one.
    pub layer: String,
    /// The kernel and the shapes, equal for steps that cost the same.
    pub kind: String,
    /// Multiply-accumulates by the definition of the layer.
    pub macs: u64,
    /// Bytes of prepared weights.
    pub weight_bytes: usize,
    /// Its time in each run, ns; runs are the same for all steps.
    pub samples_ns: Vec<u64>,
}

/// Several steps together.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSum<K> {
    /// What they have in common.
    pub key: K,
    /// How many they are.
    pub steps: usize,
    /// Multiply-accumulates of all.
    pub macs: u64,
    /// Bytes of prepared weights of all.
    pub weight_bytes: usize,
    /// Median over the runs of the time of all of them, ns.
    pub time_ns: f64,
}

impl<K> StepSum<K> {
    /// Multiply-accumulates a second; none of steps without any.
    pub fn macs_per_s(&self) -> Option<f64> {
        (self.macs > 0 && self.time_ns > 0.0).then(|| self.macs as f64 / (self.time_ns / 1e9))
    }
}

impl LayerTimes {
    /// The version of the JSON form.
    pub const SCHEMA: u32 = 1;

    /// The steps that have a key in common, in order of their first.
    pub fn by<'a, K: PartialEq>(&'a self, key: impl Fn(&'a StepTimes) -> K) -> Vec<StepSum<K>> {
        let mut sums: Vec<(StepSum<K>, Vec<u64>)> = Vec::new();
        for step in &self.steps {
            let key = key(step);
            let place = sums.iter().position(|(sum, _)| sum.key == key);
            let place = place.unwrap_or_else(|| {
                let sum = StepSum {
                    key,
                    steps: 0,
                    macs: 0,
                    weight_bytes: 0,
                    time_ns: 0.0,
                };
                sums.push((sum, vec![0; step.samples_ns.len()]));
                sums.len() - 1
            });
            let (sum, runs) = &mut sums[place];
            sum.steps += 1;
            sum.macs += step.macs;
            sum.weight_bytes += step.weight_bytes;
            for (run, ns) in runs.iter_mut().zip(&step.samples_ns) {
                *run += ns;
            }
        }
        let median = |runs: &[u64]| Summary::of(runs).map_or(0.0, |summary| summary.median_ns);
        sums.into_iter()
            .map(|(sum, runs)| StepSum {
                time_ns: median(&runs),
                ..sum
            })
            .collect()
    }

    /// All steps together.
    pub fn all(&self) -> StepSum<()> {
        self.by(|_| ()).pop().unwrap_or(StepSum {
            key: (),
            steps: 0,
            macs: 0,
            weight_bytes: 0,
            time_ns: 0.0,
        })
    }

    /// How many runs there were.
    pub fn runs(&self) -> usize {
        self.steps.first().map_or(0, |step| step.samples_ns.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> LayerTimes {
        let step = |layer: &str, kind: &str, macs, samples: [u64; 3]| StepTimes {
            layer: layer.into(),
            kind: kind.into(),
            macs,
            weight_bytes: 8,
            samples_ns: samples.to_vec(),
        };
        LayerTimes {
            schema: LayerTimes::SCHEMA,
            case: "HRNet_W18_C/f32/bs1/crop224/cpu/t2".parse().expect("a case"),
            started: "2026-01-01T00:00:00Z".into(),
            peak_macs_per_s: 50e9,
            steps: vec![
                step("conv1", "direct", 400, [10, 20, 30]),
                step("relu", "copy", 0, [1, 1, 1]),
                step("conv2", "direct", 600, [30, 20, 70]),
            ],
            provenance: Provenance::default(),
        }
    }

    #[test]
    fn steps_are_summed_run_by_run_in_order_of_their_first() {
        let times = times();
        let sums = times.by(|step| step.kind.clone());
        let told: Vec<(&str, usize, u64, f64)> = sums
            .iter()
            .map(|sum| (sum.key.as_str(), sum.steps, sum.macs, sum.time_ns))
            .collect();
        // The runs take 40, 40 and 100, whose median is not the sum of the steps' medians, 50.
        assert_eq!(told, [("direct", 2, 1000, 40.0), ("copy", 1, 0, 1.0)]);
        assert_eq!(sums[0].macs_per_s(), Some(25e9));
        assert_eq!(sums[1].macs_per_s(), None);
        let all = times.all();
        assert_eq!(
            (all.steps, all.weight_bytes, all.time_ns, times.runs()),
            (3, 24, 41.0, 3)
        );
    }

    #[test]
    fn they_come_back_from_json() {
        let text = serde_json::to_string(&times()).expect("JSON");
        assert!(
            text.contains(r#""case":"HRNet_W18_C/f32/bs1/crop224/cpu/t2""#),
            "{text}"
        );
        assert_eq!(
            serde_json::from_str::<LayerTimes>(&text).expect("its own"),
            times()
        );
        let empty = LayerTimes {
            steps: Vec::new(),
            ..times()
        };
        assert_eq!((empty.all().time_ns, empty.runs()), (0.0, 0));
    }
}

use std::collections::BTreeMap;
use std::fmt;

use hrnet::Precision;
use serde::{Deserialize, Serialize};

use crate::{Case, Provenance, Summary};

/// The times of all steps of a network in several runs: where a cell's time goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerTimes {
    /// Version of this form, [`LayerTimes::SCHEMA`].
    pub schema: u32,
    /// The network case.
    pub case: Case,
    /// When it began, RFC 3339 in UTC.
    #[serde(deserialize_with = "crate::days::time")]
    pub started: String,
    /// Multiply-accumulates per second of fused f32 instructions on as many threads, right after.
    pub peak_macs_per_s: f64,
    /// The same of the instructions that multiply other formats; empty in older files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub peaks_macs_per_s: BTreeMap<Precision, f64>,
    /// The same of a matrix unit's tiles, for the formats that steps multiply on it; empty in older files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tile_peaks_macs_per_s: BTreeMap<Precision, f64>,
    /// The steps in the order in which they run.
    pub steps: Vec<StepTimes>,
    /// The weights, the program and the machine.
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
    /// Number format of its operands; `None` for steps that multiply no weights, and in older files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operands: Option<Precision>,
    /// `true` if a matrix unit multiplies them, `false` if the vector unit does, and in older files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_tiles: bool,
    /// Bytes of prepared weights.
    pub weight_bytes: usize,
    /// Its time in each run, ns; runs are the same for all steps.
    pub samples_ns: Vec<u64>,
}

/// The operands that a step multiplies, and the unit that does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Multiplied {
    /// Their number format.
    pub operands: Precision,
    /// `true` for a matrix unit, `false` for the vector unit.
    pub on_tiles: bool,
}

impl StepTimes {
    /// Returns what the step multiplies; `None` for steps that multiply no weights.
    pub fn multiplied(&self) -> Option<Multiplied> {
        let on_tiles = self.on_tiles;
        self.operands.map(|operands| Multiplied { operands, on_tiles })
    }
}

/// Formats as `int8`, or `int8 on tiles`.
impl fmt::Display for Multiplied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.on_tiles { " on tiles" } else { "" };
        write!(f, "{}{unit}", self.operands)
    }
}

/// Several steps together.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSum<K> {
    /// The key that they share.
    pub key: K,
    /// Number of steps.
    pub steps: usize,
    /// Multiply-accumulates of all.
    pub macs: u64,
    /// The time that they would take at the peaks of their formats on their units, ns.
    pub peak_ns: f64,
    /// Bytes of prepared weights of all.
    pub weight_bytes: usize,
    /// Median over the runs of the time of all of them, ns.
    pub time_ns: f64,
}

impl<K> StepSum<K> {
    /// Multiply-accumulates per second; `None` for steps without any.
    pub fn macs_per_s(&self) -> Option<f64> {
        (self.macs > 0 && self.time_ns > 0.0).then(|| self.macs as f64 / (self.time_ns / 1e9))
    }

    /// The rate over the peak of the format that is multiplied, where formats differ weighted by their time at the peak; none
    /// of steps without multiply-accumulates.
    pub fn share_of_peak(&self) -> Option<f64> {
        (self.macs > 0 && self.time_ns > 0.0).then(|| self.peak_ns / self.time_ns)
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
                    peak_ns: 0.0,
                    weight_bytes: 0,
                    time_ns: 0.0,
                };
                sums.push((sum, vec![0; step.samples_ns.len()]));
                sums.len() - 1
            });
            let (sum, runs) = &mut sums[place];
            sum.steps += 1;
            sum.macs += step.macs;
            sum.peak_ns += step.macs as f64 * 1e9 / self.peak_of(step.multiplied());
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
            peak_ns: 0.0,
            weight_bytes: 0,
            time_ns: 0.0,
        })
    }

    /// Multiply-accumulates per second of the instruction that multiplies these operands; of f32's where it is not known.
    pub fn peak_of(&self, multiplied: Option<Multiplied>) -> f64 {
        let own = multiplied.and_then(|Multiplied { operands, on_tiles }| match on_tiles {
            true => self.tile_peaks_macs_per_s.get(&operands),
            false => self.peaks_macs_per_s.get(&operands),
        });
        own.copied().unwrap_or(self.peak_macs_per_s)
    }

    /// The operands that steps multiply, widest format first, those of tiles after those of the vector unit.
    pub fn multiplied(&self) -> Vec<Multiplied> {
        let all = Precision::ALL
            .into_iter()
            .flat_map(|operands| [false, true].map(|on_tiles| Multiplied { operands, on_tiles }));
        all.filter(|wanted| self.steps.iter().any(|step| step.multiplied() == Some(*wanted)))
            .collect()
    }

    /// The number of runs.
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
            operands: None,
            on_tiles: false,
            weight_bytes: 8,
            samples_ns: samples.to_vec(),
        };
        LayerTimes {
            schema: LayerTimes::SCHEMA,
            case: "HRNet_W18_C/f32/bs1/crop224/cpu/t2".parse().expect("a case"),
            started: "2026-01-01T00:00:00Z".into(),
            peak_macs_per_s: 50e9,
            peaks_macs_per_s: BTreeMap::new(),
            tile_peaks_macs_per_s: BTreeMap::new(),
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
    fn a_share_is_of_the_peak_of_its_own_format() {
        let mut times = times();
        // 400 in 20 ns and 600 in 30 ns: 20 a nanosecond each, of 50 in f32.
        let share = |times: &LayerTimes| times.by(|step| step.kind.clone())[0].share_of_peak();
        assert_eq!(share(&times), Some(0.5));
        times.steps[2].operands = Some(Precision::Int8);
        assert_eq!(share(&times), Some(0.5), "no peak of int8 is known");
        times.peaks_macs_per_s = [(Precision::F32, 50e9), (Precision::Int8, 200e9)].into();
        // 400 take 8 ns at 50, 600 take 3 ns at 200.
        assert_eq!(share(&times), Some(11.0 / 40.0));
        let told = |times: &LayerTimes| -> Vec<String> {
            times.multiplied().iter().map(ToString::to_string).collect()
        };
        assert_eq!(told(&times), ["int8"]);
        times.steps[0].operands = Some(Precision::Int8);
        times.steps[0].on_tiles = true;
        times.tile_peaks_macs_per_s = [(Precision::Int8, 800e9)].into();
        // 400 take half a nanosecond on tiles at 800, 600 take 3 ns on the vector unit at 200.
        assert_eq!(share(&times), Some(3.5 / 40.0));
        assert_eq!(told(&times), ["int8", "int8 on tiles"]);
        assert_eq!(times.by(|step| step.kind.clone())[1].share_of_peak(), None);
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
        assert!(
            !text.contains("peaks_macs_per_s") && !text.contains("operands") && !text.contains("tiles"),
            "as before: {text}"
        );
        let empty = LayerTimes {
            steps: Vec::new(),
            ..times()
        };
        assert_eq!((empty.all().time_ns, empty.runs()), (0.0, 0));
    }
}

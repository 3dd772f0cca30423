//! When a measured time is doubtful, and by what.

use std::fmt;

use crate::{Canary, Conditions, Record};

/// Other processes that want to run from which a time is noisy: half of one slows a cell that uses every thread.
pub const LOAD: f64 = 0.5;
/// The share of the processors' time given to other guests from which it is.
pub const STEAL: f64 = 0.01;
/// The share from which the machine's speed before and after a cell lies too far apart.
pub const APART: f64 = 0.05;
/// The median absolute deviation of single runs, as a share of their median, from which they lie too far apart.
pub const SPREAD: f64 = 0.1;

/// The reason to doubt a measured time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Noise {
    /// This many other processes were ready to run.
    Load(f64),
    /// The host gave this share of the processors' time to other guests.
    Steal(f64),
    /// The machine's speed before and after lay this share apart.
    Apart(f64),
    /// Single runs deviate from their median by this share of it.
    Spread(f64),
}

impl Noise {
    /// Its ratio to the harmless amount.
    fn weight(self) -> f64 {
        match self {
            Self::Load(value) => value / LOAD,
            Self::Steal(value) => value / STEAL,
            Self::Apart(value) => value / APART,
            Self::Spread(value) => value / SPREAD,
        }
    }
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        f.pad(&match *self {
            Self::Load(value) => format!("other processes kept {value:.1} processors busy"),
            Self::Steal(value) => format!("the host gave {} of the processors to others", percent(value)),
            Self::Apart(value) => format!("the machine's speed changed by {}", percent(value)),
            Self::Spread(value) => format!("single runs differ by {}", percent(value)),
        })
    }
}

impl Conditions {
    /// The distance between the machine's speeds before and after the cell, as a share of the lower: of multiply-adds, of a matrix
    /// unit's tiles or of memory, whichever changed most.
    pub fn apart(&self) -> f64 {
        let [before, after] = &self.canary;
        let far = |rate: fn(&Canary) -> Option<f64>| match (rate(before), rate(after)) {
            (Some(a), Some(b)) if a.min(b) > 0.0 => a.max(b) / a.min(b) - 1.0,
            _ => 0.0,
        };
        let vectors = far(|canary| Some(canary.macs_per_s));
        let tiles = far(|canary| canary.tile_macs_per_s);
        vectors.max(tiles).max(far(|canary| Some(canary.bytes_per_s)))
    }

    /// The influence of other work meanwhile: the weightiest above what is harmless.
    pub fn noise(&self) -> Option<Noise> {
        let seen = [
            self.load.map(Noise::Load),
            self.steal.map(Noise::Steal),
            Some(Noise::Apart(self.apart())),
        ];
        weightiest(seen.into_iter().flatten())
    }
}

impl Record {
    /// The reason to doubt its time: the weightiest of the machine's changes and of the distance between its runs.
    pub fn noise(&self) -> Option<Noise> {
        let around = self.conditions.as_ref().and_then(Conditions::noise);
        let summary = self.summary().filter(|summary| summary.median_ns > 0.0);
        let spread = summary.map(|summary| Noise::Spread(summary.mad_ns / summary.median_ns));
        weightiest(around.into_iter().chain(spread))
    }
}

fn weightiest(all: impl Iterator<Item = Noise>) -> Option<Noise> {
    let above = all.filter(|noise| noise.weight() > 1.0);
    above.max_by(|a, b| a.weight().total_cmp(&b.weight()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Provenance;

    #[test]
    fn the_weightiest_noise_is_told_and_a_quiet_cell_has_none() {
        let case = || "preprocess/decode".parse().expect("a case");
        let record = |samples: Vec<u64>, after: f64, load: f64| {
            let canary = |macs_per_s| Canary {
                macs_per_s,
                tile_macs_per_s: None,
                bytes_per_s: 1e9,
                handover_ns: None,
            };
            let mut record = Record::new(case(), Record::now(), Ok(samples), Provenance::default());
            record.conditions = Some(Conditions {
                canary: [canary(1e9), canary(after)],
                load: Some(load),
                steal: Some(0.0),
                peak_resident_bytes: None,
            });
            record
        };
        let told = |record: Record| record.noise().map(|noise| noise.to_string());
        assert_eq!(told(record(vec![100; 9], 1.04e9, 0.4)), None);
        let load = told(record(vec![100; 9], 1.06e9, 1.3));
        assert_eq!(load.as_deref(), Some("other processes kept 1.3 processors busy"));
        let apart = told(record(vec![100; 9], 2.11e9, 1.3));
        assert_eq!(apart.as_deref(), Some("the machine's speed changed by 111 %"));
        let mut tiles = record(vec![100; 9], 1e9, 0.0);
        let canaries = &mut tiles.conditions.as_mut().expect("set").canary;
        canaries[0].tile_macs_per_s = Some(2.35e12);
        assert_eq!(
            told(tiles.clone()),
            None,
            "a speed that is known once did not change"
        );
        tiles.conditions.as_mut().expect("set").canary[1].tile_macs_per_s = Some(1e12);
        let apart = told(tiles);
        assert_eq!(apart.as_deref(), Some("the machine's speed changed by 135 %"));
        let spread = told(record(vec![100, 130, 100, 70, 60, 140], 1e9, 0.0));
        assert_eq!(spread.as_deref(), Some("single runs differ by 30 %"));
    }
}

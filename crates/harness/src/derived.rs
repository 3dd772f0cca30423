//! Figures that follow from a record's times, the work of its case and the canaries around it.

use crate::{Conditions, Record};

/// The machine to which [`Record::normalised_ns`] converts: its fused multiply-adds reach this many
/// multiply-accumulates per second on as many threads as the case has.
pub const REFERENCE_MACS_PER_S: f64 = 100e9;

/// A time in multiply-accumulates of the canary's: what the machine could have done meanwhile.
pub(crate) fn canary_macs(time_ns: f64, canary_macs_per_s: f64) -> f64 {
    time_ns / 1e9 * canary_macs_per_s
}

impl Conditions {
    /// Multiply-accumulates per second that the machine reached around the cell: the geometric mean of the canaries before
    /// and after; `None` if a canary has no valid rate.
    pub fn macs_per_s(&self) -> Option<f64> {
        self.around(|canary| canary.macs_per_s)
    }

    /// Multiply-accumulates per second that a matrix unit's tiles reached around it, likewise; `None` if they were not measured.
    pub fn tile_macs_per_s(&self) -> Option<f64> {
        self.around(|canary| canary.tile_macs_per_s.unwrap_or(0.0))
    }

    /// Bytes per second that it read from memory around the cell, likewise.
    pub fn bytes_per_s(&self) -> Option<f64> {
        self.around(|canary| canary.bytes_per_s)
    }

    /// Time of a hand-over between two threads before and after the cell, ns, the shorter first; `None` on one thread.
    pub fn handover_ns(&self) -> Option<[f64; 2]> {
        let [before, after] = self.canary.each_ref().map(|canary| canary.handover_ns);
        let (before, after) = before.zip(after)?;
        Some([before.min(after), before.max(after)])
    }

    fn around(&self, rate: fn(&crate::Canary) -> f64) -> Option<f64> {
        let [before, after] = self.canary.each_ref().map(rate);
        Some((before * after).sqrt()).filter(|rate| rate.is_normal() && *rate > 0.0)
    }
}

impl Record {
    /// Images per second, by the median.
    pub fn images_per_s(&self) -> Option<f64> {
        self.per_s(self.case.images() as f64)
    }

    /// Effective multiply-accumulates per second of a run that has `macs` of them by the definition of its layers; an
    /// algorithm that does with fewer reaches more than the machine can do.
    pub fn macs_per_s(&self, macs: f64) -> Option<f64> {
        self.per_s(macs)
    }

    /// Fused multiply-accumulates per second that the machine reached meanwhile: by the canaries before and after, or in a race the
    /// best of the same rounds.
    pub fn peak_macs_per_s(&self) -> Option<f64> {
        let race = || self.race.as_ref()?.peak_macs_per_s;
        let alone = self.conditions.as_ref().and_then(Conditions::macs_per_s);
        alone.or_else(race)
    }

    /// [`Record::macs_per_s`] over [`Record::peak_macs_per_s`].
    pub fn share_of_peak(&self, macs: f64) -> Option<f64> {
        Some(self.macs_per_s(macs)? / self.peak_macs_per_s()?)
    }

    /// The median as it would be on a machine of [`REFERENCE_MACS_PER_S`], ns, if nothing but that limited it: times of
    /// one case on a machine that is now faster, now slower, are alike in it.
    pub fn normalised_ns(&self) -> Option<f64> {
        let macs = canary_macs(self.summary()?.median_ns, self.peak_macs_per_s()?);
        Some(macs / REFERENCE_MACS_PER_S * 1e9)
    }

    /// So much of something a run, a second.
    fn per_s(&self, amount: f64) -> Option<f64> {
        let median_ns = self.summary()?.median_ns;
        (median_ns > 0.0).then(|| amount / (median_ns / 1e9))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Canary, Conditions, Provenance, Race, Record};

    fn record(samples: Result<Vec<u64>, String>, peaks: Option<[f64; 2]>) -> Record {
        let case = "HRNet_W18_C/f32/bs4/crop224/cpu/t2".parse().expect("a case");
        let mut record = Record::new(case, String::new(), samples, Provenance::default());
        record.conditions = peaks.map(|peaks| Conditions {
            canary: peaks.map(|macs_per_s| Canary {
                macs_per_s,
                tile_macs_per_s: None,
                bytes_per_s: macs_per_s / 5.0,
                handover_ns: None,
            }),
            load: None,
            steal: None,
            peak_resident_bytes: None,
        });
        record
    }

    fn near(value: Option<f64>, expected: f64) {
        let value = value.expect("known");
        assert!((value / expected - 1.0).abs() < 1e-12, "{value}, not {expected}");
    }

    #[test]
    fn rates_are_of_the_median_and_of_the_mean_of_both_canaries() {
        // 20 G in 200 ms, on a machine that could do between 40 and 90 G a second.
        let record = record(
            Ok(vec![900_000_000, 200_000_000, 100_000_000]),
            Some([40e9, 90e9]),
        );
        near(record.images_per_s(), 20.0);
        near(record.macs_per_s(20e9), 100e9);
        near(record.peak_macs_per_s(), 60e9);
        near(record.share_of_peak(20e9), 100.0 / 60.0);
        near(record.conditions.as_ref().and_then(Conditions::bytes_per_s), 12e9);
        // 12 G of the canary's, which take 120 ms at 100 G a second.
        near(record.normalised_ns(), 120e6);
        let mut conditions = record.conditions.expect("set");
        assert_eq!(conditions.handover_ns(), None);
        conditions.canary[0].handover_ns = Some(217.0);
        assert_eq!(conditions.handover_ns(), None, "half of it is not known");
        conditions.canary[1].handover_ns = Some(55.0);
        assert_eq!(conditions.handover_ns(), Some([55.0, 217.0]));
    }

    #[test]
    fn a_slower_machine_has_the_same_normalised_time() {
        let normalised = |ms: u64, peak: f64| {
            let record = record(Ok(vec![ms * 1_000_000; 3]), Some([peak; 2]));
            record.normalised_ns()
        };
        near(normalised(300, 40e9), 120e6);
        near(normalised(150, 80e9), 120e6);
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let failed = record(Err("no photo".into()), Some([40e9; 2]));
        assert_eq!((failed.images_per_s(), failed.normalised_ns()), (None, None));
        let mut bare = record(Ok(vec![1_000_000]), None);
        assert_eq!((bare.share_of_peak(1e6), bare.normalised_ns()), (None, None));
        near(bare.macs_per_s(1e6), 1e9);
        bare.race = Some(Race {
            id: "one".into(),
            peak_macs_per_s: Some(4e9),
        });
        near(bare.share_of_peak(1e6), 0.25);
        let broken = record(Ok(vec![1_000_000]), Some([0.0, 40e9]));
        assert_eq!(broken.peak_macs_per_s(), None);
        assert_eq!(record(Ok(vec![0]), None).images_per_s(), None);
    }
}

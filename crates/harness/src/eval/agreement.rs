use std::fmt;

use serde::{Deserialize, Serialize};

use super::Tally;

/// The shares that a printed figure may stand for: 0.769 is any from 0.7685 to below 0.7695.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Printed {
    /// The least.
    pub low: f64,
    /// What all of them are below.
    pub high: f64,
}

impl Printed {
    /// The shares that round to a figure of so many decimals, in units of `scale` (0.01 for percent).
    pub fn new(value: f64, decimals: usize, scale: f64) -> Self {
        let half = 0.5 * 10_f64.powi(-i32::try_from(decimals).unwrap_or(i32::MAX));
        Self {
            low: (value - half) * scale,
            high: (value + half) * scale,
        }
    }

    /// The shares of what is left to 1, for figures that tell errors.
    pub fn of_the_rest(self) -> Self {
        Self {
            low: 1.0 - self.high,
            high: 1.0 - self.low,
        }
    }

    /// Whether a share rounds to the figure; sums of tenths are not exact, so the borders are allowed a little.
    fn holds(self, share: f64) -> bool {
        const LITTLE: f64 = 1e-12;
        (self.low - LITTLE..self.high + LITTLE).contains(&share)
    }
}

/// What was measured, beside what is claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// It rounds to the printed digits.
    Agrees,
    /// It does not, or cannot for images like these.
    Differs,
    /// Too few images to tell.
    CannotTell,
}

impl Agreement {
    /// Of `right` among the tally's images with a printed figure.
    ///
    /// On all images of the claim's own data set (`complete`) the share is exact and its digits decide. On a part of it, or
    /// other images, it differs if the 95 % interval has none of the shares that the figure may stand for.
    pub fn of(tally: &Tally, right: usize, printed: Printed, complete: bool) -> Self {
        if tally.counted == 0 {
            return Self::CannotTell;
        }
        if complete && tally.unreadable == 0 {
            let share = right as f64 / tally.counted as f64;
            return if printed.holds(share) {
                Self::Agrees
            } else {
                Self::Differs
            };
        }
        let interval = tally.interval(right);
        if interval.high < printed.low || interval.low >= printed.high {
            return Self::Differs;
        }
        if interval.low >= printed.low && interval.high < printed.high {
            return Self::Agrees;
        }
        Self::CannotTell
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Agrees => "agrees",
            Self::Differs => "differs",
            Self::CannotTell => "cannot tell",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(top1: usize, counted: usize, complete: bool) -> Agreement {
        let tally = Tally {
            counted,
            top1,
            ..Tally::default()
        };
        Agreement::of(&tally, top1, Printed::new(0.769, 3, 1.0), complete)
    }

    #[test]
    fn on_the_whole_data_set_the_printed_digits_decide() {
        assert_eq!(of(38_450, 50_000, true), Agreement::Agrees, "0.769");
        assert_eq!(of(38_425, 50_000, true), Agreement::Agrees, "0.7685 rounds up");
        assert_eq!(of(38_424, 50_000, true), Agreement::Differs, "0.76848");
        assert_eq!(of(38_476, 50_000, true), Agreement::Differs, "0.76952");
        let damaged = Tally {
            counted: 49_999,
            top1: 38_450,
            unreadable: 1,
            ..Tally::default()
        };
        let printed = Printed::new(0.769, 3, 1.0);
        assert_eq!(
            Agreement::of(&damaged, 38_450, printed, true),
            Agreement::CannotTell
        );
    }

    #[test]
    fn on_a_part_the_interval_decides() {
        assert_eq!(of(769, 1000, false), Agreement::CannotTell);
        assert_eq!(of(600, 1000, false), Agreement::Differs);
        assert_eq!(of(0, 0, true), Agreement::CannotTell);
        assert_eq!(of(76_900_000, 100_000_000, false), Agreement::Agrees);
    }

    #[test]
    fn errors_in_percent_are_the_shares_they_leave() {
        let error = Printed::new(23.2, 1, 0.01).of_the_rest();
        assert!((error.low - 0.7675).abs() < 1e-12 && (error.high - 0.7685).abs() < 1e-12);
    }
}

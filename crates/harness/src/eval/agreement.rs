use std::fmt;

use serde::{Deserialize, Serialize};

use super::Tally;

/// The shares that a printed figure may stand for: 0.769 is any from 0.7685 to below 0.7695.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Printed {
    /// The least.
    pub low: f64,
    /// All values lie below it.
    pub high: f64,
}

impl Printed {
    /// The shares that round to a figure of `decimals` decimals, in units of `scale` (0.01 for percent).
    pub fn new(value: f64, decimals: usize, scale: f64) -> Self {
        let half = 0.5 * 10_f64.powi(-i32::try_from(decimals).unwrap_or(i32::MAX));
        Self {
            low: (value - half) * scale,
            high: (value + half) * scale,
        }
    }

    /// The shares of the rest to 1, for figures that are errors.
    pub fn of_the_rest(self) -> Self {
        Self {
            low: 1.0 - self.high,
            high: 1.0 - self.low,
        }
    }

    /// Returns `true` if a share rounds to the figure; sums of tenths are not exact, so the borders are allowed a little.
    fn holds(self, share: f64) -> bool {
        const LITTLE: f64 = 1e-12;
        (self.low - LITTLE..self.high + LITTLE).contains(&share)
    }
}

/// The relation of a measured share to a claimed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agreement {
    /// It rounds to the printed digits.
    Agrees,
    /// It does not.
    Differs,
    /// The claim is about something else: other weights, images, classes or another preprocessing.
    #[serde(alias = "cannot_tell")]
    NotComparable,
}

impl Agreement {
    /// Of `right` among all of the tally's images, which are those of the claim, with a printed figure: the share is exact, and
    /// its digits decide.
    pub fn of(tally: &Tally, right: usize, printed: Printed) -> Self {
        Self::of_value(tally.share(right), printed)
    }

    /// Of a value on all images of the claim, `None` if there is none, with a printed figure: its digits decide.
    pub fn of_value(value: Option<f64>, printed: Printed) -> Self {
        match value {
            Some(value) if printed.holds(value) => Self::Agrees,
            Some(_) => Self::Differs,
            None => Self::NotComparable,
        }
    }

    /// In words, with the reasons if there are any.
    pub(super) fn because(self, reasons: &[String]) -> String {
        match reasons.is_empty() {
            true => self.to_string(),
            false => format!("{self}: {}", reasons.join("; ")),
        }
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Agrees => "agrees",
            Self::Differs => "differs",
            Self::NotComparable => "not comparable",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(top1: usize) -> Agreement {
        let tally = Tally {
            counted: 50_000,
            top1,
            ..Tally::default()
        };
        Agreement::of(&tally, top1, Printed::new(0.769, 3, 1.0))
    }

    #[test]
    fn the_printed_digits_decide() {
        assert_eq!(of(38_450), Agreement::Agrees, "0.769");
        assert_eq!(of(38_425), Agreement::Agrees, "0.7685 rounds up");
        assert_eq!(of(38_424), Agreement::Differs, "0.76848");
        assert_eq!(of(38_476), Agreement::Differs, "0.76952");
        let nothing = Agreement::of(&Tally::default(), 0, Printed::new(0.769, 3, 1.0));
        assert_eq!(nothing, Agreement::NotComparable);
    }

    #[test]
    fn what_older_versions_could_not_tell_is_not_comparable() {
        let older: Agreement = serde_json::from_str("\"cannot_tell\"").expect("known");
        assert_eq!(older, Agreement::NotComparable);
    }

    #[test]
    fn errors_in_percent_are_the_shares_they_leave() {
        let error = Printed::new(23.2, 1, 0.01).of_the_rest();
        assert!((error.low - 0.7675).abs() < 1e-12 && (error.high - 0.7685).abs() < 1e-12);
    }
}

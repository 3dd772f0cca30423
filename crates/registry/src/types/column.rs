//! Published tables: columns, the quantities and units of their figures, and the figures.

use std::fmt;

use hrnet::{CountingRule, Precision};
use serde::{Deserialize, Serialize};

use super::TaskKind;

/// One column of a published table: what all its figures have in common.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Column {
    /// The name that claims use.
    pub id: String,
    /// The id of the publication.
    pub source: String,
    /// The quantity of the figures.
    #[serde(flatten)]
    pub metric: Metric,
    /// The unit they are printed in.
    pub unit: Unit,
    /// Decimals that the table rounds to, where it pads with zeros; otherwise the digits printed tell.
    pub decimals: Option<usize>,
    /// The weight source that an accuracy belongs to.
    pub weights: Option<String>,
    /// The id of the preprocessing that an accuracy was measured with, where it is not that of its weight source.
    pub preprocess: Option<String>,
    /// The images of an accuracy; for one of classes, if they are not ImageNet's validation images.
    pub data: Option<String>,
    /// How an accuracy of keypoints was measured: whose boxes, and whether mirrored crops were run as well.
    pub protocol: Option<String>,
}

/// The quantity of a figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "metric", rename_all = "kebab-case")]
pub enum Metric {
    /// Share of the images, ImageNet's validation images unless the column names others, whose class comes first.
    Top1,
    /// Share whose class is among the first five.
    Top5,
    /// One minus [`Metric::Top1`].
    Top1Error,
    /// One minus [`Metric::Top5`].
    Top5Error,
    /// COCO's AP of keypoints: the mean over the thresholds 0.50 to 0.95 of object keypoint similarity.
    Ap,
    /// The same at the threshold 0.50 alone.
    Ap50,
    /// The same at the threshold 0.75 alone.
    Ap75,
    /// COCO's AR of keypoints, over the same thresholds as [`Metric::Ap`].
    Ar,
    /// Share of MPII's keypoints within half the length of the head.
    Pckh,
    /// Operations of one image, counted by a rule.
    Flops {
        /// The counting rule.
        rule: CountingRule,
    },
    /// Parameters, counted by a rule.
    Params {
        /// The counting rule.
        rule: CountingRule,
    },
    /// Time for one batch.
    Latency {
        /// The device.
        device: String,
        /// Number format.
        precision: Precision,
        /// Images in the batch.
        batch: usize,
    },
}

impl Metric {
    /// The rule of a count.
    pub fn rule(&self) -> Option<CountingRule> {
        match self {
            Self::Flops { rule } | Self::Params { rule } => Some(*rule),
            Self::Top1
            | Self::Top5
            | Self::Top1Error
            | Self::Top5Error
            | Self::Ap
            | Self::Ap50
            | Self::Ap75
            | Self::Ar
            | Self::Pckh
            | Self::Latency { .. } => None,
        }
    }

    /// Whether it is an accuracy, of classes or of keypoints: a figure of trained weights.
    pub fn is_accuracy(&self) -> bool {
        self.task().is_some()
    }

    /// The task that an accuracy is about.
    pub(crate) fn task(&self) -> Option<TaskKind> {
        match self {
            Self::Top1 | Self::Top5 | Self::Top1Error | Self::Top5Error => Some(TaskKind::Classes),
            Self::Ap | Self::Ap50 | Self::Ap75 | Self::Ar | Self::Pckh => Some(TaskKind::Pose),
            Self::Flops { .. } | Self::Params { .. } | Self::Latency { .. } => None,
        }
    }
}

/// The unit of a printed figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// 0 to 1.
    #[serde(rename = "fraction")]
    Fraction,
    /// 0 to 100.
    #[serde(rename = "percent")]
    Percent,
    /// One: a count printed to the last digit.
    #[serde(rename = "1")]
    One,
    /// 10^6.
    M,
    /// 10^9.
    G,
    /// 2^30.
    Gi,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
}

impl Unit {
    /// The value of one of this unit: in fractions, operations, parameters or seconds.
    pub const fn scale(self) -> f64 {
        match self {
            Self::Fraction | Self::One => 1.0,
            Self::Percent => 0.01,
            Self::M => 1e6,
            Self::G => 1e9,
            Self::Gi => 1_073_741_824.0,
            Self::Milliseconds => 1e-3,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fraction | Self::One => "",
            Self::Percent => "%",
            Self::M => "M",
            Self::G => "G",
            Self::Gi => "Gi",
            Self::Milliseconds => "ms",
        })
    }
}

/// A published figure, never mixed with what we counted or measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Claim {
    /// The id of its column, which says what it is and who says so.
    pub column: String,
    /// The digits as printed.
    pub printed: String,
    /// Their value, in the column's unit.
    pub value: f64,
    /// The weights it belongs to, for an accuracy.
    pub weights: Option<WeightsRef>,
}

impl Claim {
    /// The decimals printed.
    pub fn decimals(&self) -> usize {
        self.printed
            .split_once('.')
            .map_or(0, |(_, fraction)| fraction.len())
    }
}

/// One weight source of one variant: an `_ssld` row may repeat a figure of its base's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct WeightsRef {
    /// The variant's name.
    pub variant: String,
    /// The source's id.
    pub artifact: String,
}

//! The pictures of the page, one struct a kind.

mod accuracy;
mod batch;
mod layers;
mod pose;
mod precision;
mod preprocessing;
mod ratios;
mod roofline;
mod share;
#[cfg(test)]
mod tests;

use hrnet::{CountingRule, Precision};

pub(crate) use self::accuracy::{Accuracy, X, claim};
use self::batch::Batch;
use self::layers::Layers;
pub(crate) use self::pose::{Keypoints, PoseX, data as pose_data, training};
use self::precision::Precisions;
pub(crate) use self::precision::ratio;
use self::preprocessing::Steps;
use self::ratios::Ratios;
use self::roofline::Roofline;
use self::share::Share;
use crate::bars::{self, Bars};
use crate::cells::Model;
use crate::dots::{self, Dots};
use crate::draw::Fault;
use crate::lines::{self, Lines};
use crate::pairs::{self, Pairs};
use crate::scatter;
use crate::sections::digits;
use crate::series::Series;

/// A picture of the page: one entry of [`CHARTS`].
pub(crate) trait Chart: Sync {
    /// The file's name without its extension.
    fn id(&self) -> &'static str;

    /// Its subject, in a few words.
    fn title(&self) -> &'static str;

    /// The part of the page that it belongs to.
    fn part(&self) -> Part;

    /// Its values, or `None` if there is nothing to draw.
    fn data(&self, model: &Model) -> Option<Drawing>;
}

/// Parts of the page that have charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Accuracy against cost.
    Accuracy,
    /// Speed on this machine.
    Latency,
    /// Gains and costs of other number formats.
    Precision,
    /// The time of one network by its parts.
    Layers,
    /// The keypoints of a person.
    Pose,
    /// The steps before the network.
    Preprocessing,
}

/// A chart in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Drawing {
    Scatter(Series),
    Bars(Bars),
    Dots(Dots),
    Lines(Lines),
    Pairs(Pairs),
}

impl Drawing {
    /// The drawing as an SVG.
    ///
    /// # Errors
    /// The error of plotters.
    pub(crate) fn svg(&self) -> Result<String, Fault> {
        match self {
            Self::Scatter(series) => scatter::svg(series),
            Self::Bars(bars) => bars::svg(bars),
            Self::Dots(dots) => dots::svg(dots),
            Self::Lines(lines) => lines::svg(lines),
            Self::Pairs(pairs) => pairs::svg(pairs),
        }
    }
}

/// Every chart in the order of the page: the published one, then this machine's beside it. An id says what is drawn, whose
/// figures they are, and in which precision and batch.
pub(crate) static CHARTS: &[&dyn Chart] = &[
    &Accuracy {
        id: "accuracy.published.flops",
        title: "Accuracy against FLOPs, as published",
        x: X::PublishedFlops,
    },
    &Accuracy {
        id: "accuracy.counted.macs",
        title: "Accuracy against MACs, as counted",
        x: X::Counted(CountingRule::Macs),
    },
    &Accuracy {
        id: "accuracy.published.params",
        title: "Accuracy against parameters, as published",
        x: X::PublishedParams,
    },
    &Accuracy {
        id: "accuracy.counted.params",
        title: "Accuracy against parameters, as counted",
        x: X::Counted(CountingRule::Trainable),
    },
    &Accuracy {
        id: "accuracy.t4.f32.bs4",
        title: "Accuracy against T4 latency, f32, batch 4",
        x: X::Published("NVIDIA T4", Precision::F32, 4),
    },
    &Accuracy {
        id: "accuracy.local.f32.bs4",
        title: "Accuracy against latency here, f32, batch 4",
        x: X::Measured(Precision::F32, 4),
    },
    &Accuracy {
        id: "accuracy.t4.f16.bs4",
        title: "Accuracy against T4 latency, f16, batch 4",
        x: X::Published("NVIDIA T4", Precision::F16, 4),
    },
    &Accuracy {
        id: "accuracy.local.f16.bs4",
        title: "Accuracy against latency here, f16, batch 4",
        x: X::Measured(Precision::F16, 4),
    },
    &Accuracy {
        id: "accuracy.v100.f32.bs1",
        title: "Accuracy against V100 latency, f32, batch 1",
        x: X::Published("NVIDIA V100", Precision::F32, 1),
    },
    &Accuracy {
        id: "accuracy.local.f32.bs1",
        title: "Accuracy against latency here, f32, batch 1",
        x: X::Measured(Precision::F32, 1),
    },
    &Batch,
    &Precisions,
    &Share,
    &Roofline,
    &Ratios,
    &Layers,
    &Keypoints {
        id: "pose.counted.macs",
        title: "AP against MACs, as counted",
        x: PoseX::Counted,
    },
    &Keypoints {
        id: "pose.local.f32.bs1",
        title: "AP against latency here, f32, batch 1",
        x: PoseX::Measured(Precision::F32, 1),
    },
    &Steps,
];

/// A variant's name without what all of them share.
pub(crate) fn label(name: &str) -> String {
    let name = name.strip_prefix("pose_").unwrap_or(name);
    name.replace("SE_HRNet_", "SE-")
        .replace("hrnet_w", "W")
        .replace("HRNet_", "")
        .replace("_C", "")
        .replace('_', " ")
}

/// A number of threads, in words.
pub(crate) fn threads(count: usize) -> String {
    harness::counted(count, "thread")
}

/// A time in words: its median and the interval of that.
pub(crate) fn told(median: f64, interval: Option<(f64, f64)>, unit: &str) -> String {
    let within = interval.map_or(String::new(), |(low, high)| {
        format!(" [{}, {}]", digits(low), digits(high))
    });
    format!("{}{within} {unit}", digits(median))
}

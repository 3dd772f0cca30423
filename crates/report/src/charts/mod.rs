//! The pictures of the page, one struct a kind.

mod accuracy;
#[cfg(test)]
mod tests;

use hrnet::{CountingRule, Precision};

use self::accuracy::{Accuracy, X};
use crate::Input;
use crate::series::Series;

/// A picture of the page: one entry of [`CHARTS`].
pub trait Chart: Sync {
    /// The file's name without its extension.
    fn id(&self) -> &'static str;

    /// What it shows, in a few words.
    fn title(&self) -> &'static str;

    /// What is drawn, or `None` where there is nothing to draw.
    fn data(&self, input: &Input) -> Option<Series>;
}

/// Every chart in the order of the page: the published one, then this machine's beside it.
pub static CHARTS: &[&dyn Chart] = &[
    &Accuracy {
        id: "t4.fp32.bs4.HRNet.flops",
        title: "Accuracy against FLOPs, as published",
        x: X::PublishedFlops,
    },
    &Accuracy {
        id: "local.fp32.bs4.HRNet.flops",
        title: "Accuracy against MACs, as counted",
        x: X::Counted(CountingRule::Macs),
    },
    &Accuracy {
        id: "t4.fp32.bs4.HRNet.params",
        title: "Accuracy against parameters, as published",
        x: X::PublishedParams,
    },
    &Accuracy {
        id: "local.fp32.bs4.HRNet.params",
        title: "Accuracy against parameters, as counted",
        x: X::Counted(CountingRule::Trainable),
    },
    &Accuracy {
        id: "t4.fp32.bs4.HRNet",
        title: "Accuracy against T4 latency, FP32",
        x: X::Published(Precision::F32),
    },
    &Accuracy {
        id: "local.fp32.bs4.HRNet",
        title: "Accuracy against latency here, FP32",
        x: X::Measured(Precision::F32),
    },
    &Accuracy {
        id: "t4.fp16.bs4.HRNet",
        title: "Accuracy against T4 latency, FP16",
        x: X::Published(Precision::F16),
    },
    &Accuracy {
        id: "local.fp16.bs4.HRNet",
        title: "Accuracy against latency here, FP16",
        x: X::Measured(Precision::F16),
    },
];

/// A variant's name without what all of them share.
pub(crate) fn label(name: &str) -> String {
    name.replace("SE_HRNet_", "SE-")
        .replace("HRNet_", "")
        .replace("_C", "")
        .replace('_', " ")
}

//! The answers of networks: classes, or keypoints with the way from heatmaps to them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Profile;

/// The kind of a variant's answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// Classes of a photo.
    #[default]
    Classes,
    /// The keypoints of a person.
    Pose,
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Classes => "classes",
            Self::Pose => "pose",
        })
    }
}

/// The answers of a variant, and what they need beside the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "task")]
pub enum Task {
    /// Classes of a photo.
    Classes,
    /// The keypoints of a person.
    Pose(Pose),
}

impl Task {
    /// Its kind.
    pub fn kind(&self) -> TaskKind {
        match self {
            Self::Classes => TaskKind::Classes,
            Self::Pose(_) => TaskKind::Pose,
        }
    }
}

/// How heatmaps become keypoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pose {
    /// The keypoints that were learned.
    pub keypoints: Keypoints,
    /// The way from heatmaps to places.
    pub decoder: Decoder,
}

/// The keypoints of a data set, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keypoints {
    /// The 17 of COCO.
    Coco,
    /// The 133 of COCO-WholeBody: body, feet, face and hands.
    CocoWholebody,
    /// The 16 of MPII.
    Mpii,
    /// The 17 of AP-10K, of animals.
    #[serde(rename = "ap-10k")]
    Ap10k,
    /// This number of keypoints of a data set of one's own.
    Own(usize),
}

impl Keypoints {
    /// The published sets.
    pub const PUBLISHED: [Self; 4] = [Self::Coco, Self::CocoWholebody, Self::Mpii, Self::Ap10k];

    /// The number of keypoints.
    pub const fn count(self) -> usize {
        match self {
            Self::Coco | Self::Ap10k => 17,
            Self::CocoWholebody => 133,
            Self::Mpii => 16,
            Self::Own(count) => count,
        }
    }

    /// Its name in the manifest; `None` for a set of one's own, which has a number alone.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Coco => Some("coco"),
            Self::CocoWholebody => Some("coco-wholebody"),
            Self::Mpii => Some("mpii"),
            Self::Ap10k => Some("ap-10k"),
            Self::Own(_) => None,
        }
    }
}

impl fmt::Display for Keypoints {
    /// `17 keypoints of coco`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keypoints", self.count())?;
        self.name().map_or(Ok(()), |name| write!(f, " of {name}"))
    }
}

/// The way from a heatmap to a place, which is a part of how a network was trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// The largest value, moved a quarter of a pixel towards the larger neighbour: Microsoft's, and mmpose's plain ones.
    Msra,
    /// DARK: a parabola through the logarithms around the largest value.
    Dark,
    /// UDP: the same on crops that are placed by pixel centres.
    Udp,
    /// UDP with two maps of offsets beside each heatmap.
    UdpRegress,
}

impl Decoder {
    /// Its name in the manifest.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Msra => "msra",
            Self::Dark => "dark",
            Self::Udp => "udp",
            Self::UdpRegress => "udp-regress",
        }
    }

    /// The maps of each keypoint.
    pub const fn maps(self) -> usize {
        match self {
            Self::Msra | Self::Dark | Self::Udp => 1,
            Self::UdpRegress => 3,
        }
    }

    /// The profile by which crops are made for it.
    pub const fn profile(self) -> Profile {
        match self {
            Self::Msra | Self::Dark => Profile::Msra,
            Self::Udp | Self::UdpRegress => Profile::Udp,
        }
    }
}

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Agreement, Header, Pace};
use crate::Interval;

/// How keypoints are evaluated: whose boxes the network sees, and which people of a box's image are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocol {
    /// The keypoints, by the name of their data set: `coco`.
    pub keypoints: String,
    /// SHA-256 of the file of annotations.
    pub annotations: String,
    /// The category of the annotated people.
    pub category: u64,
    /// The detector's boxes; `None` for the annotated ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boxes: Option<Boxes>,
    /// The network ran on mirrored crops, too.
    pub flip: bool,
    /// Suppression of doubles, scores and the number of people per image.
    pub rules: String,
}

/// A file of boxes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boxes {
    /// Its name, without folders.
    pub file: String,
    /// Its SHA-256.
    pub sha256: String,
}

impl Protocol {
    /// The settings by name, for comparing them.
    pub(super) fn facts(&self) -> [(&'static str, String); 6] {
        [
            ("keypoints", self.keypoints.clone()),
            ("annotations", self.annotations.clone()),
            ("category", self.category.to_string()),
            (
                "boxes",
                self.boxes
                    .as_ref()
                    .map_or("annotated".into(), ToString::to_string),
            ),
            ("flip test", if self.flip { "yes" } else { "no" }.into()),
            ("rules of people", self.rules.clone()),
        ]
    }
}

impl fmt::Display for Boxes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, sha256 {}", self.file, self.sha256)
    }
}

impl fmt::Display for Protocol {
    /// `annotated boxes, flip test, OKS-NMS 0.9`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.boxes {
            Some(boxes) => write!(f, "boxes of {}", boxes.file)?,
            None => f.write_str("annotated boxes")?,
        }
        let flip = if self.flip { "flip test" } else { "no flip test" };
        write!(f, ", {flip}, {}", self.rules)
    }
}

/// A figure of COCO's keypoint evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// Average precision over the thresholds 0.50 to 0.95.
    Ap,
    /// Average precision at the threshold 0.50.
    Ap50,
    /// Average precision at the threshold 0.75.
    Ap75,
    /// Average precision of people of 32 x 32 to 96 x 96 pixels.
    ApMedium,
    /// Average precision of people of more than 96 x 96 pixels.
    ApLarge,
    /// Average recall over the thresholds 0.50 to 0.95.
    Ar,
    /// Recall at the threshold 0.50.
    Ar50,
    /// Recall at the threshold 0.75.
    Ar75,
    /// Average recall of people of 32 x 32 to 96 x 96 pixels.
    ArMedium,
    /// Average recall of people of more than 96 x 96 pixels.
    ArLarge,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ap => "AP",
            Self::Ap50 => "AP50",
            Self::Ap75 => "AP75",
            Self::ApMedium => "AP(M)",
            Self::ApLarge => "AP(L)",
            Self::Ar => "AR",
            Self::Ar50 => "AR50",
            Self::Ar75 => "AR75",
            Self::ArMedium => "AR(M)",
            Self::ArLarge => "AR(L)",
        })
    }
}

/// A measured figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// From 0 to 1.
    pub value: f64,
    /// The 95 % bootstrap interval over images, of the figures that are claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
}

/// Images, people and boxes, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeopleTally {
    /// Images that count: all that could be read.
    pub images: usize,
    /// Images that could not be read.
    pub unreadable: usize,
    /// Annotated people who count: no crowds, with a labelled keypoint.
    pub people: usize,
    /// Annotated people and crowds that count neither way.
    pub ignored: usize,
    /// Boxes that the network saw.
    pub boxes: usize,
    /// People who are left of them, at most 20 of an image.
    pub found: usize,
    /// Faults that lost no image: boxes that cannot be cropped, photos of another size than annotated.
    pub faults: usize,
}

/// The result of an evaluation of keypoints beside what is claimed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeopleSummary {
    /// The key of the evaluation, and when it began.
    #[serde(flatten)]
    pub header: Header,
    /// Images, people and boxes, counted.
    pub tally: PeopleTally,
    /// The figures; those of which no person counts are not there.
    pub figures: BTreeMap<Figure, Estimate>,
    /// SHA-256 of the digests of all images in order of their names; `None` unless all are there.
    pub images_sha256: Option<String>,
    /// The speed of its last run; `None` if that had nothing left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
    /// The figures that are claimed of the network.
    pub claims: Vec<PeopleClaim>,
}

/// A claimed figure beside what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeopleClaim {
    /// Column of the published table.
    pub column: String,
    /// As printed.
    pub printed: String,
    /// The claimed figure.
    pub figure: Figure,
    /// The result of the comparison.
    pub agreement: Agreement,
    /// Why it cannot be compared, where it cannot: each is a thing that the claim is not about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

impl PeopleClaim {
    /// The result of the comparison in words, with its reasons.
    pub fn verdict(&self) -> String {
        self.agreement.because(&self.reasons)
    }
}

impl fmt::Display for PeopleClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.column, self.printed, self.verdict())
    }
}

impl PeopleSummary {
    /// Returns how keypoints were evaluated.
    pub fn protocol(&self) -> Option<&Protocol> {
        self.header.key.keypoints.as_ref()
    }

    /// Returns `true` if the other summary is of the same evaluation of the same images, so that every figure must be the same.
    pub fn is_repeat_of(&self, other: &Self) -> bool {
        let images = |tally: &PeopleTally| tally.images + tally.unreadable;
        self.header.key == other.header.key
            && self.header.shard == other.header.shard
            && images(&self.tally) == images(&other.tally)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Shard;
    use super::super::testing::header;
    use super::*;

    fn protocol() -> Protocol {
        Protocol {
            keypoints: "coco".into(),
            annotations: "ab".into(),
            category: 1,
            boxes: None,
            flip: true,
            rules: "OKS-NMS 0.9".into(),
        }
    }

    #[test]
    fn a_summary_comes_back_from_its_text_with_its_figures_by_name() {
        let mut header = header(9, Shard::WHOLE);
        header.key.keypoints = Some(protocol());
        let interval = Some(Interval { low: 0.5, high: 1.0 });
        let summary = PeopleSummary {
            header,
            tally: PeopleTally::default(),
            figures: BTreeMap::from([(
                Figure::Ap50,
                Estimate {
                    value: 0.75,
                    interval,
                },
            )]),
            images_sha256: None,
            pace: None,
            claims: Vec::new(),
        };
        let text = serde_json::to_string(&summary).expect("JSON");
        assert!(text.contains(r#""figures":{"ap50":{"value":0.75,"#), "{text}");
        assert_eq!(
            serde_json::from_str::<PeopleSummary>(&text).expect("a summary"),
            summary
        );
        let mut other = summary.clone();
        assert!(summary.is_repeat_of(&other));
        other.tally.unreadable = 1;
        assert!(!summary.is_repeat_of(&other), "another number of images");
    }

    #[test]
    fn other_boxes_annotations_and_flip_tests_are_other_evaluations() {
        let mut key = header(9, Shard::WHOLE).key;
        let classes = key.clone();
        key.keypoints = Some(protocol());
        let told = classes.difference(&key).expect("another task");
        assert!(told.contains("keypoints: expected none, found coco"), "{told}");
        let mut other = key.clone();
        assert_eq!(key.difference(&other), None);
        other.keypoints = Some(Protocol {
            annotations: "cd".into(),
            boxes: Some(Boxes {
                file: "b.json".into(),
                sha256: "ef".into(),
            }),
            flip: false,
            ..protocol()
        });
        assert_eq!(
            key.difference(&other).expect("different"),
            "annotations: expected ab, found cd; boxes: expected annotated, found b.json, sha256 ef; flip test: expected yes, \
             found no"
        );
    }
}

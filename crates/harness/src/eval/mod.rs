//! Accuracy on labelled images: a [`Key`] names what is evaluated on what, an [`Answer`] is what came of one image, a
//! [`Tally`] counts answers, a [`Summary`] is what they come to. Files, shards and merging are the same for the answers of any
//! task ([`Answered`]).
//!
//! Answers lie in a file, one a line below the [`Header`], each on disk before the next batch: a run that was killed goes on
//! where it ended, and shards of other machines are put together by [`merge`], which proves that each image is there exactly
//! once. Counts are whole numbers, so the result is the same for any number of shards.
//!
//! Images are taken in an [`order`] that is random but the same everywhere: every beginning is then a fair sample, which
//! [`Bounds`] turns into what is known of the whole at any time.

mod agreement;
mod bounds;
mod file;
mod keypoints;
mod mcnemar;
mod merge;
mod order;
mod summary;
mod tally;

pub use agreement::{Agreement, Printed};
pub use bounds::Bounds;
pub use file::{Book, EvalError, parse_answers};
pub use keypoints::{Boxes, Estimate, Figure, PeopleClaim, PeopleSummary, PeopleTally, Protocol};
pub use mcnemar::{McNemar, mcnemar};
pub use merge::{MergeError, Part, merge};
pub use order::{Shard, order};
pub use summary::{Held, Pace, Share, Summary};
pub use tally::Tally;

use std::collections::{BTreeMap, BTreeSet};

use hrnet::Precision;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Provenance, WeightsCheck};

/// The identity of an evaluation: answers of different keys are never put together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The variant.
    pub variant: String,
    /// SHA-256 of the weight file, or `seeded:N`.
    pub weights: String,
    /// Source of the ranges of fixed point: SHA-256 of the calibration, or a word for its stand-in; `None` in floating point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<String>,
    /// From file to input: decoder, sizes, interpolation, means and standard deviations.
    pub preprocess: String,
    /// Number format.
    pub precision: Precision,
    /// The engine: library and version, vector unit, digest of its plan.
    pub backend: String,
    /// Images that run at once.
    pub batch: usize,
    /// The images and their labels.
    pub data: DataSet,
    /// Number of classes that may be answered: all of the network's, or those of the data set alone; 0 for keypoints.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub candidates: usize,
    /// How keypoints are evaluated; `None` for classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keypoints: Option<Protocol>,
}

/// Labelled images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSet {
    /// Number of images.
    pub images: usize,
    /// Number of classes that are labels; 0 for keypoints.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub classes: usize,
    /// SHA-256 of the list of names, labels and sizes.
    pub digest: String,
}

/// Whether a count is of nothing, as classes are where keypoints are evaluated.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Key {
    /// The settings that differ from those of another key, each with both values; `None` if all are the same.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let facts = |key: &Self| {
            [
                ("variant", key.variant.clone()),
                ("weights", key.weights.clone()),
                ("calibration", key.calibration.clone().unwrap_or("none".into())),
                ("precision", key.precision.to_string()),
                ("backend", key.backend.clone()),
                ("batch size", key.batch.to_string()),
                ("images", key.data.images.to_string()),
                ("classes of the data set", key.data.classes.to_string()),
                ("digest of the data set", key.data.digest.clone()),
                ("classes to answer", key.candidates.to_string()),
            ]
        };
        let pairs = facts(self).into_iter().zip(facts(other));
        let mut told: Vec<String> = pairs
            .filter(|((_, this), (_, other))| this != other)
            .map(|((name, this), (_, other))| unlike(name, &this, &other))
            .collect();
        told.extend(preprocessing(&self.preprocess, &other.preprocess));
        told.extend(protocols(self.keypoints.as_ref(), other.keypoints.as_ref()));
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// The settings that differ between two evaluations of keypoints.
fn protocols(this: Option<&Protocol>, other: Option<&Protocol>) -> Vec<String> {
    match (this, other) {
        (Some(this), Some(other)) => {
            let pairs = this.facts().into_iter().zip(other.facts());
            let differing = pairs.filter(|((_, this), (_, other))| this != other);
            differing
                .map(|((name, this), (_, other))| unlike(name, &this, &other))
                .collect()
        }
        (None, None) => Vec::new(),
        _ => {
            let name = |protocol: Option<&Protocol>| {
                protocol.map_or("none".to_owned(), |protocol| protocol.keypoints.clone())
            };
            vec![unlike("keypoints", &name(this), &name(other))]
        }
    }
}

/// The settings that differ between two ways to prepare images: field by field if both are `{…} by DECODER`, as this program
/// writes them.
fn preprocessing(this: &str, other: &str) -> Vec<String> {
    let fields = |text: &str| {
        let (json, decoder) = text.split_at(text.rfind('}')? + 1);
        let mut fields: BTreeMap<String, Value> = serde_json::from_str(json).ok()?;
        fields.insert("decoder".into(), decoder.trim_start_matches(" by ").into());
        Some(fields)
    };
    match (fields(this), fields(other)) {
        _ if this == other => Vec::new(),
        (Some(these), Some(others)) => {
            let names: BTreeSet<&String> = these.keys().chain(others.keys()).collect();
            let shown = |fields: &BTreeMap<String, Value>, name| match fields.get(name) {
                Some(Value::String(text)) => text.clone(),
                Some(value) => value.to_string(),
                None => "none".into(),
            };
            let differing = names
                .into_iter()
                .filter(|name| these.get(*name) != others.get(*name));
            differing
                .map(|name| {
                    let name_shown = format!("preprocessing's {name}");
                    unlike(&name_shown, &shown(&these, name), &shown(&others, name))
                })
                .collect()
        }
        _ => vec![unlike("preprocessing", this, other)],
    }
}

fn unlike(name: &str, this: &str, other: &str) -> String {
    format!("{name}: expected {this}, found {other}")
}

/// The first line of a file of answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of this form, [`Header::SCHEMA`].
    pub eval: u32,
    /// The identity of the evaluation.
    pub key: Key,
    /// Which part of the images.
    pub shard: Shard,
    /// Which of the variant's weight sources, where one was named.
    pub source: Option<String>,
    /// The preprocessing's id.
    pub preprocess: String,
    /// When it began, RFC 3339 in UTC.
    #[serde(deserialize_with = "crate::days::time")]
    pub started: String,
    /// The way in which the SHA-256 of the weights was known; `None` for seeded weights and in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_check: Option<WeightsCheck>,
    /// Program and machine.
    pub provenance: Provenance,
}

impl Header {
    /// The version of the form.
    pub const SCHEMA: u32 = 1;
}

/// An answer of any task: what is kept of one image, a line of the file. Its first field is `image`.
pub trait Answered: Clone + Serialize + DeserializeOwned {
    /// Returns the image's index in the data set, whose order is by name.
    fn image(&self) -> usize;

    /// Returns the beginning of the SHA-256 of its bytes; `None` if they were not read.
    fn sha256(&self) -> Option<&str>;

    /// Returns why there is no answer, with the image's name.
    fn error(&self) -> Option<&str>;
}

impl Answered for Answer {
    fn image(&self) -> usize {
        self.image
    }

    fn sha256(&self) -> Option<&str> {
        self.sha256.as_deref()
    }

    fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// The classes that one image was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Its index in the data set, whose order is by name.
    pub image: usize,
    /// The first 16 hexadecimal digits of the SHA-256 of its bytes; `None` if they could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The five classes of the largest logits, the largest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<usize>,
    /// Which of these is the first right one, from 0; `None` if none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<usize>,
    /// No class is right, as for some images of relabelled sets: it counts neither way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlabelled: bool,
    /// Why there is no answer, with the image's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Answer {
    /// Returns `true` if the first class is right; `None` if the image does not count.
    pub fn is_right(&self) -> Option<bool> {
        (self.error.is_none() && !self.unlabelled).then_some(self.place == Some(0))
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    pub(crate) fn header(images: usize, shard: Shard) -> Header {
        Header {
            eval: Header::SCHEMA,
            key: Key {
                variant: "V".into(),
                weights: "seeded:0".into(),
                calibration: None,
                preprocess: "p".into(),
                precision: Precision::F32,
                backend: "cpu".into(),
                batch: 4,
                data: DataSet {
                    images,
                    classes: 10,
                    digest: "00ff".into(),
                },
                candidates: 1000,
                keypoints: None,
            },
            shard,
            source: None,
            preprocess: "p".into(),
            started: "2026-01-01T00:00:00Z".into(),
            weights_check: None,
            provenance: Provenance::default(),
        }
    }

    pub(crate) fn answer(image: usize, place: Option<usize>) -> Answer {
        Answer {
            image,
            sha256: Some("0123456789abcdef".into()),
            top: vec![1, 2, 3, 4, 5],
            place,
            ..Answer::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::header;
    use super::*;

    #[test]
    fn each_setting_that_differs_is_told_with_both_values() {
        let key = header(5, Shard::WHOLE).key;
        assert_eq!(key.difference(&key), None);
        let other = Key {
            weights: "seeded:1".into(),
            batch: 8,
            ..key.clone()
        };
        let told = key.difference(&other).expect("different");
        assert_eq!(
            told,
            "weights: expected seeded:0, found seeded:1; batch size: expected 4, found 8"
        );
        let prepared = |profile: &str| Key {
            preprocess: profile.into(),
            ..key.clone()
        };
        let profile = r#"{"id":"a","crop":224,"interpolation":"bilinear","mean":[0.485,0.456]} by jpeg 1"#;
        let larger = prepared(&profile.replace("224", "288").replace("jpeg 1", "jpeg 2"));
        assert_eq!(
            prepared(profile).difference(&larger).expect("different"),
            "preprocessing's crop: expected 224, found 288; preprocessing's decoder: expected jpeg 1, found jpeg 2"
        );
        assert_eq!(
            prepared("old")
                .difference(&larger)
                .expect("different")
                .matches("expected old, found {")
                .count(),
            1
        );
        let calibrated = Key {
            calibration: Some("0123".into()),
            ..key.clone()
        };
        let told = key.difference(&calibrated).expect("different");
        assert_eq!(told, "calibration: expected none, found 0123");
    }
}

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Agreement, Header, Tally};
use crate::Interval;

/// The result of an evaluation beside what is claimed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The key of the evaluation, and when it began.
    #[serde(flatten)]
    pub header: Header,
    /// The answers, counted.
    pub tally: Tally,
    /// Images whose first class is right; `None` without images.
    pub top1: Option<Share>,
    /// Images with a right class among the first five.
    pub top5: Option<Share>,
    /// SHA-256 of the digests of all images in order of their names; `None` unless all are there.
    pub images_sha256: Option<String>,
    /// The speed of its last run; `None` if that had nothing left to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
    /// The accuracies that are claimed of the network.
    pub claims: Vec<Held>,
}

/// A share of right answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// From 0 to 1.
    pub share: f64,
    /// Wilson's 95 % interval for images like these.
    pub interval: Interval,
}

/// A claim beside what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Column of the published table.
    pub column: String,
    /// As printed.
    pub printed: String,
    /// 1 or 5.
    pub top: usize,
    /// The result of the comparison.
    pub agreement: Agreement,
    /// Why it cannot be compared, where it cannot: each is a thing that the claim is not about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

impl Held {
    /// The result of the comparison in words, with its reasons.
    pub fn verdict(&self) -> String {
        self.agreement.because(&self.reasons)
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.column, self.printed, self.verdict())
    }
}

/// The speed of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Images that it answered.
    pub images: usize,
    /// From the first photo to the last answer.
    pub seconds: f64,
    /// Of these in the network; the rest was waiting for photos.
    pub network_seconds: f64,
    /// Threads of the network.
    pub threads: usize,
    /// Threads that decoded.
    pub decoders: usize,
}

impl Pace {
    /// Images per second.
    pub fn images_per_s(&self) -> f64 {
        self.images as f64 / self.seconds
    }
}

impl Summary {
    /// Returns `true` if the other summary is of the same evaluation of the same images, so that every count must be the same. Images
    /// are taken in an order that never changes, so equal numbers of images of a data set are the same images.
    pub fn is_repeat_of(&self, other: &Self) -> bool {
        self.header.key == other.header.key
            && self.header.shard == other.header.shard
            && self.tally.images() == other.tally.images()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Shard;
    use super::super::testing::{answer, header};
    use super::*;

    fn summary(images: usize) -> Summary {
        let answers: Vec<_> = (0..images).map(|image| answer(image, Some(0))).collect();
        let tally = Tally::of(&answers);
        Summary {
            header: header(9, Shard::WHOLE),
            top1: tally.share(tally.top1).map(|share| Share {
                share,
                interval: tally.interval(tally.top1),
            }),
            top5: None,
            tally,
            images_sha256: None,
            pace: Some(Pace {
                images,
                seconds: 0.5,
                network_seconds: 0.25,
                threads: 2,
                decoders: 2,
            }),
            claims: Vec::new(),
        }
    }

    #[test]
    fn a_summary_comes_back_from_its_text() {
        let summary = summary(4);
        let text = serde_json::to_string(&summary).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Summary>(&text).expect("a summary"),
            summary
        );
        assert_eq!(summary.pace.expect("a pace").images_per_s(), 8.0);
    }

    #[test]
    fn only_as_many_images_of_one_key_are_a_repeat() {
        assert!(summary(4).is_repeat_of(&summary(4)));
        assert!(!summary(4).is_repeat_of(&summary(5)), "a sample of another size");
        let mut other = summary(4);
        other.header.key.weights = "seeded:1".into();
        assert!(!summary(4).is_repeat_of(&other));
    }
}

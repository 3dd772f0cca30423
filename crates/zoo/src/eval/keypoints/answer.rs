use harness::eval::Answered;
use pose::ap::DETECTIONS;
use pose::coco::{Detection, Person, write_detections};
use pose::oks::NMS_THRESHOLD;
use pose::{Found, Oks, results};
use serde::{Deserialize, Serialize};

/// The people of one image, annotated and found: all that AP needs, so that files of answers are merged without the annotations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PeopleAnswer {
    /// The image's index in the data set, whose order is by name.
    pub(crate) image: usize,
    /// The first 16 hexadecimal digits of the SHA-256 of its bytes; `None` if they were not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    /// The image's id in the annotations.
    pub(crate) id: u64,
    /// The annotated people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) people: Vec<Person>,
    /// The best people that were found, the best first. Places are kept to a thousandth of a pixel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) found: Vec<Detection>,
    /// Number of boxes that the network saw.
    #[serde(default)]
    pub(crate) boxes: usize,
    /// Boxes that cannot be cropped, and another size than annotated; each with the image's name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) faults: Vec<String>,
    /// Why there is no answer, with the image's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Answered for PeopleAnswer {
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

/// Returns the people who were found as COCO's results, which `pycocotools` reads, in the order of the images.
pub(crate) fn results_file(answers: &[PeopleAnswer]) -> String {
    let mut answers: Vec<&PeopleAnswer> = answers.iter().collect();
    answers.sort_by_key(|answer| answer.image);
    let found: Vec<Detection> = answers.iter().flat_map(|answer| answer.found.clone()).collect();
    write_detections(&found)
}

/// Returns the people of an image who are left of those that a network found, with their scores, at most as many as count.
pub(super) fn left(image: u64, category: u64, found: &[Found], oks: &Oks) -> Vec<Detection> {
    let mut left = results(image, found, oks, Some(NMS_THRESHOLD));
    left.truncate(DETECTIONS);
    for detection in &mut left {
        detection.category = category;
        for keypoint in &mut detection.keypoints {
            *keypoint = [to(keypoint[0], 1e3), to(keypoint[1], 1e3), to(keypoint[2], 1e6)];
        }
        detection.bbox = detection.bbox.map(|bbox| bbox.map(|side| to(side, 1e3)));
    }
    left
}

/// Rounds to this number of parts of one.
fn to(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

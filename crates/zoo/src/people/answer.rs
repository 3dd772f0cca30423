use std::path::Path;

use pose::oks::Candidate;
use pose::skeleton::Skeleton;
use pose::{Found, Keypoint, Size};
use serde::Serialize;

use crate::output::table;

/// A line of `--json`: the people on one photo.
#[derive(Serialize)]
pub(crate) struct Answer<'a> {
    pub(crate) image: &'a Path,
    width: usize,
    height: usize,
    model: &'a str,
    /// Id of the preprocessing profile.
    preprocess: &'a str,
    flip_test: bool,
    /// Origin of the ranges: SHA-256 of the calibration, or the name of its stand-in; `None` in floating point.
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<&'a str>,
    /// True if the photo was taken for the box of one person.
    whole_photo: bool,
    pub(crate) people: Vec<Person>,
    /// The reasons for which other boxes were refused.
    pub(crate) refused: Vec<String>,
}

/// The fields that all answers of a run share.
#[derive(Clone, Copy)]
pub(crate) struct Common<'a> {
    pub(crate) model: &'a str,
    pub(crate) preprocess: &'a str,
    pub(crate) flip_test: bool,
    pub(crate) calibration: Option<&'a str>,
    pub(crate) whole_photo: bool,
}

/// A person, in the order of the boxes.
#[derive(Serialize)]
pub(crate) struct Person {
    /// x, y, width, height, pixels.
    #[serde(rename = "box")]
    bbox: [f64; 4],
    box_score: f64,
    /// The score of the box times the mean of the keypoints' scores above 0.2.
    pub(crate) score: f64,
    keypoints: Vec<Named>,
}

/// A keypoint; absent ones have no place.
#[derive(Serialize)]
struct Named {
    name: &'static str,
    x: Option<f64>,
    y: Option<f64>,
    score: f32,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(
        common: Common<'a>,
        image: &'a Path,
        photo: Size,
        people: Vec<Person>,
        refused: Vec<String>,
    ) -> Self {
        Self {
            image,
            width: photo.width,
            height: photo.height,
            model: common.model,
            preprocess: common.preprocess,
            flip_test: common.flip_test,
            calibration: common.calibration,
            whole_photo: common.whole_photo,
            people,
            refused,
        }
    }
}

impl Person {
    pub(crate) fn new(found: &Found, skeleton: &Skeleton) -> Self {
        let candidate = Candidate::new(&found.placement, found.box_score, &found.keypoints);
        let named = |(name, keypoint): (&&'static str, &Option<Keypoint>)| Named {
            name,
            x: keypoint.map(|found| found.x),
            y: keypoint.map(|found| found.y),
            score: keypoint.map_or(0.0, |found| found.score),
        };
        Self {
            bbox: found.person.xywh(),
            box_score: found.box_score,
            score: candidate.score,
            keypoints: skeleton
                .keypoints
                .iter()
                .zip(&found.keypoints)
                .map(named)
                .collect(),
        }
    }
}

/// Returns a table for each person of a photo.
pub(crate) fn human(answer: &Answer) -> String {
    let (image, model, all) = (answer.image.display(), answer.model, answer.people.len());
    let mut text = match answer.people.is_empty() {
        true => format!("{image} ({model}): no people\n"),
        false => String::new(),
    };
    for (index, person) in answer.people.iter().enumerate() {
        let of = if all > 1 {
            format!(", person {} of {all}", index + 1)
        } else {
            String::new()
        };
        let [x, y, width, height] = person.bbox;
        let place = match answer.whole_photo {
            true => "the whole photo".to_owned(),
            false => format!("box {x:.1}, {y:.1}, {width:.1} x {height:.1}"),
        };
        let score = person.score;
        text.push_str(&format!("{image} ({model}){of}: {place}, score {score:.2}\n"));
        let cell = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
        let rows = person.keypoints.iter().map(|keypoint| {
            let score = match keypoint.x {
                Some(_) => format!("{:.2}", keypoint.score),
                None => "absent".to_owned(),
            };
            vec![
                cell(keypoint.x),
                cell(keypoint.y),
                score,
                keypoint.name.to_owned(),
            ]
        });
        text.push_str(&table(&[">x", ">y", ">score", "keypoint"], rows));
    }
    text
}

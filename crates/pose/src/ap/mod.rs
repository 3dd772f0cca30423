//! Average precision and recall of keypoints, equal to pycocotools' `COCOeval`.
//!
//! Of each image the 20 best detections count. At each of ten thresholds of [similarity](crate::Oks), 0.50 to 0.95, a detection
//! matches the most similar person that no better one has taken; precision is read at 101 recalls. AP is the mean over
//! thresholds and recalls, AR that of the highest recalls.

mod bootstrap;
mod matching;

use std::collections::HashMap;

use crate::Oks;
use crate::coco::{Annotations, Detection, Person};

pub use bootstrap::{Interval, Intervals};
use matching::{Matches, Scene};

/// The detections that count of an image, the best ones.
pub const DETECTIONS: usize = 20;
/// Thresholds of similarity: 0.50, 0.55, … 0.95.
const THRESHOLDS: usize = 10;
/// Recalls at which precision is read: 0.00, 0.01, … 1.00.
const RECALLS: usize = 101;

/// Returns a threshold of similarity, to the bit as NumPy's `linspace` gives it.
fn threshold(level: usize) -> f64 {
    const STEP: f64 = (0.95 - 0.5) / 9.0;
    match level {
        9 => 0.95,
        level => 0.5 + level as f64 * STEP,
    }
}

/// Areas of people, square pixels; both ends belong to it.
#[derive(Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    const ALL: Self = Self { low: 0.0, high: 1e10 };
    const MEDIUM: Self = Self {
        low: 1024.0,
        high: 9216.0,
    };
    const LARGE: Self = Self {
        low: 9216.0,
        high: 1e10,
    };

    fn holds(self, area: f64) -> bool {
        (self.low..=self.high).contains(&area)
    }
}

/// The ten figures of COCO's keypoint evaluation, 0 to 1; `None` if no person counts, for which `COCOeval` prints -1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Average precision over the thresholds 0.50 to 0.95.
    pub ap: Option<f64>,
    /// Average precision at the threshold 0.50.
    pub ap50: Option<f64>,
    /// Average precision at the threshold 0.75.
    pub ap75: Option<f64>,
    /// Average precision of people of 32 x 32 to 96 x 96 pixels.
    pub ap_medium: Option<f64>,
    /// Average precision of people of more than 96 x 96 pixels.
    pub ap_large: Option<f64>,
    /// Average recall over the thresholds 0.50 to 0.95.
    pub ar: Option<f64>,
    /// Recall at the threshold 0.50.
    pub ar50: Option<f64>,
    /// Recall at the threshold 0.75.
    pub ar75: Option<f64>,
    /// Average recall of people of 32 x 32 to 96 x 96 pixels.
    pub ar_medium: Option<f64>,
    /// Average recall of people of more than 96 x 96 pixels.
    pub ar_large: Option<f64>,
}

/// Detections that do not belong to the annotations.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// A detection is on an image that the annotations do not have.
    #[error(
        "detection {index} is on image {image}, which the annotations do not have; are they of the same images?"
    )]
    Image {
        /// The detection's index, from 0.
        index: usize,
        /// The image's id.
        image: u64,
    },
    /// A detection has another category.
    #[error("detection {index} has category {found}, and the annotations have {expected}; leave it out")]
    Category {
        /// The detection's index, from 0.
        index: usize,
        /// Its category.
        found: u64,
        /// The annotations' category.
        expected: u64,
    },
    /// A detection or a person has another number of keypoints than the skeleton.
    #[error("{who} has {found} keypoints; expected {expected}, the skeleton's")]
    Keypoints {
        /// The detection or person.
        who: String,
        /// Its number of keypoints.
        found: usize,
        /// The skeleton's.
        expected: usize,
    },
}

/// Detections, matched with annotated people image by image.
#[derive(Clone, Debug)]
pub struct Evaluation {
    images: usize,
    all: Ranking,
    medium: Ranking,
    large: Ranking,
}

impl Evaluation {
    /// Matches detections with annotations; images without detections count as such.
    ///
    /// # Errors
    /// If a detection is on another image or of another category, or somebody has another number of keypoints than the
    /// similarity.
    pub fn new(
        annotations: &Annotations,
        detections: &[Detection],
        oks: &Oks,
    ) -> Result<Self, EvaluationError> {
        let mut images: Vec<u64> = annotations.images.iter().map(|image| image.id).collect();
        images.sort_unstable();
        let places: HashMap<u64, usize> = images.iter().copied().zip(0..).collect();
        let mut people: Vec<Vec<&Person>> = vec![Vec::new(); images.len()];
        for person in &annotations.people {
            let who = || format!("the annotation of id {}", person.id);
            same_keypoints(who, person.keypoints.len(), oks)?;
            if let Some(place) = places.get(&person.image) {
                people[*place].push(person);
            }
        }
        let mut found: Vec<Vec<&Detection>> = vec![Vec::new(); images.len()];
        for (index, detection) in detections.iter().enumerate() {
            same_keypoints(|| format!("detection {index}"), detection.keypoints.len(), oks)?;
            let (image, expected) = (detection.image, annotations.category);
            if detection.category != expected {
                let found = detection.category;
                return Err(EvaluationError::Category {
                    index,
                    found,
                    expected,
                });
            }
            match places.get(&image) {
                Some(place) => found[*place].push(detection),
                None => return Err(EvaluationError::Image { index, image }),
            }
        }
        let scenes: Vec<Scene> = people
            .iter()
            .zip(&found)
            .map(|(people, found)| Scene::new(people, found, oks))
            .collect();
        let ranking = |range| Ranking::new(scenes.iter().map(|scene| scene.matches(range)));
        Ok(Self {
            images: images.len(),
            all: ranking(Range::ALL),
            medium: ranking(Range::MEDIUM),
            large: ranking(Range::LARGE),
        })
    }

    /// Returns the ten figures.
    pub fn figures(&self) -> Figures {
        let once = vec![1; self.images];
        let [all, medium, large] =
            [&self.all, &self.medium, &self.large].map(|ranking| ranking.curves(&once));
        Figures {
            ap: all.map(|curves| curves.ap()),
            ap50: all.map(|curves| curves.precisions[0]),
            ap75: all.map(|curves| curves.precisions[5]),
            ap_medium: medium.map(|curves| curves.ap()),
            ap_large: large.map(|curves| curves.ap()),
            ar: all.map(|curves| curves.ar()),
            ar50: all.map(|curves| curves.recalls[0]),
            ar75: all.map(|curves| curves.recalls[5]),
            ar_medium: medium.map(|curves| curves.ar()),
            ar_large: large.map(|curves| curves.ar()),
        }
    }
}

fn same_keypoints(who: impl Fn() -> String, found: usize, oks: &Oks) -> Result<(), EvaluationError> {
    let expected = oks.keypoints();
    match found == expected {
        true => Ok(()),
        false => Err(EvaluationError::Keypoints {
            who: who(),
            found,
            expected,
        }),
    }
}

/// The detections of all images in one range of areas, the best first.
#[derive(Clone, Debug)]
struct Ranking {
    /// Per threshold, the detections that count.
    ranked: [Vec<Ranked>; THRESHOLDS],
    /// People that count, per image.
    people: Vec<usize>,
}

/// A detection that counts.
#[derive(Clone, Copy, Debug)]
struct Ranked {
    /// Index of its image.
    image: usize,
    /// It matches a person.
    matched: bool,
}

/// Precision and recall per threshold.
#[derive(Clone, Copy, Debug)]
struct Curves {
    /// Means over the recalls.
    precisions: [f64; THRESHOLDS],
    /// The highest recalls.
    recalls: [f64; THRESHOLDS],
}

impl Curves {
    fn ap(&self) -> f64 {
        self.precisions.iter().sum::<f64>() / THRESHOLDS as f64
    }

    fn ar(&self) -> f64 {
        self.recalls.iter().sum::<f64>() / THRESHOLDS as f64
    }
}

impl Ranking {
    fn new(images: impl Iterator<Item = Matches>) -> Self {
        let mut people = Vec::new();
        let mut outcomes = Vec::new();
        for (image, matches) in images.enumerate() {
            people.push(matches.people);
            outcomes.extend(matches.outcomes.into_iter().map(|outcome| (image, outcome)));
        }
        // Equal scores stay in the order of their images.
        outcomes.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score));
        let ranked = |level: usize| {
            let counted = outcomes
                .iter()
                .filter(|(_, outcome)| outcome.ignored >> level & 1 == 0);
            let ranked = counted.map(|(image, outcome)| Ranked {
                image: *image,
                matched: outcome.matched >> level & 1 == 1,
            });
            ranked.collect()
        };
        Self {
            ranked: std::array::from_fn(ranked),
            people,
        }
    }

    /// Returns the curves of the images, each counted `times[image]` times; `None` if no person counts.
    fn curves(&self, times: &[u32]) -> Option<Curves> {
        let people = self.people.iter().zip(times);
        let people: usize = people.map(|(people, times)| people * *times as usize).sum();
        if people == 0 {
            return None;
        }
        let mut curves = Curves {
            precisions: [0.0; THRESHOLDS],
            recalls: [0.0; THRESHOLDS],
        };
        for (level, ranked) in self.ranked.iter().enumerate() {
            let points = points(ranked, times, people as f64);
            curves.recalls[level] = points.last().map_or(0.0, |point| point.recall);
            curves.precisions[level] = mean_precision(&points);
        }
        Some(curves)
    }
}

/// Precision and recall after a detection that matches.
#[derive(Clone, Copy)]
struct Point {
    recall: f64,
    precision: f64,
}

fn points(ranked: &[Ranked], times: &[u32], people: f64) -> Vec<Point> {
    let (mut right, mut wrong) = (0.0, 0.0);
    let mut points = Vec::new();
    for detection in ranked {
        let times = times[detection.image];
        if times > 0 && detection.matched {
            right += f64::from(times);
            points.push(Point {
                recall: right / people,
                precision: right / (wrong + right + f64::EPSILON),
            });
        } else {
            wrong += f64::from(times);
        }
    }
    points
}

/// Returns the mean over the recalls of the highest precision at that recall or a higher one.
fn mean_precision(points: &[Point]) -> f64 {
    let mut sum = 0.0;
    let mut highest = 0.0;
    let mut left = points.len();
    for step in (0..RECALLS).rev() {
        let recall = if step == 100 { 1.0 } else { step as f64 * 0.01 };
        while left > 0 && points[left - 1].recall >= recall {
            left -= 1;
            highest = points[left].precision.max(highest);
        }
        sum += highest;
    }
    sum / RECALLS as f64
}

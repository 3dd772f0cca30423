//! Object keypoint similarity, and what mmpose does with it: scores of people, and suppression of doubles.

use crate::coco::Person;
use crate::{Keypoint, Placement};

/// A keypoint counts for a person's score if its own is above this, as in mmpose, which compares in f32.
pub const KEYPOINT_THRESHOLD: f32 = 0.2;
/// Of two people that are more similar than this, the one of the lower score is dropped, as in mmpose.
pub const NMS_THRESHOLD: f64 = 0.9;

/// Object keypoint similarity: 1 for equal keypoints, less the farther they lie apart for the person's size.
#[derive(Clone, Debug, PartialEq)]
pub struct Oks {
    variances: Vec<f64>,
}

/// A person among those of an image before non-maximum suppression.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// x, y and score of each keypoint, pixels.
    pub keypoints: Vec<[f64; 3]>,
    /// The score by which people are ranked.
    pub score: f64,
    /// The person's size, square pixels: [`Placement::area`].
    pub area: f64,
}

impl Oks {
    /// Returns the similarity of people with these [sigmas](crate::skeleton::Skeleton::sigmas), one per keypoint.
    pub fn new(sigmas: &[f64]) -> Self {
        let variances = sigmas.iter().map(|sigma| (sigma * 2.0).powi(2)).collect();
        Self { variances }
    }

    /// Returns the number of keypoints.
    pub fn keypoints(&self) -> usize {
        self.variances.len()
    }

    /// Returns the similarity of a detection to an annotated person, 0 to 1, as COCO's evaluation defines it: the mean over the
    /// labelled keypoints. To a person without one, distances count from the box enlarged threefold.
    ///
    /// # Panics
    /// If either has another number of keypoints.
    pub fn to_person(&self, person: &Person, keypoints: &[[f64; 3]]) -> f64 {
        assert_eq!(person.keypoints.len(), self.keypoints(), "one sigma a keypoint");
        assert_eq!(keypoints.len(), self.keypoints(), "one sigma a keypoint");
        let size = person.area + f64::EPSILON;
        let is_labelled = |keypoint: &[f64; 3]| keypoint[2] > 0.0;
        let any = person.keypoints.iter().any(is_labelled);
        let [x, y, width, height] = person.bbox;
        let outside = |value: f64, low: f64, side: f64| {
            (low - side - value).max(0.0) + (value - low - 2.0 * side).max(0.0)
        };
        let (mut sum, mut count) = (0.0, 0);
        for ((truth, found), variance) in person.keypoints.iter().zip(keypoints).zip(&self.variances) {
            let [dx, dy] = match any {
                true if !is_labelled(truth) => continue,
                true => [found[0] - truth[0], found[1] - truth[1]],
                false => [outside(found[0], x, width), outside(found[1], y, height)],
            };
            sum += (-(dx * dx + dy * dy) / variance / size / 2.0).exp();
            count += 1;
        }
        sum / f64::from(count.max(1))
    }

    /// Returns the similarity of two detections, 0 to 1, for non-maximum suppression: the mean over all keypoints, for the mean of
    /// their areas.
    ///
    /// # Panics
    /// If either has another number of keypoints.
    pub fn between(&self, one: &Candidate, other: &Candidate) -> f64 {
        assert_eq!(one.keypoints.len(), self.keypoints(), "one sigma a keypoint");
        assert_eq!(other.keypoints.len(), self.keypoints(), "one sigma a keypoint");
        let size = (one.area + other.area) / 2.0 + f64::EPSILON;
        let pairs = one.keypoints.iter().zip(&other.keypoints);
        let sum: f64 = pairs
            .zip(&self.variances)
            .map(|((a, b), variance)| {
                let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
                (-(dx * dx + dy * dy) / variance / size / 2.0).exp()
            })
            .sum();
        sum / self.keypoints().max(1) as f64
    }

    /// Returns the indices of the people of one image that are kept, the best first: each is at most `threshold` similar to all
    /// better ones that are kept. Of equal scores the first counts as better.
    pub fn suppress(&self, people: &[Candidate], threshold: f64) -> Vec<usize> {
        let mut order: Vec<usize> = (0..people.len()).collect();
        order.sort_by(|a, b| people[*b].score.total_cmp(&people[*a].score));
        let mut kept: Vec<usize> = Vec::new();
        for index in order {
            // mmpose compares in f32.
            let is_new =
                |other: &usize| self.between(&people[*other], &people[index]) as f32 <= threshold as f32;
            if kept.iter().all(is_new) {
                kept.push(index);
            }
        }
        kept
    }
}

impl Candidate {
    /// Returns a person of a detector's box: its score is the box's times the mean of the keypoints' scores above
    /// [`KEYPOINT_THRESHOLD`], or 0 if none is above it.
    pub fn new(placement: &Placement, box_score: f64, keypoints: &[Option<Keypoint>]) -> Self {
        let triple = |keypoint: &Option<Keypoint>| match keypoint {
            Some(found) => [found.x, found.y, f64::from(found.score)],
            None => [0.0; 3],
        };
        let keypoints: Vec<[f64; 3]> = keypoints.iter().map(triple).collect();
        Self {
            score: person_score(box_score, &keypoints),
            area: placement.area(),
            keypoints,
        }
    }
}

/// Returns a person's score: that of the box times the mean of the keypoints' scores above [`KEYPOINT_THRESHOLD`]; 0 if none is.
fn person_score(box_score: f64, keypoints: &[[f64; 3]]) -> f64 {
    let scores = keypoints.iter().map(|keypoint| keypoint[2]);
    let (sum, count) = scores
        .filter(|score| *score as f32 > KEYPOINT_THRESHOLD)
        .fold((0.0, 0), |(sum, count), score| (sum + score, count + 1));
    match count {
        0 => 0.0,
        count => box_score * sum / f64::from(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(labelled: bool) -> Person {
        Person {
            id: 1,
            image: 1,
            keypoints: vec![[10.0, 10.0, f64::from(labelled)], [0.0, 0.0, 0.0]],
            labelled: usize::from(labelled),
            bbox: [0.0, 0.0, 10.0, 10.0],
            area: 100.0,
            crowd: false,
        }
    }

    fn candidate(x: f64, score: f64) -> Candidate {
        Candidate {
            keypoints: vec![[x, 0.0, score], [x, 5.0, score]],
            score,
            area: 100.0,
        }
    }

    #[test]
    fn a_keypoint_at_twice_its_sigma_has_the_similarity_of_one_deviation() {
        // The deviation is 2 sigma times the square root of the area: 2 * 0.1 * 10 = 2 pixels.
        let oks = Oks::new(&[0.1, 0.1]);
        let at = |dx: f64| oks.to_person(&person(true), &[[10.0 + dx, 10.0, 1.0], [99.0, 99.0, 1.0]]);
        assert_eq!(at(0.0), 1.0, "what is not labelled does not count");
        assert!((at(2.0) - (-0.5_f64).exp()).abs() < 1e-12);
        assert!((at(4.0) - (-2.0_f64).exp()).abs() < 1e-12);
    }

    #[test]
    fn without_labels_distances_count_from_the_box_enlarged_threefold() {
        let oks = Oks::new(&[0.1, 0.1]);
        let at = |x: f64| oks.to_person(&person(false), &[[x, 5.0, 1.0], [5.0, -10.0, 1.0]]);
        assert_eq!((at(20.0), at(-10.0)), (1.0, 1.0));
        assert!((at(22.0) - 0.5 * (1.0 + (-0.5_f64).exp())).abs() < 1e-12);
    }

    #[test]
    fn the_better_of_two_similar_people_is_kept() {
        let oks = Oks::new(&[0.1, 0.1]);
        let people = [
            candidate(0.0, 0.5),
            candidate(0.2, 0.9),
            candidate(50.0, 0.1),
            candidate(0.0, 0.5),
        ];
        assert_eq!(oks.suppress(&people, 0.9), [1, 2]);
        assert_eq!(
            oks.suppress(&people, 1.0),
            [1, 0, 3, 2],
            "equal to the threshold stays, and the first of equals leads"
        );
        assert!(oks.suppress(&[], 0.9).is_empty());
    }

    #[test]
    fn a_score_is_the_boxs_times_the_mean_of_what_is_seen() {
        let scored = |scores: [f64; 2]| person_score(0.5, &scores.map(|score| [0.0, 0.0, score]));
        assert_eq!(scored([0.8, 0.4]), 0.5 * 1.2000000000000002 / 2.0);
        assert_eq!(scored([0.8, 0.2]), 0.4, "0.2 is not above the threshold");
        assert_eq!(scored([0.8, f64::from(0.2_f32)]), 0.4, "nor is the 0.2 of f32");
        assert_eq!(scored([0.1, 0.2]), 0.0);
    }
}

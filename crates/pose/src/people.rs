use crate::coco::Detection;
use crate::oks::{Candidate, Oks};
use crate::{Keypoint, PersonBox, Placement};

/// A person on a photo, as a network found it in a box.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The box, without padding.
    pub person: PersonBox,
    /// The part of the photo that the network saw.
    pub placement: Placement,
    /// The detector's score of the box; 1 for a box that is sure.
    pub box_score: f64,
    /// The keypoints, pixels of the photo; `None` if absent.
    pub keypoints: Vec<Option<Keypoint>>,
}

/// Returns the results of one image as mmpose writes them: people get their scores, and of people who are more than `threshold`
/// similar the best is kept (`None` keeps all). The best come first.
///
/// # Panics
/// If a person has another number of keypoints than the similarity.
pub fn results(image: u64, people: &[Found], oks: &Oks, threshold: Option<f64>) -> Vec<Detection> {
    let candidate = |found: &Found| Candidate::new(&found.placement, found.box_score, &found.keypoints);
    let candidates: Vec<Candidate> = people.iter().map(candidate).collect();
    // No similarity is above 1.
    let kept = oks.suppress(&candidates, threshold.unwrap_or(f64::INFINITY));
    let result = |index: usize| {
        let Found {
            person, keypoints, ..
        } = &people[index];
        Detection::new(image, person, keypoints, candidates[index].score)
    };
    kept.into_iter().map(result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Size;

    fn found(x: f64, score: f32) -> Found {
        let person = PersonBox::detected([x, 10.0, 30.0, 60.0], Size::new(200, 100)).expect("a box");
        let keypoint = Keypoint { x, y: 20.0, score };
        Found {
            placement: person.place(Size::new(192, 256)),
            person,
            box_score: 0.5,
            keypoints: vec![Some(keypoint), None],
        }
    }

    #[test]
    fn doubles_are_dropped_and_boxes_keep_their_own_size() {
        let people = [found(10.0, 0.5), found(10.5, 0.75), found(100.0, 0.25)];
        let oks = Oks::new(&[0.1, 0.1]);
        let results_at = |threshold| results(7, &people, &oks, threshold);
        let kept = results_at(Some(0.9));
        let scores: Vec<f64> = kept.iter().map(|detection| detection.score).collect();
        assert_eq!(scores, [0.375, 0.125]);
        assert_eq!(kept[0].bbox, Some([10.5, 10.0, 30.0, 60.0]));
        assert_eq!(kept[0].keypoints, [[10.5, 20.0, 0.75], [0.0; 3]]);
        assert_eq!((kept[0].image, results_at(None).len()), (7, 3));
    }
}

use std::collections::BTreeMap;

use harness::Interval;
use harness::eval::{Estimate, Figure, Header, Pace, PeopleSummary, PeopleTally, Protocol};
use pose::ap::{Evaluation, Figures};
use pose::coco::{Annotations, Detection, Image};
use pose::skeleton::Skeleton;
use pose::{Oks, ap};
use registry::Zoo;

use super::answer::PeopleAnswer;
use super::claims::judged;
use crate::eval::Subject;
use crate::eval::data::is_valid;
use crate::eval::keep::images_sha256;
use crate::{Exit, Failure};

/// Drawings of the bootstrap.
pub(super) const DRAWINGS: usize = 1000;
/// The share of the drawings that an interval holds.
pub(super) const CONFIDENCE: f64 = 0.95;
/// Seed of the drawings, so that the same answers give the same intervals.
pub(super) const SEED: u64 = 0;

/// Summarizes the answers and compares them with the claims.
pub(crate) fn summary(
    header: Header,
    answers: &[PeopleAnswer],
    pace: Option<Pace>,
    subject: &Subject,
    zoo: &Zoo,
) -> Result<PeopleSummary, Failure> {
    let Some(protocol) = &header.key.keypoints else {
        let what = format!("the answers of {} are classes, not keypoints", header.key.variant);
        return Err(Failure::new(Exit::Usage, what));
    };
    let figures = figures(protocol, answers)?;
    let tally = tally(answers);
    Ok(PeopleSummary {
        claims: judged(subject, zoo, protocol, &tally, &figures),
        images_sha256: images_sha256(&header, answers),
        tally,
        figures,
        pace,
        header,
    })
}

fn tally(answers: &[PeopleAnswer]) -> PeopleTally {
    let mut tally = PeopleTally::default();
    for answer in answers {
        match answer.error {
            Some(_) => tally.unreadable += 1,
            None => tally.images += 1,
        }
        let counted = answer.people.iter().filter(|person| is_valid(person)).count();
        tally.people += counted;
        tally.ignored += answer.people.len() - counted;
        tally.boxes += answer.boxes;
        tally.found += answer.found.len();
        tally.faults += answer.faults.len();
    }
    tally
}

/// Computes the figures on the images that could be read.
fn figures(protocol: &Protocol, answers: &[PeopleAnswer]) -> Result<BTreeMap<Figure, Estimate>, Failure> {
    let evaluation = evaluation(protocol, answers)?;
    let Figures {
        ap,
        ap50,
        ap75,
        ap_medium,
        ap_large,
        ar,
        ar50,
        ar75,
        ar_medium,
        ar_large,
    } = evaluation.figures();
    let intervals = evaluation.intervals(DRAWINGS, CONFIDENCE, SEED);
    let of = |of: fn(&ap::Intervals) -> ap::Interval| intervals.as_ref().map(|all| interval(of(all)));
    let figures = [
        (Figure::Ap, ap, of(|all| all.ap)),
        (Figure::Ap50, ap50, of(|all| all.ap50)),
        (Figure::Ap75, ap75, of(|all| all.ap75)),
        (Figure::ApMedium, ap_medium, None),
        (Figure::ApLarge, ap_large, None),
        (Figure::Ar, ar, of(|all| all.ar)),
        (Figure::Ar50, ar50, None),
        (Figure::Ar75, ar75, None),
        (Figure::ArMedium, ar_medium, None),
        (Figure::ArLarge, ar_large, None),
    ];
    let estimates = figures.into_iter().filter_map(|(figure, value, interval)| {
        let value = value?;
        Some((figure, Estimate { value, interval }))
    });
    Ok(estimates.collect())
}

/// The interval in the form of records.
pub(super) fn interval(drawn: ap::Interval) -> Interval {
    let ap::Interval { low, high } = drawn;
    Interval { low, high }
}

/// Matches the people that were found with the annotated ones.
pub(super) fn evaluation(protocol: &Protocol, answers: &[PeopleAnswer]) -> Result<Evaluation, Failure> {
    let bad = |why: String| Failure::new(Exit::Usage, why);
    let skeleton = Skeleton::named(&protocol.keypoints).map_err(bad)?;
    let counted = || answers.iter().filter(|answer| answer.error.is_none());
    let image = |answer: &PeopleAnswer| Image {
        id: answer.id,
        file_name: String::new(),
        size: None,
    };
    let annotations = Annotations {
        images: counted().map(image).collect(),
        people: counted().flat_map(|answer| answer.people.clone()).collect(),
        category: protocol.category,
    };
    let found: Vec<Detection> = counted().flat_map(|answer| answer.found.clone()).collect();
    let oks = Oks::new(skeleton.sigmas);
    Evaluation::new(&annotations, &found, &oks).map_err(|error| bad(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::keypoints::answer::left;
    use pose::coco::read_detections;
    use pose::skeleton::COCO;
    use pose::{Found, Keypoint, PersonBox, Size};
    use serde_json::Value;

    fn golden(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/pose/ap/");
        std::fs::read(format!("{folder}{name}")).expect("a golden file")
    }

    /// A detection as it was before scores and suppression.
    fn person(detection: &Detection) -> Found {
        let bbox = detection.bbox.expect("a box");
        let person = PersonBox::detected(bbox, Size::new(640, 480)).expect("a box");
        let keypoint = |[x, y, score]: &[f64; 3]| {
            let (x, y, score) = (*x, *y, *score as f32);
            Some(Keypoint { x, y, score })
        };
        Found {
            placement: person.place(Size::new(192, 256)),
            person,
            box_score: detection.score,
            keypoints: detection.keypoints.iter().map(keypoint).collect(),
        }
    }

    #[test]
    fn answers_of_perturbed_annotations_have_pycocotools_figures_after_mmposes_suppression() {
        let figures: Value = serde_json::from_slice(&golden("figures.json")).expect("JSON");
        let oks = Oks::new(COCO.sigmas);
        for set in ["few", "many"] {
            let annotations = Annotations::read(set, &golden(&format!("{set}_annotations.json")), 17);
            let annotations = annotations.expect("annotations");
            let raw = read_detections(set, &golden(&format!("{set}_detections.json")), 17);
            let raw = raw.expect("detections");
            let answer = |(index, image): (usize, &Image)| {
                let found = raw.iter().filter(|detection| detection.image == image.id);
                let found: Vec<Found> = found.map(person).collect();
                let people = annotations
                    .people
                    .iter()
                    .filter(|person| person.image == image.id);
                PeopleAnswer {
                    image: index,
                    id: image.id,
                    people: people.cloned().collect(),
                    found: left(image.id, annotations.category, &found, &oks),
                    ..PeopleAnswer::default()
                }
            };
            let mut answers: Vec<PeopleAnswer> = annotations.images.iter().enumerate().map(answer).collect();
            // An image that cannot be read counts neither way.
            answers.push(PeopleAnswer {
                image: answers.len(),
                id: 1 << 40,
                error: Some("damaged".into()),
                ..PeopleAnswer::default()
            });
            // As they come back from a file.
            let text = serde_json::to_string(&answers).expect("JSON");
            let answers: Vec<PeopleAnswer> = serde_json::from_str(&text).expect("answers");
            let protocol = Protocol {
                keypoints: "coco".into(),
                annotations: String::new(),
                category: annotations.category,
                boxes: None,
                flip: true,
                rules: String::new(),
            };
            let found = super::figures(&protocol, &answers).expect("figures");
            for (figure, estimate) in &found {
                let name = serde_json::to_value(figure).expect("a name");
                let expected = &figures[set]["kept"][name.as_str().expect("a name")];
                let expected = expected.as_f64().expect("a figure");
                let value = estimate.value;
                assert!(
                    (value - expected).abs() < 1e-9,
                    "{set} {figure}: {value} for {expected}"
                );
            }
            assert_eq!(found.len(), 10);
            assert_eq!(tally(&answers).unreadable, 1);
        }
    }
}

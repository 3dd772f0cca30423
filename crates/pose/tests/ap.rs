//! AP, AR, OKS and its suppression: sets with a known answer, and those of pycocotools 2.0.11 and mmpose 1.3.2.

mod common;

use std::collections::BTreeMap;

use common::{bytes, json, list};
use pose::ap::{Evaluation, EvaluationError, Figures};
use pose::coco::{Annotations, Detection, Image, Person, read_detections};
use pose::oks::{NMS_THRESHOLD, Oks};
use pose::{Found, Keypoint, PersonBox, Size, results, skeleton};
use serde_json::Value;

fn oks() -> Oks {
    Oks::new(skeleton::COCO.sigmas)
}

fn figures(annotations: &Annotations, detections: &[Detection]) -> Figures {
    Evaluation::new(annotations, detections, &oks())
        .expect("an evaluation")
        .figures()
}

fn named(figures: Figures) -> [(&'static str, Option<f64>); 10] {
    [
        ("ap", figures.ap),
        ("ap50", figures.ap50),
        ("ap75", figures.ap75),
        ("ap_medium", figures.ap_medium),
        ("ap_large", figures.ap_large),
        ("ar", figures.ar),
        ("ar50", figures.ar50),
        ("ar75", figures.ar75),
        ("ar_medium", figures.ar_medium),
        ("ar_large", figures.ar_large),
    ]
}

fn same(set: &str, found: Figures, expected: &Value) {
    for (name, found) in named(found) {
        let expected = expected[name].as_f64().expect("a figure");
        let found = found.unwrap_or(-1.0);
        assert!(
            (found - expected).abs() < 1e-9,
            "{set}, {name}: {found} for {expected}"
        );
    }
}

/// The golden annotations and detections of a set.
fn set(name: &str) -> (Annotations, Vec<Detection>) {
    let file = |what: &str| format!("{name}_{what}.json");
    let read = |what: &str| bytes(&format!("pose/ap/{}", file(what)));
    let annotations = Annotations::read(&file("annotations"), &read("annotations"), 17);
    let detections = read_detections(&file("detections"), &read("detections"), 17);
    (annotations.expect("annotations"), detections.expect("detections"))
}

/// Returns the detections that are left of those of each image, with mmpose's scores.
fn kept(detections: &[Detection]) -> Vec<Detection> {
    let mut images: BTreeMap<u64, Vec<Found>> = BTreeMap::new();
    for detection in detections {
        let bbox = detection.bbox.expect("a box");
        let person = PersonBox::detected(bbox, Size::new(640, 480)).expect("a box");
        let keypoint = |[x, y, score]: &[f64; 3]| {
            Some(Keypoint {
                x: *x,
                y: *y,
                score: *score as f32,
            })
        };
        images.entry(detection.image).or_default().push(Found {
            placement: person.place(Size::new(192, 256)),
            person,
            box_score: detection.score,
            keypoints: detection.keypoints.iter().map(keypoint).collect(),
        });
    }
    let left = images
        .iter()
        .map(|(image, people)| results(*image, people, &oks(), Some(NMS_THRESHOLD)));
    left.flatten().collect()
}

#[test]
fn figures_are_those_of_pycocotools() {
    let golden = json("ap/figures.json");
    for name in ["few", "many"] {
        let (annotations, mut detections) = set(name);
        let counts: Vec<u64> = list(&golden[name]["counts"])
            .iter()
            .filter_map(Value::as_u64)
            .collect();
        assert_eq!(
            [annotations.people.len() as u64, detections.len() as u64],
            counts[..2]
        );
        same(name, figures(&annotations, &detections), &golden[name]["raw"]);
        for detection in &mut detections {
            detection.bbox = None;
        }
        same(
            &format!("{name} without boxes"),
            figures(&annotations, &detections),
            &golden[name]["raw_without_boxes"],
        );
    }
}

#[test]
fn scores_and_suppression_are_mmposes() {
    let golden = json("ap/figures.json");
    for name in ["few", "many"] {
        let (annotations, detections) = set(name);
        let kept = kept(&detections);
        let mut scores: Vec<(u64, f64)> = kept
            .iter()
            .map(|detection| (detection.image, detection.score))
            .collect();
        scores.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let expected = list(&golden[name]["kept_scores"]);
        assert_eq!(scores.len(), expected.len(), "{name}");
        for (found, expected) in scores.iter().zip(expected) {
            assert_eq!(Some(found.0), expected[0].as_u64(), "{name}");
            let score = expected[1].as_f64().expect("a score");
            assert!((found.1 - score).abs() < 1.1e-5, "{name}: {found:?} for {score}");
        }
        same(
            &format!("{name}, kept"),
            figures(&annotations, &kept),
            &golden[name]["kept"],
        );
    }
}

/// Ten images with a person each, of 60 x 100 pixels.
fn ten() -> Annotations {
    let images = (0..10).map(|id| Image {
        id: 100 - id,
        file_name: String::new(),
        size: None,
    });
    let people = (0..10).map(|id| Person {
        id,
        image: 100 - id,
        keypoints: (0..17)
            .map(|k| [f64::from(k) * 3.0, f64::from(k) * 6.0, 2.0])
            .collect(),
        labelled: 17,
        bbox: [0.0, 0.0, 60.0, 100.0],
        area: 6000.0,
        crowd: false,
    });
    Annotations {
        images: images.collect(),
        people: people.collect(),
        category: 1,
    }
}

fn detection(person: &Person, shift: f64, score: f64) -> Detection {
    Detection {
        image: person.image,
        category: 1,
        keypoints: person
            .keypoints
            .iter()
            .map(|[x, y, _]| [x + shift, *y, 1.0])
            .collect(),
        score,
        bbox: Some(person.bbox),
    }
}

#[test]
fn sets_with_a_known_answer_have_it() {
    let annotations = ten();
    let perfect: Vec<Detection> = annotations
        .people
        .iter()
        .map(|person| detection(person, 0.0, 0.5))
        .collect();
    let found = figures(&annotations, &perfect);
    for (name, value) in named(found) {
        let expected = if name.ends_with("large") { None } else { Some(1.0) };
        let near = match (value, expected) {
            (Some(value), Some(expected)) => (value - expected).abs() < 1e-12,
            (value, expected) => value == expected,
        };
        assert!(near, "{name}: {value:?}");
    }
    // Half of the people: recalls 0.00 to 0.50 are reached, 51 of 101, even if a false alarm follows.
    let mut half = perfect[..5].to_vec();
    half.push(detection(&annotations.people[7], 1000.0, 0.1));
    let found = figures(&annotations, &half);
    assert!((found.ap.expect("people") - 51.0 / 101.0).abs() < 1e-12);
    assert!((found.ar.expect("people") - 0.5).abs() < 1e-12);
    // A false alarm before them halves the precision of the first match; the highest from there on is 5 of 6.
    half[5].score = 0.9;
    let found = figures(&annotations, &half);
    assert!((found.ap.expect("people") - 51.0 / 101.0 * 5.0 / 6.0).abs() < 1e-12);
    let none = figures(&annotations, &[]);
    assert_eq!((none.ap, none.ar, none.ap_large), (Some(0.0), Some(0.0), None));
    assert_eq!(figures(&annotations.of_images(&[].into()), &[]).ap, None);
}

#[test]
fn crowds_people_without_labels_and_other_areas_count_neither_way() {
    let mut annotations = ten();
    annotations.people[0].crowd = true;
    annotations.people[1].labelled = 0;
    annotations.people[2].area = 20_000.0;
    let people = annotations.people.clone();
    let mut detections: Vec<Detection> = people.iter().map(|person| detection(person, 0.0, 0.5)).collect();
    // A crowd takes any number of detections.
    detections.extend([detection(&people[0], 0.5, 0.9), detection(&people[0], 0.7, 0.8)]);
    let found = figures(&annotations, &detections);
    assert!((found.ap.expect("people") - 1.0).abs() < 1e-12, "{found:?}");
    assert!(
        (found.ap_medium.expect("people") - 1.0).abs() < 1e-12,
        "{found:?}"
    );
    assert!(
        (found.ap_large.expect("a person") - 1.0).abs() < 1e-12,
        "{found:?}"
    );
    // A second detection of somebody who is no crowd is a false alarm.
    detections.push(detection(&people[3], 0.5, 0.95));
    let found = figures(&annotations, &detections);
    assert!(found.ap.expect("people") < 0.99, "{found:?}");
}

#[test]
fn detections_that_are_of_something_else_are_refused() {
    let annotations = ten();
    let good = detection(&annotations.people[0], 0.0, 0.5);
    let refused = |change: &dyn Fn(&mut Detection)| {
        let mut bad = good.clone();
        change(&mut bad);
        Evaluation::new(&annotations, &[good.clone(), bad], &oks()).expect_err("refused")
    };
    let image = refused(&|detection| detection.image = 7);
    assert_eq!(image, EvaluationError::Image { index: 1, image: 7 });
    let category = refused(&|detection| detection.category = 3);
    assert!(category.to_string().contains("category 3"), "{category}");
    let keypoints = refused(&|detection| detection.keypoints.truncate(16));
    assert!(
        keypoints
            .to_string()
            .contains("detection 1 has 16 keypoints; expected 17"),
        "{keypoints}"
    );
}

#[test]
fn intervals_hold_the_figure_and_are_the_same_for_a_seed() {
    let (annotations, detections) = set("many");
    let evaluation = Evaluation::new(&annotations, &detections, &oks()).expect("an evaluation");
    let figures = evaluation.figures();
    let intervals = evaluation.intervals(400, 0.95, 1).expect("people");
    for (name, interval, figure) in [
        ("ap", intervals.ap, figures.ap),
        ("ap50", intervals.ap50, figures.ap50),
        ("ap75", intervals.ap75, figures.ap75),
        ("ar", intervals.ar, figures.ar),
    ] {
        let figure = figure.expect("people");
        assert!(
            interval.low < figure && figure < interval.high && interval.high - interval.low < 0.5,
            "{name}: {figure} in {interval:?}"
        );
    }
    assert_eq!(evaluation.intervals(400, 0.95, 1), Some(intervals));
    assert_ne!(evaluation.intervals(400, 0.95, 2), Some(intervals));
    // Detections that are moved a little: the difference of pairs is known better than either AP.
    let mut moved = detections.clone();
    for keypoint in moved.iter_mut().flat_map(|detection| &mut detection.keypoints) {
        keypoint[0] += 1.5;
    }
    let moved = Evaluation::new(&annotations, &moved, &oks()).expect("an evaluation");
    let less = figures.ap.expect("people") - moved.figures().ap.expect("people");
    let of_both = evaluation.difference(&moved, 400, 0.95, 1).expect("people");
    assert!(of_both.low < less && less < of_both.high, "{less} in {of_both:?}");
    assert!(
        of_both.high - of_both.low < 0.5 * (intervals.ap.high - intervals.ap.low),
        "{of_both:?}"
    );
    let same = evaluation.difference(&evaluation, 400, 0.95, 1).expect("people");
    assert_eq!((same.low, same.high), (0.0, 0.0));
    let narrow = evaluation.intervals(400, 0.5, 1).expect("people").ap;
    assert!(narrow.high - narrow.low < 0.6 * (intervals.ap.high - intervals.ap.low));
    // Images that are all alike leave nothing to chance.
    let annotations = ten();
    let perfect: Vec<Detection> = annotations
        .people
        .iter()
        .map(|person| detection(person, 0.0, 0.5))
        .collect();
    let evaluation = Evaluation::new(&annotations, &perfect, &oks()).expect("an evaluation");
    let sure = evaluation.intervals(20, 0.95, 1).expect("people").ap;
    assert!(sure.low > 1.0 - 1e-12 && sure.high <= 1.0, "{sure:?}");
    let nothing = Evaluation::new(&annotations.of_images(&[].into()), &[], &oks()).expect("an evaluation");
    assert_eq!(nothing.intervals(10, 0.95, 1), None);
}

//! Photos to classes.

use std::path::Path;

use serde_json::Value;

use crate::common::{Place, arrays};
use crate::{PHOTO, PIXELS};

#[test]
fn a_photo_is_classified() {
    let place = Place::new();
    let run = place.zoo(&[
        "classify",
        PIXELS,
        PHOTO,
        "--model",
        "HRNet_W18_C",
        "--weights",
        "seeded:0",
        "--json",
    ]);
    assert!(run.stderr().contains("never trained"), "{}", run.stderr());
    let lines = run.good();
    let answers: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), 2);
    let classes = answers[0]["classes"].as_array().expect("classes");
    assert_eq!(classes.len(), 5);
    let probabilities: Vec<f64> = classes
        .iter()
        .map(|class| class["probability"].as_f64().expect("a number"))
        .collect();
    assert!(
        probabilities.is_sorted_by(|a, b| a >= b) && probabilities[4] > 0.0,
        "{probabilities:?}"
    );
    // timm's largest logit for this photo and these weights, from tests/golden.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/w18_photo.npy");
    let (_, golden) = arrays::read(Path::new(path));
    let largest = golden.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let index = golden.iter().position(|logit| *logit == largest).expect("there");
    assert_eq!(classes[0]["index"], index);
    assert!((classes[0]["logit"].as_f64().expect("a number") - f64::from(largest)).abs() < 1e-4);
}

#[test]
fn what_is_no_photo_is_refused() {
    let place = Place::new();
    place.write("cat.jpg", "meow");
    let with = |path: &str| {
        place.zoo(&[
            "classify",
            path,
            "--model",
            "HRNet_W18_C",
            "--weights",
            "seeded:0",
        ])
    };
    assert!(with("cat.jpg").failed(1).contains("cat.jpg"));
    assert!(with("none.jpg").failed(8).contains("none.jpg"));
    assert!(with(".").failed(1).contains("1 of 1 image could not be read"));

    std::fs::copy(PIXELS, place.path().join("dog.png")).expect("copied");
    let some = with(".");
    assert!(
        some.stdout().contains("dog.png (HRNet_W18_C)"),
        "{}",
        some.stdout()
    );
    assert!(some.failed(9).contains("1 of 2 images could not be read"));
}

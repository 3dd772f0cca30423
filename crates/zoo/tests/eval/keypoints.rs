//! AP of keypoints on annotations whose answer is known.

use std::collections::BTreeMap;

use pose::ap::Evaluation;
use pose::coco::{Annotations, Detection};
use pose::{Oks, skeleton};
use serde_json::{Value, json};

use crate::common::{Place, Run, photo, variant};

const IMAGES: usize = 9;

/// A manifest of a pose network and a classifier, both small.
const MANIFEST: &str = r#"schema = 1
extends = "nothing"
[preprocess.crops]
profile = "msra"
person = "64x32"
interpolation = "bilinear"
resampler = "opencv-4"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
[preprocess.small]
resize_short = 36
crop = 32
interpolation = "bilinear"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
[source.s]
title = "S"
[column.ap]
source = "s"
metric = "ap"
unit = "fraction"
weights = "none"
data = "COCO val2017"
protocol = "boxes of a detector with person AP 56.4, flip test"
[[variant]]
name = "people"
task = "pose"
keypoints = "coco"
decoder = "msra"
licence = "MIT"
preprocess = "crops"
network = { widths = [8, 16, 32, 64], modules = [1, 1, 1] }
[[variant.weights]]
id = "none"
url = "https://example.org/people.pth"
format = "pth"
naming = "mmpose"
[variant.claims]
ap = "0.744"
"#;

/// Images with people, annotated and found.
struct People(Place);

impl People {
    /// Images of 50 x 40 pixels with two people each, except the last, which has none; one is a crowd, one has no labels.
    fn new() -> Self {
        let place = Place::new();
        place.write("zoo.toml", &(MANIFEST.to_owned() + &variant("classes", 8, &[])));
        std::fs::create_dir(place.path().join("images")).expect("made");
        let mut rng = fastrand::Rng::with_seed(3);
        for image in 0..IMAGES {
            let colours: Vec<[u8; 3]> = (0..25).map(|_| [rng.u8(..), rng.u8(..), rng.u8(..)]).collect();
            let file = place.path().join(format!("images/{image}.png"));
            photo(&file, |x, y| colours[y / 8 * 5 + x / 10]);
        }
        let people = Self(place);
        people.annotate("a.json", |_, _| vec![[1.0, 1.0, 2.0]; 17]);
        people
    }

    /// Writes annotations with these keypoints of the person of an index on an image of an id.
    fn annotate(&self, file: &str, keypoints: impl Fn(u64, usize) -> Vec<[f64; 3]>) {
        let ids = || (0..IMAGES as u64).map(|image| 100 - image);
        let images: Vec<Value> = ids()
            .enumerate()
            .map(|(image, id)| json!({"id": id, "file_name": format!("{image}.png"), "width": 50, "height": 40}))
            .collect();
        let mut people = Vec::new();
        for id in ids().take(IMAGES - 1) {
            for person in 0..2 {
                let number = people.len();
                let labelled = if number == 9 { 0 } else { 17 };
                people.push(json!({
                    "id": number, "image_id": id, "category_id": 1, "iscrowd": u8::from(number == 6),
                    "num_keypoints": labelled, "keypoints": keypoints(id, person).concat(),
                    "bbox": Self::bbox(person), "area": 400.0,
                }));
            }
        }
        let text =
            json!({"images": images, "annotations": people, "categories": [{"id": 1, "name": "person"}]});
        self.0.write(file, &text.to_string());
    }

    fn bbox(person: usize) -> [f64; 4] {
        [3.0 + 25.0 * person as f64, 5.0, 20.0, 30.0]
    }

    /// Writes a detector's boxes around both people of each image, one after the other.
    fn detect(&self, file: &str, more: &str) {
        let boxes = (0..IMAGES as u64).flat_map(|image| {
            [0, 1].map(|person| {
                let score = 0.9 - 0.01 * image as f64 - 0.4 * person as f64;
                json!({"image_id": 100 - image, "category_id": 1, "bbox": Self::bbox(person), "score": score})
            })
        });
        let boxes: Vec<String> = boxes.map(|found| found.to_string()).collect();
        self.0.write(file, &format!("[{}{more}]", boxes.join(",")));
    }

    /// Runs `zoo eval` on a backend that is the same everywhere.
    fn eval(&self, more: &[&str]) -> Run {
        self.evaluate(&[&["--backend", "cpu-exact"], more].concat())
    }

    fn evaluate(&self, more: &[&str]) -> Run {
        let fixed = [
            "eval",
            "people",
            "--data",
            "images",
            "--weights",
            "seeded:5",
            "--threads",
            "1",
        ];
        self.0.zoo(&[&fixed[..], more].concat())
    }

    /// The only file of answers in a folder.
    fn file(&self, folder: &str) -> String {
        let inside = |file: &String| file.starts_with(&format!("{folder}/")) && file.ends_with(".jsonl");
        let mut files = self.0.files().into_iter().filter(inside);
        match (files.next(), files.next()) {
            (Some(file), None) => file,
            found => panic!("one file: {found:?}"),
        }
    }

    /// The answers in the only file of a folder, by the images' ids.
    fn answers(&self, folder: &str) -> BTreeMap<u64, Value> {
        let text = std::fs::read_to_string(self.0.path().join(self.file(folder))).expect("answers");
        let answers = text.lines().skip(1).map(|line| {
            let answer: Value = serde_json::from_str(line).expect("JSON");
            (answer["id"].as_u64().expect("an id"), answer)
        });
        answers.collect()
    }
}

/// The people that were found on an image.
fn found(answer: &Value) -> Vec<Detection> {
    let found = answer.get("found").cloned().unwrap_or(json!([]));
    serde_json::from_value(found).expect("detections")
}

fn figure(summary: &Value, name: &str) -> f64 {
    summary["figures"][name]["value"].as_f64().expect("a figure")
}

/// What must be the same whatever the way to it.
fn same(summary: &Value) -> [&Value; 4] {
    ["figures", "tally", "images_sha256", "key"].map(|field| &summary[field])
}

#[test]
fn the_known_ap_comes_out_of_any_number_of_shards_and_of_a_run_that_goes_on() {
    let people = People::new();
    people.detect("b.json", "");
    let with = |annotations: &'static str, more: &[&'static str]| {
        [&["--annotations", annotations, "--boxes", "b.json"], more].concat()
    };
    people.eval(&with("a.json", &["--out", "first"])).good();
    let first = people.answers("first");
    assert_eq!(first.len(), IMAGES);
    // The annotated people are those that the network found in their boxes, but for two images.
    let truth = |id: u64, person: usize| {
        let at = People::bbox(person);
        let all = found(&first[&id]);
        let of_box = all.iter().find(|found| found.bbox == Some(at));
        let keypoints = &of_box.or(all.first()).expect("a person").keypoints;
        let shift = if id > 98 { 300.0 } else { 0.0 };
        keypoints.iter().map(|[x, y, _]| [x + shift, *y, 2.0]).collect()
    };
    people.annotate("known.json", truth);
    let whole = people
        .eval(&with("known.json", &["--out", "whole", "--json"]))
        .json();
    let text = std::fs::read(people.0.path().join("known.json")).expect("annotations");
    let annotations = Annotations::read("known.json", &text, 17).expect("annotations");
    let detections: Vec<Detection> = first.values().flat_map(found).collect();
    let expected = Evaluation::new(&annotations, &detections, &Oks::new(skeleton::COCO.sigmas));
    let expected = expected.expect("an evaluation").figures();
    let ap = figure(&whole, "ap");
    assert_eq!(Some(ap), expected.ap);
    assert_eq!(Some(figure(&whole, "ar")), expected.ar);
    assert!(ap > 0.3 && ap < 0.9, "{whole}");
    let interval = &whole["figures"]["ap"]["interval"];
    assert!(
        interval["low"].as_f64() < Some(ap) && Some(ap) < interval["high"].as_f64(),
        "{interval}"
    );
    assert_eq!(whole["tally"]["people"], 14);
    assert_eq!(whole["tally"]["ignored"], 2);
    assert_eq!(whole["tally"]["boxes"], 2 * IMAGES);
    assert_eq!(whole["images_sha256"].as_str().map(str::len), Some(64));

    for index in 0..3 {
        let shard = format!("{index}/3");
        let more = with("known.json", &["--out", "shards", "--shard"]);
        if index == 1 {
            // A run that ends early, and goes on.
            people
                .eval(&[&more[..], &[&shard, "--limit", "1"]].concat())
                .good();
        }
        let run = people.eval(&[&more[..], &[&shard]].concat());
        let there = if index == 1 { 1 } else { 0 };
        let said = run.said();
        assert!(said.contains(&format!("{there} already there")), "{said}");
    }
    let merged = people.0.zoo(&["eval", "merge", "--json", "shards"]).json();
    assert_eq!(same(&merged), same(&whole));
    let text = people
        .0
        .zoo(&["eval", "merge", "shards", "--results", "r.json"])
        .good();
    let results = std::fs::read(people.0.path().join("r.json")).expect("results");
    let results = pose::coco::read_detections("r.json", &results, 17).expect("results");
    let expected = Evaluation::new(&annotations, &results, &Oks::new(skeleton::COCO.sigmas));
    assert_eq!(expected.expect("an evaluation").figures().ap, Some(ap));
    assert!(text.contains("boxes of b.json, flip test, OKS-NMS 0.9"), "{text}");
    let not = "AP 0.744 from ap: not comparable: other weights; 9 images, not the 5000 of COCO val2017; boxes of b.json";
    assert!(text.contains(not), "{text}");

    // Other annotations are another evaluation: no file goes on with them, and no shard is put together with theirs.
    let other = people.eval(&with("a.json", &["--out", "shards", "--shard", "0/3"]));
    assert!(other.said().contains("0 already there"));
    let error = people.0.zoo(&["eval", "merge", "shards"]).failed(9);
    assert!(error.contains("annotations: expected "), "{error}");
    let own = |annotations: &str| {
        let files = people.0.files().into_iter();
        let mut of_first = files.filter(|file| file.contains("shards/") && file.contains(".0of3.jsonl"));
        let text = |file: &String| std::fs::read_to_string(people.0.path().join(file)).expect("answers");
        let digest = registry::Digest::of(&std::fs::read(people.0.path().join(annotations)).expect("a file"));
        let file = of_first.find(|file| text(file).contains(&digest.to_string()));
        people.0.path().join(file.expect("answers"))
    };
    std::fs::copy(own("a.json"), own("known.json")).expect("copied");
    let error = people
        .eval(&with("known.json", &["--out", "shards", "--shard", "0/3"]))
        .failed(2);
    assert!(
        error.contains("holds another evaluation: annotations: expected "),
        "{error}"
    );
    let [one, other] = ["whole", "first"].map(|folder| people.file(folder));
    let error = people.0.zoo(&["eval", "compare", &one, &other]).failed(2);
    assert!(error.contains("different images or annotations"), "{error}");
    let more = with(
        "known.json",
        &[
            "--out",
            "whole",
            "--precision",
            "f32,bf16",
            "--backend",
            "candle",
            "--limit",
            "4",
        ],
    );
    let text = people.evaluate(&more).good();
    assert!(
        text.contains("compared on 4 images: AP ") && text.contains("difference "),
        "{text}"
    );
    let both = people.0.zoo(&["eval", "compare", &one, &one, "--json"]).json();
    assert_eq!(
        (both["ap"][0].as_f64(), &both["interval"]["high"]),
        (Some(ap), &json!(0.0)),
        "{both}"
    );
}

#[test]
fn annotated_boxes_are_another_protocol_and_what_is_damaged_costs_itself_alone() {
    let people = People::new();
    let images = people.0.path().join("images");
    std::fs::write(images.join("1.png"), b"\x89PNG damaged").expect("written");
    std::fs::remove_file(images.join("2.png")).expect("deleted");
    std::fs::write(images.join("more.png"), b"of nobody").expect("written");
    std::fs::write(images.join("notes.txt"), b"no image").expect("written");
    // The last image has no people, so that nothing is read of it.
    std::fs::write(images.join("8.png"), b"\x89PNG damaged").expect("written");
    let with = ["--annotations", "a.json", "--no-flip", "--batch", "3"];
    let run = people.eval(&with);
    let (told, said) = (run.stdout(), run.stderr());
    assert!(
        told.contains("on 7 of 9 images\nannotated people who count: 10; others: 2; boxes: 10;"),
        "{told}"
    );
    assert!(told.contains("annotated boxes, no flip test"), "{told}");
    assert!(
        told.contains("annotated boxes, not those of the detector; no flip test"),
        "{told}"
    );
    assert!(
        told.contains("2 images could not be read:") && told.contains("1.png: "),
        "{told}"
    );
    assert!(told.contains("2.png: it is not in images"), "{told}");
    assert!(
        said.contains("images that a.json does not list: 1") && said.contains(".txt"),
        "{said}"
    );
    assert!(run.failed(9).contains("2 images could not be read"));

    let bad = r#",{"image_id": 100, "category_id": 1, "bbox": [1, NaN, 3, 4], "score": 1},
        {"image_id": 100, "category_id": 1, "bbox": [90, 1, 3, 4], "score": 1},
        {"image_id": 100, "category_id": 3, "bbox": [1, 1, 3, 4], "score": 1},
        {"image_id": 7, "category_id": 1, "bbox": [1, 1, 3, 4], "score": 1}"#;
    people.detect("bad.json", bad);
    let run = people.eval(&[
        "--annotations",
        "a.json",
        "--boxes",
        "bad.json",
        "--no-flip",
        "--limit",
        "9",
    ]);
    let (told, said) = (run.stdout(), run.stderr());
    assert!(
        told.contains("faults that lost no image: 2:")
            && told.contains("0.png: the box [1.0, NaN, 3.0, 4.0]"),
        "{told}"
    );
    assert!(
        said.contains(
            "boxes of bad.json on images that the annotations do not have: 1, the first on image 7"
        ),
        "{said}"
    );
    assert!(
        said.contains("boxes of bad.json of other categories than 1: 1"),
        "{said}"
    );
}

#[test]
fn files_and_networks_that_do_not_go_together_are_refused_with_what_to_do() {
    let people = People::new();
    let refused = |more: &[&str], texts: &[&str]| {
        let error = people.eval(more).failed(2);
        for text in texts {
            assert!(error.contains(text), "{error}");
        }
    };
    refused(
        &[],
        &[
            "people finds keypoints: --annotations FILE is missing",
            "person_keypoints_val2017.json",
        ],
    );
    let classes = [
        "eval",
        "classes",
        "--data",
        "images",
        "--weights",
        "seeded:5",
        "--annotations",
        "a.json",
    ];
    let error = people.0.zoo(&classes).failed(2);
    assert!(
        error.contains("classes answers with classes, and --annotations is for"),
        "{error}"
    );
    refused(
        &["--annotations", "a.json", "--restrict"],
        &["cannot be used with"],
    );
    refused(&["--boxes", "b.json"], &["--annotations"]);

    people.0.write(
        "elsewhere.json",
        r#"[{"image_id": 7, "category_id": 1, "bbox": [1, 1, 3, 4], "score": 1}]"#,
    );
    let boxes = ["--annotations", "a.json", "--boxes", "elsewhere.json"];
    refused(&boxes, &["none of its boxes (1) is of an image", "same images?"]);
    let text = std::fs::read_to_string(people.0.path().join("a.json")).expect("annotations");
    let changed = |from: &str, to: &str, texts: &[&str]| {
        assert!(text.contains(from), "{from}");
        people.0.write("c.json", &text.replace(from, to));
        refused(&["--annotations", "c.json"], texts);
    };
    changed("\"1.png\"", "\"0.png\"", &["ids 100 and 99", "0.png"]);
    changed(
        "\"keypoints\":[1.0,",
        "\"keypoints\":[",
        &["50 numbers; expected 51", "another skeleton"],
    );
    changed("\"category_id\":1,", "", &["has no `category_id`"]);
    changed(
        "\"file_name\"",
        "\"name\"",
        &["the image of id 100 has no `file_name`"],
    );
    changed(
        ".png",
        ".jpg",
        &["none of the 9 images of c.json is there", "looked for 0.jpg"],
    );
}

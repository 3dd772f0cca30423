//! Photos and boxes to keypoints.

use std::path::Path;

use serde_json::{Value, json};

use crate::PHOTO;
use crate::common::{Place, Run};

/// Three small pose networks, of which one has keypoints of its own, and a classifier of the same widths.
const NETWORKS: &str = r#"schema = 1
extends = "builtin"
[preprocess.small-person]
profile = "msra"
person = "64x64"
interpolation = "bilinear"
resampler = "opencv-4"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
[[variant]]
name = "tiny"
task = "pose"
keypoints = "coco"
decoder = "msra"
licence = "MIT"
preprocess = "small-person"
network = { widths = [8, 16, 32, 64] }
[[variant]]
name = "tiny-mpii"
base = "tiny"
keypoints = "mpii"
licence = "MIT"
[[variant]]
name = "tiny-own"
base = "tiny"
keypoints = 5
licence = "MIT"
"#;

/// The blue of a person's left, in which `pose` draws.
const LEFT: [u8; 3] = [61, 174, 255];

fn place() -> Place {
    let place = Place::new();
    place.write("zoo.toml", NETWORKS);
    for name in ["a.jpg", "photos/b.jpg", "photos/000000000139.jpg"] {
        let path = place.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::copy(PHOTO, path).expect("copied");
    }
    place
}

/// Runs the small network on seeded weights.
fn tiny(place: &Place, more: &[&str]) -> Run {
    place.zoo(&[&["pose", "-m", "tiny", "--weights", "seeded:1", "--json"], more].concat())
}

fn lines(run: &Run) -> Vec<Value> {
    let stdout = run.stdout();
    let line = |line: &str| serde_json::from_str(line).expect("JSON");
    stdout.lines().map(line).collect()
}

/// The pixels of a PNG file of RGB.
fn pixels(path: &Path) -> Vec<u8> {
    let file = std::io::BufReader::new(std::fs::File::open(path).expect("a picture"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG file");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    reader.next_frame(&mut pixels).expect("pixels");
    pixels
}

fn blue(path: &Path) -> usize {
    let pixels = pixels(path);
    pixels.chunks_exact(3).filter(|pixel| *pixel == LEFT).count()
}

#[test]
fn a_skeleton_is_drawn_on_a_photo_and_seeded_weights_say_that_they_were_never_trained() {
    let place = Place::new();
    let drawn = ["--draw", "out.png", "--no-flip", "--boxes", "boxes.json"];
    place.write("boxes.json", "[[60, 30, 250, 250]]");
    let run = place.zoo(&[&["pose", PHOTO, "--weights", "seeded:0"], &drawn[..]].concat());
    let said = run.stderr();
    for part in [
        "random weights were never trained: the keypoints are meaningless",
        "out.png: 1 person, 17 of 17 keypoints at or above 0.3",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let told = run.good();
    assert!(
        told.contains("(pose_hrnet_w32_256x192): box 60.0, 30.0, 250.0 x 250.0"),
        "{told}"
    );
    assert!(
        told.contains("left_ankle") && told.lines().count() == 19,
        "{told}"
    );
    let picture = place.path().join("out.png");
    assert_eq!(pixels(&picture).len(), 451 * 300 * 3);
    assert!(blue(&picture) > 100, "{} blue pixels", blue(&picture));
}

#[test]
fn a_bad_box_is_named_and_the_people_in_the_others_are_found() {
    let place = place();
    place.write(
        "boxes.json",
        r#"[[10, 20, 100, 200], [NaN, 1, 2, 3], {"bbox": [900, 10, 20, 20]}, [0, 0, 0, 5], [5, 5, -1, 5], 7,
            [200, 20, 180, 240, 0.5]]"#,
    );
    let run = tiny(&place, &["a.jpg", "--boxes", "boxes.json"]);
    let answers = lines(&run);
    assert_eq!(answers.len(), 1);
    let people = answers[0]["people"].as_array().expect("people");
    let boxes: Vec<&Value> = people.iter().map(|person| &person["box"]).collect();
    assert_eq!(
        boxes,
        [
            &json!([10.0, 20.0, 100.0, 200.0]),
            &json!([200.0, 20.0, 180.0, 240.0])
        ]
    );
    assert_eq!(people[1]["box_score"], 0.5);
    assert_eq!(answers[0]["refused"].as_array().map(Vec::len), Some(5));
    let said = run.failed(9);
    for part in [
        "a.jpg: boxes.json: `[1]`: the box [NaN, 1.0, 2.0, 3.0] (x, y, width, height) is not finite",
        "`[2]`: the box [900.0, 10.0, 20.0, 20.0] (x, y, width, height) is outside the photo of 451 x 300 pixels",
        "`[3]`: the box [0.0, 0.0, 0.0, 5.0] (x, y, width, height) is empty",
        "`[4]`: the box [5.0, 5.0, -1.0, 5.0] (x, y, width, height) has a negative side",
        "`[5]`: is no box; expected [x, y, width, height]",
        "5 of 7 boxes could not be cropped",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    // All of them bad: no person, the code of the reason.
    place.write("boxes.json", "[[0, 0, 0, 5]]");
    let run = tiny(&place, &["a.jpg", "--boxes", "boxes.json"]);
    assert_eq!(lines(&run)[0]["people"], json!([]));
    run.failed(2);
    place.write(
        "boxes.json",
        &format!("[{}[1, 1, 5, 5]]", "[1, 1, 5, 5], ".repeat(10_000)),
    );
    let said = tiny(&place, &["a.jpg", "--boxes", "boxes.json"]).failed(2);
    assert!(
        said.contains("a.jpg: 10001 boxes; expected at most 10000"),
        "{said}"
    );
    // Each reason once would bury the summary.
    place.write(
        "boxes.json",
        &format!("[{}[1, 1, 5, 5]]", "[1, 1, 0, 0], ".repeat(50)),
    );
    let said = tiny(&place, &["a.jpg", "--boxes", "boxes.json"]).failed(9);
    assert!(
        said.contains("40 more boxes refused") && said.lines().count() < 15,
        "{said}"
    );
    for (text, why) in [("[[1, 2", "line 1 column"), ("7", "expected a list of boxes")] {
        place.write("boxes.json", text);
        let said = tiny(&place, &["a.jpg", "--boxes", "boxes.json"]).failed(2);
        assert!(said.contains(why) && said.contains("boxes are a list"), "{said}");
    }
}

#[test]
fn photos_of_a_folder_get_their_boxes_pictures_and_results() {
    let place = place();
    place.write(
        "boxes.json",
        r#"{"b.jpg": [[10, 20, 100, 200], [40, 20, 100, 200], [200, 20, 180, 240]], "139.jpg": []}"#,
    );
    let run = tiny(
        &place,
        &[
            "photos",
            "--boxes",
            "boxes.json",
            "-b",
            "2",
            "--draw",
            "drawn",
            "--min-score",
            "0",
        ],
    );
    let said = run.stderr();
    assert!(
        said.contains("photos/000000000139.jpg: no boxes in --boxes"),
        "{said}"
    );
    let answers = lines(&run);
    run.good();
    assert_eq!(answers[0]["people"], json!([]));
    // People of a full batch, and one that is left over, are those of one by one. Kernels for several people round otherwise.
    let scores = |answer: &Value| -> Vec<f64> {
        let people = answer["people"].as_array().expect("people").iter();
        people
            .map(|person| person["score"].as_f64().expect("a score"))
            .collect()
    };
    let together = scores(&answers[1]);
    let alone = scores(&lines(&tiny(&place, &["photos/b.jpg", "--boxes", "boxes.json"]))[0]);
    assert_eq!(together.len(), 3);
    let apart = |(one, other): (&f64, &f64)| (one - other).abs() > 1e-4 * one;
    assert!(!together.iter().zip(&alone).any(apart), "{together:?} {alone:?}");
    assert_eq!(answers[1]["flip_test"], true);
    let unflipped = scores(
        &lines(&tiny(
            &place,
            &["photos/b.jpg", "--boxes", "boxes.json", "--no-flip"],
        ))[0],
    );
    assert!(unflipped.iter().zip(&alone).all(apart), "{unflipped:?} {alone:?}");
    assert!(
        place.path().join("drawn/b.png").exists() && place.path().join("drawn/000000000139.png").exists()
    );

    // A detector's results by the numbers of photos; of other things than people nothing is found.
    let entry = |category: u64| json!({"image_id": 139, "category_id": category, "bbox": [10, 20, 100, 200], "score": 0.9});
    place.write("detected.json", &json!([entry(1), entry(18)]).to_string());
    let results = [
        "photos/000000000139.jpg",
        "--boxes",
        "detected.json",
        "--out",
        "results.json",
    ];
    let run = tiny(&place, &results);
    assert!(
        run.stderr().contains("results.json: 1 person on 1 photo"),
        "{}",
        run.stderr()
    );
    assert!(
        run.stderr().contains("1 box of other categories"),
        "{}",
        run.stderr()
    );
    let person = lines(&run)[0]["people"][0].clone();
    let text = std::fs::read_to_string(place.path().join("results.json")).expect("written");
    let results: Value = serde_json::from_str(&text).expect("JSON");
    let result = &results[0];
    assert_eq!(
        (results.as_array().map(Vec::len), &result["image_id"]),
        (Some(1), &json!(139))
    );
    assert_eq!(
        (&result["score"], &result["bbox"]),
        (&person["score"], &person["box"])
    );
    assert_eq!(result["keypoints"].as_array().map(Vec::len), Some(51));
    assert_eq!(result["keypoints"][0], person["keypoints"][0]["x"]);

    // Standard input, and photos that are none beside others.
    let run = place.zoo_from(
        PHOTO,
        &["pose", "-", "-m", "tiny", "--weights", "seeded:1", "--json"],
    );
    let answer = lines(&run).remove(0);
    assert_eq!(
        (&answer["whole_photo"], &answer["width"]),
        (&json!(true), &json!(451))
    );
    assert_eq!(answer["people"][0]["box"], json!([0.0, 0.0, 451.0, 300.0]));
    assert!(
        run.stderr().contains("each whole photo is taken for one person"),
        "{}",
        run.stderr()
    );
    place.write("meow.jpg", "meow");
    let run = tiny(&place, &["meow.jpg", "a.jpg"]);
    assert_eq!(lines(&run).len(), 1);
    let said = run.failed(9);
    assert!(
        said.contains("meow.jpg: ") && said.contains("1 of 2 images failed"),
        "{said}"
    );
}

#[test]
fn what_does_not_go_together_is_refused_with_the_next_step() {
    let place = place();
    let export = |name: &str, file: &str| {
        place
            .zoo(&["export", name, "--weights", "seeded:1", "-o", file])
            .good();
    };
    export("tiny", "coco.safetensors");
    export("tiny-mpii", "mpii.safetensors");
    export("hrnet_w18_small", "classes.safetensors");
    place.write("one.json", "[[10, 20, 100, 200]]");
    place.write("other.json", r#"{"dog.jpg": [[10, 20, 100, 200]]}"#);
    std::fs::copy(PHOTO, place.path().join("c.png")).expect("copied");
    let seeded = ["--weights", "seeded:1"];
    for (arguments, code, parts) in [
        (
            &["pose", "a.jpg", "-m", "W18"][..],
            2,
            ["`HRNet_W18_C` classifies photos", "`zoo list`"],
        ),
        (
            &["classify", "a.jpg", "-m", "tiny"],
            2,
            ["`tiny` finds the keypoints of a person", "`zoo pose`"],
        ),
        (
            &["pose", "a.jpg", "-m", "tiny-own", seeded[0], seeded[1]],
            2,
            ["5 keypoints of its own", "`zoo infer`"],
        ),
        (
            &["pose", "a.jpg"],
            7,
            ["are not in the cache", "`zoo fetch pose_hrnet_w32_256x192`"],
        ),
        (
            &["pose", "a.jpg", "-m", "tiny", "--weights", "mpii.safetensors"],
            1,
            [
                "with 16 heatmaps; expected those of a pose network with 17",
                "--model tiny-mpii",
            ],
        ),
        (
            &["pose", "a.jpg", "-m", "tiny", "--weights", "classes.safetensors"],
            1,
            ["weights of a classifier", "`zoo classify --model hrnet_w18_small"],
        ),
        (
            &[
                "classify",
                "a.jpg",
                "-m",
                "hrnet_w18_small",
                "--weights",
                "coco.safetensors",
            ],
            1,
            ["expected those of a classifier", "`zoo pose --model tiny"],
        ),
        (
            &["pose", "photos", "-m", "tiny", "--boxes", "one.json"],
            2,
            [
                "a list of boxes of one photo, and there are 2 photos",
                "an object of such lists",
            ],
        ),
        (
            &["pose", "a.jpg", "-m", "tiny", "--boxes", "other.json"],
            2,
            ["no boxes of any of 1 photo", "by the names"],
        ),
        (
            &["pose", "a.jpg", "-m", "tiny", "--boxes", "none.json"],
            8,
            ["none.json", ""],
        ),
        (
            &["pose", "photos", "-m", "tiny", "--draw", "x.png"],
            2,
            ["there are 2 photos", "--draw x writes"],
        ),
        (
            &["pose", "a.jpg", "-m", "tiny", "--draw", "x.jpg"],
            2,
            ["written as PNG", "--draw x.png"],
        ),
        (
            &["pose", "c.png", "-m", "tiny", "--draw", "."],
            2,
            ["c.png would replace a photo", "another"],
        ),
    ] {
        let said = place.zoo(arguments).failed(code);
        assert!(
            parts.iter().all(|part| said.contains(part)),
            "{arguments:?}: {said}"
        );
    }
    let written = place.files();
    assert!(!written.iter().any(|file| file.starts_with('x')), "{written:?}");
}

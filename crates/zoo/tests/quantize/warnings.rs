//! Ranges that do not suit, and ranges that nobody chose.

use serde_json::Value;

use crate::{place, quantize};

#[test]
fn ranges_of_another_network_or_other_weights_are_refused() {
    let place = place();
    quantize(&place, "ranges.json", &[]);
    let classify = |model: &str, weights: &str, precision: &str, file: &str| {
        place.zoo(&[
            "classify",
            "photos/0.png",
            "--model",
            model,
            "--weights",
            weights,
            "--precision",
            precision,
            "--calibration",
            file,
        ])
    };
    let unused = classify("tiny", "seeded:5", "f32", "ranges.json").failed(2);
    assert!(
        unused.contains("f32 takes none") && unused.contains("i16 and int8 do"),
        "{unused}"
    );
    let network = classify("wider", "seeded:5", "int8", "ranges.json").failed(2);
    assert!(
        network.contains("ranges.json: a calibration of tiny, not of wider"),
        "{network}"
    );
    let weights = classify("tiny", "seeded:6", "i16", "ranges.json").failed(2);
    assert!(
        weights.contains("of the weights seeded:5, not of seeded:6"),
        "{weights}"
    );
    let none = classify("tiny", "seeded:5", "int8", "zoo.toml").failed(1);
    assert!(
        none.contains("zoo.toml: no calibration") && none.contains("zoo quantize"),
        "{none}"
    );
    classify("tiny", "seeded:5", "int8", "absent.json").failed(8);
    let eval = |more: &[&str]| {
        let arguments = [
            "eval",
            "tiny",
            "--data",
            "list.txt",
            "--calibration",
            "ranges.json",
        ];
        place.zoo(&[&arguments[..], more].concat())
    };
    place.write("list.txt", "photos/0.png 0\n");
    let unused = eval(&["--weights", "seeded:5", "--precision", "f32,bf16"]).failed(2);
    assert!(unused.contains("f32, bf16 takes none"), "{unused}");
    let other = eval(&["--weights", "seeded:6", "--precision", "int8"]).failed(2);
    assert!(
        other.contains("of the weights seeded:5, not of seeded:6"),
        "{other}"
    );
    let bench = place
        .zoo(&["bench", "-m", "tiny", "--calibration", "ranges.json"])
        .failed(2);
    assert!(bench.contains("f32 takes none"), "{bench}");
}

#[test]
fn every_command_warns_of_ranges_that_nobody_chose() {
    let place = place();
    quantize(&place, "ranges.json", &[]);
    place.write("list.txt", "photos/0.png 0\n");
    place
        .zoo(&["preprocess", "photos/0.png", "-m", "tiny", "-o", "x.npy"])
        .good();
    let weights = ["--weights", "seeded:5", "--precision"];
    for (command, precision) in [
        (&["classify", "photos/0.png", "-m", "tiny", "--json"][..], "int8"),
        (&["infer", "-m", "tiny", "-i", "x.npy", "-o", "y.npy"], "i16"),
        (&["fidelity", "tiny", "--limit", "1"], "f32,i16,int8"),
        (&["eval", "tiny", "--data", "list.txt"], "int8"),
        (&["bench", "-m", "tiny", "--time", "0", "--size", "32"], "i16"),
        (&["export", "tiny", "-o", "tiny.onnx"], "int8"),
    ] {
        let run = [command, &weights, &[precision]].concat();
        let fixed = precision.trim_start_matches("f32,").replace(',', " and ");
        let warning =
            format!("warning: {fixed} without --calibration: ranges of 8 synthetic photos; `zoo quantize ");
        let said = place.zoo(&run).said();
        assert_eq!(
            said.matches("--photos DIR` finds").count(),
            1,
            "{command:?}: {said}"
        );
        assert!(said.contains(&warning), "{command:?}: {said}");
        if command[0] != "infer" {
            continue;
        }
        let chosen = place
            .zoo(&[&run[..], &["--calibration", "ranges.json"]].concat())
            .said();
        assert!(!chosen.contains("warning"), "{chosen}");
    }
    let ranges = |more: &[&str]| {
        let classify = ["classify", "photos/0.png", "-m", "tiny", "--json"];
        place.zoo(&[&classify[..], &weights[..2], more].concat()).json()["calibration"].clone()
    };
    assert_eq!(ranges(&["--precision", "int8"]), "8 synthetic photos");
    let digest = ranges(&["--precision", "int8", "--calibration", "ranges.json"]);
    assert_eq!(digest.as_str().map(str::len), Some(64), "{digest}");
    assert_eq!(ranges(&[]), Value::Null);
}

//! Weight files of training runs at the command line: which set is taken is said, another can be asked for, and what is no
//! weight file is told.

mod common;

use std::path::Path;

use common::Place;

/// A fixture of the crate that reads weight files.
fn bring(place: &Place, name: &str, to: &str) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../checkpoint/tests/fixtures");
    std::fs::copy(fixtures.join(name), place.path().join(to)).expect("copied");
}

#[test]
fn inspect_names_the_sets_of_weights_in_a_file() {
    let place = Place::new();
    bring(&place, "case_ema.pth", "run.pth");
    let told = place.zoo(&["inspect", "run.pth"]).good();
    assert!(
        told.contains("set       `state_dict`\nothers    `state_dict_ema`, taken by FILE#KEY"),
        "{told}"
    );
    assert!(told.contains("CRC-32    right in all 10 parts"), "{told}");
    let json = place.zoo(&["inspect", "run.pth#state_dict_ema", "--json"]).json();
    assert_eq!(
        (&json["set"], &json["file"]),
        (&"state_dict_ema".into(), &"run.pth".into())
    );
    assert_eq!(json["other_sets"], serde_json::json!(["state_dict"]));
    let error = place.zoo(&["inspect", "run.pth#ema"]).failed(2);
    assert!(
        error.contains("no set of tensors `ema`; it has `state_dict`, `state_dict_ema`"),
        "{error}"
    );
    // A file of the whole name wins over a key.
    bring(&place, "case_swa.pth", "run.pth#ema");
    let json = place.zoo(&["inspect", "run.pth#ema", "--json"]).json();
    assert_eq!(
        (&json["file"], &json["set"]),
        (&"run.pth#ema".into(), &serde_json::Value::Null)
    );
}

#[test]
fn inspect_lists_what_a_file_refers_to_and_finds_changed_bytes() {
    let place = Place::new();
    bring(&place, "case_namespace.pth", "run.pth");
    let told = place.zoo(&["inspect", "run.pth"]).good();
    assert!(
        told.contains("unknown   `argparse.Namespace`; nothing of it was executed"),
        "{told}"
    );
    let path = place.path().join("run.pth");
    let mut bytes = std::fs::read(&path).expect("the file");
    let at = bytes
        .windows(4)
        .position(|window| window == 1.0_f32.to_le_bytes())
        .expect("a one");
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let error = place.zoo(&["inspect", "run.pth"]).failed(6);
    assert!(
        error.contains("its CRC-32 is") && error.contains("fetch it again"),
        "{error}"
    );
}

#[test]
fn what_is_no_weight_file_is_told_by_every_command() {
    let place = Place::new();
    bring(&place, "case_lfs.pth", "w.pth");
    let export = [
        "export",
        "hrnet_w18_small",
        "--weights",
        "w.pth",
        "--output",
        "w.onnx",
    ];
    assert!(place.zoo(&export).failed(1).contains("a Git LFS pointer"));
    assert!(
        place
            .zoo(&["inspect", "w.pth"])
            .failed(1)
            .contains("`git lfs pull`")
    );
}

//! Networks and weights to files of other programs.

use crate::common::{Place, arrays};

#[test]
fn a_network_is_exported_as_onnx() {
    let place = Place::new();
    let export = [
        "export",
        "hrnet_w18_small",
        "--weights",
        "seeded:0",
        "--fold",
        "--output",
        "small.onnx",
    ];
    let told = place.zoo(&export).said();
    for part in [
        "opset 17",
        "images float32 [batch, 3, 224, 224]; free: batch",
        "logits float32 [batch, 1000]",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let bytes = std::fs::read(place.path().join("small.onnx")).expect("the model");
    let noted = [
        ("variant", "hrnet_w18_small"),
        ("precision", "f32"),
        ("weights", "seeded:0"),
        ("classes", "1000"),
        ("labels", "imagenet-1k"),
        ("preprocess_mean", "[0.485, 0.456, 0.406]"),
        ("preprocess_crop", "224"),
        ("preprocess_interpolation", "bilinear"),
        ("tool", "hrnet-zoo "),
    ];
    for (key, value) in noted {
        // A string's length stands before it, behind the number of its field.
        let note = [&[10, key.len() as u8][..], key.as_bytes(), &[18]].concat();
        let at = bytes.windows(note.len()).position(|window| window == note);
        let found = &bytes[at.expect(key) + note.len() + 1..];
        assert!(found.starts_with(value.as_bytes()), "{key}");
    }
    let has = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
    assert!(!has(b"license"), "random weights have no licence");
    // 13.2 million parameters of four bytes.
    assert!(bytes.len() > 52_000_000 && bytes.windows(4).any(|window| window == b"Conv"));
    assert_eq!(place.files(), ["small.onnx"]);
    let nowhere = [
        "export",
        "hrnet_w18_small",
        "--weights",
        "seeded:0",
        "--output",
        "none/small.onnx",
    ];
    assert!(place.zoo(&nowhere).failed(8).contains("none/small.onnx"));
}

#[test]
fn exported_weights_are_inspected_and_run_as_they_are() {
    let place = Place::new();
    for names in ["timm", "paddle"] {
        let file = format!("{names}.safetensors");
        let export = ["export", "hrnet_w18_small", "--weights", "seeded:0"];
        place
            .zoo(&[&export[..], &["--names", names, "--output", &file]].concat())
            .good();
        let inspected = place.zoo(&["inspect", &file, "--json"]).json();
        assert_eq!(inspected["format"], "safetensors");
        assert_eq!(
            inspected["fits"],
            serde_json::json!(["hrnet_w18_small", "hrnet_w18_small_gluon"]),
            "{names}"
        );
        assert_eq!(inspected["ailments"], serde_json::json!([]));
    }
    arrays::write(&place.path().join("x.npy"), &[1, 3, 64, 64]);
    let logits = |weights: &str| {
        place
            .infer("hrnet_w18_small", ["x.npy", "y.npy"], &["--weights", weights])
            .good();
        arrays::read(&place.path().join("y.npy")).1
    };
    let seeded = logits("seeded:0");
    // The word after --features is the network's name.
    let export = [
        "export",
        "--features",
        "hrnet_w18_small",
        "--weights",
        "timm.safetensors",
        "-o",
        "features.onnx",
    ];
    let told = place.zoo(&export).said();
    assert!(
        told.contains("output incre_modules.3.0.relu float32 [batch, 1024, 7, 7]"),
        "{told}"
    );
    assert!(told.contains("no licence is noted"), "{told}");
    assert!(
        told.contains("`zoo preprocess PHOTO --preprocess timm-224-bilinear-0.875 -o images.npy`"),
        "{told}"
    );
    let file = |name: &str| std::fs::read(place.path().join(name)).expect("a file");
    let digest = registry::Digest::of(&file("timm.safetensors")).to_string();
    let model = file("features.onnx");
    assert!(
        model.windows(64).any(|window| window == digest.as_bytes()),
        "the digest of the weights is noted"
    );
    let has = |model: &[u8], word: &[u8]| model.windows(word.len()).any(|window| window == word);
    assert!(
        !has(&model, b"license") && !has(&model, b"MIT"),
        "the user's own weights"
    );
    let said = place
        .zoo(&[&export[..], &["--license", "CC-BY-4.0"]].concat())
        .said();
    assert!(!said.contains("no licence"), "{said}");
    assert!(has(&file("features.onnx"), b"CC-BY-4.0"));
    assert_eq!(logits("timm.safetensors"), seeded);
    assert_eq!(logits("paddle.safetensors"), seeded);
    let other = ["--weights", "timm.safetensors"];
    let error = place.infer("HRNet_W18_C", ["x.npy", "z.npy"], &other).failed(1);
    assert!(error.contains("not the weights of this network"), "{error}");
    assert!(
        error.contains("the file has the tensors of hrnet_w18_small"),
        "{error}"
    );
    let folded = [
        "export",
        "hrnet_w18_small",
        "--format",
        "safetensors",
        "--fold",
        "--output",
        "f",
    ];
    assert!(place.zoo(&folded).failed(2).contains("--fold"));
    let unnamed = ["export", "hrnet_w18_small", "--output", "weights.bin"];
    assert!(
        place
            .zoo(&unnamed)
            .failed(2)
            .contains("neither .onnx nor .safetensors")
    );
}

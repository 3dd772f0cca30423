//! `zoo preprocess`: photos in, the batch out, equal to what OpenCV and Pillow make of them; and which profile commands choose.

mod common;

use common::{Place, SMALL};
use serde_json::Value;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden");

fn photo() -> String {
    format!("{GOLDEN}/photo.jpg")
}

fn batch(place: &Place, name: &str) -> (Vec<u64>, Vec<f32>) {
    let bytes = std::fs::read(place.path().join(name)).expect("the batch");
    let array = npyz::NpyFile::new(&bytes[..]).expect("a NumPy file");
    let shape = array.shape().to_vec();
    (shape, array.into_vec().expect("float32"))
}

/// The normalised planes of the pixels that another library prepared.
fn expected(profile: &str) -> Vec<f32> {
    let path = format!("{GOLDEN}/preprocess/expected/photo-{profile}.png");
    let image = preprocess::decode(&std::fs::read(path).expect("a golden")).expect("a PNG");
    let (mean, std) = ([0.485_f32, 0.456, 0.406], [0.229_f32, 0.224, 0.225]);
    let value = |c: usize, byte: u8| (f32::from(byte) * (1.0 / 255.0) - mean[c]) / std[c];
    let plane = |c: usize| image.pixels.chunks_exact(3).map(move |pixel| value(c, pixel[c]));
    (0..3).flat_map(plane).collect()
}

#[test]
fn the_batch_is_that_of_the_profiles_library() {
    let place = Place::new();
    for (name, golden) in [
        ("paddle", "paddle-256-224"),
        ("timm-224-bilinear-0.875", "timm-224-bilinear-0.875"),
        ("timm-224-bic", "timm-224-bicubic-0.875"),
    ] {
        let arguments = ["preprocess", &photo(), "--preprocess", name, "--output", "x.npy"];
        place.zoo(&arguments).good();
        let (shape, values) = batch(&place, "x.npy");
        assert_eq!(shape, [1, 3, 224, 224]);
        assert!(values == expected(golden), "{name}");
    }
    let arguments = [
        "preprocess",
        &photo(),
        "--model",
        "hrnet_w18_small",
        "--output",
        "x.npy",
    ];
    place.zoo(&arguments).good();
    assert!(batch(&place, "x.npy").1 == expected("timm-224-bilinear-0.875"));
}

#[test]
fn a_photo_comes_from_standard_input_as_from_its_file() {
    let place = Place::new();
    let arguments = |output: &'static str| ["preprocess", "-", "--preprocess", "paddle", "--output", output];
    place.zoo_from(&photo(), &arguments("x.npy")).good();
    let (shape, values) = batch(&place, "x.npy");
    assert_eq!(shape, [1, 3, 224, 224]);
    assert!(values == expected("paddle-256-224"));
    let error = place.zoo_from("/dev/null", &arguments("none.npy")).failed(1);
    assert!(error.contains("-: "), "{error}");
    assert!(!place.path().join("none.npy").exists());
}

#[test]
fn folders_are_searched_in_the_order_of_names() {
    let place = Place::new();
    std::fs::create_dir_all(place.path().join("photos/a")).expect("a folder");
    for name in ["photos/b.JPG", "photos/a/z.jpeg"] {
        std::fs::copy(photo(), place.path().join(name)).expect("copied");
    }
    let gray = format!("{GOLDEN}/preprocess/images/jpeg-profile.jpg");
    std::fs::copy(&gray, place.path().join("photos/c.jpg")).expect("copied");
    place.write("photos/labels.txt", "no image");
    let arguments = [
        "preprocess",
        "photos",
        "--preprocess",
        "paddle",
        "--output",
        "x.npy",
        "--verbose",
    ];
    let said = place.zoo(&arguments).said();
    assert!(said.contains("c.jpg: its ICC profile is ignored"), "{said}");
    let (shape, values) = batch(&place, "x.npy");
    assert_eq!(shape, [3, 3, 224, 224]);
    let images: Vec<&[f32]> = values.chunks_exact(3 * 224 * 224).collect();
    assert!(images[0] == images[1] && images[1] != images[2]);
    assert!(images[0] == expected("paddle-256-224"));
}

#[test]
fn what_cannot_be_prepared_is_named_and_nothing_is_written() {
    let place = Place::new();
    place.write("text.jpg", "no image");
    std::fs::create_dir(place.path().join("empty")).expect("a folder");
    let run = |images: &[&str], profile: &str, code: i32| {
        let mut arguments = vec!["preprocess"];
        arguments.extend(images);
        // The old spelling.
        arguments.extend(["--profile", profile, "--output", "x.npy"]);
        place.zoo(&arguments).failed(code)
    };
    let photo = photo();
    let error = run(&[&photo, "text.jpg", "none.png"], "paddle", 9);
    assert!(error.contains("text.jpg: cannot be read as a JPEG"), "{error}");
    assert!(error.contains("none.png: "), "{error}");
    assert!(error.contains("2 of 3 images cannot be prepared"), "{error}");
    assert!(run(&["empty"], "paddle", 2).contains("no images in this folder"));
    let error = run(&[&photo], "padle", 4);
    assert!(error.contains("it has openmmlab-224, paddle-224, "), "{error}");
    assert!(error.contains("timm-224-bicubic-0.875"), "{error}");
    assert!(
        run(&[&photo], "timm", 2).contains("choose one of timm-224-bicubic-0.875, timm-224-bilinear-0.875")
    );
    assert!(!place.path().join("x.npy").exists());
}

/// A safetensors file of one number under this name.
fn named(place: &Place, file: &str, tensor: &str) {
    let header = format!(r#"{{"{tensor}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#);
    let length = (header.len() as u64).to_le_bytes();
    let bytes = [&length[..], header.as_bytes(), &[0; 4]].concat();
    std::fs::write(place.path().join(file), bytes).expect("written");
}

#[test]
fn the_batch_is_prepared_as_the_publisher_of_the_weights_does() {
    const MS: &str = "timm-224-bilinear-0.875";
    let place = Place::new();
    named(&place, "timm.safetensors", "module.conv1.weight");
    named(&place, "paddle.safetensors", "conv_layer1_1.conv.weight");
    named(&place, "none.safetensors", "features.0.weight");
    let photo = photo();
    let prepare = |more: &[&str]| {
        let arguments = ["preprocess", &photo, "-o", "x.npy", "-m"];
        place.zoo(&[&arguments[..], more].concat())
    };
    let said = |more: &[&str], golden: &str| {
        let said = prepare(more).said();
        assert!(batch(&place, "x.npy").1 == expected(golden), "{more:?}: {said}");
        said
    };
    let ms = said(&["HRNet_W18_C", "--source", "ms"], MS);
    let line = "photos prepared as timm-224-bilinear-0.875 (profile of the source ms)";
    assert!(ms.contains(line), "{ms}");
    let file = said(&["HRNet_W18_C", "--weights", "timm.safetensors"], MS);
    assert!(
        file.contains("timm.safetensors has tensor names of timm, too; --preprocess"),
        "{file}"
    );
    said(
        &["HRNet_W18_C", "--weights", "paddle.safetensors"],
        "paddle-256-224",
    );
    said(&["HRNet_W18_C", "--weights", "seeded:0"], "paddle-256-224");
    said(
        &["HRNet_W18_C", "--source", "ms", "--preprocess", "paddle"],
        "paddle-256-224",
    );
    said(&["HRNet_W18_C", "--preprocess", "timm"], MS);
    // A name that stands for a source keeps the source's profile, whatever weights are given.
    for weights in ["paddle.safetensors", "seeded:0"] {
        let alias = said(&["hrnet_w18.ms_in1k", "--weights", weights], MS);
        assert!(
            alias.contains("the source ms, which the name stands for"),
            "{alias}"
        );
    }
    // The source of the distilled network that has names of timm is timm's own.
    let distilled = prepare(&["HRNet_W18_C_ssld", "--weights", "timm.safetensors"]).said();
    let line = "photos prepared as timm-224-bilinear-0.95 (profile of the source timm: ";
    assert!(
        distilled.contains(line) && !distilled.contains("warning"),
        "{distilled}"
    );
    // No source says how timm prepares photos for this one.
    let guess = said(
        &["SE_HRNet_W64_C_ssld", "--weights", "timm.safetensors"],
        "paddle-256-224",
    );
    assert!(
        guess.contains("warning: photos prepared as paddle-224"),
        "{guess}"
    );
    let shown = place.zoo(&["show", "HRNet_W18_C"]).good();
    let source = |id: &str| {
        shown
            .lines()
            .find(|line| line.starts_with(id))
            .unwrap_or_default()
    };
    assert!(
        source("ms ").contains(MS) && source("paddle ").contains("paddle-224"),
        "{shown}"
    );
    let unknown = prepare(&["HRNet_W18_C", "--weights", "none.safetensors"]).failed(1);
    assert!(unknown.contains("features.0.weight"), "{unknown}");
    let alone = [
        "preprocess",
        &photo,
        "-o",
        "x.npy",
        "--preprocess",
        "paddle",
        "--source",
        "ms",
    ];
    let alone = place.zoo(&alone).failed(2);
    assert!(alone.contains("without --model"), "{alone}");
}

#[test]
fn photos_are_classified_as_the_names_in_the_file_want_them() {
    let place = Place::new();
    let weights = |id: &str, naming: &str, profile: &str| {
        format!(
            "[[variant.weights]]\nid = \"{id}\"\nurl = \"https://example.org/{id}.pth\"\nformat = \"pth\"\n\
             naming = \"{naming}\"\npreprocess = \"{profile}\"\n"
        )
    };
    let large = SMALL
        .replace("schema = 1\nextends = \"nothing\"\n", "")
        .replace("preprocess.small]\n", "preprocess.large]\nprofile = \"timm\"\n")
        .replace("36", "70")
        .replace("32", "64");
    let variant = "[[variant]]\nname = \"tiny\"\nlicence = \"MIT\"\npreprocess = \"small\"\n\
                   network = { widths = [8, 16, 32, 64] }\n";
    let sources = [weights("a", "paddle", "small"), weights("b", "timm", "large")].concat();
    place.write("zoo.toml", &format!("{SMALL}{large}{variant}{sources}"));
    for names in ["paddle", "timm"] {
        let file = format!("{names}.safetensors");
        let export = [
            "export",
            "tiny",
            "--weights",
            "seeded:5",
            "--names",
            names,
            "-o",
            &file,
        ];
        place.zoo(&export).good();
    }
    let photo = photo();
    let classify = |more: &[&str]| -> Value {
        let arguments = [
            "classify",
            &photo,
            "-m",
            "tiny",
            "--top",
            "1",
            "--json",
            "--threads",
            "1",
        ];
        place.zoo(&[&arguments[..], more].concat()).json()
    };
    let top = |answer: &Value| {
        (
            answer["preprocess"].clone(),
            answer["classes"][0]["logit"].clone(),
        )
    };
    let timm = top(&classify(&["--weights", "timm.safetensors"]));
    let paddle = top(&classify(&["--weights", "paddle.safetensors"]));
    assert_eq!((&timm.0, &paddle.0), (&"large".into(), &"small".into()));
    assert_ne!(timm.1, paddle.1, "other photos");
    let asked = top(&classify(&[
        "--weights",
        "paddle.safetensors",
        "--preprocess",
        "timm",
    ]));
    assert_eq!(asked, timm, "the same weights on the same photos");
    assert_eq!(top(&classify(&["--weights", "seeded:5"])), paddle);
    let missing = ["classify", &photo, "-m", "tiny", "--source", "b"];
    assert!(!place.zoo(&missing).failed(7).contains("photos prepared"));
}

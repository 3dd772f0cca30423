//! `zoo preprocess`: photos in, the batch out, equal to what OpenCV and Pillow make of them.

mod common;

use common::Place;

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
        let arguments = ["preprocess", &photo(), "--profile", name, "--output", "x.npy"];
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
    let arguments = |output: &'static str| ["preprocess", "-", "--profile", "paddle", "--output", output];
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
        "--profile",
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
        arguments.extend(["--profile", profile, "--output", "x.npy"]);
        place.zoo(&arguments).failed(code)
    };
    let photo = photo();
    let error = run(&[&photo, "text.jpg", "none.png"], "paddle", 9);
    assert!(error.contains("text.jpg: cannot be read as a JPEG"), "{error}");
    assert!(error.contains("none.png: "), "{error}");
    assert!(error.contains("2 of 3 images cannot be prepared"), "{error}");
    assert!(run(&["empty"], "paddle", 2).contains("no images in this folder"));
    assert!(run(&[&photo], "padle", 4).contains("it has paddle-224, timm-224-bicubic-0.875"));
    assert!(run(&[&photo], "timm", 2).contains("say which: timm-224-bicubic-0.875, timm-224-bilinear-0.875"));
    assert!(!place.path().join("x.npy").exists());
}

//! Finding ranges: the photos and the method decide them.

use crate::{QUANTIZE, ends, place, quantize, read};

#[test]
fn ranges_are_of_the_photos_and_the_same_each_time() {
    let place = place();
    let said = place.zoo(&QUANTIZE).said();
    assert!(said.contains("tiny.calibration.json: ranges of"), "{said}");
    assert!(said.contains("on 6 photos by mse, digest"), "{said}");
    let usual = read(&place, "tiny.calibration.json");
    assert_eq!(quantize(&place, "again.json", &["--method", "mse"]), usual);
    let all = quantize(&place, "all.json", &["--method", "min-max"]);
    assert_eq!(all["images"], 6);
    assert_eq!(all["origin"]["network"], "tiny");
    assert_eq!(all["origin"]["weights"], "seeded:5");
    // What the first layer reads are the photos' own colours: some are 0 or 200, whatever the resizing.
    let (lo, hi) = ends(&all, "conv1");
    let (black, bright) = ((0.0 - 0.485) / 0.229, (200.0 / 255.0 - 0.406) / 0.225);
    assert!((lo - black).abs() < 1e-3, "{lo}, not {black}");
    assert!((hi - bright).abs() < 1e-3, "{hi}, not {bright}");
    let few = quantize(&place, "few.json", &["--method", "percentile:90"]);
    assert_eq!(few["method"], "percentile:90");
    let (inner_lo, inner_hi) = ends(&few, "conv1");
    assert!(lo < inner_lo && inner_hi < hi);
    let kept = quantize(&place, "kept.json", &["--keep", "conv2,layer1.*"]);
    assert_eq!(kept["layers"]["conv2"]["keep"], true);
    assert_eq!(kept["layers"]["layer1.0.conv1"]["keep"], true);
    assert_eq!(kept["layers"]["conv1"], usual["layers"]["conv1"]);
    let none = place
        .zoo(&[&QUANTIZE[..], &["--keep", "conv9"]].concat())
        .failed(2);
    assert!(none.contains("--keep conv9: no convolution of tiny"), "{none}");
    let two = quantize(&place, "two.json", &["--limit", "2", "--method", "min-max"]);
    assert_eq!(two["images"], 2);
    assert_ne!(two["origin"]["images"], all["origin"]["images"]);
    let last = [
        "quantize",
        "--photos",
        "photos",
        "tiny",
        "-o",
        "last.json",
        "--weights",
        "seeded:5",
    ];
    place.zoo(&last).good();
    assert_eq!(
        read(&place, "last.json"),
        usual,
        "the name may stand behind the photos"
    );
    let older = [
        "quantize",
        "tiny",
        "--calibration",
        "photos",
        "-o",
        "older.json",
        "--weights",
        "seeded:5",
    ];
    place.zoo(&older).good();
    assert_eq!(read(&place, "older.json"), usual, "the old spelling");
    let moved = place.path().join("elsewhere");
    std::fs::rename(place.path().join("photos"), &moved).expect("moved");
    let arguments = [
        &QUANTIZE[..3],
        &["elsewhere"],
        &QUANTIZE[4..],
        &["-o", "moved.json"],
    ]
    .concat();
    place.zoo(&arguments).good();
    assert_eq!(
        read(&place, "moved.json"),
        usual,
        "the same photos in another place"
    );
}

#[test]
fn what_cannot_be_calibrated_on_is_told() {
    let place = place();
    std::fs::create_dir(place.path().join("none")).expect("made");
    let on = |photos: &str, more: &[&str]| {
        let arguments = [&QUANTIZE[..3], &[photos], &QUANTIZE[4..], more].concat();
        place.zoo(&arguments)
    };
    assert!(on("none", &[]).failed(2).contains("no images in this folder"));
    assert!(on("photos", &["--limit", "0"]).failed(2).contains("--limit 0"));
    let method = on("photos", &["--method", "median"]).failed(2);
    assert!(method.contains("expected min-max, mse"), "{method}");
    place.write("photos/broken.jpg", "no photo");
    place.write("none/broken.jpg", "no photo");
    let none = on("none", &[]).failed(1);
    assert!(
        none.contains("none/broken.jpg") && none.contains("nothing to calibrate on"),
        "{none}"
    );
    assert!(
        !place
            .files()
            .iter()
            .any(|file| file.ends_with(".calibration.json"))
    );
    let some = on("photos", &[]).failed(9);
    assert!(
        some.contains("1 of 7 photos could not be read: the ranges cover the others"),
        "{some}"
    );
    assert_eq!(read(&place, "tiny.calibration.json")["images"], 6);
}

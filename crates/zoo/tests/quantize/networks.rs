//! Networks that run or are exported by their ranges.

use crate::common::Place;
use crate::{ends, place, quantize, read};

#[test]
fn a_network_in_8_bits_is_exported_by_its_ranges() {
    let place = place();
    quantize(&place, "ranges.json", &[]);
    let export = |more: &[&str]| {
        let arguments = ["export", "tiny", "--weights", "seeded:5"];
        place.zoo(&[&arguments[..], more].concat())
    };
    let int8 = ["--precision", "int8", "-o"];
    let ranges = ["--calibration", "ranges.json"];
    export(&[&int8[..], &["by-photos.onnx"], &ranges].concat()).good();
    let told = export(&[&int8[..], &["made-up.onnx"]].concat()).said();
    assert!(told.contains("ranges of 8 synthetic photos"), "{told}");
    export(&["--fold", "-o", "f32.onnx"]).good();
    let bytes = |file: &str| std::fs::read(place.path().join(file)).expect("written");
    let [photos, made_up, f32] = ["by-photos.onnx", "made-up.onnx", "f32.onnx"].map(bytes);
    let holds = |model: &[u8], what: &[u8]| model.windows(what.len()).any(|window| window == what);
    // The scale of the images, as ranges.json has it.
    let (lo, hi) = ends(&read(&place, "ranges.json"), "conv1");
    let scale = ((f64::from(hi as f32) - f64::from(lo as f32)) / 255.0) as f32;
    assert!(holds(&photos, &scale.to_le_bytes()) && holds(&photos, b"QuantizeLinear"));
    assert!(!holds(&f32, b"QuantizeLinear"));
    assert!(photos != made_up, "other ranges, another model");
    let operands = [&int8[..], &["operands.onnx", "--rounded", "operands"], &ranges].concat();
    export(&operands).good();
    let rounded = |model: &[u8]| {
        model
            .windows(14)
            .filter(|window| *window == b"QuantizeLinear")
            .count()
    };
    assert!(
        rounded(&bytes("operands.onnx")) < rounded(&photos),
        "sums are f32, others not"
    );
    assert!(2 * photos.len() < f32.len(), "weights are in 8 bits");
    let refused = |more: &[&str]| export(more).failed(2);
    let other = refused(&["--precision", "f16", "-o", "x.onnx"]);
    assert!(other.contains("ONNX is written in f32 and int8"), "{other}");
    let tensors = refused(&[&int8[..], &["x.safetensors"]].concat());
    assert!(tensors.contains("--precision int8 is for ONNX"), "{tensors}");
    let whole = refused(&["--rounded", "operands", "-o", "x.onnx"]);
    assert!(whole.contains("--rounded is for --precision int8"), "{whole}");
    let unused = refused(&[&["-o", "x.onnx"][..], &ranges].concat());
    assert!(unused.contains("f32 takes none"), "{unused}");
    let wrong = ["export", "wider", "--weights", "seeded:5", "-o", "x.onnx"];
    let wrong = place.zoo(&[&wrong[..], &int8[..2], &ranges].concat()).failed(2);
    assert!(wrong.contains("a calibration of tiny, not of wider"), "{wrong}");
}

#[test]
fn networks_run_by_their_ranges() {
    let place = place();
    quantize(&place, "ranges.json", &[]);
    quantize(&place, "cut.json", &["--method", "percentile:60"]);
    let preprocess = ["preprocess", "photos", "--model", "tiny", "-o", "x.npy"];
    place.zoo(&preprocess).good();
    let infer = |precision: &str, more: &[&str]| {
        let arguments = [
            "infer",
            "--model",
            "tiny",
            "--weights",
            "seeded:5",
            "-i",
            "x.npy",
            "-o",
            "y.npy",
        ];
        let precision = ["--precision", precision];
        place.zoo(&[&arguments[..], &precision, more].concat()).good();
        npy(&place, "y.npy")
    };
    let right = infer("f32", &["--backend", "cpu-exact"]);
    let by = |precision: &str, file: &str| apart(&infer(precision, &["--calibration", file]), &right);
    let (i16, int8, cut) = (
        by("i16", "ranges.json"),
        by("int8", "ranges.json"),
        by("int8", "cut.json"),
    );
    assert!(i16 < 0.1 && int8 < 0.5, "{i16} and {int8}");
    assert!(
        i16 < int8 && int8 < cut,
        "{i16}, {int8}, and {cut} where two fifths are cut off"
    );
    let rows = place
        .zoo(&[
            "fidelity",
            "tiny",
            "--weights",
            "seeded:5",
            "--photos",
            "photos",
            "--precision",
            "i16,int8",
            "--calibration",
            "cut.json",
            "--json",
        ])
        .json();
    let typical = |index: usize| {
        rows[index]["typical_error_in_deviations"]
            .as_f64()
            .expect("a number")
    };
    assert_eq!(rows[1]["precision"], "int8");
    assert!(typical(1) > 0.5 * cut, "by the same ranges: {rows}");
    assert!(typical(0) < typical(1), "i16 keeps what was seen: {rows}");
}

/// The numbers of a file that NumPy would read as float32.
fn npy(place: &Place, file: &str) -> Vec<f32> {
    let bytes = std::fs::read(place.path().join(file)).expect("written");
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let numbers = bytes[header..].chunks_exact(4);
    numbers
        .map(|number| f32::from_le_bytes(number.try_into().expect("four bytes")))
        .collect()
}

/// The root mean square of the differences over that of the numbers themselves.
fn apart(numbers: &[f32], right: &[f32]) -> f64 {
    assert_eq!(numbers.len(), right.len());
    let square = |number: f32| f64::from(number).powi(2);
    let differences = numbers.iter().zip(right).map(|(a, b)| square(a - b));
    let all = right.iter().map(|number| square(*number)).sum::<f64>();
    (differences.sum::<f64>() / all).sqrt()
}

//! `zoo quantize`, and what other commands make of its files.

mod common;

use common::{Place, manifest, photo};
use serde_json::Value;

const PHOTOS: u8 = 6;

/// A folder with the manifest and photos of coloured blocks, the later the brighter.
fn place() -> Place {
    let place = Place::new();
    place.write("zoo.toml", &manifest(&[("tiny", 8), ("wider", 16)]));
    std::fs::create_dir(place.path().join("photos")).expect("made");
    for index in 0..PHOTOS {
        photo(&place.path().join(format!("photos/{index}.png")), |x, y| {
            let block = (x / 10 + 3 * (y / 8) + usize::from(index)) % 5;
            [40 * block as u8, 40 * index, 200 - 40 * block as u8]
        });
    }
    place
}

const QUANTIZE: [&str; 6] = ["quantize", "tiny", "--photos", "photos", "--weights", "seeded:5"];

fn quantize(place: &Place, output: &str, more: &[&str]) -> Value {
    place.zoo(&[&QUANTIZE[..], &["-o", output], more].concat()).good();
    read(place, output)
}

fn read(place: &Place, file: &str) -> Value {
    let text = std::fs::read_to_string(place.path().join(file)).expect("written");
    serde_json::from_str(&text).expect("JSON")
}

/// The ends of what a layer was chosen to be kept in.
fn ends(calibration: &Value, layer: &str) -> (f64, f64) {
    let range = &calibration["layers"][layer]["range"];
    let end = |name: &str| range[name].as_f64().expect("a number");
    (end("lo"), end("hi"))
}

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
fn the_fidelity_of_each_precision_is_told_beside_the_reference() {
    let place = place();
    let fidelity = |more: &[&str]| {
        let arguments = ["fidelity", "tiny", "--weights", "seeded:5", "--threads", "1"];
        place.zoo(&[&arguments[..], more].concat())
    };
    let rows = fidelity(&["--photos", "photos", "--json"]).json();
    let of = |name: &str, key: &str| {
        let mut rows = rows.as_array().expect("rows").iter();
        let row = rows.find(|row| row["precision"] == name).expect("a row");
        row[key].as_f64().expect("a number")
    };
    assert_eq!(of("bf16", "images"), 6.0);
    for key in ["error_in_deviations", "typical_error_in_deviations", "divergence"] {
        let [f32, f16, bf16] = ["f32", "f16", "bf16"].map(|name| of(name, key));
        assert!(
            f32 <= f16 && f16 < bf16 && bf16 < 10.0,
            "{key}: {f32}, {f16}, {bf16}"
        );
    }
    assert_eq!(of("f32", "top1_agreement"), 1.0);
    let exact = fidelity(&[
        "--precision",
        "f32",
        "--backend",
        "cpu-exact",
        "--limit",
        "3",
        "--json",
    ])
    .json();
    assert_eq!(exact[0]["images"], 3, "synthetic photos");
    assert_eq!(exact[0]["error_in_deviations"], 0.0, "the reference itself");
    let text = fidelity(&["--precision", "f32", "--limit", "2"]).good();
    assert!(
        text.contains("tiny, seeded:5: 2 images against f32 on cpu-exact"),
        "{text}"
    );
    let none = fidelity(&["--precision", "int8", "--backend", "candle"]).failed(12);
    assert!(none.contains("int8: no backend runs it"), "{none}");
    let unused = fidelity(&["--precision", "f16", "--calibration", "ranges.json"]).failed(2);
    assert!(unused.contains("f16 takes none"), "{unused}");
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

#[test]
fn a_profile_is_of_the_ranges_and_holds_each_step_against_its_formats_peak() {
    let place = place();
    quantize(&place, "ranges.json", &[]);
    let profile = |more: &[&str]| {
        let arguments = ["profile", "tiny", "--calibration", "ranges.json", "--runs", "2"];
        place.zoo(&[&arguments[..], more].concat())
    };
    let int8 = ["--weights", "seeded:5", "--precision", "int8"];
    let profiled = profile(&[&int8[..], &["--json", "--out", "layers.json"]].concat()).json();
    assert_eq!(profiled["precision"], "int8");
    let rows = profiled["rows"].as_array().expect("rows");
    let shares = rows.iter().filter_map(|row| {
        let operands = row["operands"].as_str()?;
        let peaks = match row["on_tiles"].as_bool()? {
            true => "tile_peaks_macs_per_ns",
            false => "peaks_macs_per_ns",
        };
        let peak = profiled[peaks][operands].as_f64().expect("measured");
        let rate = row["macs"].as_f64()? / row["time_ns"].as_f64()?;
        let share = row["share_of_peak"].as_f64().expect("it multiplies");
        assert!((share / (rate / peak) - 1.0).abs() < 1e-6, "{row}");
        assert!(
            operands == "f32" || row["kind"].as_str()?.contains(operands),
            "{row}"
        );
        Some(operands)
    });
    let operands: std::collections::BTreeSet<&str> = shares.collect();
    assert!(
        operands.contains("i16") || operands.contains("int8"),
        "{operands:?}"
    );
    assert!(
        rows.iter().any(|row| row["share_of_peak"].is_null()),
        "of steps that multiply nothing"
    );
    let weights = read(&place, "layers.json")["weights"].clone();
    assert!(
        weights
            .as_str()
            .is_some_and(|about| about.starts_with("seeded:5, calibration ")),
        "{weights}"
    );
    let text = profile(&int8).good();
    assert!(
        text.starts_with("tiny, int8, batch 1, 1 thread; peak, GMAC/s: f16 "),
        "{text}"
    );
    // With tiles, a layer that the vector unit computes all the same is compared with that unit.
    let twin = ["profile", "tiny", "--precision", "int8", "--runs", "1", "--json"];
    let profiled = place.zoo_with(&[("ZOO_ISA", "amx-twin")], &twin).json();
    let rows = profiled["rows"].as_array().expect("rows");
    for row in rows.iter().filter(|row| row["operands"].is_string()) {
        let kind = row["kind"].as_str().expect("a kind");
        let on_tiles = row["on_tiles"].as_bool().expect("a unit");
        assert_eq!(on_tiles, kind.contains("_amx-twin_"), "{row}");
    }
    assert!(rows.iter().any(|row| row["on_tiles"] == true), "{rows:?}");
    assert!(profiled["tile_peaks_macs_per_ns"]["int8"].as_f64() > Some(0.0));
    let other = profile(&["--precision", "int8"]).failed(2);
    assert!(
        other.contains("of the weights seeded:5, not of seeded:0"),
        "{other}"
    );
    assert!(profile(&[]).failed(2).contains("f32 takes none"));
}

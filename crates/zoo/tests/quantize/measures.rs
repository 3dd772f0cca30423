//! The fidelity and the profile of precisions.

use std::collections::BTreeSet;

use crate::{place, quantize, read};

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
        // Tiles multiply 16 bits as two digits.
        let formats: &[&str] = match operands {
            "i16" => &["i16", "i8x2"],
            _ => &[operands],
        };
        let kind = row["kind"].as_str()?;
        let named = operands == "f32" || formats.iter().any(|format| kind.contains(format));
        assert!(named, "{row}");
        Some(operands)
    });
    let operands: BTreeSet<&str> = shares.collect();
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

//! Other people's engines that are built in, as a user meets them.
#![cfg(any(feature = "ort", feature = "tract"))]

mod common;

use common::Place;
use serde_json::Value;

const RECORDS: &str = "records.jsonl";

fn records(place: &Place) -> Vec<Value> {
    let text = std::fs::read_to_string(place.path().join(RECORDS)).expect("records");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a record"))
        .collect()
}

/// A race of W18 on one thread, as short as it may be, against one engine.
fn race(engine: &str) -> Vec<String> {
    let text = format!(
        "peers race -m HRNet_W18_C --threads 1 --peers {engine} --weights seeded:0 --time 0 --out {RECORDS}"
    );
    text.split_whitespace().map(str::to_owned).collect()
}

/// Races the engine and returns its record, whose answer was right.
fn raced(place: &Place, engine: &str) -> Value {
    let arguments = race(engine);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = place.zoo(&arguments).good();
    assert!(said.contains(&format!("fastest peer: {engine}, ")), "{said}");
    let record = records(place).swap_remove(1);
    assert_eq!(record["case"], format!("HRNet_W18_C/f32/bs1/crop224/{engine}/t1"));
    let error = record["fidelity"]["largest_error"].as_f64().expect("compared");
    assert!(0.0 < error && error < 1e-4, "{error}");
    assert!(record["samples_ns"].as_array().expect("samples").len() >= 7);
    record
}

#[cfg(feature = "tract")]
#[test]
fn tract_is_raced_as_a_peer() {
    let place = Place::new();
    let record = raced(&place, "tract");
    assert!(
        record["backend"]
            .as_str()
            .expect("words")
            .starts_with("tract 0.23")
    );
}

#[cfg(feature = "ort")]
mod ort {
    use super::*;

    const LIBRARY: &str = "ORT_DYLIB_PATH";

    #[test]
    fn onnx_runtime_is_raced_where_its_library_is_named() {
        if std::env::var_os(LIBRARY).is_none_or(|name| name.is_empty()) {
            let why = format!("{LIBRARY} names no library");
            return testkit::not_run("ORT", "a race of ONNX Runtime", &why);
        }
        let place = Place::new();
        let record = raced(&place, "ort");
        let backend = record["backend"].as_str().expect("words");
        assert!(
            backend.starts_with("ONNX Runtime 1.") && backend.contains(", commit "),
            "{backend}"
        );
    }

    #[test]
    fn a_library_that_cannot_be_loaded_is_told_with_what_to_do() {
        let place = Place::new();
        place.write("text.so", "no library\n");
        let text = place.path().join("text.so").display().to_string();
        let folder = place.path().display().to_string();
        for named in ["/no/such/libonnxruntime.so", &text, &folder] {
            let arguments = [
                "classify",
                concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/photo.jpg"),
                "--model",
                "HRNet_W18_C",
                "--weights",
                "seeded:0",
                "--backend",
                "ort",
            ];
            let error = place.zoo_with(&[(LIBRARY, named)], &arguments).failed(7);
            let told = [
                "no ONNX Runtime",
                named,
                "(named by ORT_DYLIB_PATH)",
                "ORT_DYLIB_PATH=FILE",
            ];
            assert!(told.iter().all(|part| error.contains(part)), "{error}");
            assert!(!error.contains("panicked"), "{error}");
        }
    }

    #[test]
    fn without_a_library_doctor_and_peers_say_so_and_a_cell_is_a_record_of_it() {
        let place = Place::new();
        let nowhere = [(LIBRARY, "/no/such.so")];
        let doctor = place.zoo_with(&nowhere, &["doctor", "--json"]).json();
        let backends = doctor["backends"].as_array().expect("backends");
        let ort = backends
            .iter()
            .find_map(|line| line.as_str()?.strip_prefix("ort "));
        assert!(
            ort.expect("listed").starts_with("(absent, no ONNX Runtime: "),
            "{ort:?}"
        );
        assert!(!doctor["peers"].as_array().expect("peers").contains(&"ort".into()));
        let rows = place.zoo_with(&nowhere, &["peers", "list", "--json"]).json();
        let row = rows
            .as_array()
            .expect("rows")
            .iter()
            .find(|row| row["name"] == "ort");
        let row = row.expect("listed");
        assert_eq!(row["installed"], Value::Null);
        assert!(
            row["lacks"][0].as_str().expect("why").contains("/no/such.so"),
            "{row}"
        );
        let arguments = [
            "bench",
            "-m",
            "HRNet_W18_C",
            "--backend",
            "ort",
            "--weights",
            "seeded:0",
            "--time",
            "0",
            "--out",
            RECORDS,
        ];
        place.zoo_with(&nowhere, &arguments).failed(12);
        let records = records(&place);
        assert!(
            records[0]["error"]
                .as_str()
                .expect("an error")
                .contains("/no/such.so")
        );
    }
}

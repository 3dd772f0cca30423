//! Networks picked from records by time and accuracy.

use serde_json::Value;

use crate::common::Place;
use crate::measured;

#[test]
fn pick_names_what_fits_and_says_what_comes_nearest_where_nothing_does() {
    let place = Place::new();
    measured(&place);
    let pick = |wish: &[&str]| place.zoo(&[&["pick", "--records", "measured.jsonl"], wish].concat());
    let all = pick(&[]).good();
    for name in ["HRNet_W18_C_ssld", "HRNet_W48_C_ssld", "81.6 %", " f32 "] {
        assert!(all.contains(name), "{all}");
    }
    let missing = pick(&[]).said();
    assert!(
        missing.contains(
            "8 networks not measured at batch 1: HRNet_W30_C, HRNet_W32_C, HRNet_W40_C and 5 others; `zoo bench -b 1 --resume \
             --out measured.jsonl` measures them\n"
        ),
        "{missing}"
    );
    assert!(!all.contains("noisy"), "a quiet night has no such column: {all}");
    let fitting = pick(&["--max-p90", "60ms", "--min-top1", "0.79", "--json"]).json();
    assert_eq!(fitting.as_array().expect("a list").len(), 1, "{fitting}");
    assert_eq!(fitting[0]["variant"], "HRNet_W18_C_ssld");
    assert_eq!(fitting[0]["p90_ms"], 50.0);
    assert_eq!(
        (&fitting[0]["top1"], &fitting[0]["precision"]),
        (&0.816.into(), &"f32".into())
    );
    let error = pick(&["--max-p90", "60ms", "--min-top1", "83%"]).failed(13);
    assert!(
        error.contains(
            "the closest: HRNet_W48_C_ssld in f32, 83.6 % claimed (median 150.0 ms, p90 ≤ 150.0 ms); HRNet_W18_C_ssld in \
             f32, 81.6 % claimed (median 50.0 ms, p90 ≤ 50.0 ms)"
        ),
        "{error}"
    );
    let error = pick(&["--min-top1", "90%"]).failed(13);
    assert!(
        error.contains("the closest: HRNet_W48_C_ssld") && !error.contains("p90"),
        "{error}"
    );
    let error = pick(&["--batch", "4"]).failed(12);
    assert!(
        error.contains("`zoo bench -b 4 --out measured.jsonl` measures"),
        "{error}"
    );
    let small = std::fs::read_to_string(place.path().join("measured.jsonl"))
        .expect("records")
        .replace("crop224", "crop64")
        .replace(r#""build":""#, r#""build":"rustc, debug"#);
    place.write("small.jsonl", &small);
    let small = |wish: &[&str]| place.zoo(&[&["pick", "--records", "small.jsonl"], wish].concat());
    let error = small(&[]).failed(12);
    assert!(
        error.contains("no variant was measured at 224 pixels: the records are at 64 pixels"),
        "{error}"
    );
    assert!(error.contains("`zoo pick --size 64`"), "{error}");
    let run = small(&["--size", "64"]);
    assert!(
        run.stderr()
            .contains("accuracies are claimed at each variant's own size")
            && run.stderr().contains("5 of 5 times measured by a debug build"),
        "{}",
        run.stderr()
    );
    assert!(run.good().contains("HRNet_W18_C_ssld"));
    assert!(!pick(&[]).said().contains("debug"), "a build that does not say");
    let error = pick(&["--max-p90", "60"]).failed(2);
    assert!(error.contains("`60` needs a unit, as in 60ms"), "{error}");
    let error = Place::new().zoo(&["pick"]).failed(12);
    assert!(
        error.contains("nothing was measured yet") && error.contains("`zoo bench -b 1` measures"),
        "{error}"
    );
    assert!(
        !error.contains("from "),
        "there are no records to be from: {error}"
    );
}

#[test]
fn pick_keeps_what_has_no_published_accuracy_and_what_bench_called_noisy() {
    let place = Place::new();
    measured(&place);
    place.write(
        "zoo.toml",
        "schema = 1\nextends = \"builtin\"\n\n[[variant]]\nname = \"mine\"\nnetwork = { widths = [20, 40, 80, 160] }\n\
         preprocess = \"paddle-224\"\nlicense = \"MIT\"\n",
    );
    let text = std::fs::read_to_string(place.path().join("measured.jsonl")).expect("records");
    let line = text.lines().next().expect("a record");
    let mut mine: Value = serde_json::from_str(line).expect("JSON");
    mine["case"] = "mine/f32/bs1/crop224/cpu/t2".into();
    mine["samples_ns"] = serde_json::json!([10_000_000, 20_000_000, 5_000_000, 30_000_000]);
    place.write("mine.jsonl", &format!("{text}{mine}\n"));
    let pick = |options: &[&str]| place.zoo(&[&["pick", "--records", "mine.jsonl"], options].concat());
    let listed = pick(&[]).good();
    let row = listed
        .lines()
        .find(|line| line.contains(" mine "))
        .expect(&listed);
    assert!(
        row.contains("no published accuracy")
            && row.trim_end().ends_with("single runs differ by 50 %")
            && !row.contains('*'),
        "{row}"
    );
    let json = pick(&["--json"]).json();
    assert_eq!(
        (&json[0]["variant"], &json[0]["top1"], &json[0]["noise"]),
        (&"mine".into(), &Value::Null, &"single runs differ by 50 %".into())
    );
    assert_eq!(json[1]["noise"], Value::Null);
    assert!(!pick(&["--min-top1", "1%"]).good().contains("mine "));
}

//! Pose networks: picked from records, profiled, tuned, and compared in other precisions.

use serde_json::Value;

use crate::common::{Place, photo};

/// Writes records of two networks of COCO, one of animals, and a classifier.
fn measured(place: &Place) {
    let line = |case: &str, ms: u64| {
        let samples = vec![(ms * 1_000_000).to_string(); 50].join(",");
        format!(
            r#"{{"schema":1,"case":"{case}","started":"2026-01-02T03:04:05Z","samples_ns":[{samples}],"weights":"seeded:0","zoo":"0.1.0","build":"","backend":"cpu","commit":null,"machine":{{"cpu":"Some CPU","threads":2,"memory_bytes":0,"os":"","cpu_features":[]}}}}"#
        ) + "\n"
    };
    let records = [
        line("pose_hrnet_w32_256x192/f32/bs1/256x192/cpu/t2", 80),
        line("pose_hrnet_w48_384x288/f32/bs1/384x288/cpu/t2", 400),
        line("pose_hrnet_w32_ap10k_256x256/f32/bs1/crop256/cpu/t2", 110),
        line("HRNet_W18_C/f32/bs1/crop224/cpu/t2", 44),
    ];
    place.write("measured.jsonl", &records.concat());
}

#[test]
fn pick_chooses_pose_networks_by_ap_and_names_their_sizes() {
    let place = Place::new();
    measured(&place);
    let pick = |wish: &[&str]| place.zoo(&[&["pick", "--records", "measured.jsonl"], wish].concat());
    let all = pick(&["--task", "pose"]).good();
    let titles = all.lines().next().expect("titles");
    for title in ["input", "AP (claimed)", "on"] {
        assert!(titles.contains(title), "{all}");
    }
    let row = |name: &str| {
        let row = all.lines().find(|line| line.contains(&format!(" {name} ")));
        row.unwrap_or_else(|| panic!("{name}: {all}"))
            .split_whitespace()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        row("pose_hrnet_w32_256x192_udp")[..6],
        [
            "*",
            "pose_hrnet_w32_256x192_udp",
            "256x192",
            "76.2",
            "COCO",
            "val2017"
        ]
    );
    assert!(
        row("pose_hrnet_w32_ap10k_256x256").contains(&"*"),
        "nothing else is of animals"
    );
    assert!(!all.contains("HRNet_W18_C"), "{all}");
    let missing = pick(&["--task", "pose"]).said();
    assert!(
        missing.contains("10 networks not measured at batch 1: pose_hrnet_w32_256x192_udp_regress, ")
            && missing.contains("`zoo bench -m poses -b 1 --resume --out measured.jsonl` measures them"),
        "{missing}"
    );

    let fitting = pick(&["--min-ap", "0.77", "--json"]).json();
    let fitting = fitting.as_array().expect("a list");
    let picked = |one: &Value| (one["variant"].clone(), one["size"].clone(), one["ap"].clone());
    assert_eq!(
        picked(&fitting[0]),
        (
            "pose_hrnet_w48_384x288_udp".into(),
            "384x288".into(),
            0.773.into()
        )
    );
    assert!(
        fitting.len() == 2 && fitting[0].get("top1").is_none(),
        "{fitting:?}"
    );
    let error = pick(&["--min-ap", "75%", "--max-p90", "60ms"]).failed(13);
    assert!(
        error.contains("pose_hrnet_w32_256x192_udp in f32, AP 76.2 claimed on COCO val2017 (median 80.0 ms"),
        "{error}"
    );
    let error = pick(&["--task", "classify", "--min-ap", "0.7"]).failed(2);
    assert!(
        error.contains("--min-ap is a limit of pose networks: classifiers have --min-top1"),
        "{error}"
    );
    pick(&["--min-top1", "0.7", "--min-ap", "0.7"]).failed(2);
    let classes = pick(&[]).good();
    assert!(
        classes.contains("HRNet_W18_C_ssld") && !classes.contains("pose_"),
        "{classes}"
    );
}

const TINY: &str = r#"schema = 1
extends = "nothing"
[preprocess.person]
profile = "msra"
person = "64x32"
interpolation = "bilinear"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
[[variant]]
name = "tiny"
task = "pose"
keypoints = 5
decoder = "msra"
network = { widths = [8, 16, 32, 64] }
preprocess = "person"
licence = "MIT"
"#;

#[test]
fn a_pose_network_of_ones_own_is_compared_profiled_and_tuned_at_its_size() {
    let place = Place::new();
    place.write("zoo.toml", TINY);
    photo(&place.path().join("a.png"), |x, y| {
        [(5 * x) as u8, (6 * y) as u8, 7]
    });
    let fidelity = [
        "fidelity",
        "tiny",
        "--weights",
        "seeded:1",
        "--precision",
        "f32,int8",
        "--threads",
        "1",
    ];
    let rows = place
        .zoo(&[&fidelity[..], &["--limit", "2", "--json"]].concat())
        .json();
    assert_eq!(rows.as_array().expect("rows").len(), 2);
    let error = |row: usize, name: &str| rows[row][name].as_f64().expect("a number");
    assert!(error(0, "largest_error") < 1e-4 && error(1, "largest_error") > error(0, "largest_error"));
    assert!(error(1, "typical_error") < error(1, "largest_error"));
    assert!(
        rows[0].get("top1_agreement").is_none() && rows[0].get("agreement").is_none(),
        "{rows}"
    );
    let told = place
        .zoo(&[&fidelity[..], &["--photos", "a.png"]].concat())
        .good();
    assert!(
        told.contains("1 image against f32")
            && told.contains("largest error / largest value")
            && !told.contains("top-1"),
        "{told}"
    );

    let profile = place
        .zoo(&["profile", "tiny", "--runs", "1", "--out", "layers.json", "--json"])
        .json();
    assert!(
        profile["rows"].as_array().is_some_and(|rows| !rows.is_empty()),
        "{profile}"
    );
    let layers = std::fs::read_to_string(place.path().join("layers.json")).expect("written");
    assert!(layers.contains("\"tiny/f32/bs1/64x32/cpu/t1\""), "{layers}");
    let tuned = place
        .zoo(&["tune", "-m", "tiny", "--threads", "1", "--size", "32x64", "-q"])
        .good();
    assert!(tuned.contains("estimate chose"), "{tuned}");
    let plan = place.zoo(&["show", "tiny", "--plan", "--size", "32x64"]).good();
    assert!(plan.contains("1x3x32x64") || plan.contains("3x32x64"), "{plan}");
    let error = place.zoo(&["tune"]).failed(4);
    assert!(
        error.contains("the manifest has no classifiers") && error.contains("`all` selects"),
        "{error}"
    );
}

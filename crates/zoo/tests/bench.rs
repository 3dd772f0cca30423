//! `zoo bench` as a user meets it: plans, limits, processes, and what is left after a kill.

mod common;

use common::{Place, kill, start, until};
use serde_json::Value;

const DECODE_AND_BATCHES: usize = 30;

fn records(place: &Place, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(place.path().join(file)).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).expect("a record"))
        .collect()
}

fn id(record: &Value) -> (String, u64) {
    let case = record["case"].as_str().expect("a case").to_owned();
    (case, record["process"].as_u64().expect("its process"))
}

/// A bench of all preprocessing cells, killed as soon as some are measured.
fn killed(place: &Place, arguments: &[&str]) {
    let mut child = start(&mut place.command(arguments));
    let some = || records(place, "reports/records.jsonl").len() >= 3;
    until(&mut child, "it measured", some);
    kill(child);
}

#[test]
fn a_killed_bench_keeps_what_it_measured_and_goes_on() {
    let place = Place::new();
    let bench = [
        "bench",
        "--stage",
        "preprocess",
        "--time",
        "0",
        "--processes",
        "2",
        "--resume",
        "-q",
    ];
    killed(&place, &bench);
    let before = records(&place, "reports/records.jsonl");
    assert!(before.len() >= 3 && before.len() < 2 * DECODE_AND_BATCHES);
    // As a power cut leaves it.
    let file = place.path().join("reports/records.jsonl");
    let mut text = std::fs::read_to_string(&file).expect("readable");
    text.push_str(r#"{"schema":1,"case":"prep"#);
    std::fs::write(&file, text).expect("written");

    place.zoo(&bench).good();
    let after = records(&place, "reports/records.jsonl");
    assert_eq!(
        after[..before.len()],
        before,
        "what was measured is not measured again"
    );
    let mut ids: Vec<(String, u64)> = after.iter().map(id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(
        ids.len(),
        2 * DECODE_AND_BATCHES,
        "each cell has both its processes"
    );
    assert_eq!(after.len(), ids.len(), "and none of them twice");

    let early = place
        .zoo(&[
            "bench",
            "--stage",
            "preprocess",
            "--time",
            "0",
            "--csv",
            "none/run.csv",
        ])
        .failed(8);
    assert!(
        early.contains("none/run.csv: there is no folder none: make it") && !early.contains("records go to"),
        "{early}"
    );
    assert_eq!(
        records(&place, "reports/records.jsonl"),
        after,
        "nothing was measured"
    );
    place.zoo(&[&bench[..], &["--csv", "run.csv"]].concat()).good();
    assert_eq!(
        records(&place, "reports/records.jsonl"),
        after,
        "nothing is left to do"
    );
    let rows = std::fs::read_to_string(place.path().join("run.csv")).expect("a table");
    let mut rows = rows.lines();
    assert!(
        rows.next()
            .is_some_and(|titles| titles.starts_with("case,stage,network,precision,batch,"))
    );
    let decode = rows
        .find(|row| row.starts_with("preprocess/decode,preprocess,,,1,"))
        .expect("its row");
    let processes = decode.split(',').nth(10);
    assert_eq!(processes, Some("2"), "{decode}");
    assert_eq!(
        rows.count(),
        DECODE_AND_BATCHES - 1,
        "one row for each configuration"
    );
    let columns = place.zoo(&["report", "--columns"]).good();
    assert!(
        columns
            .lines()
            .any(|line| line.starts_with("median_ms") && line.contains("to use")),
        "{columns}"
    );
    let without = place
        .zoo(&["bench", "--stage", "preprocess", "--time", "0", "-q"])
        .good();
    assert_eq!(without.lines().count(), DECODE_AND_BATCHES);
    let again = records(&place, "reports/records.jsonl");
    assert_eq!(
        again.len(),
        after.len() + DECODE_AND_BATCHES,
        "--resume must be asked for"
    );
}

#[test]
fn a_plan_measures_nothing_and_a_limit_says_what_it_leaves_out() {
    let place = Place::new();
    let matrix = [
        "bench",
        "-m",
        "HRNet_W18_C,HRNet_W64_C",
        "-b",
        "1,8",
        "--precision",
        "all",
        "--stage",
        "all",
    ];
    let with = |more: &[&'static str]| [&matrix[..], more].concat();
    let plan = place.zoo(&with(&["--plan"])).good();
    assert!(plan.contains("HRNet_W64_C/int8/bs8/crop224/cpu"), "{plan}");
    assert!(plan.contains("50 cells, 50 processes: "), "{plan}");
    let peer = ["bench", "-m", "w18", "--backend", "cpu,onnxruntime", "--plan"];
    let said = place.zoo(&peer).said();
    assert!(
        said.contains("warning: onnxruntime is not here") && !said.contains("cpu is"),
        "{said}"
    );
    assert!(place.files().is_empty(), "{:?}", place.files());
    let short = place.zoo(&with(&["--plan", "--budget", "20s", "--json"])).json();
    let rows = short.as_array().expect("rows");
    assert_eq!(rows.len(), 50);
    assert_eq!(rows[49]["processes"], 0, "the longest is left out: {}", rows[49]);
    let seconds =
        |row: &Value| row["processes"].as_f64().expect("a count") * row["seconds"].as_f64().expect("seconds");
    assert!(rows.iter().map(seconds).sum::<f64>() <= 20.0);

    let run = place.zoo(&[
        "bench",
        "-m",
        "HRNet_W64_C",
        "-b",
        "8",
        "--precision",
        "bf16",
        "--stage",
        "all",
        "--budget",
        "3s",
        "--time",
        "0",
    ]);
    let told = run.stderr();
    assert!(told.contains("warning: no time was left for"), "{told}");
    let measured = records(&place, "reports/records.jsonl");
    assert!(!measured.is_empty());
    let is_longest = |record: &Value| record["case"].as_str().is_some_and(|case| case.contains("W64"));
    assert!(!measured.iter().any(is_longest), "the longest is left out");
    assert!(
        measured
            .iter()
            .all(|record| record["spent_ns"].as_u64().is_some())
    );
    place.zoo(&["bench", "--budget", "20"]).failed(2);
    place.zoo(&["bench", "--processes", "0"]).failed(2);
}

#[test]
fn twins_are_measured_each_by_itself() {
    let place = Place::new();
    let run = place.zoo(&[
        "bench",
        "-m",
        "HRNet_W18_C,HRNet_W18_C_ssld",
        "--twins",
        "--time",
        "0",
        "--processes",
        "2",
        // Cores of a busy machine are at no distance: verdicts on two threads would be as they are.
        "--threads",
        "1",
        "--weights",
        "seeded:1",
    ]);
    let told = run.stderr();
    assert!(
        told.contains("A/A: ") && told.contains(" of 1 cell of variants that share"),
        "{told}"
    );
    let lines = run.good();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    assert!(
        lines.contains("HRNet_W18_C_ssld/f32") && lines.contains("in 2 processes"),
        "{lines}"
    );
    let kept = records(&place, "reports/records.jsonl");
    assert_eq!(kept.len(), 4);
    for record in &kept {
        assert_eq!(record["weights"], "seeded:1");
        assert!(
            record["fidelity"]["top1_agreement"].as_f64().is_some(),
            "{record}"
        );
        assert!(record["conditions"]["canary"][1]["macs_per_s"].as_f64().is_some());
    }
}

#[test]
fn pose_networks_are_measured_at_their_own_sizes_and_classifiers_alone_if_nobody_names_them() {
    let place = Place::new();
    let plan = |more: &[&'static str]| -> Vec<String> {
        let bench = ["bench", "--plan", "--json", "--threads", "1"];
        let rows = place.zoo(&[&bench[..], more].concat()).json();
        let rows = rows.as_array().expect("rows").iter();
        rows.map(|row| row["case"].as_str().expect("a case").to_owned())
            .collect()
    };
    let usual = plan(&[]);
    assert!(
        usual.len() == 10 && !usual.iter().any(|case| case.contains("pose")),
        "{usual:?}"
    );
    let poses = plan(&["-m", "pose_*"]);
    assert_eq!(
        poses.len(),
        13,
        "networks that differ by decoder alone are measured once: {poses:?}"
    );
    for case in [
        "pose_hrnet_w32_256x192/f32/bs1/256x192/cpu/t1",
        "pose_hrnet_w32_256x192_udp_regress/f32/bs1/256x192/cpu/t1",
        "pose_hrnet_w32_ap10k_256x256/f32/bs1/crop256/cpu/t1",
    ] {
        assert!(poses.iter().any(|found| found == case), "{case}: {poses:?}");
    }
    assert_eq!(plan(&["-m", "all"]).len(), 23);
    let pose = "pose_hrnet_w32_256x192";
    let small = [
        "-m",
        "pose_hrnet_w32_256x192",
        "--size",
        "64x32",
        "--weights",
        "seeded:3",
    ];
    assert_eq!(plan(&small), [format!("{pose}/f32/bs1/64x32/cpu/t1")]);

    let run = [
        "bench",
        "--time",
        "0",
        "-b",
        "2",
        "--threads",
        "1",
        "--precision",
        "f32,int8",
    ];
    let told = place.zoo(&[&run[..], &small].concat()).good();
    assert!(
        told.contains("pose_hrnet_w32_256x192/int8/bs2/64x32/cpu/t1"),
        "{told}"
    );
    let kept = records(&place, "reports/records.jsonl");
    assert_eq!(kept.len(), 2, "{told}");
    for record in &kept {
        let fidelity = record["fidelity"]
            .as_object()
            .expect("its heatmaps were compared");
        let fields: Vec<&str> = fidelity.keys().map(String::as_str).collect();
        assert_eq!(fields, ["largest_error"], "heatmaps have no classes");
        assert!(
            record["samples_ns"]
                .as_array()
                .is_some_and(|samples| !samples.is_empty())
        );
    }
    let page = place.zoo(&["report", "-q"]).good();
    let page = place.path().join(page.trim()).with_file_name("index.md");
    let page = std::fs::read_to_string(page).expect("a page");
    let pose = page
        .split("\n## Keypoints of a person\n")
        .nth(1)
        .expect("a section");
    assert!(
        pose.contains("2 cells ran on seeded (random) weights")
            && pose.contains("Backend cpu, 1 thread, 64 x 32 pixels:")
            && pose.contains("Not measured here: "),
        "{pose}"
    );
    assert!(!page.contains("## Latency on this machine\n\nBackend"), "{page}");
}

#[test]
fn the_process_of_a_cell_refuses_what_is_no_errand() {
    let place = Place::new();
    let error = place.zoo(&["bench", "--worker"]).failed(2);
    assert!(error.contains("standard input is no errand"), "{error}");
}

#[test]
fn sizes_and_counts_that_cannot_be_are_refused_before_anything_starts() {
    let place = Place::new();
    let bench = |more: &[&'static str]| {
        let common = ["bench", "-m", "HRNet_W18_C", "--weights", "seeded:0"];
        place.zoo(&[&common[..], more].concat())
    };
    for too_large in [&["--size", "100000"][..], &["-b", "65536", "--size", "4096"]] {
        let error = bench(too_large).failed(14);
        assert!(
            error.contains("HRNet_W18_C on ") && error.contains("needs at least "),
            "{error}"
        );
        assert!(error.contains(" GiB are free here"), "{error}");
        assert!(error.contains("a smaller batch or size"), "{error}");
    }
    for (option, count, most) in [
        ("-b", "1000000000", "1 to 65536"),
        ("--processes", "300000000", "1 to 1000"),
        ("--processes", "4294967295", "1 to 1000"),
        ("--threads", "100000000", "1 to 8192"),
        ("--size", "1000000000000", "at most 1048576 pixels"),
    ] {
        let error = bench(&["--plan", option, count]).failed(2);
        assert!(error.contains(most), "{error}");
    }
    let list = vec!["1"; 500].join(",");
    let error = place
        .zoo(&["bench", "--plan", "-b", &list, "--threads", &list])
        .failed(2);
    assert!(
        error.contains("500 batches") && error.contains("are the most at once"),
        "{error}"
    );
    assert!(place.files().is_empty(), "{:?}", place.files());
}

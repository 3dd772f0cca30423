//! Peers as a user meets them, with a fake engine in place of Python: a shell script that answers with the zoo's own logits. One
//! test is of a real Python, where there is one.
#![cfg(unix)]

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use common::Place;
use serde_json::Value;

/// Computes the right answer with the zoo itself; each run takes 5 ms by its own clock.
const RIGHT: &str = r#""$ZOO" --quiet infer --model HRNet_W18_C --weights seeded:0 --backend cpu-exact --input "$7" --output "$8"
echo ready Fake 1.0 on $5 threads
while read line; do echo ok 5000000; done"#;

/// Gives the images back in place of logits.
const WRONG: &str = r#"cp "$7" "$8"; echo ready Fake 1.0; while read line; do echo ok 5000000; done"#;

const BROKEN: &str = "echo no such instruction >&2; exit 4";

/// A folder with an environment in which MNN is installed and this script is Python.
fn place(script: &str) -> Place {
    place_of(script, &["mnn-3.6.1", "numpy-2.4.6"])
}

fn place_of(script: &str, packages: &[&str]) -> Place {
    let place = Place::new();
    // The arguments of Python are `-I`, `-c`, the program, the engine and what it is to do. Nothing comes by the environment.
    place.install_python(script);
    place.install_packages(packages);
    place
}

fn zoo(place: &Place, arguments: &[&str]) -> Output {
    place.command(arguments).output().expect("the program starts")
}

fn text(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    out + &err
}

fn records(place: &Place) -> Vec<Value> {
    let text = fs::read_to_string(place.path().join("records.jsonl")).expect("records");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a record"))
        .collect()
}

fn race(place: &Place, peer: &str) -> Output {
    race_in(place, peer, "f32")
}

fn race_in(place: &Place, peer: &str, precision: &str) -> Output {
    race_with(place, peer, precision, &[])
}

fn race_with(place: &Place, peer: &str, precision: &str, others: &[&str]) -> Output {
    let selection = ["-m", "HRNet_W18_C", "--threads", "1", "--peers", peer];
    let rest = ["--weights", "seeded:0", "--time", "0", "--out", "records.jsonl"];
    let precision = ["--precision", precision];
    zoo(
        place,
        &[&["peers", "race"], &selection[..], &rest[..], &precision, others].concat(),
    )
}

#[test]
fn the_list_tells_what_is_installed() {
    let place = place(RIGHT);
    let output = zoo(&place, &["peers", "list", "--json"]);
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).expect(name);
    assert_eq!(row("mnn")["installed"], "3.6.1");
    assert_eq!(row("openvino")["installed"], Value::Null);
    assert_eq!(row("openvino")["lacks"], serde_json::json!(["openvino"]));
    let listed = text(&zoo(&place, &["peers", "list"]));
    assert!(
        listed.contains("torch-compile") && listed.contains("3.6.1"),
        "{listed}"
    );
}

#[test]
fn a_peer_with_the_right_answer_is_raced_beside_ours() {
    let place = place(RIGHT);
    let markdown = ["--markdown", "race.md"];
    let output = race_with(&place, "mnn", "f32", &markdown);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let page = fs::read_to_string(place.path().join("race.md")).expect("a page");
    for part in [
        "# Engines in f32\n",
        "- **Command**: `zoo peers race -m HRNet_W18_C --threads 1 --peers mnn --weights seeded:0",
        "- **Date**: 20",
        "Fake 1.0 on 1 threads",
        "\n## Overview\n\n| network |",
        "\n## HRNet\\_W18\\_C, batch 1, 1 thread, 7 rounds\n\n| engine | precision | median ms |",
        "| mnn | f32 | 5.00 |",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let early = race_with(&place, "mnn", "f32", &["--markdown", "none/race.md"]);
    assert_eq!(early.status.code(), Some(8));
    assert!(text(&early).contains("there is no folder none") && !text(&early).contains("preparing"));
    assert!(
        said.contains("HRNet_W18_C, batch 1, 1 thread, 7 rounds"),
        "{said}"
    );
    assert!(
        said.contains("fastest peer: mnn, 5.00 ms") && said.contains("GMAC/s"),
        "{said}"
    );
    let records = records(&place);
    assert_eq!(records.len(), 2);
    assert_eq!(records[1]["case"], "HRNet_W18_C/f32/bs1/crop224/mnn/t1");
    assert_eq!(records[1]["backend"], "Fake 1.0 on 1 threads");
    assert_eq!(records[1]["samples_ns"], serde_json::json!(vec![5_000_000; 7]));
    assert_eq!(
        records[0]["race"], records[1]["race"],
        "both tell of the same race"
    );
    let left = fs::read_dir(place.path().join("peers")).expect("the environment");
    let left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_string_lossy().starts_with("models")),
        "{left:?}"
    );
}

#[test]
fn a_wrong_answer_is_an_error_and_is_never_timed() {
    let place = place(WRONG);
    let output = race(&place, "mnn");
    assert_eq!(output.status.code(), Some(9), "{}", text(&output));
    let records = records(&place);
    assert!(!records[0]["samples_ns"].as_array().expect("samples").is_empty());
    assert_eq!(records[1]["samples_ns"], serde_json::json!([]));
    let error = records[1]["error"].as_str().expect("an error");
    assert_eq!(
        error,
        "mnn gives a wrong answer, not timed: logits of 150528 values, expected 1000"
    );
}

#[test]
fn a_peer_that_breaks_is_told_of_and_the_others_go_on() {
    let place = place(BROKEN);
    let output = race(&place, "mnn,openvino");
    assert_eq!(output.status.code(), Some(9), "{}", text(&output));
    let records = records(&place);
    let error = |index: usize| records[index]["error"].as_str().expect("an error").to_owned();
    assert!(records[0].get("error").is_none());
    assert!(error(1).ends_with("it said: no such instruction"), "{}", error(1));
    assert!(
        error(2).contains("openvino is not installed") && error(2).contains("lacks openvino"),
        "{}",
        error(2)
    );
}

#[test]
fn in_int8_peers_get_our_quantized_network_and_in_16_bits_every_float() {
    let script = format!(r#"echo "$4 $9 ${{6##*/}}" >> "${{0%/peers/bin/python}}/asked"; {RIGHT}"#);
    let packages = ["openvino-2026.4.1", "onnxruntime-1.31.1", "numpy-2.4.6"];
    let place = place_of(&script, &packages);
    let output = race_in(&place, "openvino,onnxruntime", "int8,i16");
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    let asked = fs::read_to_string(place.path().join("asked")).expect("what workers were asked");
    // Not every CPU has f16 and bf16.
    let everywhere = |line: &&str| !line.contains("f16");
    let asked: Vec<&str> = asked.lines().filter(everywhere).collect();
    let expected = [
        "openvino int8 int8-operands.onnx",
        "onnxruntime int8 int8-every.onnx",
        "openvino f32 network.onnx",
        "onnxruntime f32 network.onnx",
    ];
    assert_eq!(asked, expected);
    let cases: Vec<String> = records(&place)
        .iter()
        .map(|record| {
            assert!(record["fidelity"]["error_in_deviations"].is_number(), "{record}");
            let case = record["case"].as_str().expect("a case");
            case.replace("HRNet_W18_C/", "").replace("/bs1/crop224", "")
        })
        .collect();
    let cases: Vec<&str> = cases.iter().map(String::as_str).filter(everywhere).collect();
    assert_eq!(
        cases,
        [
            "int8/cpu/t1",
            "f32/cpu/t1",
            "int8/openvino/t1",
            "int8/onnxruntime/t1",
            "i16/cpu/t1",
            "f32/cpu/t1",
            "f32/openvino/t1",
            "f32/onnxruntime/t1"
        ]
    );
    assert!(
        said.contains("error / std") && said.contains("its error"),
        "{said}"
    );
    let unused = zoo(&place, &["peers", "race", "--calibration", "x.json"]);
    assert_eq!(unused.status.code(), Some(2));
    assert!(text(&unused).contains("f32 takes none"), "{}", text(&unused));
}

#[test]
fn bench_takes_peers_as_backends_in_f32_alone() {
    let place = place(RIGHT);
    let arguments = [
        "bench",
        "-m",
        "HRNet_W18_C",
        "--backend",
        "mnn",
        "--precision",
        "f32,f16",
    ];
    let rest = ["--weights", "seeded:0", "--time", "0", "--out", "records.jsonl"];
    let output = zoo(&place, &[&arguments[..], &rest[..]].concat());
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(records(&place).len(), 1);
    let unknown = zoo(&place, &["bench", "--backend", "opencv"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        text(&unknown).contains("openvino") && text(&unknown).contains("cpu-exact"),
        "{}",
        text(&unknown)
    );
}

#[test]
fn without_python_or_network_installing_says_what_to_do() {
    let place = Place::new();
    let missing = zoo(&place, &["peers", "install", "--python", "/no/python3"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        text(&missing).contains("/no/python3") && text(&missing).contains("--python FILE"),
        "{}",
        text(&missing)
    );
    let offline = zoo(&place, &["--offline", "peers", "install"]);
    assert_eq!(offline.status.code(), Some(7), "{}", text(&offline));
    let unknown = zoo(&place, &["peers", "install", "openvin"]);
    assert_eq!(unknown.status.code(), Some(4));
    assert!(
        text(&unknown).contains("did you mean `openvino`?"),
        "{}",
        text(&unknown)
    );
}

#[test]
fn a_peer_that_pip_cannot_bring_does_not_stop_the_rest() {
    // The last argument is the list of packages.
    let place = place(
        r#"for list; do :; done; if grep -q ^openvino== "$list"; then echo no matching distribution >&2; exit 1; fi"#,
    );
    let output = zoo(&place, &["peers", "install", "openvino", "mnn"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(9), "{said}");
    assert!(
        said.contains("openvino cannot be installed: exit status: 1: no matching distribution"),
        "{said}"
    );
    assert!(said.contains("ok mnn 3.6.1"), "{said}");
}

#[test]
fn a_pip_that_installs_nothing_is_not_believed() {
    let place = place("exit 0");
    let output = zoo(&place, &["peers", "install", "openvino"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(9), "{said}");
    assert!(
        said.contains("pip ended without an error") && said.contains("expected, none found"),
        "{said}"
    );
    assert!(!said.contains("ok openvino"), "{said}");
}

/// Tells how it was called, in a file beside the environment; as `venv` it becomes the environment's Python.
const TELLING: &str = r#"here="$PWD"; cd "${0%/*}"; while [ ! -e told ] && [ "$PWD" != / ]; do cd ..; done
{ echo "call $*" | head -c 60; echo; echo "in $here"; env | sed 's/^/env /'; } >> told
if [ "$3" = venv ]; then mkdir -p "$4/bin"; cp "${0##*/}" "$4/bin/python"; chmod +x "$4/bin/python"; fi
exit 0"#;

#[test]
fn every_call_of_python_is_isolated_and_sees_neither_secrets_nor_the_current_folder() {
    let place = Place::new();
    let at = |name: &str| place.path().join(name);
    fs::write(at("told"), "").expect("written");
    fs::write(at("python3"), format!("#!/bin/sh\n{TELLING}\n")).expect("written");
    fs::set_permissions(at("python3"), fs::Permissions::from_mode(0o755)).expect("set");
    let zoo = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command
            .env("ZOO_CACHE", "cache")
            .env("ZOO_PEERS", "peers")
            .env("HF_TOKEN", "hf_secret")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("ZOO_MIRROR", "https://u:secret@example.org/")
            .env("PYTHONPATH", place.path())
            .env("PYTHONSTARTUP", at("numpy.py"))
            .env("PIP_TARGET", place.path())
            .env("PIP_INDEX_URL", "https://packages.example.org/simple")
            .env("LD_LIBRARY_PATH", place.path());
        command.output().expect("the program starts")
    };
    // A path is the caller's, though Python works elsewhere.
    let installed = zoo(&["peers", "install", "onnxruntime", "--python", "./python3"]);
    assert_eq!(installed.status.code(), Some(9), "{}", text(&installed));
    place.install_packages(&["onnxruntime-1", "numpy-2"]);
    let raced = [
        "peers",
        "race",
        "-m",
        "HRNet_W18_C",
        "--threads",
        "1",
        "--peers",
        "onnxruntime",
        "--time",
        "0",
        "--weights",
        "seeded:0",
        "--out",
        "r.jsonl",
    ];
    assert_eq!(zoo(&raced).status.code(), Some(9));
    let told = fs::read_to_string(at("told")).expect("what Python was told");
    let of = |word: &str| -> Vec<&str> {
        let lines = told.lines();
        lines.filter_map(|line| line.strip_prefix(word)).collect()
    };
    let calls = of("call ");
    assert_eq!(calls.len(), 3, "{told}");
    for (call, begin) in calls.iter().zip(["-I -m venv ", "-I -m pip install ", "-I -c "]) {
        assert!(call.starts_with(begin), "{call}");
    }
    for folder in of("in ") {
        assert_ne!(Path::new(folder), place.path().canonicalize().expect("a folder"));
    }
    for variable in of("env ") {
        assert!(!variable.contains("secret"), "{variable}");
        let name = variable.split('=').next().unwrap_or_default();
        assert!(
            !["PYTHONPATH", "PYTHONSTARTUP", "PIP_TARGET", "LD_LIBRARY_PATH"].contains(&name),
            "{variable}"
        );
    }
    let index = of("env ")
        .iter()
        .filter(|line| line.starts_with("PIP_INDEX_URL="))
        .count();
    assert_eq!(
        index, 2,
        "making the environment and installing into it, and no worker"
    );
}

/// A Python that can make environments, or none: nothing here needs one.
fn real_python() -> Option<&'static str> {
    let check = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))";
    let status = Command::new("python3")
        .args(["-I", "-c", check])
        .output()
        .ok()?
        .status;
    status.success().then_some("python3")
}

#[test]
fn python_runs_no_code_from_the_current_folder() {
    let Some(python) = real_python() else {
        let what = "that Python runs no code from the current folder";
        testkit::not_run("PYTHON", what, "no Python of 3.11 or newer with venv");
        return;
    };
    let place = Place::new();
    let at = |name: &str| place.path().join(name);
    fs::create_dir(at("pip")).expect("made");
    for (file, name) in [
        ("venv.py", "venv"),
        ("pip/__main__.py", "pip"),
        ("pip/__init__.py", "pip"),
        ("numpy.py", "numpy"),
        ("sitecustomize.py", "sitecustomize"),
        ("usercustomize.py", "usercustomize"),
    ] {
        let code = format!("open({:?}, 'w').close()\n", at(&format!("ran-{name}")));
        fs::write(at(file), code).expect("written");
    }
    let zoo = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command
            .env("ZOO_CACHE", "cache")
            .env("ZOO_PEERS", "peers")
            .env("PYTHONPATH", ".")
            .env("PIP_NO_INDEX", "1")
            .env_remove("PIP_FIND_LINKS");
        command.output().expect("the program starts")
    };
    let ran = || {
        let entries = fs::read_dir(place.path()).expect("a folder").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("ran-")).collect::<Vec<_>>()
    };
    let installed = zoo(&["peers", "install", "onnxruntime", "--python", python]);
    assert_eq!(installed.status.code(), Some(9), "{}", text(&installed));
    assert!(at("peers/bin/python").exists(), "{}", text(&installed));
    assert_eq!(ran(), Vec::<String>::new(), "{}", text(&installed));
    // As if it were installed, so that the worker starts and looks for numpy.
    let library = fs::read_dir(at("peers/lib"))
        .expect("an environment")
        .flatten()
        .next();
    let library = library.expect("Python's folder").path().join("site-packages");
    for package in ["onnxruntime-1", "numpy-2"] {
        fs::create_dir_all(library.join(format!("{package}.dist-info"))).expect("made");
    }
    let raced = zoo(&[
        "peers",
        "race",
        "-m",
        "HRNet_W18_C",
        "--threads",
        "1",
        "--peers",
        "onnxruntime",
        "--time",
        "0",
        "--weights",
        "seeded:0",
        "--out",
        "r.jsonl",
    ]);
    assert_eq!(raced.status.code(), Some(9), "{}", text(&raced));
    let records = fs::read_to_string(at("r.jsonl")).expect("records");
    assert!(records.contains("No module named 'numpy'"), "{records}");
    assert_eq!(ran(), Vec::<String>::new());
}

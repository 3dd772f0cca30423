//! The arrows of `crates/README.md`, proved: no crate depends on another of ours unless the map says so.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Crate, and the crates of ours that it may depend on.
const MAP: &[(&str, &[&str])] = &[
    ("files", &[]),
    ("hrnet", &[]),
    ("kernels", &[]),
    ("registry", &["files", "hrnet"]),
    ("checkpoint", &["files", "hrnet", "kernels"]),
    ("preprocess", &["kernels"]),
    ("runtime", &["hrnet", "kernels", "onnx"]),
    ("onnx", &["hrnet"]),
    ("harness", &["files", "hrnet", "registry"]),
    ("report", &["files", "hrnet", "harness", "registry"]),
    (
        "zoo",
        &[
            "files",
            "hrnet",
            "kernels",
            "registry",
            "checkpoint",
            "preprocess",
            "runtime",
            "onnx",
            "harness",
            "report",
        ],
    ),
];

/// Libraries that only one crate may name, so that replacing one touches one room.
const OWNED: &[(&str, &str)] = &[
    ("object_store", "registry"),
    ("reqwest", "registry"),
    ("sha2", "registry"),
    ("toml", "registry"),
    ("memmap2", "kernels"),
    ("safetensors", "checkpoint"),
    ("zip", "checkpoint"),
    ("image", "preprocess"),
    ("libjpeg-turbo-rs", "preprocess"),
    ("candle-core", "runtime"),
    ("ort", "runtime"),
    ("tract-onnx", "runtime"),
    ("prost", "onnx"),
    ("criterion", "harness"),
    ("plotters", "report"),
    ("clap", "zoo"),
];

/// Normal dependencies of each workspace crate under `crates/`.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo metadata runs");
    assert!(
        out.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    let metadata: serde_json::Value =
        serde_json::from_slice(&out.stdout).expect("cargo metadata prints JSON");
    metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .filter(|package| package["name"] != "hrnet-zoo")
        .map(|package| {
            let names = package["dependencies"]
                .as_array()
                .expect("dependencies")
                .iter()
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| dependency["name"].as_str().expect("name").to_owned());
            (
                package["name"].as_str().expect("name").to_owned(),
                names.collect(),
            )
        })
        .collect()
}

#[test]
fn arrows_point_only_where_the_map_says() {
    let found = dependencies();
    let ours: BTreeSet<&str> = MAP.iter().map(|(name, _)| *name).collect();
    let crates: BTreeSet<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(crates, ours, "the crates on disk and the map differ");
    for (name, allowed) in MAP {
        for dependency in found[*name]
            .iter()
            .filter(|dependency| ours.contains(dependency.as_str()))
        {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} depends on {dependency}; the map allows it only {allowed:?}"
            );
        }
    }
}

#[test]
fn each_library_has_one_owner() {
    let found = dependencies();
    for (library, owner) in OWNED {
        let users: Vec<&str> = found
            .iter()
            .filter(|(_, names)| names.contains(*library))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(users, [*owner], "{library} is named in one crate alone");
    }
}

#[test]
fn the_map_in_prose_lists_every_crate() {
    let prose = include_str!("../crates/README.md");
    for (name, _) in MAP {
        assert!(
            prose.contains(&format!("| `{name}` |")),
            "crates/README.md has no row for {name}"
        );
    }
}

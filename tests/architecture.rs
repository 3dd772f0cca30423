//! The arrows of `crates/README.md`, proved: no crate depends on another of ours unless the map says so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Crate, and the crates of ours that it may depend on.
const MAP: &[(&str, &[&str])] = &[
    ("files", &[]),
    ("hrnet", &[]),
    ("kernels", &[]),
    ("registry", &["files", "hrnet"]),
    ("checkpoint", &["files", "hrnet", "kernels"]),
    ("preprocess", &["kernels"]),
    ("pose", &["preprocess"]),
    ("runtime", &["hrnet", "kernels", "onnx"]),
    ("onnx", &["hrnet"]),
    ("harness", &["files", "hrnet", "registry"]),
    ("report", &["files", "hrnet", "harness", "registry"]),
    (
        "hrnet-zoo",
        &[
            "files",
            "hrnet",
            "registry",
            "checkpoint",
            "preprocess",
            "pose",
            "runtime",
        ],
    ),
    ("testkit", &[]),
    ("faultd", &["files"]),
    (
        "zoo",
        &[
            "files",
            "hrnet",
            "kernels",
            "registry",
            "checkpoint",
            "preprocess",
            "pose",
            "runtime",
            "onnx",
            "harness",
            "report",
            "hrnet-zoo",
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
    ("crc32fast", "checkpoint"),
    ("safetensors", "checkpoint"),
    ("zip", "checkpoint"),
    ("image-webp", "preprocess"),
    ("libjpeg-turbo-rs", "preprocess"),
    ("png", "preprocess"),
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
        .filter(|package| package["name"] != "zoo-workspace")
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

/// A crate's row of the map in prose: what it may depend on, and what it is the only place of.
struct Row<'a> {
    dependencies: &'a str,
    owns: &'a str,
}

fn rows() -> BTreeMap<&'static str, Row<'static>> {
    let table = include_str!("../crates/README.md")
        .split("## One place per change")
        .next()
        .expect("the map");
    let rows = table.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split(" | ").collect();
        let [name, _, dependencies, owns] = cells[..] else {
            panic!("`{line}` has {} cells", cells.len())
        };
        let name = name.strip_suffix('`').expect("a crate's name in backticks");
        Some((name, Row { dependencies, owns }))
    });
    rows.collect()
}

/// The words of a cell that stand in backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn the_map_in_prose_has_the_arrows_that_are_proved() {
    let rows = rows();
    let crates: BTreeSet<&str> = MAP.iter().map(|(name, _)| *name).collect();
    let listed: BTreeSet<&str> = rows.keys().copied().collect();
    assert_eq!(listed, crates, "the rows of crates/README.md");
    for (name, allowed) in MAP {
        let cell = rows[name].dependencies;
        let all = crates
            .iter()
            .copied()
            .filter(|other| other != name && !["faultd", "testkit"].contains(other));
        let told: BTreeSet<&str> = match cell {
            "nothing" => BTreeSet::new(),
            "all of them" => all.collect(),
            cell => quoted(cell).filter(|word| crates.contains(word)).collect(),
        };
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert_eq!(told, allowed, "crates/README.md says of {name}: {cell}");
    }
}

#[test]
fn the_map_in_prose_names_the_owner_of_each_library() {
    let rows = rows();
    for (library, owner) in OWNED {
        for (name, row) in &rows {
            let named = quoted(row.owns).any(|word| word == *library);
            assert_eq!(
                named,
                name == owner,
                "`{library}` in crates/README.md's row of {name}"
            );
        }
    }
}

/// Code that one crate alone may hold, as the map says.
const CODE: &[(&str, &str)] = &[("unsafe_code", "kernels"), ("std::arch", "kernels")];

#[test]
fn unsafe_code_and_instructions_stand_in_one_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in MAP {
        let mut folders = vec![root.join("crates").join(name).join("src")];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder of sources") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    files += 1;
                    let text = std::fs::read_to_string(&path).expect("a source");
                    for (code, owner) in CODE {
                        assert!(
                            !text.contains(code) || name == owner,
                            "{code} in {}",
                            path.display()
                        );
                    }
                }
            }
        }
        assert!(files > 0, "{name} has no sources");
    }
}

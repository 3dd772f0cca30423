//! The contents of the cache, and what may be removed.

use std::fs;
use std::path::{Path, PathBuf};

use registry::Digest;

use crate::{Place, text};

#[test]
fn the_cache_is_listed_and_cleaned() {
    let place = Place::new(&[]);
    place.zoo(&["fetch", "Net_0"], 0);
    let root = place.zoo(&["cache", "path"], 0);
    assert_eq!(Path::new(root.trim()), place.path("cache"));
    assert_eq!(
        Path::new(place.zoo(&["cache", "path", "Net_0"], 0).trim()),
        place.published(0)
    );
    place.zoo(&["cache", "path", "Net_1"], 7);
    let listing = place.json(&["cache", "ls", "--json"], 0).remove(0);
    assert_eq!(listing["weights"][0]["weights"][0], "Net_0 timm");
    let stray = place.path("cache/sha256").join("0".repeat(64));
    fs::write(&stray, b"stray").expect("written");
    assert!(place.zoo(&["cache", "prune", "--dry-run"], 0).contains("5 bytes"));
    assert!(stray.exists());
    place.zoo(&["cache", "prune"], 0);
    assert!(!stray.exists() && place.published(0).exists());
    fs::create_dir_all(place.path("cache/tune")).expect("made");
    fs::write(place.path("cache/tune/avx2.tsv"), b"times").expect("written");
    fs::write(place.path("cache/stray"), b"1").expect("written");
    let listing = place.json(&["cache", "ls", "--json"], 0).remove(0);
    let lengths: Vec<u64> = files_below(&place.path("cache"))
        .iter()
        .map(|file| length(file))
        .collect();
    assert_eq!(listing["total"]["files"], lengths.len());
    assert_eq!(listing["total"]["bytes"], lengths.iter().sum::<u64>());
    let kinds = listing["kinds"].as_object().expect("kinds");
    assert!(
        ["weights", "pins", "tuning", "other"]
            .iter()
            .all(|kind| kinds.contains_key(*kind)),
        "{kinds:?}"
    );
    let told = place.zoo(&["cache", "ls"], 0);
    assert!(
        told.contains("9.0 MB") && told.contains("times of `zoo tune`"),
        "{told}"
    );
    let partial = place.path("cache/partial").join(Digest::of(b"x").to_string());
    fs::create_dir_all(&partial).expect("made");
    place.zoo(&["cache", "gc"], 0);
    assert!(partial.exists(), "it is young");
    place.zoo(&["cache", "gc", "--keep-hours", "0"], 0);
    assert!(!partial.exists());
    let told = place.zoo(&["cache", "clear"], 0);
    assert!(
        told.contains("would be removed, 9.0 MB") && told.contains("--yes"),
        "{told}"
    );
    assert!(place.published(0).exists());
    place.zoo(&["cache", "clear", "--yes"], 0);
    assert!(!place.path("cache/sha256").exists() && place.path("cache/tune/avx2.tsv").exists());
    place.zoo(&["cache", "clear", "tuning", "--yes"], 0);
    assert!(!place.path("cache/tune").exists() && place.path("cache/stray").exists());
}

#[test]
fn pruning_keeps_what_other_manifests_name() {
    let place = Place::new(&[]);
    place.zoo(&["fetch", "Net_0"], 0);
    // Another project with the same cache: its manifest names the other network alone.
    let other = place.path("other");
    fs::create_dir(&other).expect("made");
    let text = fs::read_to_string(place.path("zoo.toml")).expect("a manifest");
    let second = text.rfind("[[variant]]").expect("two variants");
    let first = text.find("[[variant]]").expect("two variants");
    fs::write(other.join("zoo.toml"), [&text[..first], &text[second..]].concat()).expect("written");
    let there = |arguments: &[&str]| {
        let output = place.command(arguments).current_dir(&other).output();
        let output = output.expect("the program starts");
        let told = self::text(&output.stdout) + &self::text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{told}");
        told
    };
    there(&["fetch", "all"]);
    for told in [
        there(&["cache", "prune", "--dry-run"]),
        place.zoo(&["cache", "prune", "--dry-run"], 0),
    ] {
        assert!(told.contains("0 files would be removed"), "{told}");
        assert!(
            told.contains("Net_0 timm of ") && told.contains("Net_1 timm of "),
            "{told}"
        );
    }
    there(&["cache", "prune"]);
    // A folder without a manifest uses the built-in one.
    let plain = place.path("plain");
    fs::create_dir(&plain).expect("made");
    let pruned = |more: &[&str]| {
        let arguments = [&["cache", "prune"], more].concat();
        let output = place.command(&arguments).current_dir(&plain).output();
        self::text(&output.expect("the program starts").stderr)
    };
    pruned(&[]);
    assert!(place.published(0).exists() && place.published(1).exists());
    fs::remove_file(other.join("zoo.toml")).expect("removed");
    let told = pruned(&[]);
    assert!(
        told.contains("no longer exists") && told.contains("--gone"),
        "{told}"
    );
    assert!(place.published(1).exists(), "kept by what it named last");
    let told = pruned(&["--gone"]);
    assert!(told.contains("1 file removed, 9.0 MB"), "{told}");
    assert!(place.published(0).exists() && !place.published(1).exists());
}

fn length(file: &Path) -> u64 {
    fs::symlink_metadata(file).expect("a file").len()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    let (folders, mut files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| files_below(folder)));
    files
}

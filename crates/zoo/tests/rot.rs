//! Weights that change where they lie, whoever changes them: no command computes with bytes that are not the pinned ones
//! without saying so.
#![cfg(unix)]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use common::{Place, SMALL, arrays, variant};
use faultd::{Content, Server};
use hrnet::{HrnetSpec, SeededWeights, Shape};
use registry::Digest;
use serde_json::Value;

/// Longer than a tick of any clock.
const LATER: Duration = Duration::from_millis(250);

/// A cache with the fetched weights of a small network, a server that has them, and something to run it on.
struct Zoo {
    place: Place,
    _server: Server,
}

impl Zoo {
    fn new() -> Self {
        let place = Place::new();
        fs::create_dir(place.path().join("www")).expect("made");
        let server = Server::start(
            "127.0.0.1:0",
            Content::Folder(place.path().join("www")),
            Vec::new(),
        );
        let server = server.expect("a port");
        let (first, second) = (server.url("tiny.safetensors"), server.url("other.safetensors"));
        let sources = [
            ("first", first.as_str(), "safetensors"),
            ("second", second.as_str(), "safetensors"),
        ];
        place.write("zoo.toml", &format!("{SMALL}{}", variant("tiny", 8, &sources)));
        for (seed, file) in [(5, "www/tiny.safetensors"), (6, "www/other.safetensors")] {
            let weights = format!("seeded:{seed}");
            place
                .zoo(&["export", "tiny", "--weights", &weights, "-o", file])
                .good();
        }
        arrays::write(&place.path().join("x.npy"), &[1, 3, 32, 32]);
        fs::create_dir_all(place.path().join("photos/0")).expect("made");
        common::photo(&place.path().join("photos/0/a.png"), |x, y| {
            [x as u8 * 5, y as u8 * 6, 90]
        });
        let zoo = Self {
            place,
            _server: server,
        };
        zoo.run(&["fetch", "tiny"]).good();
        zoo
    }

    fn run(&self, arguments: &[&str]) -> common::Run {
        // The server is on loopback.
        self.place.zoo_with(&[("NO_PROXY", "*")], arguments)
    }

    /// The answer of the network, and its messages.
    fn infer(&self) -> (Vec<u8>, String) {
        let said = self
            .run(&["infer", "-m", "tiny", "--input", "x.npy", "-o", "y.npy", "-v"])
            .said();
        (fs::read(self.place.path().join("y.npy")).expect("written"), said)
    }

    /// The answer that the network must give.
    fn right(&self) -> Vec<u8> {
        let seeded = ["--weights", "seeded:5"];
        let infer = ["infer", "-m", "tiny", "--input", "x.npy", "-o", "right.npy"];
        self.run(&[&infer[..], &seeded].concat()).good();
        fs::read(self.place.path().join("right.npy")).expect("written")
    }

    fn digest(&self) -> String {
        let bytes = fs::read(self.place.path().join("www/tiny.safetensors")).expect("there");
        Digest::of(&bytes).to_string()
    }

    fn published(&self) -> PathBuf {
        self.place.path().join("cache/sha256").join(self.digest())
    }

    fn prepared(&self) -> PathBuf {
        let digest = self.digest();
        self.published()
            .with_file_name(format!("{digest}.{}.v1.safetensors", &digest[..16]))
    }

    fn note(&self) -> PathBuf {
        let name = self.prepared().file_name().expect("a name").to_owned();
        let notes = fs::read_dir(self.place.path().join("cache/checked")).expect("notes");
        let paths = notes.map(|entry| entry.expect("readable").path());
        let of_it = |path: &PathBuf| {
            let note = path.file_name().expect("a name").to_string_lossy().into_owned();
            note.starts_with(&*name.to_string_lossy())
        };
        paths.into_iter().find(of_it).expect("a note")
    }
}

/// Changes the exponent of a value in the middle of a file, so that it counts.
fn spoil(path: &Path) {
    let mut bytes = fs::read(path).expect("readable");
    let place = bytes.len() / 2 / 4 * 4 + 3;
    bytes[place] ^= 0x41;
    fs::write(path, bytes).expect("written");
}

#[test]
fn a_published_file_that_changed_is_refused_by_every_command() {
    let zoo = Zoo::new();
    let (answer, _) = zoo.infer();
    assert_eq!(answer, zoo.right());
    spoil(&zoo.published());
    let commands: [&[&str]; 9] = [
        &["infer", "-m", "tiny", "--input", "x.npy", "-o", "y.npy"],
        &["classify", "photos/0/a.png", "-m", "tiny"],
        &["eval", "tiny", "--data", "photos"],
        &["export", "tiny", "-o", "e.onnx"],
        &["export", "tiny", "-o", "e.safetensors"],
        &["quantize", "tiny", "--calibration", "photos"],
        &["fidelity", "tiny", "--limit", "1"],
        &["mirror", "stick"],
        &["verify", "tiny"],
    ];
    for command in commands {
        let told = zoo.run(command);
        let said = told.stderr() + &told.stdout();
        told.failed(if command[0] == "verify" { 9 } else { 6 });
        assert!(said.contains("zoo.lock says sha256"), "{command:?}: {said}");
    }
    for output in [
        "e.onnx",
        "e.safetensors",
        "tiny.calibration.json",
        "reports",
        "stick",
    ] {
        assert!(!zoo.place.path().join(output).exists(), "{output}");
    }
    zoo.run(&[
        "bench",
        "-m",
        "tiny",
        "--time",
        "0",
        "--threads",
        "1",
        "--out",
        "b.jsonl",
    ]);
    let records = fs::read_to_string(zoo.place.path().join("b.jsonl")).expect("records");
    assert!(!records.is_empty());
    for record in records.lines() {
        let record: Value = serde_json::from_str(record).expect("JSON");
        let is_network = record["case"]
            .as_str()
            .is_some_and(|case| case.starts_with("tiny/"));
        let error = record["error"].as_str().unwrap_or_default();
        assert!(!is_network || error.contains("zoo.lock says sha256"), "{record}");
    }
    assert!(zoo.run(&["lint"]).good().contains("zoo.lock says sha256"));
    zoo.run(&["verify", "tiny", "--repair"]).good();
    assert_eq!(zoo.infer().0, answer);
}

#[test]
fn prepared_weights_that_changed_never_reach_an_answer() {
    let zoo = Zoo::new();
    let (answer, said) = zoo.infer();
    assert!(said.contains("read in full"), "{said}");
    for _ in 0..2 {
        sleep(LATER);
        assert_eq!(zoo.infer().0, answer);
    }
    let said = zoo.infer().1;
    assert!(said.contains("checked by stamp and checksums"), "{said}");

    spoil(&zoo.prepared());
    assert!(zoo.run(&["lint"]).good().contains("the note of its making says"));
    for verify in [
        &["verify", "tiny"][..],
        &["verify", "--deep"],
        &["verify", "--deep", "--source", "first"],
    ] {
        let told = zoo.run(verify);
        let lines = told.stdout();
        told.failed(9);
        assert!(lines.contains("wrong     tiny first, prepared: "), "{lines}");
    }
    let (again, said) = zoo.infer();
    assert_eq!(again, answer);
    assert!(said.contains("it is made again"), "{said}");
    zoo.run(&["verify", "--deep"]).good();

    spoil(&zoo.prepared());
    let told = zoo.run(&["verify", "--repair", "--json"]).json();
    let line = &told.as_array().expect("lines")[1];
    assert_eq!(
        (&line["state"], &line["prepared"]),
        (&"repaired".into(), &true.into()),
        "{line}"
    );
    zoo.run(&["verify", "--deep"]).good();
    let (again, said) = zoo.infer();
    assert_eq!(again, answer);
    assert!(!said.contains("made again"), "{said}");
}

#[test]
fn what_a_damaged_file_was_prepared_to_does_not_outlive_its_repair() {
    let zoo = Zoo::new();
    let (answer, _) = zoo.infer();
    // As a version of this program that did not look would have left it.
    spoil(&zoo.published());
    fs::remove_dir_all(zoo.place.path().join("cache/checked")).expect("removed");
    plant(&zoo, 7);
    zoo.run(&["verify", "--repair"]).good();
    assert_eq!(zoo.infer().0, answer);
    zoo.run(&["verify", "--deep"]).good();
}

/// Puts prepared weights of another seed in the place of ours, right by all that they say of themselves.
fn plant(zoo: &Zoo, seed: u64) {
    let graph = HrnetSpec::imagenet([8, 16, 32, 64]).graph(Shape::square(1, 32));
    let path = zoo.prepared();
    let mut file = File::create(&path).expect("a file");
    let weights = SeededWeights::new(seed);
    checkpoint::write_prepared(&mut file, &path, &zoo.digest(), &graph.expect("valid"), &weights)
        .expect("written");
}

#[test]
fn planted_prepared_weights_are_not_believed() {
    let zoo = Zoo::new();
    plant(&zoo, 7);
    let planted = fs::read(zoo.prepared()).expect("there");
    let told = zoo.run(&["verify", "tiny"]);
    assert!(told.stdout().contains("others in tensor"), "{}", told.stdout());
    told.failed(9);
    assert_eq!(zoo.infer().0, zoo.right());
    assert_ne!(
        fs::read(zoo.prepared()).expect("there"),
        planted,
        "they are made anew"
    );
    // What is right is vouched for, whoever made it.
    fs::remove_file(zoo.note()).expect("removed");
    plant(&zoo, 5);
    zoo.run(&["verify", "tiny"]).good();
    assert_eq!(zoo.infer().0, zoo.right());
}

#[test]
fn links_and_pipes_in_the_place_of_prepared_weights_are_not_opened() {
    let zoo = Zoo::new();
    let right = zoo.right();
    let victim = zoo.place.path().join("victim");
    fs::write(&victim, b"precious").expect("written");
    for seen_before in [false, true] {
        if seen_before {
            zoo.infer();
            fs::remove_file(zoo.prepared()).expect("removed");
        }
        symlink(&victim, zoo.prepared()).expect("planted");
        let told = zoo.run(&["verify", "tiny"]);
        assert!(told.stdout().contains("not a regular file"), "{}", told.stdout());
        told.failed(9);
        assert_eq!(zoo.infer().0, right);
        assert_eq!(fs::read(&victim).expect("there"), b"precious");
        assert!(fs::symlink_metadata(zoo.prepared()).expect("there").is_file());
        fs::remove_file(zoo.prepared()).expect("removed");
        let pipe = std::process::Command::new("mkfifo").arg(zoo.prepared()).status();
        assert!(pipe.expect("mkfifo").success());
        assert_eq!(zoo.infer().0, right);
        fs::remove_file(zoo.prepared()).expect("removed");
    }
    let folder = zoo.place.path().join("cache/sha256");
    let elsewhere = zoo.place.path().join("elsewhere");
    fs::rename(&folder, &elsewhere).expect("moved");
    symlink(&elsewhere, &folder).expect("planted");
    let error = zoo
        .run(&["infer", "-m", "tiny", "--input", "x.npy", "-o", "y.npy"])
        .failed(8);
    assert!(
        error.contains("symbolic links in the cache are not followed"),
        "{error}"
    );
}

#[test]
fn prepared_weights_that_were_cut_or_restored_are_made_anew() {
    let zoo = Zoo::new();
    let (answer, _) = zoo.infer();
    let good = fs::read(zoo.prepared()).expect("there");
    for length in [0, 7, 100, good.len() / 2, good.len() - 1] {
        fs::write(zoo.prepared(), &good[..length]).expect("written");
        assert_eq!(zoo.infer().0, answer, "{length} bytes");
        assert_eq!(fs::read(zoo.prepared()).expect("there"), good, "{length} bytes");
    }
    // As a backup brings back what had been damaged when it was made: same size, same time.
    let modified = fs::metadata(zoo.prepared())
        .expect("there")
        .modified()
        .expect("a time");
    let restored = zoo.place.path().join("restored");
    fs::write(&restored, &good).expect("written");
    spoil(&restored);
    let file = File::options().write(true).open(&restored).expect("opened");
    file.set_modified(modified).expect("set back");
    fs::rename(&restored, zoo.prepared()).expect("restored");
    let (again, said) = zoo.infer();
    assert_eq!(again, answer);
    assert!(said.contains("made again"), "{said}");
}

#[test]
fn what_the_disk_loses_without_a_trace_is_an_error_and_no_answer() {
    let zoo = Zoo::new();
    let (answer, _) = zoo.infer();
    spoil(&zoo.prepared());
    // The looks of a file do not change when its disk forgets: the note is made to fit what we changed.
    let looks = fs::metadata(zoo.prepared()).expect("there");
    let text = fs::read_to_string(zoo.note()).expect("a note");
    let (before, _) = text.split_once(" began ").expect("a note");
    let note = format!(
        "{before} began {}000000000 size {} mtime {}.{:09} ctime {}.{:09} dev {} inode {}\n",
        looks.ctime() + 10,
        looks.len(),
        looks.mtime(),
        looks.mtime_nsec(),
        looks.ctime(),
        looks.ctime_nsec(),
        looks.dev(),
        looks.ino(),
    );
    fs::write(zoo.note(), note).expect("written");
    let verify = zoo.run(&["verify", "tiny", "--json"]).json();
    assert_eq!(
        verify[1]["state"], "verified",
        "by its looks: the note was believed"
    );
    let commands: [&[&str]; 3] = [
        &["infer", "-m", "tiny", "--input", "x.npy", "-o", "z.npy"],
        &["eval", "tiny", "--data", "photos"],
        &["export", "tiny", "-o", "e.onnx"],
    ];
    for command in commands {
        let error = zoo.run(command).failed(6);
        assert!(
            error.contains("the CRC-32 of its bytes is") && error.contains("--deep --repair"),
            "{error}"
        );
    }
    assert!(!zoo.place.path().join("z.npy").exists());
    zoo.run(&["verify", "tiny", "--deep"]).failed(9);
    zoo.run(&["verify", "tiny", "--deep", "--repair"]).good();
    assert_eq!(zoo.infer().0, answer);
}

#[test]
fn records_name_weights_by_digest_and_say_how_they_were_checked() {
    let zoo = Zoo::new();
    let records = |out: &str, more: &[&str]| -> Vec<Value> {
        let bench = [
            "bench",
            "-m",
            "tiny",
            "--time",
            "0",
            "--threads",
            "1",
            "--precision",
            "f32",
            "--out",
            out,
        ];
        zoo.run(&[&bench[..], more].concat()).good();
        let text = fs::read_to_string(zoo.place.path().join(out)).expect("records");
        let records = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        records
            .filter(|record| {
                record["case"]
                    .as_str()
                    .is_some_and(|case| case.starts_with("tiny/"))
            })
            .collect()
    };
    let digest = zoo.digest();
    for record in records("cached.jsonl", &[]) {
        assert_eq!(record["weights"], format!("tiny.safetensors, sha256 {digest}"));
        let check = record["weights_check"].as_str().expect("a check");
        assert!(["read", "stamp-and-sums"].contains(&check), "{check}");
    }
    // Two files of one name are told apart.
    let mut named = Vec::new();
    for (folder, file) in [("a", "www/tiny.safetensors"), ("b", "www/other.safetensors")] {
        fs::create_dir(zoo.place.path().join(folder)).expect("made");
        let path = format!("{folder}/weights.safetensors");
        fs::copy(zoo.place.path().join(file), zoo.place.path().join(&path)).expect("copied");
        let found = records(&format!("{folder}.jsonl"), &["--weights", &path]);
        named.push(found[0]["weights"].as_str().expect("named").to_owned());
        assert!(found[0]["weights_check"].is_string(), "{}", found[0]);
    }
    assert_eq!(named[0], format!("weights.safetensors, sha256 {digest}"));
    assert_ne!(named[0], named[1]);
    for record in records("seeded.jsonl", &["--weights", "seeded:1"]) {
        assert_eq!(
            (&record["weights"], &record["weights_check"]),
            (&"seeded:1".into(), &Value::Null)
        );
    }

    let eval = ["eval", "tiny", "--data", "photos", "--json"];
    let summary = zoo.run(&eval).json();
    assert_eq!(summary["key"]["weights"], digest, "{summary}");
    assert!(summary["weights_check"].is_string(), "{summary}");
}

#[test]
fn verify_takes_the_source_that_fetch_takes() {
    let zoo = Zoo::new();
    assert_eq!(zoo.run(&["verify", "tiny"]).good().lines().count(), 1);
    zoo.run(&["verify", "tiny", "--source", "all"]).failed(9);
    zoo.run(&["verify", "tiny", "--source", "second"]).failed(7);
    zoo.run(&["fetch", "tiny", "--source", "second"]).good();
    assert_eq!(zoo.run(&["verify"]).good().lines().count(), 2);
}

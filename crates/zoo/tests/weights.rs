//! Weights as a user handles them: fetch, verify, repair, mirror, pin, links and cache against a server on loopback.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use common::{SMALL, variant};
use faultd::{Content, Fault, Server};
use registry::Digest;
use serde_json::Value;
use tempfile::TempDir;

const SIZE: usize = 9_000_000;

fn body(seed: usize) -> Vec<u8> {
    let byte = |index: usize| (index.wrapping_mul(2_654_435_761 + seed) >> 9).to_le_bytes()[0];
    (0..SIZE).map(byte).collect()
}

/// A folder with a manifest of two variants, and the server that has their weights.
struct Place {
    folder: TempDir,
    server: Server,
}

impl Place {
    fn new(script: &[Fault]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("www")).expect("made");
        for seed in 0..2 {
            fs::write(folder.path().join(format!("www/{seed}.pth")), body(seed)).expect("written");
        }
        let content = Content::Folder(folder.path().join("www"));
        let server = Server::start("127.0.0.1:0", content, script.to_vec()).expect("a port");
        let place = Self { folder, server };
        place.manifest(&place.server);
        place
    }

    /// Writes the manifest, with URLs of this server.
    fn manifest(&self, server: &Server) {
        let variant = |seed: usize| {
            let url = server.url(&format!("{seed}.pth"));
            let untagged = variant(&format!("Net_{seed}"), 18, &[("timm", &url, "pth")]);
            untagged.replace("licence", &format!("tags = [\"t{seed}\"]\nlicence"))
        };
        let text = format!("{SMALL}{}{}", variant(0), variant(1));
        fs::write(self.path("zoo.toml"), text).expect("written");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn zoo(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
        format!("{out}{err}")
    }

    fn json(&self, arguments: &[&str], code: i32) -> Vec<Value> {
        let output = self.run(arguments);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}\n{}",
            text(&output.stderr)
        );
        let values = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
        values.map(|value| value.expect("JSON")).collect()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program starts")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zoo"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("ZOO_CACHE", self.path("cache"))
            .env("HF_TOKEN", "hf_never_shown")
            .env_remove("ZOO_MANIFEST")
            .env_remove("ZOO_MIRROR")
            .env_remove("NO_PROXY");
        command
    }

    fn published(&self, seed: usize) -> PathBuf {
        self.path("cache/sha256")
            .join(Digest::of(&body(seed)).to_string())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn fetching_tells_programs_of_every_event() {
    let place = Place::new(&[]);
    let plan = place.json(&["fetch", "all", "--dry-run", "--json"], 0);
    assert_eq!(
        (plan.len(), &plan[1]["action"], &plan[1]["bytes"]),
        (2, &"download".into(), &Value::Null)
    );
    assert_eq!(place.server.requests().len(), 0);
    assert!(!place.path("cache").exists(), "nothing was done");

    let events = place.json(&["fetch", "Net_*", "--json"], 0);
    let of = |name: &str| {
        events
            .iter()
            .filter(|event| event["event"] == name)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("asking").len(), 2);
    let done = of("done");
    assert_eq!(done.len(), 2);
    assert!(
        done.iter()
            .all(|done| done["newly_pinned"] == true && done["bytes"] == SIZE)
    );
    let last = of("progress").pop().expect("progress").clone();
    assert_eq!(
        (&last["all_bytes"], &last["all_total_bytes"]),
        (&(2 * SIZE).into(), &(2 * SIZE).into())
    );
    let requests = place.server.requests().len();
    let again = place.json(&["fetch", "all", "--json"], 0);
    assert!(
        again
            .iter()
            .all(|event| event["event"] == "done" && event["downloaded"] == false),
        "{again:?}"
    );
    assert_eq!(
        place.json(&["fetch", "all", "--dry-run", "--json"], 0)[0]["action"],
        "keep"
    );
    assert_eq!(place.server.requests().len(), requests);
}

#[test]
fn files_are_chosen_by_name_pattern_and_tag() {
    let place = Place::new(&[]);
    let chosen = |arguments: &[&str]| -> Vec<String> {
        let plan = place.json(&[&["fetch", "--dry-run", "--json"], arguments].concat(), 0);
        plan.iter()
            .map(|line| line["variant"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(chosen(&["Net_1"]), ["Net_1"]);
    assert_eq!(chosen(&["*_0", "Net_1"]), ["Net_0", "Net_1"]);
    assert_eq!(chosen(&["--tag", "t1"]), ["Net_1"]);
    assert_eq!(chosen(&["all", "--tag", "t0", "--source", "timm"]), ["Net_0"]);
    assert!(place.zoo(&["fetch", "Net_2"], 4).contains("did you mean"));
    place.zoo(&["fetch", "X*"], 4);
    place.zoo(&["fetch", "all", "--source", "paddle"], 4);
    place.zoo(&["fetch", "[", "--dry-run"], 2);
    place.zoo(&["fetch"], 2);
}

#[test]
fn damage_is_found_and_only_its_blocks_are_fetched_again() {
    let place = Place::new(&[]);
    place.zoo(&["fetch", "all"], 0);
    assert!(place.zoo(&["verify"], 0).contains("verified"));
    let mut bytes = body(1);
    bytes[5_000_000] ^= 1;
    fs::write(place.published(1), &bytes).expect("written");
    let told = place.zoo(&["verify"], 9);
    assert!(told.contains("wrong") && told.contains("--repair"), "{told}");
    let before = place.server.requests().len();
    assert!(place.zoo(&["verify", "--repair"], 0).contains("repaired"));
    let requests = place.server.requests()[before..].concat();
    assert!(requests.contains("range: bytes=4194304-8388607"), "{requests}");
    assert_eq!(place.server.requests().len(), before + 1);
    assert_eq!(fs::read(place.published(1)).expect("there"), body(1));
    place.zoo(&["verify", "--deep"], 0);
}

#[test]
fn a_mirror_serves_offline_machines_and_survives_a_bad_server() {
    let place = Place::new(&[]);
    place.zoo(&["mirror", "stick"], 7);
    place.zoo(&["fetch", "all"], 0);
    assert!(place.zoo(&["mirror", "stick"], 0).contains("copied"));
    assert!(place.zoo(&["mirror", "stick", "Net_0"], 0).contains("there"));
    fs::remove_dir_all(place.path("cache")).expect("removed");
    fs::remove_file(place.path("zoo.lock")).expect("removed");
    place.zoo(&["fetch", "all", "--offline"], 7);
    let told = place.zoo(&["fetch", "all", "--offline", "--mirror", "stick"], 0);
    assert!(told.contains("downloaded from stick/sha256/"), "{told}");

    fs::remove_dir_all(place.path("cache")).expect("removed");
    let script = [
        Fault::Status {
            code: 503,
            wait: None,
        },
        Fault::Truncate(1000),
        Fault::Reset(500_000),
        Fault::Good,
    ];
    let bad = Server::start(
        "127.0.0.1:0",
        Content::Folder(place.path("stick")),
        script.to_vec(),
    )
    .expect("a port");
    let told = place.zoo(&["fetch", "all", "-v", "--mirror", &bad.url("")], 0);
    assert!(told.contains("503") && !told.contains("hf_never_shown"), "{told}");
    assert_eq!(fs::read(place.published(0)).expect("there"), body(0));
}

#[test]
fn dead_and_changed_links_are_told_apart() {
    let place = Place::new(&[]);
    place.zoo(&["fetch", "all"], 0);
    assert!(place.zoo(&["links"], 0).contains("alive"));
    fs::write(place.path("www/0.pth"), b"short").expect("replaced");
    let told = place.zoo(&["links"], 6);
    assert!(told.contains("expected 9000000 bytes"), "{told}");
    fs::remove_file(place.path("www/0.pth")).expect("removed");
    let links = place.json(&["links", "--json"], 5);
    assert_eq!(
        (&links[0][0]["alive"], &links[0][1]["alive"]),
        (&false.into(), &true.into())
    );
}

#[test]
fn a_changed_file_is_pinned_only_when_that_is_accepted() {
    let place = Place::new(&[]);
    assert!(place.zoo(&["pin", "all"], 0).contains("new"));
    let text = fs::read_to_string(place.path("zoo.lock")).expect("a lock");
    let commented = text.replacen("[[artifact]]", "# Seen by hand.\n[[artifact]]", 1);
    fs::write(place.path("zoo.lock"), &commented).expect("written");
    let before = place.server.requests().len();
    assert!(place.zoo(&["pin", "all"], 0).contains("unchanged"));
    assert_eq!(place.server.requests().len(), before + 2, "asked, not downloaded");

    fs::write(place.path("www/0.pth"), &body(7)[..SIZE - 1]).expect("replaced");
    let told = place.zoo(&["pin", "all"], 6);
    assert!(
        told.contains("refused") && told.contains("someone else did"),
        "{told}"
    );
    assert_eq!(
        fs::read_to_string(place.path("zoo.lock")).expect("a lock"),
        commented
    );
    let told = place.zoo(&["pin", "all", "--accept-changed", "Net_0"], 0);
    assert!(
        told.contains("changed") && told.contains(&Digest::of(&body(0)).to_string()),
        "{told}"
    );
    let now = fs::read_to_string(place.path("zoo.lock")).expect("a lock");
    assert!(now.contains("# Seen by hand."), "{now}");
    assert!(
        now.contains(&Digest::of(&body(7)[..SIZE - 1]).to_string()),
        "{now}"
    );
    place.zoo(&["fetch", "all"], 0);
    place.zoo(&["verify", "--deep"], 0);
}

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
    assert!(told.contains("is gone") && told.contains("--gone"), "{told}");
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

#[test]
fn two_fetches_at_once_download_once() {
    let place = Arc::new(Place::new(&[]));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let place = Arc::clone(&place);
            std::thread::spawn(move || place.zoo(&["fetch", "all"], 0))
        })
        .collect();
    for thread in threads {
        thread.join().expect("fetched");
    }
    assert_eq!(place.server.requests().len(), 2, "each file was asked for once");
}

#[test]
fn secrets_of_mirrors_are_not_repeated() {
    let place = Place::new(&[]);
    place.zoo(&["fetch", "all"], 0);
    let address = place.server.address();
    let good = format!("http://user:sesame@{address}/?token=sesame");
    let bad = "xx://user:sesame@host/?token=sesame";
    let unread = "https://user:ses/sesame@host/";
    let no_scheme = "user:sesame@host/w";
    fs::remove_dir_all(place.path("cache")).expect("removed");
    let runs: &[(&[&str], i32)] = &[
        (&["fetch", "--help"], 0),
        (&["verify", "--help"], 0),
        (&["pin", "--help"], 0),
        (&["nightly", "--help"], 0),
        (&["fetch", "all", "-v"], 0),
        (&["fetch", "all", "--dry-run", "--json"], 0),
        (&["verify", "--repair"], 0),
        (&["mirror", &good], 5),
        (&["mirror", bad], 2),
        (&["fetch", "all", "--mirror", bad], 2),
        (&["fetch", "all", "--mirror", unread], 2),
        (&["fetch", "all", "--mirror", no_scheme], 2),
        (&["fetch", &good], 4),
        (&["eval", "-m", "Net_0", "--data", bad], 2),
        (&["eval", "-m", "Net_0", "--data", "s3://user:sesame@bucket/x"], 2),
    ];
    for (arguments, code) in runs {
        let output = place
            .command(arguments)
            .env("ZOO_MIRROR", &good)
            .env("ZOO_DATA", bad)
            .output()
            .expect("the program starts");
        let told = text(&output.stdout) + &text(&output.stderr);
        assert!(!told.contains("sesame"), "{arguments:?}: {told}");
        assert_eq!(output.status.code(), Some(*code), "{arguments:?}: {told}");
    }
    // A variable that makes no sense is told of without its value.
    for variable in [bad, unread, no_scheme] {
        let output = place
            .command(&["fetch", "all"])
            .env("ZOO_MIRROR", variable)
            .output();
        let output = output.expect("the program starts");
        let told = text(&output.stderr);
        assert!(
            output.status.code() == Some(2) && !told.contains("sesame"),
            "{told}"
        );
        assert!(told.contains("is no mirror"), "{told}");
    }
    for file in ["zoo.lock", "zoo.blocks"] {
        let text = fs::read_to_string(place.path(file)).expect("written");
        assert!(!text.contains("sesame"), "{file}");
    }
}

#[test]
fn a_server_that_is_not_there_is_told_of_once_and_missing_files_are_not_wrong() {
    let place = Place::new(&[]);
    let told = place.zoo(&["verify", "all"], 7);
    assert!(told.contains("error: 2 files are not downloaded"), "{told}");
    assert!(told.contains("`zoo fetch all` downloads"), "{told}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let variants: String = (0..5)
        .map(|seed| {
            let url = format!("http://{address}/{seed}.pth");
            variant(&format!("Net_{seed}"), 18, &[("timm", &url, "pth")])
        })
        .collect();
    fs::write(place.path("zoo.toml"), format!("{SMALL}{variants}")).expect("written");
    let told = place.zoo(&["fetch", "all"], 5);
    let errors: Vec<&str> = told.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 2, "{told}");
    assert!(errors[0].starts_with(&format!("error: {address}: ")), "{told}");
    assert!(errors[0].ends_with(": 5 files"), "{told}");
    assert_eq!(errors[1], "error: 5 of 5 files could not be fetched");
    for next in ["--offline --mirror", "HTTPS_PROXY", "zoo links"] {
        assert!(told.contains(next), "{next}: {told}");
    }
    assert_eq!(told.lines().count(), 3, "{told}");
}

#[test]
fn a_server_without_end_does_not_fill_the_disk() {
    let place = Place::new(&[Fault::Endless]);
    let told = place.zoo(&["fetch", "Net_0"], 5);
    assert!(told.contains("state its `bytes` in zoo.toml"), "{told}");
    let files = |name: &str| fs::read_dir(place.path(name)).map_or(0, Iterator::count);
    assert_eq!((files("cache/sha256"), files("cache/partial")), (0, 0));
}

#[test]
fn proxies_are_used_unless_told_not_to_and_their_password_is_not_shown() {
    let place = Place::new(&[]);
    place.zoo(&["fetch", "all"], 0);
    place.zoo(&["mirror", "stick"], 0);
    fs::remove_dir_all(place.path("cache")).expect("removed");
    let gone = Server::start("127.0.0.1:0", Content::Folder(place.path("none")), Vec::new()).expect("a port");
    let pins = fs::read_to_string(place.path("zoo.lock")).expect("pins");
    fs::write(
        place.path("zoo.lock"),
        pins.replace(&place.server.url(""), &gone.url("")),
    )
    .expect("written");
    place.manifest(&gone);
    // A server that is sent whole URLs hands out files as a proxy would.
    let proxy =
        Server::start("127.0.0.1:0", Content::Folder(place.path("stick")), Vec::new()).expect("a port");
    let address = format!("http://user:sesame@{}", proxy.address());
    let fetch = [
        "fetch",
        "all",
        "-v",
        "--retries",
        "1",
        "--mirror",
        "http://mirror.invalid/",
    ];
    let through = place
        .command(&fetch)
        .env("HTTP_PROXY", &address)
        .env("http_proxy", &address)
        .output();
    let through = through.expect("the program starts");
    let told = text(&through.stdout) + &text(&through.stderr);
    assert_eq!(through.status.code(), Some(0), "{told}");
    assert!(!told.contains("sesame"), "{told}");
    let seen = proxy.requests().concat();
    assert!(
        seen.contains("GET http://mirror.invalid/sha256/") && seen.contains("proxy-authorization: Basic"),
        "{seen}"
    );

    fs::remove_dir_all(place.path("cache")).expect("removed");
    let before = proxy.requests().len();
    let mut around = place.command(&fetch);
    around
        .env("HTTP_PROXY", &address)
        .env("http_proxy", &address)
        .env("NO_PROXY", "mirror.invalid");
    let around = around.output().expect("the program starts");
    assert_eq!(
        (around.status.code(), proxy.requests().len()),
        (Some(5), before),
        "{}",
        text(&around.stderr)
    );
    assert!(!text(&around.stderr).contains("sesame"));
}

//! The program keeps results and removes its temporary files when it is ended from outside, or by want of memory.
#![cfg(unix)]

mod common;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::Duration;

use common::{Place, SMALL, start, variant};
use faultd::{Content, Server};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// A program that is running in a folder, which also has its temporary files.
struct Running {
    place: Place,
    child: Child,
}

impl Running {
    fn start(place: Place, arguments: &[&str]) -> Self {
        fs::create_dir(place.path().join("tmp")).expect("made");
        let tmp = place.path().join("tmp");
        let child = start(place.command(arguments).env("TMPDIR", tmp));
        Self { place, child }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Waits until this is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&Place) -> bool) {
        common::until(&mut self.child, what, || is_so(&self.place));
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("sent");
    }

    fn end(&mut self) -> ExitStatus {
        self.child.wait().expect("it ended")
    }

    fn left(&self, folder: &str) -> Vec<String> {
        names(&self.path(folder))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Cells of this machine that take some time, each in a process of its own.
const BENCH: [&str; 9] = [
    "bench",
    "-m",
    "HRNet_W18_C",
    "--weights",
    "seeded:0",
    "--time",
    "60",
    "--threads",
    "1",
];

#[test]
fn a_bench_that_is_told_to_end_leaves_no_folder_no_process_and_no_record_of_it() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        // Whoever runs the tests may have had it ignored, and so it is.
        if is_ignored(signal) {
            let what = format!("ending a bench by {signal:?}");
            testkit::not_run("SIGNALS", &what, "whoever runs the tests ignores it");
            continue;
        }
        let mut running = Running::start(Place::new(), &BENCH);
        // The reference's answer lies there once the cell's process is about to measure.
        running.until("it measured", |place| {
            let folders = names(&place.path().join("tmp"));
            folders.iter().any(|folder| {
                names(&place.path().join("tmp").join(folder))
                    .iter()
                    .any(|name| name.ends_with(".npy"))
            })
        });
        let children = children(&running.child);
        assert_eq!(children.len(), 1, "the cell's process");
        running.signal(signal);
        assert_eq!(running.end().signal(), Some(signal.as_raw()));
        assert_eq!(running.left("tmp"), Vec::<String>::new(), "{signal:?}");
        assert!(
            !running.path("reports/records.jsonl").exists(),
            "an end from outside is no measurement"
        );
        assert!(children.iter().all(|pid| test_kill_process(*pid).is_err()));
    }
}

fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let bits = bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.is_some_and(|bits| bits >> (signal.as_raw() - 1) & 1 == 1)
}

/// The processes that it started, as Linux tells.
fn children(child: &Child) -> Vec<Pid> {
    let tasks = names(Path::new(&format!("/proc/{}/task", child.id())));
    let lists = tasks
        .iter()
        .filter_map(|task| fs::read_to_string(format!("/proc/{}/task/{task}/children", child.id())).ok());
    let text: String = lists.collect();
    let pids = text.split_whitespace().filter_map(|pid| pid.parse().ok());
    pids.filter_map(Pid::from_raw).collect()
}

/// A Python that says which process it is and waits, halted or not.
const WAITING: &str = r#"echo $$ > "${0%/peers/bin/python}/worker"
cp "$7" "$8"
while :; do sleep 1; done"#;

#[test]
fn a_race_that_is_told_to_end_takes_its_workers_and_models_along() {
    let place = Place::new();
    place.install_packages(&["mnn-3.6.1", "numpy-2.4.6"]);
    place.install_python(WAITING);
    let race = [
        "peers",
        "race",
        "-m",
        "HRNet_W18_C",
        "--threads",
        "1",
        "--peers",
        "mnn",
    ];
    let mut running = Running::start(
        place,
        &[&race[..], &["--weights", "seeded:0", "--out", "r.jsonl"]].concat(),
    );
    running.until("its worker started", |place| {
        fs::read_to_string(place.path().join("worker")).is_ok_and(|text| text.ends_with('\n'))
    });
    let worker = fs::read_to_string(running.path("worker")).expect("its number");
    let worker = Pid::from_raw(worker.trim().parse().expect("a number")).expect("a process");
    assert!(
        running
            .left("peers")
            .iter()
            .any(|name| name.starts_with("models-"))
    );
    running.signal(Signal::TERM);
    assert_eq!(running.end().signal(), Some(Signal::TERM.as_raw()));
    let left = running.left("peers");
    assert!(left.iter().all(|name| !name.starts_with("models-")), "{left:?}");
    assert!(!running.path("r.jsonl").exists());
    // It was killed before the program ended; the system may take a moment to bury it.
    while test_kill_process(worker).is_ok() && !is_dead(worker) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Returns `true` if a process has ended and only its number is left.
fn is_dead(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_none_or(|rest| rest.trim_start().starts_with('Z'))
}

#[test]
fn what_a_killed_run_left_goes_with_the_next() {
    let mut running = Running::start(Place::new(), &BENCH);
    running.until("it began", |place| {
        let folders = names(&place.path().join("tmp"));
        let in_use = |folder: &String| place.path().join("tmp").join(folder).join(".in-use").exists();
        folders.iter().any(in_use)
    });
    running.signal(Signal::KILL);
    running.end();
    let left = running.left("tmp");
    assert_eq!(left.len(), 1, "nobody can clear up after a kill");
    let place = running.place;
    fs::rename(place.path().join("tmp"), place.path().join("old")).expect("renamed");
    let old = place.path().join("old");
    let bench = [
        "bench",
        "--stage",
        "preprocess",
        "--time",
        "0",
        "--budget",
        "1s",
        "-q",
    ];
    place
        .zoo_with(&[("TMPDIR", old.to_str().expect("text"))], &bench)
        .good();
    assert_eq!(names(&old), Vec::<String>::new());
}

#[test]
fn a_signal_that_was_ignored_stays_ignored() {
    let place = Place::new();
    fs::create_dir(place.path().join("tmp")).expect("made");
    let script = format!("trap '' HUP; exec \"$0\" {}", BENCH.join(" "));
    let child = start(place.shell(&script).env("TMPDIR", place.path().join("tmp")));
    let mut running = Running { place, child };
    running.until("it began", |place| !names(&place.path().join("tmp")).is_empty());
    running.signal(Signal::HUP);
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        running.child.try_wait().expect("waits").is_none(),
        "as nohup has it"
    );
    running.signal(Signal::TERM);
    assert_eq!(running.end().signal(), Some(Signal::TERM.as_raw()));
}

/// Runs the program in a shell that gives it so many KiB of address space.
fn within(place: &Place, kib: usize, arguments: &str) -> (Option<i32>, String) {
    let output = place
        .shell(&format!("ulimit -v {kib}; exec \"$0\" {arguments}"))
        .env("RUST_BACKTRACE", "1")
        .output()
        .expect("the shell starts");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// An array of zeros that takes no room on the disk.
fn sparse(place: &Place, name: &str, side: usize) {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, {side}, {side}), }}");
    let padded = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(padded.len()).expect("short").to_le_bytes());
    bytes.extend(padded.as_bytes());
    let file = fs::File::create(place.path().join(name)).expect("made");
    std::io::Write::write_all(&mut &file, &bytes).expect("written");
    file.set_len((bytes.len() + 12 * side * side) as u64)
        .expect("set");
}

#[cfg(target_os = "linux")]
#[test]
fn an_array_that_no_network_here_can_take_is_refused_unread() {
    let place = Place::new();
    sparse(&place, "large.npy", 16_384);
    let infer = "infer -m HRNet_W18_C --weights seeded:0 --input large.npy --output o.npy";
    let (code, error) = within(&place, 4_000_000, infer);
    assert_eq!(code, Some(14), "{error}");
    assert!(
        error.contains("HRNet_W18_C on 1x3x16384x16384 in f32 needs at least ")
            && error.contains("are free here"),
        "{error}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn memory_that_cannot_be_had_on_the_way_is_an_exit_code_and_a_line() {
    let place = Place::new();
    sparse(&place, "small.npy", 64);
    // The maps of so small an image fit, half a gigabyte of weights does not.
    let infer = "infer -m HRNet_W64_C --weights seeded:0 --threads 1 --input small.npy --output o.npy";
    let (code, error) = within(&place, 450_000, infer);
    assert_eq!(code, Some(14), "{error}");
    assert!(error.contains("memory"), "{error}");
    assert!(!place.path().join("o.npy").exists());
}

#[test]
fn paths_that_are_not_text_mean_the_same_to_the_processes_of_cells() {
    let place = Place::new();
    let odd = |name: &[u8]| place.path().join(OsStr::from_bytes(name));
    let zoo = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command
            .arg("--manifest")
            .arg(odd(b"m\xff.toml"))
            .env("ZOO_CACHE", odd(b"c\xff"))
            .env("TMPDIR", odd(b"t\xff"));
        let output = command.output().expect("the program starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let (www, tmp) = (odd(b"www"), odd(b"t\xff"));
    for folder in [&www, &tmp] {
        fs::create_dir(folder).expect("made");
    }
    let server = Server::start("127.0.0.1:0", Content::Folder(www), Vec::new()).expect("a port");
    let network = variant(
        "odd",
        8,
        &[("timm", &server.url("odd.safetensors"), "safetensors")],
    );
    fs::write(odd(b"m\xff.toml"), format!("{SMALL}{network}")).expect("written");
    zoo(&[
        "export",
        "odd",
        "--weights",
        "seeded:1",
        "-o",
        "www/odd.safetensors",
    ]);
    zoo(&["fetch", "odd"]);
    zoo(&["bench", "--size", "32", "--time", "0", "--out", "r.jsonl"]);
    let records = fs::read_to_string(place.path().join("r.jsonl")).expect("records");
    assert!(
        records.contains("odd/f32") && records.contains("odd.safetensors") && !records.contains("\"error\""),
        "the fetched weights, not made-up ones: {records}"
    );
}

//! Fetching processes that are killed, that race, and that run out of room.

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Bench, body, fetcher, known, serve};
use faultd::Fault;
use registry::{Cache, Digest, FetchError, Lock, Silent};

const SIZE: usize = 400_000;
const URL: &str = "REGISTRY_TEST_URL";
const FOLDER: &str = "REGISTRY_TEST_FOLDER";

/// The work of a child process: fetches one file to a folder. Run as a test of its own it has nothing to do.
#[test]
fn child() {
    let (Ok(url), Ok(folder)) = (std::env::var(URL), std::env::var(FOLDER)) else {
        return;
    };
    let folder = Path::new(&folder);
    let artifact = common::artifact(&url, &known(&body(SIZE)));
    let mut lock = Lock::open(&folder.join("zoo.lock")).expect("a lock");
    let result = fetcher(Cache::new(folder.join("cache"))).fetch(&artifact, &mut lock, &Silent);
    std::process::exit(match result {
        Ok(_) => 0,
        Err(FetchError::Disk { .. }) => 8,
        Err(_) => 1,
    });
}

/// Starts a child; `shell` may set limits before it becomes the child.
fn start(bench: &Bench, shell: &str) -> Child {
    let program = std::env::current_exe().expect("this program");
    Command::new("sh")
        .args([
            "-c",
            &format!("{shell} exec \"$0\" --exact child"),
            &program.to_string_lossy(),
        ])
        .env(URL, &bench.artifact.url)
        .env(FOLDER, bench.folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child")
}

fn run(bench: &Bench, shell: &str) -> Option<i32> {
    start(bench, shell).wait().expect("a status").code()
}

/// Numbers that are spread evenly, the same in each run.
fn spread(index: u64, below: u64) -> u64 {
    (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) % below
}

#[cfg(unix)]
#[test]
fn a_process_killed_at_any_moment_leaves_a_download_that_goes_on() {
    let server = serve(&body(SIZE), &[Fault::Drip(1_500_000)]);
    let bench = Bench::of(&server, &known(&body(SIZE)));
    let path = bench.fetcher.cache.path(Digest::of(&body(SIZE)));
    let (mut killed, mut went_on) = (0, 0);
    for round in 0..400 {
        if killed == 50 {
            break;
        }
        let before = server.requests().len();
        let mut child = start(&bench, "");
        // Every other one is given the time to begin, however long that takes here: it has asked for something.
        while round % 2 == 0 && server.requests().len() == before {
            if child.try_wait().expect("a status").is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(5 + spread(round, 120)));
        child.kill().expect("kill -9");
        if child.wait().expect("a status").success() {
            std::fs::remove_file(&path).expect("it was done: once more");
            continue;
        }
        killed += 1;
        if !bench.published().is_empty() {
            // Published, and killed before it ended.
            std::fs::remove_file(&path).expect("removed");
        }
        went_on += usize::from(!bench.partials().is_empty());
    }
    assert_eq!(killed, 50);
    assert!(
        went_on > 10,
        "most were killed with something to go on with: {went_on}"
    );
    assert_eq!(run(&bench, ""), Some(0));
    assert_eq!((bench.published(), bench.partials().len()), (vec![path], 0));
}

#[cfg(unix)]
#[test]
fn a_killed_download_goes_on_where_it_was() {
    let server = serve(&body(SIZE), &[Fault::Drip(400_000)]);
    let bench = Bench::of(&server, &known(&body(SIZE)));
    let mut child = start(&bench, "");
    // Killed once each of the four connections has noted something.
    for _ in 0..500 {
        thread::sleep(Duration::from_millis(5));
        if server.requests().len() >= 4 {
            break;
        }
    }
    thread::sleep(Duration::from_millis(60));
    child.kill().expect("kill -9");
    child.wait().expect("a status");
    let before = server.requests().len();
    assert_eq!(run(&bench, ""), Some(0));
    let asked: u64 = server.requests()[before..]
        .iter()
        .map(|head| bytes_asked_for(head))
        .sum();
    assert!(
        asked < SIZE as u64 - 40_000,
        "asked for {asked} of {SIZE} bytes again"
    );
    assert_eq!(bench.published().len(), 1);
}

fn bytes_asked_for(head: &str) -> u64 {
    let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
    let (first, last) = range.and_then(|range| range.split_once('-')).expect("a part");
    let [first, last] = [first, last].map(|place| place.parse::<u64>().expect("a number"));
    last + 1 - first
}

#[cfg(unix)]
#[test]
fn of_two_processes_one_downloads_and_both_succeed() {
    for _ in 0..5 {
        let server = serve(&body(SIZE), &[Fault::Drip(4_000_000)]);
        let bench = Bench::of(&server, &known(&body(SIZE)));
        let children: Vec<Child> = (0..3).map(|_| start(&bench, "")).collect();
        for mut child in children {
            assert!(child.wait().expect("a status").success());
        }
        assert_eq!(
            server.requests().len(),
            SIZE.div_ceil(1 << 16),
            "each part was asked for once"
        );
        assert_eq!((bench.published().len(), bench.partials().len()), (1, 0));
    }
}

/// No file may grow beyond a limit, as on a full disk: writing fails in the middle of the download.
#[cfg(unix)]
#[test]
fn a_full_disk_keeps_what_came_and_the_next_run_goes_on() {
    let server = serve(&body(SIZE), &[]);
    let bench = Bench::of(&server, &known(&body(SIZE)));
    assert_eq!(run(&bench, "trap '' XFSZ; ulimit -f 200;"), Some(8));
    assert!(bench.published().is_empty());
    let registry::Plan::Download { kept, .. } = bench
        .fetcher
        .plan(&bench.artifact, &bench.lock())
        .expect("a plan")
    else {
        panic!("nothing is published")
    };
    assert!(kept > 0, "what came is kept");
    assert_eq!(run(&bench, ""), Some(0));
    assert_eq!((bench.published().len(), bench.partials().len()), (1, 0));
}

#[cfg(unix)]
#[test]
fn who_may_read_what_is_written_is_what_the_umask_says() {
    use std::os::unix::fs::PermissionsExt;
    for (umask, file, folder) in [
        ("077", 0o600, 0o700),
        ("027", 0o640, 0o750),
        ("022", 0o644, 0o755),
    ] {
        let server = serve(&body(SIZE), &[Fault::Drip(4_000_000)]);
        let bench = Bench::of(&server, &known(&body(SIZE)));
        assert_eq!(run(&bench, &format!("umask {umask};")), Some(0));
        let mut folders = vec![bench.path("cache")];
        let mut found = vec![bench.path("zoo.blocks")];
        while let Some(next) = folders.pop() {
            let mode = std::fs::metadata(&next).expect("there").permissions().mode() & 0o777;
            assert_eq!(mode, folder, "{}: {mode:o}", next.display());
            for entry in std::fs::read_dir(&next).expect("readable") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path)
                } else {
                    found.push(path)
                }
            }
        }
        // The published file and its blocks at least.
        assert!(found.len() >= 2, "{found:?}");
        for path in found {
            let mode = std::fs::metadata(&path).expect("there").permissions().mode() & 0o777;
            assert_eq!(mode, file, "{}: {mode:o}", path.display());
        }
    }
}

/// A disk that fills up while the download runs. Needs one that nobody misses: `ZOO_SMALL_DISK` names its folder.
#[test]
#[ignore = "needs a file system of a few MiB at ZOO_SMALL_DISK; `.ci/run` mounts one"]
fn a_disk_that_fills_up_on_the_way_keeps_what_came() {
    let disk = std::env::var_os("ZOO_SMALL_DISK").expect("ZOO_SMALL_DISK names a small file system");
    let disk = Path::new(&disk);
    let free = fs4::available_space(disk).expect("its free space");
    assert!(free < 64 << 20, "{free} bytes are free: too large to be filled");

    let server = serve(&body(SIZE), &vec![Fault::Drip(SIZE as u64 / 2); 8]);
    let mut bench = Bench::of(&server, &known(&body(SIZE)));
    bench.fetcher.cache = Cache::new(disk.join("cache"));
    let error = thread::scope(|scope| {
        let fetch = scope.spawn(|| bench.fetch().expect_err("the disk is full"));
        while server.requests().is_empty() {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(500));
        fill(&disk.join("ballast"));
        fetch.join().expect("an answer")
    });
    assert!(matches!(error, FetchError::Disk { .. }), "{error}");
    assert!(bench.published().is_empty());

    let refused = bench.fetch().expect_err("still full");
    assert!(matches!(refused, FetchError::Disk { .. }), "{refused}");
    std::fs::remove_file(disk.join("ballast")).expect("room again");
    let plan = bench
        .fetcher
        .plan(&bench.artifact, &bench.lock())
        .expect("a plan");
    assert!(
        matches!(plan, registry::Plan::Download { kept, .. } if kept > 0),
        "what came is kept: {plan:?}"
    );
    let again = serve(&body(SIZE), &[]);
    bench.artifact.url = again.url("weights.pdparams");
    bench.fetch().expect("fetched");
    assert_eq!((bench.published().len(), bench.partials().len()), (1, 0));
}

/// Writes until there is no room.
fn fill(ballast: &Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(ballast).expect("a file");
    for size in [1 << 16, 1 << 10, 1] {
        while file.write_all(&vec![7; size]).is_ok() {}
    }
}

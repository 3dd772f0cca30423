//! `cargo bench --bench fetch`: ten files over loopback, ours against `curl` and `sha256sum`, in turns.
//!
//! The server and each contender are processes of their own. Ours also makes every file durable before it publishes it,
//! which the others do not.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use faultd::{Content, Server};
use registry::{Artifact, Cache, Digest, Fetcher, Lock, Silent, Zoo};

const FILES: usize = 10;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["serve", folder] => serve(Path::new(folder)),
        ["fetch", folder] => fetch(Path::new(folder)),
        ["verify", folder, threads] => verify(Path::new(folder), threads.parse().expect("a number")),
        flags => compare(flags.contains(&"--test")),
    }
}

/// Serves a folder until this program's parent goes away.
fn serve(folder: &Path) {
    let content = Content::Folder(folder.to_owned());
    let server = Server::start("127.0.0.1:0", content, Vec::new()).expect("a port");
    say(&server.url(""));
    let _ = std::io::stdin().read_line(&mut String::new());
}

fn fetch(folder: &Path) {
    let zoo = zoo(folder);
    let results = Fetcher::new(Cache::new(folder.join("cache"))).fetch_all(
        &artifacts(&zoo),
        &mut lock(folder),
        &Silent,
    );
    for result in results {
        result.expect("fetched");
    }
    say(&peak().to_string());
}

fn verify(folder: &Path, threads: usize) {
    let zoo = zoo(folder);
    for result in Cache::new(folder.join("cache")).verify_all(&artifacts(&zoo), &lock(folder), true, threads)
    {
        result.expect("right").expect("there");
    }
    say(&peak().to_string());
}

fn zoo(folder: &Path) -> Zoo {
    let path = folder.join("zoo.toml");
    Zoo::parse(&fs::read_to_string(&path).expect("a manifest"), &path).expect("valid")
}

fn artifacts(zoo: &Zoo) -> Vec<&Artifact> {
    zoo.variants[0].artifacts.iter().collect()
}

fn lock(folder: &Path) -> Lock {
    Lock::open(&folder.join("zoo.lock")).expect("a lock")
}

/// The most memory this process has held, in KiB, where the system tells.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

fn say(text: &str) {
    writeln!(std::io::stdout(), "{text}").expect("standard output");
}

/// The file and the server that all contenders work on.
struct Field {
    folder: tempfile::TempDir,
    server: Child,
    url: String,
}

impl Field {
    fn new(bytes: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let www = folder.path().join("www");
        fs::create_dir(&www).expect("made");
        let mut sums = String::new();
        let mut weights = String::new();
        let mut server = Command::new(std::env::current_exe().expect("this program"));
        let mut server = server
            .arg("serve")
            .arg(&www)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a server");
        let mut url = String::new();
        let told = server.stdout.take().expect("its output");
        BufReader::new(told).read_line(&mut url).expect("its URL");
        let url = url.trim().to_owned();
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        for index in 0..FILES {
            let mut content = vec![0; bytes];
            for word in content.chunks_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
            }
            let digest = Digest::of(&content);
            fs::write(www.join(format!("{index}.pth")), &content).expect("written");
            sums += &format!("{digest}  {index}.pth\n");
            weights += &format!(
                "[[variant.weights]]\nid = \"s{index}\"\nurl = \"{url}{index}.pth\"\nformat = \"pth\"\nnaming = \"timm\"\n\
                 bytes = {bytes}\nsha256 = \"{digest}\"\n"
            );
        }
        let manifest = format!(
            "schema = 1\n[preprocess.p]\nresize_short = 256\ncrop = 224\ninterpolation = \"bilinear\"\n\
             mean = [0.5, 0.5, 0.5]\nstd = [0.2, 0.2, 0.2]\n[[variant]]\nname = \"V\"\nlicence = \"MIT\"\n\
             preprocess = \"p\"\nnetwork = {{ widths = [18, 36, 72, 144] }}\n{weights}"
        );
        fs::write(folder.path().join("zoo.toml"), manifest).expect("written");
        fs::write(folder.path().join("sums"), sums).expect("written");
        Self { folder, server, url }
    }

    /// Ours, from nothing; time and peak memory in KiB.
    fn ours(&self) -> (Duration, u64) {
        let _ = fs::remove_dir_all(self.folder.path().join("cache"));
        let _ = fs::remove_file(self.folder.path().join("zoo.lock"));
        let _ = fs::remove_file(self.folder.path().join("zoo.blocks"));
        self.itself(&["fetch"], &[])
    }

    fn itself(&self, before: &[&str], after: &[&str]) -> (Duration, u64) {
        let begun = Instant::now();
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let output = command
            .args(before)
            .arg(self.folder.path())
            .args(after)
            .output()
            .expect("runs");
        let time = begun.elapsed();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        (
            time,
            String::from_utf8_lossy(&output.stdout)
                .trim()
                .parse()
                .expect("KiB"),
        )
    }

    /// A shell command in an empty folder.
    fn shell(&self, command: &str) -> Duration {
        let folder = self.folder.path().join("theirs");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).expect("made");
        let begun = Instant::now();
        let status = Command::new("sh")
            .args(["-ec", command])
            .current_dir(&folder)
            .stdout(Stdio::null())
            .status();
        let time = begun.elapsed();
        assert!(status.is_ok_and(|status| status.success()), "{command}");
        time
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn compare(test: bool) {
    let has = |program, version| {
        let mut command = Command::new(program);
        command
            .arg(version)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    };
    if !has("curl", "--version") || !has("sha256sum", "--version") {
        say("curl and sha256sum are not here to compare with");
        return;
    }
    let (bytes, rounds) = if test { (1 << 20, 1) } else { (100 << 20, 5) };
    let field = Field::new(bytes);
    let all: Vec<String> = (0..FILES)
        .map(|index| format!("-O {}{index}.pth", field.url))
        .collect();
    let all = all.join(" ");
    let one_by_one = format!("curl -sS {all}; sha256sum -c ../sums");
    let parallel = format!("curl -sS -Z --no-progress-meter {all}; sha256sum -c ../sums");
    let mut rows: [(&str, Vec<Duration>); 7] = [
        ("ours, from nothing", Vec::new()),
        ("curl, then sha256sum", Vec::new()),
        ("curl in parallel, then sha256sum", Vec::new()),
        ("ours, all there", Vec::new()),
        ("ours, verify on one thread", Vec::new()),
        ("ours, verify on all cores", Vec::new()),
        ("openssl dgst -sha256", Vec::new()),
    ];
    let mut most = 0;
    for _ in 0..rounds {
        let (time, peak) = field.ours();
        most = most.max(peak);
        rows[0].1.push(time);
        rows[3].1.push(field.itself(&["fetch"], &[]).0);
        rows[4].1.push(field.itself(&["verify"], &["1"]).0);
        let cores = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .to_string();
        rows[5].1.push(field.itself(&["verify"], &[&cores]).0);
        rows[1].1.push(field.shell(&one_by_one));
        rows[2].1.push(field.shell(&parallel));
        if has("openssl", "version") {
            rows[6].1.push(field.shell("openssl dgst -sha256 ../www/*.pth"));
        }
    }
    let reference = median(&rows[1].1);
    say(&format!(
        "{FILES} files of {bytes} bytes over loopback, {rounds} rounds in turns"
    ));
    for (name, times) in rows.iter().filter(|(_, times)| !times.is_empty()) {
        let (least, middle) = (times.iter().min().copied().unwrap_or_default(), median(times));
        let speed = (FILES * bytes) as f64 / middle.as_secs_f64() / 1e6;
        let share = middle.as_secs_f64() / reference.as_secs_f64();
        say(&format!(
            "{name:<34} median {:>8.1} ms, least {:>8.1} ms, {speed:>7.0} MB/s, {share:.3} of curl and sha256sum",
            middle.as_secs_f64() * 1e3,
            least.as_secs_f64() * 1e3,
        ));
    }
    say(&format!(
        "most memory of ours, from nothing: {:.1} MiB",
        most as f64 / 1024.0
    ));
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

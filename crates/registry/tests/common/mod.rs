//! A manifest of one file, a cache to bring it to, and limits that suit tests.

#![allow(dead_code, reason = "each test program takes what it needs")]
#![allow(
    clippy::allow_attributes,
    reason = "none of these is unused in every test program"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use faultd::{Content, Fault, Server};
use registry::{
    Artifact, Cache, Digest, Event, FetchError, Fetched, Fetcher, Holding, Limits, Lock, Pin, Silent, Sizes,
    Watch, Zoo,
};
use tempfile::TempDir;

/// The beginning of a manifest that has one way to prepare photos.
pub const SMALL: &str = r#"schema = 1
[preprocess.p]
resize_short = 256
crop = 224
interpolation = "bilinear"
mean = [0.5, 0.5, 0.5]
std = [0.2, 0.2, 0.2]
"#;

/// A body of this size whose bytes all differ from their neighbours.
pub fn body(bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()[0])
        .collect()
}

pub fn serve(body: &[u8], script: &[Fault]) -> Server {
    Server::start("127.0.0.1:0", Content::Bytes(body.into()), script.to_vec()).expect("a port")
}

/// A folder with a cache and a lock, and a manifest of one variant whose weights are to be had at a URL.
pub struct Bench {
    pub folder: TempDir,
    pub artifact: Artifact,
    pub fetcher: Fetcher,
}

impl Bench {
    /// `known` is what the manifest says of the file, in TOML.
    pub fn new(url: &str, known: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(folder.path().join("cache"));
        Self {
            artifact: artifact(url, known),
            fetcher: fetcher(cache),
            folder,
        }
    }

    pub fn of(server: &Server, known: &str) -> Self {
        Self::new(&server.url("weights.pdparams"), known)
    }

    pub fn lock(&self) -> Lock {
        Lock::open(&self.folder.path().join("zoo.lock")).expect("a lock")
    }

    pub fn fetch(&self) -> Result<Fetched, FetchError> {
        self.fetcher.fetch(&self.artifact, &mut self.lock(), &Silent)
    }

    /// The published files: each must hold what its name says.
    pub fn published(&self) -> Vec<PathBuf> {
        let held = self.fetcher.cache.contents().expect("readable");
        let files: Vec<_> = held
            .into_iter()
            .filter(|file| file.kind == Holding::Weights)
            .collect();
        for file in &files {
            let bytes = fs::read(&file.path).expect("readable");
            assert_eq!(
                Some(Digest::of(&bytes)),
                file.digest(),
                "{} holds other bytes",
                file.path.display()
            );
        }
        files.into_iter().map(|file| file.path).collect()
    }

    pub fn partials(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.fetcher.cache.root().join("partial")) else {
            return Vec::new();
        };
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry
                .expect("readable")
                .file_name()
                .to_string_lossy()
                .into_owned()
        };
        entries.map(name).collect()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

pub fn fetcher(cache: Cache) -> Fetcher {
    let mut fetcher = Fetcher::new(cache);
    fetcher.limits = Limits {
        attempts: 3,
        pause: Duration::from_millis(1),
        longest_pause: Duration::from_secs(3),
        ..Limits::default()
    };
    fetcher.sizes = Sizes {
        segment: 1 << 16,
        block: 1 << 14,
        note: 1 << 12,
        progress: 1 << 20,
    };
    fetcher
}

pub fn artifact(url: &str, known: &str) -> Artifact {
    declared(&format!("url = \"{url}\""), known)
}

/// A weight source whose place is declared so.
pub fn declared(place: &str, known: &str) -> Artifact {
    let text = format!(
        r#"{SMALL}
[[variant]]
name = "V"
network = {{ widths = [18, 36, 72, 144] }}
preprocess = "p"
licence = "MIT"
[[variant.weights]]
id = "paddle"
{place}
format = "pdparams"
naming = "paddle"
{known}
"#
    );
    let zoo = Zoo::parse(&text, Path::new("zoo.toml")).expect("a manifest");
    zoo.variants[0].artifacts[0].clone()
}

/// The entry of a manifest that knows the whole digest.
pub fn known(body: &[u8]) -> String {
    format!("bytes = {}\nsha256 = \"{}\"", body.len(), Digest::of(body))
}

pub fn pin(body: &[u8]) -> Pin {
    Pin {
        bytes: body.len() as u64,
        sha256: Digest::of(body),
    }
}

/// Keeps the names of events, and the text of what failed.
#[derive(Clone, Default)]
pub struct Diary(pub Arc<Mutex<Vec<String>>>);

impl Diary {
    pub fn text(&self) -> String {
        self.0.lock().expect("a diary").join("\n")
    }
}

impl Watch for Diary {
    fn happened(&self, _file: usize, event: Event<'_>) {
        let line = match event {
            Event::Waiting => "waiting".into(),
            Event::Asking { source } => format!("asking {source}"),
            Event::Progress { .. } => return,
            Event::Retrying { error, pause } => format!("retrying in {} ms: {error}", pause.as_millis()),
            Event::SourceFailed { source, error } => format!("{source} failed: {error}"),
            Event::Done { result } => format!("done: {}", result.is_ok()),
        };
        self.0.lock().expect("a diary").push(line);
    }
}

//! Weights as a user handles them: fetch, verify, repair, mirror, pin, links and cache against a server on loopback.

#[path = "../common/mod.rs"]
mod common;

mod cache;
mod fetching;
mod hub;
mod mirrors;
mod trust;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use common::{SMALL, variant};
use faultd::{Content, Fault, Server};
use registry::Digest;
use serde_json::Value;

const SIZE: usize = 9_000_000;

fn body(seed: usize) -> Vec<u8> {
    let byte = |index: usize| (index.wrapping_mul(2_654_435_761 + seed) >> 9).to_le_bytes()[0];
    (0..SIZE).map(byte).collect()
}

/// A folder with a manifest of two variants, and the server that has their weights.
struct Place {
    place: common::Place,
    server: Server,
}

impl Place {
    fn new(script: &[Fault]) -> Self {
        let place = common::Place::new();
        let www = place.path().join("www");
        fs::create_dir(&www).expect("made");
        for seed in 0..2 {
            fs::write(www.join(format!("{seed}.pth")), body(seed)).expect("written");
        }
        let content = Content::Folder(www);
        let server = Server::start("127.0.0.1:0", content, script.to_vec()).expect("a port");
        let place = Self { place, server };
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
        self.place.path().join(name)
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
        let mut command = self.place.command(arguments);
        command
            .env("HF_TOKEN", "hf_never_shown")
            .env_remove("HTTPS_PROXY")
            .env_remove("ZOO_MIRROR");
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

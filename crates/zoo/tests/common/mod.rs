//! The program in a folder of its own.
#![allow(dead_code, reason = "each test uses a part of it")]

pub mod arrays;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// The beginning of a manifest whose networks see small photos.
pub const SMALL: &str = r#"schema = 1
extends = "nothing"
[preprocess.small]
resize_short = 36
crop = 32
interpolation = "bilinear"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"#;

/// A variant that sees small photos, by the width of its first branch, with the id, URL and format of its weights.
pub fn variant(name: &str, width: usize, weights: &[(&str, &str, &str)]) -> String {
    let widths = [1, 2, 4, 8].map(|times| times * width);
    let weights = weights.iter().map(|(id, url, format)| {
        format!(
            r#"[[variant.weights]]
id = "{id}"
url = "{url}"
format = "{format}"
naming = "timm"
"#
        )
    });
    let weights: String = weights.collect();
    format!(
        r#"[[variant]]
name = "{name}"
licence = "MIT"
preprocess = "small"
network = {{ widths = {widths:?} }}
{weights}"#
    )
}

/// A manifest of small networks, by name and width of the first branch, whose weights nobody has.
pub fn manifest(networks: &[(&str, usize)]) -> String {
    let variant = |(name, width): &(&str, usize)| {
        let url = format!("https://example.org/{name}.pth");
        variant(name, *width, &[("none", &url, "pth")])
    };
    let variants: String = networks.iter().map(variant).collect();
    format!("{SMALL}{variants}")
}

/// Writes a PNG of 50 x 40 pixels; the colour of each is asked for.
pub fn photo(path: &Path, colour: impl Fn(usize, usize) -> [u8; 3]) {
    let (width, height) = (50, 40);
    let pixels: Vec<u8> = (0..width * height)
        .flat_map(|i| colour(i % width, i / width))
        .collect();
    let file = std::fs::File::create(path).expect("made");
    let mut encoder = png::Encoder::new(file, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().expect("written");
    writer.write_image_data(&pixels).expect("written");
}

/// A folder with nothing in it but what the program puts there.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("written");
    }

    /// Runs the program here, with its cache here and no network behind its proxy.
    pub fn zoo(&self, arguments: &[&str]) -> Run {
        self.zoo_with(&[], arguments)
    }

    /// Runs a network on an array of this folder.
    pub fn infer(&self, model: &str, [input, output]: [&str; 2], more: &[&str]) -> Run {
        let fixed = ["infer", "--model", model, "--input", input, "--output", output];
        self.zoo(&[&fixed[..], more].concat())
    }

    /// Runs the program with these variables.
    pub fn zoo_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
        let output = self.command(arguments).envs(variables.iter().copied()).output();
        Run(output.expect("the program starts"))
    }

    /// Runs the program with a file as standard input.
    pub fn zoo_from(&self, input: &str, arguments: &[&str]) -> Run {
        let file = std::fs::File::open(input).expect("a file");
        let output = self.command(arguments).stdin(Stdio::from(file)).output();
        Run(output.expect("the program starts"))
    }

    /// The program with these arguments, to be run here.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.here(Command::new(env!("CARGO_BIN_EXE_zoo")));
        command.args(arguments);
        command
    }

    /// A shell that runs a script here, in which `$0` is the program.
    #[cfg(unix)]
    pub fn shell(&self, script: &str) -> Command {
        let mut shell = self.here(Command::new("/bin/sh"));
        shell.args(["-c", script, env!("CARGO_BIN_EXE_zoo")]);
        shell
    }

    /// A command in this folder, with the cache and the peers here.
    fn here(&self, mut command: Command) -> Command {
        command
            .current_dir(self.path())
            .env("ZOO_CACHE", self.path().join("cache"))
            .env("ZOO_PEERS", self.path().join("peers"))
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env_remove("ZOO_MANIFEST")
            .env_remove("ZOO_DATA")
            .env_remove("ZOO_MIRROR")
            .env_remove("HF_ENDPOINT")
            .env_remove("HF_TOKEN")
            .env_remove("NO_PROXY");
        command
    }

    /// Installs a shell script as the Python of peers. It finds the program in `$ZOO`.
    #[cfg(unix)]
    pub fn install_python(&self, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let folder = self.path().join("peers/bin");
        std::fs::create_dir_all(&folder).expect("made");
        let python = folder.join("python");
        let zoo = env!("CARGO_BIN_EXE_zoo");
        std::fs::write(&python, format!("#!/bin/sh\nZOO='{zoo}'\n{script}\n")).expect("written");
        std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).expect("set");
    }

    /// Makes these Python packages, such as `mnn-3.6.1`, look installed for peers.
    pub fn install_packages(&self, packages: &[&str]) {
        for package in packages {
            let name = format!("peers/lib/python3.11/site-packages/{package}.dist-info");
            std::fs::create_dir_all(self.path().join(name)).expect("made");
        }
    }

    /// Every file below this folder, as paths relative to it.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let path = path.strip_prefix(self.path()).expect("below");
                    found.push(path.display().to_string());
                }
            }
        }
        found.sort();
        found
    }
}

/// Starts a program whose output nobody reads.
pub fn start(command: &mut Command) -> Child {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.spawn().expect("the program starts")
}

/// Waits until this is so; the child must not end before.
pub fn until(child: &mut Child, what: &str, is_so: impl Fn() -> bool) {
    while !is_so() {
        let ended = child.try_wait().expect("waits");
        assert!(ended.is_none(), "it ended before {what}: {ended:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Kills a child that must not have ended.
pub fn kill(mut child: Child) {
    let ended = child.try_wait().expect("waits");
    assert!(ended.is_none(), "it ended before it could be killed: {ended:?}");
    child.kill().expect("killed");
    child.wait().expect("it ended");
}

/// A finished run.
pub struct Run(Output);

impl Run {
    pub fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).expect("UTF-8")
    }

    pub fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).expect("UTF-8")
    }

    /// The standard output of a run that succeeded.
    pub fn good(self) -> String {
        assert_eq!(self.0.status.code(), Some(0), "{}", self.stderr());
        self.stdout()
    }

    /// The standard error of a run that succeeded.
    pub fn said(self) -> String {
        let said = self.stderr();
        self.good();
        said
    }

    /// The standard error of a run that ended with this code.
    pub fn failed(self, code: i32) -> String {
        let stderr = self.stderr();
        assert_eq!(self.0.status.code(), Some(code), "{stderr}{}", self.stdout());
        stderr
    }

    pub fn json(self) -> Value {
        serde_json::from_str(&self.good()).expect("JSON")
    }
}

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::Peer;
use crate::context::Context;
use crate::{Exit, Failure};

/// The variable that names the environment's folder.
const FOLDER: &str = "ZOO_PEERS";

/// How the names of folders for models begin; the owner's process follows.
const MODELS: &str = "models-";

/// A Python virtual environment with the peers that were installed into it.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    root: PathBuf,
}

/// Whether a peer can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// With this version.
    Installed(String),
    /// These packages are not there.
    Lacks(Vec<&'static str>),
}

impl Environment {
    /// The environment that `ZOO_PEERS` names, else the one in the cache.
    #[expect(clippy::disallowed_methods, reason = "of all commands that may run a peer")]
    pub(crate) fn of(cx: &Context) -> Self {
        let named = std::env::var_os(FOLDER).filter(|name| !name.is_empty());
        Self::at(named.map_or_else(|| cx.cache().root().join("peers"), PathBuf::from))
    }

    pub(crate) fn at(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The environment's interpreter, whether it is there or not.
    pub(crate) fn python(&self) -> PathBuf {
        if cfg!(windows) {
            self.root.join("Scripts").join("python.exe")
        } else {
            self.root.join("bin").join("python")
        }
    }

    /// Whether a peer's packages are there, in whichever version.
    pub(crate) fn state(&self, peer: &Peer) -> State {
        let found = if self.python().exists() {
            self.packages()
        } else {
            BTreeMap::new()
        };
        let version = |name: &str| found.get(&normal(name));
        let lacking: Vec<&str> = peer
            .requires
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| version(name).is_none())
            .collect();
        match version(peer.requires[0].0) {
            Some(version) if lacking.is_empty() => State::Installed(version.clone()),
            _ => State::Lacks(lacking),
        }
    }

    pub(crate) fn has(&self, peer: &Peer) -> bool {
        matches!(self.state(peer), State::Installed(_))
    }

    /// A folder beside the peers for models, deleted when dropped: temporary folders are often memory, and models are
    /// large. Folders that killed runs left behind are deleted first.
    ///
    /// # Errors
    /// If the disk says no.
    pub(crate) fn folder(&self) -> Result<TempDir, Failure> {
        for left in folders(&self.root) {
            let name = left
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let owner = name
                .strip_prefix(MODELS)
                .and_then(|rest| rest.split('-').next()?.parse().ok());
            if owner.is_some_and(|pid| !is_running(pid)) {
                // Another run may be deleting it just now.
                let _ = fs::remove_dir_all(left);
            }
        }
        let prefix = format!("{MODELS}{}-", std::process::id());
        TempDir::with_prefix_in(prefix, &self.root).map_err(|error| Failure::file(&self.root, &error))
    }

    /// Versions of the installed packages, as pip leaves them beside the code.
    fn packages(&self) -> BTreeMap<String, String> {
        let libraries = folders(&self.root.join("lib"));
        let mut places: Vec<PathBuf> = libraries
            .iter()
            .map(|folder| folder.join("site-packages"))
            .collect();
        places.push(self.root.join("Lib").join("site-packages"));
        let names = places.iter().flat_map(|place| folders(place));
        names
            .filter_map(|path| {
                let name = path.file_name()?.to_str()?.strip_suffix(".dist-info")?.to_owned();
                let (package, version) = name.split_once('-')?;
                Some((normal(package), version.to_owned()))
            })
            .collect()
    }

    /// Makes the environment if it is not there.
    ///
    /// # Errors
    /// If there is no such Python, or it cannot make environments.
    pub(crate) fn create(&self, python: &OsStr) -> Result<(), Failure> {
        if self.python().exists() {
            return Ok(());
        }
        let mut command = Command::new(python);
        command.args(["-m", "venv"]).arg(&self.root);
        finish(command).map_err(|why| {
            Failure::new(
                Exit::Other,
                format!("{}: cannot make a Python environment: {why}", self.root.display()),
            )
            .help("it takes Python 3.11 or newer with its venv module; `--python FILE` names another one")
        })
    }

    /// Installs one peer's packages; what was there before stays.
    ///
    /// # Errors
    /// What pip said last.
    pub(crate) fn install(&self, peer: &Peer) -> Result<(), String> {
        let mut command = Command::new(self.python());
        // Only what is built already: a peer that has to be compiled is not the one that others run.
        command.args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
            "--quiet",
        ]);
        command.args(["--only-binary", ":all:"]);
        command.args(
            peer.requires
                .iter()
                .map(|(name, version)| format!("{name}=={version}")),
        );
        finish(command)
    }
}

/// What a folder holds; nothing if it cannot be read.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Whether a process may still be there.
#[cfg(unix)]
fn is_running(pid: i32) -> bool {
    let pid = rustix::process::Pid::from_raw(pid);
    pid.is_none_or(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn is_running(_: i32) -> bool {
    true
}

/// Runs a command to its end; the error is why it did not start, or the last lines of what it said.
fn finish(mut command: Command) -> Result<(), String> {
    let program = command.get_program().to_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines[lines.len().saturating_sub(3)..].join("; ");
    Err(format!("{}: {last}", output.status))
}

/// A package's name as folders have it, whatever its own spelling.
fn normal(name: &str) -> String {
    name.to_lowercase().replace(['-', '.'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::find;

    fn environment(packages: &[&str]) -> (TempDir, Environment) {
        let folder = tempfile::tempdir().expect("a folder");
        let environment = Environment::at(folder.path().to_owned());
        let bin = environment.python();
        fs::create_dir_all(bin.parent().expect("a folder")).expect("made");
        fs::write(bin, "").expect("written");
        for package in packages {
            let name = format!("lib/python3.11/site-packages/{package}.dist-info");
            fs::create_dir_all(folder.path().join(name)).expect("made");
        }
        (folder, environment)
    }

    #[test]
    fn a_peer_is_installed_once_all_its_packages_are() {
        let (_folder, environment) = environment(&["mnn-3.6.1", "numpy-2.4.6", "torch-2.15.0"]);
        let state = |name: &str| environment.state(find(name).expect(name));
        assert_eq!(
            state("mnn"),
            State::Installed("3.6.1".into()),
            "the folder's spelling is not the package's"
        );
        assert_eq!(state("torch"), State::Lacks(vec!["onnx"]));
        assert_eq!(state("ncnn"), State::Lacks(vec!["ncnn", "pnnx"]));
        let nowhere = Environment::at(environment.root().join("none"));
        assert_eq!(
            nowhere.state(find("mnn").expect("mnn")),
            State::Lacks(vec!["MNN", "numpy"])
        );
    }

    #[test]
    fn a_python_that_is_not_there_is_told_with_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let environment = Environment::at(folder.path().join("peers"));
        let failure = environment
            .create(OsStr::new("/no/such/python3"))
            .expect_err("no Python");
        assert!(failure.message.contains("/no/such/python3"), "{failure:?}");
        assert!(failure.help.expect("help").contains("--python"));
        assert!(!environment.root().exists());
    }

    #[cfg(unix)]
    #[test]
    fn folders_of_killed_runs_are_deleted_and_those_of_others_are_not() {
        let (_folder, environment) = environment(&[]);
        let root = environment.root().to_owned();
        // Process numbers end far below; this process lives.
        let [dead, living, foreign] = [
            format!("{MODELS}{}-x", i32::MAX),
            format!("{MODELS}{}-x", std::process::id()),
            "lib-x".into(),
        ]
        .map(|name| root.join(name));
        for folder in [&dead, &living, &foreign] {
            fs::create_dir(folder).expect("made");
        }
        let folder = environment.folder().expect("a folder");
        assert!(folder.path().is_dir() && living.is_dir() && foreign.is_dir() && !dead.exists());
    }

    #[cfg(unix)]
    #[test]
    fn what_pip_said_last_is_the_error() {
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            "echo one; echo two; echo three; echo ERROR: no such version >&2; exit 3",
        ]);
        let why = finish(command).expect_err("fails");
        assert!(
            why.contains("3") && why.ends_with("two; three; ERROR: no such version"),
            "{why}"
        );
    }
}

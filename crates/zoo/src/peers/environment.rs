use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Peer;
use super::python::{Purpose, call};
use crate::context::Context;
use crate::lines::LastLines;
use crate::scratch::Scratch;
use crate::{Exit, Failure, ending};

/// The variable that names the environment's folder.
const FOLDER: &str = "ZOO_PEERS";

/// Prefix of folder names for models.
const MODELS: &str = "models-";

/// Prefix of folder names for installations in progress.
const INSTALLING: &str = "installing-";

/// A Python virtual environment with the peers that were installed into it.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    root: PathBuf,
}

/// The state of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Installed, with this version.
    Installed(String),
    /// Not installed: these packages are missing.
    Lacks(Vec<&'static str>),
}

impl Environment {
    /// Returns the environment in the folder `ZOO_PEERS`, else the one in the cache.
    #[expect(clippy::disallowed_methods, reason = "of all commands that may run a peer")]
    pub(crate) fn of(cx: &Context) -> Self {
        let named = std::env::var_os(FOLDER).filter(|name| !name.is_empty());
        Self::at(named.map_or_else(|| cx.cache().root().join("peers"), PathBuf::from))
    }

    pub(crate) fn at(root: PathBuf) -> Self {
        // Python works in folders of ours, from which a relative path would lead elsewhere.
        let root = std::path::absolute(&root).unwrap_or(root);
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path of the environment's interpreter, whether it exists or not.
    pub(crate) fn python(&self) -> PathBuf {
        if cfg!(windows) {
            self.root.join("Scripts").join("python.exe")
        } else {
            self.root.join("bin").join("python")
        }
    }

    /// Returns whether a peer's packages are installed, in any version.
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

    /// Creates a folder for models beside the peers: temporary folders are often in memory, and models are large.
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub(crate) fn folder(&self) -> Result<Scratch, Failure> {
        Scratch::within(&self.root, MODELS)
    }

    /// Returns the versions of the installed packages, as pip records them beside the code.
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

    /// Creates the environment if it does not exist.
    ///
    /// # Errors
    /// If there is no such Python, or it cannot create environments.
    pub(crate) fn create(&self, python: &OsStr) -> Result<(), Failure> {
        if self.python().exists() {
            return Ok(());
        }
        let folder = Scratch::new()?;
        let mut command = call(&program(python), folder.path(), Purpose::Install);
        command.args(["-m", "venv"]).arg(&self.root);
        let made = finish(command).and_then(|()| match self.python().exists() {
            true => Ok(()),
            false => Err(format!("it made no {}", self.python().display())),
        });
        made.map_err(|why| {
            Failure::new(
                Exit::Other,
                format!("{}: cannot make a Python environment: {why}", self.root.display()),
            )
            .help("it takes Python 3.11 or newer with its venv module; `--python FILE` names another one")
        })
    }

    /// Installs one peer's packages, each a file with a known SHA-256; packages installed before stay.
    ///
    /// # Errors
    /// The last lines of pip's output, or the packages that it did not install despite success.
    pub(crate) fn install(&self, peer: &Peer) -> Result<(), String> {
        // Unpacked wheels of PyTorch are larger than many a temporary folder.
        let folder = Scratch::within(&self.root, INSTALLING).map_err(|failure| failure.message)?;
        let list = folder.path().join("requirements.txt");
        ::files::write(&list, peer.packages.as_bytes())
            .map_err(|error| format!("{}: {error}", list.display()))?;
        finish(pip(&self.python(), folder.path(), &list))?;
        self.lacks_after_install(peer)
    }

    /// Checks that pip installed the packages: another program of that name, or settings of the machine, may have put them
    /// elsewhere.
    fn lacks_after_install(&self, peer: &Peer) -> Result<(), String> {
        let found = self.packages();
        let wrong = peer.requires.iter().filter_map(|(name, version)| {
            let here = found.get(&normal(name)).map(String::as_str);
            let is = here.map_or("none".to_owned(), |here| format!("{name} {here}"));
            (here != Some(version)).then(|| format!("{name} {version} expected, {is} found"))
        });
        let wrong: Vec<String> = wrong.collect();
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(format!(
                "pip ended without an error, and {} has not what it was asked for: {}",
                self.root.display(),
                wrong.join("; ")
            )),
        }
    }
}

/// Returns the pip command that installs exactly the packages of a list.
fn pip(python: &Path, folder: &Path, list: &Path) -> Command {
    let mut command = call(python.as_os_str(), folder, Purpose::Install);
    command.args([
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
    ]);
    // Only what is built already: a peer that has to be compiled is not the one that others run.
    command.args(["--quiet", "--only-binary", ":all:"]);
    // Wherever files come from, they are those that this program names.
    command.args(["--require-hashes", "--requirement"]).arg(list);
    command
}

/// Returns a program named by the user for a call from another folder: a bare name is searched on the path, a relative path
/// starts at the user's folder.
fn program(name: &OsStr) -> OsString {
    let path = Path::new(name);
    match path.components().count() {
        0 | 1 if !path.is_absolute() => name.to_owned(),
        _ => std::path::absolute(path).map_or(name.to_owned(), PathBuf::into_os_string),
    }
}

/// Returns the subfolders of a folder; none if it cannot be read.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Runs a command to its end; the error is the reason why it did not start, or the last lines of its output.
fn finish(mut command: Command) -> Result<(), String> {
    let program = command.get_program().to_owned();
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let (mut child, entry) = ending::child(ending::Kind::Group, || command.spawn())
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let mut said = [
        LastLines::of(child.stdout.take().expect("piped")),
        LastLines::of(child.stderr.take().expect("piped")),
    ];
    let status = child.wait();
    drop(entry);
    let status = status.map_err(|error| format!("{}: {error}", program.display()))?;
    if status.success() {
        return Ok(());
    }
    said.iter_mut().for_each(LastLines::wait);
    let lines: Vec<String> = said.iter().flat_map(LastLines::texts).collect();
    let last = lines[lines.len().saturating_sub(3)..].join("; ");
    Err(format!("{status}: {last}"))
}

/// Normalizes a package's name to the form of folder names.
fn normal(name: &str) -> String {
    name.to_lowercase().replace(['-', '.'], "_")
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

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

    #[test]
    fn pip_installs_only_files_whose_digests_are_known() {
        let command = pip(
            Path::new("/p/bin/python"),
            Path::new("/f"),
            Path::new("/f/list.txt"),
        );
        let arguments: Vec<&str> = command.get_args().filter_map(OsStr::to_str).collect();
        assert_eq!(
            arguments.join(" "),
            "-I -m pip install --disable-pip-version-check --no-input --quiet --only-binary :all: \
             --require-hashes --requirement /f/list.txt"
        );
        assert_eq!(command.get_current_dir(), Some(Path::new("/f")));
    }

    #[test]
    fn a_peer_is_installed_in_the_version_that_was_asked_for_or_not_at_all() {
        let mnn = find("mnn").expect("mnn");
        let [(_, version), (_, numpy)] = mnn.requires else {
            panic!("{:?}", mnn.requires)
        };
        let (_folder, right) = environment(&[&format!("mnn-{version}"), &format!("numpy-{numpy}")]);
        assert_eq!(right.lacks_after_install(mnn), Ok(()));
        let (_folder, other) = environment(&["mnn-0.1"]);
        let why = other.lacks_after_install(mnn).expect_err("another version");
        assert!(
            why.contains(&format!("MNN {version} expected, MNN 0.1 found"))
                && why.contains(&format!("numpy {numpy} expected, none found")),
            "{why}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_python_is_found_where_the_user_named_it() {
        let here = std::env::current_dir().expect("a folder");
        assert_eq!(program(OsStr::new("python3")), "python3");
        assert_eq!(program(OsStr::new("/opt/python3")), "/opt/python3");
        assert_eq!(
            PathBuf::from(program(OsStr::new("./python3"))),
            here.join("python3")
        );
        assert_eq!(
            PathBuf::from(program(OsStr::new("env/bin/python3"))),
            here.join("env/bin/python3")
        );
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

//! Calls of Python without code, settings or secrets of the caller.
//!
//! Each call is isolated (`-I` ignores the current folder, `PYTHON*` variables and the user's own packages), runs in a folder
//! of ours, and sees a short list of the caller's variables: those that a program needs to find its home, its language and its
//! tools, and the unit that oneDNN is held to. No token or key is on the list.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

/// Variables for paths and for the encoding of text.
const COMMON: &[&str] = &[
    "HOME",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LOGNAME",
    "PATH",
    "TZ",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    // Without these Windows starts hardly any program.
    "APPDATA",
    "COMSPEC",
    "LOCALAPPDATA",
    "NUMBER_OF_PROCESSORS",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "USERPROFILE",
    "WINDIR",
];

/// Variables for the sources of packages; downloads are checked against digests.
const DOWNLOADS: &[&str] = &[
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_INDEX_URL",
    "PIP_NO_INDEX",
    "PIP_PROXY",
    "PIP_RETRIES",
    "PIP_TIMEOUT",
    "PIP_TRUSTED_HOST",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// The best vector unit that oneDNN may use, in OpenVINO and PyTorch: for races on the units of other CPUs.
const UNITS: &[&str] = &["ONEDNN_MAX_CPU_ISA"];

/// The purpose of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To compute, without a network.
    Compute,
    /// To install packages.
    Install,
}

/// Returns an isolated call of this Python in this folder, which also takes its temporary files.
#[expect(
    clippy::disallowed_methods,
    reason = "no setting is read: it is what a child may see"
)]
pub(super) fn call(python: &OsStr, folder: &Path, purpose: Purpose) -> Command {
    let mut command = Command::new(python);
    command
        .arg("-I")
        .env_clear()
        .envs(environment(std::env::vars_os(), purpose))
        .current_dir(folder);
    for name in ["TMPDIR", "TEMP", "TMP"] {
        command.env(name, folder);
    }
    command
}

/// Returns the variables that a call sees.
fn environment(
    all: impl IntoIterator<Item = (OsString, OsString)>,
    purpose: Purpose,
) -> Vec<(OsString, OsString)> {
    let of_purpose = match purpose {
        Purpose::Compute => UNITS,
        Purpose::Install => DOWNLOADS,
    };
    let named = |list: &[&str], name: &OsStr| list.iter().any(|known| is_same(name, known));
    all.into_iter()
        .filter(|(name, _)| named(COMMON, name) || named(of_purpose, name))
        .map(|(name, value)| match is_same(&name, "PATH") {
            true => (name, absolute(&value)),
            false => (name, value),
        })
        .collect()
}

/// Returns whether names of variables are the same to the system.
fn is_same(name: &OsStr, known: &str) -> bool {
    match cfg!(windows) {
        true => name.eq_ignore_ascii_case(known),
        false => name == known,
    }
}

/// Returns a search path without entries that depend on the current folder.
fn absolute(path: &OsStr) -> OsString {
    let entries = std::env::split_paths(path).filter(|entry| entry.is_absolute());
    std::env::join_paths(entries).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(given: &[(&str, &str)], purpose: Purpose) -> Vec<String> {
        let given = given.iter().map(|(name, value)| (name.into(), value.into()));
        let text = |(name, value): (OsString, OsString)| format!("{}={}", name.display(), value.display());
        environment(given, purpose).into_iter().map(text).collect()
    }

    #[test]
    fn python_sees_where_things_are_and_no_secrets_settings_or_code() {
        let secrets = [
            ("HF_TOKEN", "hf_1"),
            ("HUGGING_FACE_HUB_TOKEN", "hf_2"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
            ("AWS_SESSION_TOKEN", "c"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "d"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/keys.json"),
            ("GITHUB_TOKEN", "e"),
            ("OPENAI_API_KEY", "f"),
            ("ZOO_MIRROR", "https://user:word@host"),
            ("SSH_AUTH_SOCK", "/agent"),
        ];
        let code = [
            ("PYTHONPATH", "/evil"),
            ("PYTHONHOME", "/evil"),
            ("PYTHONSTARTUP", "/evil.py"),
            ("PYTHONINSPECT", "1"),
            ("PYTHONUSERBASE", "/evil"),
            ("LD_PRELOAD", "/evil.so"),
            ("LD_LIBRARY_PATH", "/evil"),
            ("DYLD_INSERT_LIBRARIES", "/evil"),
            ("CXX", "/evil"),
            ("PIP_TARGET", "/elsewhere"),
            ("PIP_REQUIREMENT", "more.txt"),
            ("PIP_PYTHON", "/evil"),
            ("PIP_CONFIG_FILE", "pip.conf"),
            ("PIP_REQUIRE_HASHES", "0"),
            ("VIRTUAL_ENV", "/other"),
        ];
        let wanted = [("HOME", "/home/u"), ("LANG", "C.UTF-8")];
        let given = [&secrets[..], &code[..], &wanted[..]].concat();
        let expected = ["HOME=/home/u", "LANG=C.UTF-8"];
        assert_eq!(seen(&given, Purpose::Compute), expected);
        assert_eq!(seen(&given, Purpose::Install), expected);
    }

    #[test]
    fn only_installing_sees_where_packages_come_from() {
        let given = [
            ("PIP_INDEX_URL", "https://packages.example.org/simple"),
            ("HTTPS_PROXY", "http://proxy:3128"),
        ];
        assert!(seen(&given, Purpose::Compute).is_empty());
        assert_eq!(seen(&given, Purpose::Install).len(), 2);
    }

    #[test]
    fn only_computing_sees_the_unit_that_peers_are_held_to() {
        let given = [("ONEDNN_MAX_CPU_ISA", "AVX2_VNNI")];
        assert_eq!(seen(&given, Purpose::Compute), ["ONEDNN_MAX_CPU_ISA=AVX2_VNNI"]);
        assert!(seen(&given, Purpose::Install).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn programs_are_not_looked_for_in_the_current_folder() {
        let path = [("PATH", ":/usr/bin:.:bin::/bin:")];
        assert_eq!(seen(&path, Purpose::Compute), ["PATH=/usr/bin:/bin"]);
        assert_eq!(seen(&[("PATH", ".")], Purpose::Compute), ["PATH="]);
    }

    #[cfg(unix)]
    #[test]
    fn a_call_is_isolated_and_works_in_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = call(OsStr::new("/bin/sh"), folder.path(), Purpose::Compute);
        let arguments: Vec<&OsStr> = command.get_args().collect();
        assert_eq!(arguments, ["-I"]);
        assert_eq!(command.get_current_dir(), Some(folder.path()));
        assert!(format!("{command:?}").contains("env -i"), "{command:?}");
        // What a child really gets; `env` takes `-I` for nothing it knows.
        command = call(OsStr::new("/usr/bin/env"), folder.path(), Purpose::Compute);
        let values: Vec<(&OsStr, Option<&OsStr>)> = command.get_envs().collect();
        let temporary = (OsStr::new("TMPDIR"), Some(folder.path().as_os_str()));
        assert!(values.contains(&temporary), "{values:?}");
        assert!(values.iter().all(|(name, _)| *name != "CARGO_MANIFEST_DIR"));
    }
}

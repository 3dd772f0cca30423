//! Tells the program what it was built from: compiler, profile and commit.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let compiler = output(&rustc, &["--version"]).unwrap_or_else(|| "unknown rustc".into());
    let target = env::var("TARGET").unwrap_or_default();
    let optimisation = env::var("PROFILE").unwrap_or_default();
    println!("cargo::rustc-env=ZOO_BUILD={compiler}, {target}, {optimisation}");

    let features =
        env::vars().filter_map(|(name, _)| Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase()));
    let features: Vec<String> = features.map(|name| name.replace('_', "-")).collect();
    println!("cargo::rustc-env=ZOO_FEATURES={}", features.join(","));

    // Outside a repository, as in a source archive, there is no commit to tell.
    if let Some(hash) = output("git", &["rev-parse", "HEAD"]) {
        // What a nightly itself writes is no change of the source. Git's notes of what it looked at stay as they are: they
        // would be newer than this run, and the next build would begin here again.
        let source = [
            "--no-optional-locks",
            "status",
            "--porcelain",
            "--",
            ":/",
            ":(top,exclude)reports",
        ];
        let dirty = output("git", &source).is_some_and(|changes| !changes.is_empty());
        println!("cargo::rustc-env=ZOO_COMMIT={hash}");
        println!("cargo::rustc-env=ZOO_DIRTY={dirty}");
        for file in ["HEAD", "index"] {
            watch(output("git", &["rev-parse", "--git-path", file]));
        }
    }
    watch(Some("..".to_owned()));
    watch(Some("../../zoo.toml".to_owned()));
}

/// Has Cargo run this again when a file changes. One that is not there counts as changed in each build.
fn watch(path: Option<String>) {
    if let Some(path) = path.filter(|path| Path::new(path).exists()) {
        println!("cargo::rerun-if-changed={path}");
    }
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

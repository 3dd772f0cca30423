use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::{Exit, Failure};

/// Runs this program itself.
///
/// # Errors
/// As [`run`] has them, for every code but 0.
pub(crate) fn run_self(arguments: &[String]) -> Result<String, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(Exit::Other, format!("this program's own file: {error}")))?;
    run(&program, arguments, &[0])
}

/// Runs a zoo program to its end, in a process of its own, and gives what it wrote to standard output.
///
/// # Errors
/// If it cannot be started, or ends with a code that is not among the `good` ones; the last lines that it wrote to
/// standard error are in the message.
pub(super) fn run(program: &Path, arguments: &[String], good: &[i32]) -> Result<String, Failure> {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            Failure::new(
                Exit::Usage,
                format!("{}: cannot be run: {error}", program.display()),
            )
            .help("--run takes two executables of this program: the old one, then the new one")
        })?;
    if status.code().is_none_or(|code| !good.contains(&code)) {
        let told = String::from_utf8_lossy(&stderr);
        let lines: Vec<&str> = told.lines().collect();
        let last = lines[lines.len().saturating_sub(5)..].join("\n");
        let what = format!("{} {}: {status}\n{last}", program.display(), arguments.join(" "));
        return Err(Failure::new(Exit::Other, what));
    }
    String::from_utf8(stdout)
        .map_err(|_| Failure::new(Exit::Other, format!("{} did not print UTF-8", program.display())))
}

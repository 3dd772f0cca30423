//! Zoo programs as processes of their own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::{Exit, Failure};

/// Runs this program itself and gives it `input` to read.
///
/// # Errors
/// As [`run`] has them, for every code but 0.
pub(crate) fn run_self(arguments: &[String], input: &str) -> Result<String, Failure> {
    run(&program()?, arguments, input, &[0])
}

/// This program's own file.
///
/// # Errors
/// If the system does not tell it.
pub(crate) fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::new(Exit::Other, format!("this program's own file: {error}")))
}

/// Runs a zoo program to its end, in a process of its own, and gives what it wrote to standard output.
///
/// # Errors
/// If it cannot be started, or ends with a code that is not among the `good` ones; the last lines that it wrote to
/// standard error are in the message.
pub(crate) fn run(
    program: &Path,
    arguments: &[String],
    input: &str,
    good: &[i32],
) -> Result<String, Failure> {
    let Output {
        status,
        stdout,
        stderr,
    } = output(program, arguments, input).map_err(|error| {
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

fn output(program: &Path, arguments: &[String], input: &str) -> std::io::Result<Output> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().expect("piped above");
    // A child that ends without reading has its reason in its code and on its standard error.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output()
}

/// Has the system end this process when the one that started it ends, where it can: what is measured for nobody would
/// disturb whoever measures next.
pub(crate) fn end_with_parent() {
    #[cfg(target_os = "linux")]
    {
        // Without it the process ends when it tells its answer to nobody.
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    }
}

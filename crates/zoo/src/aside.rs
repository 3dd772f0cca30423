//! Runs zoo programs in separate processes.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use crate::lines::LastLines;
use crate::{Exit, Failure, ending};

/// The largest output of a program, in bytes; a record of the longest measurement has about ten thousand.
const MOST: u64 = 64 << 20;

/// Lines of standard error that an error message repeats.
const REPEATED: usize = 5;

/// Runs this program in another process, with `input` on its standard input.
///
/// # Errors
/// As [`run`], for every exit code except 0.
pub(crate) fn run_self(arguments: &[OsString], input: &str) -> Result<String, Failure> {
    run(&program()?, arguments, input, &[0])
}

/// Returns the path of this program's file.
///
/// # Errors
/// If the system does not report it.
pub(crate) fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::new(Exit::Other, format!("this program's own file: {error}")))
}

/// Runs a zoo program to its end in a separate process and returns its standard output.
///
/// # Errors
/// If it cannot be started, or its exit code is not one of the `good` ones; the message holds the last lines of its standard
/// error.
pub(crate) fn run(
    program: &Path,
    arguments: &[OsString],
    input: &str,
    good: &[i32],
) -> Result<String, Failure> {
    let Output {
        status,
        printed,
        said,
    } = output(program, arguments, input).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("{}: cannot be run: {error}", program.display()),
        )
        .help("--run takes two executables of this program: the old one, then the new one")
    })?;
    if status.code().is_none_or(|code| !good.contains(&code)) {
        let last = said[said.len().saturating_sub(REPEATED)..].join("\n");
        let call: Vec<_> = arguments
            .iter()
            .map(|argument| argument.display().to_string())
            .collect();
        let what = format!(
            "{} {}: {}\n{last}",
            program.display(),
            call.join(" "),
            end(status)
        );
        return Err(Failure::new(Exit::Other, what));
    }
    if printed.len() as u64 > MOST {
        let what = format!("{} printed more than {MOST} bytes", program.display());
        return Err(Failure::new(Exit::Other, what));
    }
    String::from_utf8(printed)
        .map_err(|_| Failure::new(Exit::Other, format!("{} did not print UTF-8", program.display())))
}

/// Describes how a process ended.
fn end(status: ExitStatus) -> String {
    let meaning = Exit::ALL
        .iter()
        .find(|(exit, _)| Some(i32::from(exit.code())) == status.code());
    match meaning {
        Some((_, meaning)) => format!("{status}, {meaning}"),
        None if is_killed(status) => format!("{status}, perhaps for want of memory"),
        None => status.to_string(),
    }
}

#[cfg(unix)]
fn is_killed(status: ExitStatus) -> bool {
    let kill = rustix::process::Signal::KILL.as_raw();
    std::os::unix::process::ExitStatusExt::signal(&status) == Some(kill)
}

#[cfg(not(unix))]
fn is_killed(_: ExitStatus) -> bool {
    false
}

struct Output {
    status: ExitStatus,
    printed: Vec<u8>,
    /// The last lines on standard error.
    said: Vec<String>,
}

fn output(program: &Path, arguments: &[OsString], input: &str) -> io::Result<Output> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        // What a child says when it crashes becomes part of a record: the addresses of its code say nothing there.
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let (mut child, entry) = ending::child(ending::Kind::Zoo, || command.spawn())?;
    let mut said = LastLines::of(child.stderr.take().expect("piped above"));
    let mut stdin = child.stdin.take().expect("piped above");
    // A child that ends without reading has its reason in its code and on its standard error.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let mut printed = Vec::new();
    let stdout = child.stdout.take().expect("piped above");
    let read = stdout.take(MOST + 1).read_to_end(&mut printed);
    // One that goes on printing finds its pipe closed.
    let status = child.wait();
    drop(entry);
    said.wait();
    read?;
    Ok(Output {
        status: status?,
        printed,
        said: said.texts(),
    })
}

/// Makes the system end this process together with its parent, where it can, so that no orphan disturbs later measurements.
pub(crate) fn end_with_parent() {
    #[cfg(target_os = "linux")]
    {
        // Without it the process ends when it tells its answer to nobody.
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    }
}

//! `cargo run -p faultd -- DIR --plan FAULT …`: serves a folder as a failing server would.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use faultd::{Content, Fault, Server};

const USAGE: &str = "\
Serve a folder as a failing server would, to see what a client does

Usage: faultd [DIR] [--listen ADDRESS:PORT] [--plan FAULT]...

  DIR       the folder to serve [default: .]
  --listen  where to listen [default: 127.0.0.1:8731]
  --plan    what goes wrong with each request, one fault per option; the last one is for all that follow

Example, with a folder that `zoo mirror` made:
  cargo run -p faultd -- DIR --plan truncate=1000000 --plan status=503 --plan good
  zoo fetch all --mirror http://127.0.0.1:8731/
";

/// The command line.
struct Arguments {
    folder: PathBuf,
    listen: String,
    plan: Vec<Fault>,
}

impl Arguments {
    /// Reads the arguments; none if help is asked for.
    fn read(mut given: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut folder = None;
        let mut listen = "127.0.0.1:8731".to_owned();
        let mut plan = Vec::new();
        while let Some(argument) = given.next() {
            let mut value = || given.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "-h" | "--help" => return Ok(None),
                "--listen" => listen = value()?,
                "--plan" => plan.push(value()?.parse().map_err(|error| format!("--plan: {error}"))?),
                option if option.starts_with('-') => return Err(format!("unknown option `{option}`")),
                _ if folder.is_some() => {
                    return Err(format!("one folder is served, `{argument}` is a second one"));
                }
                _ => folder = Some(PathBuf::from(argument)),
            }
        }
        let folder = folder.unwrap_or_else(|| ".".into());
        match folder.is_dir() {
            true => Ok(Some(Self { folder, listen, plan })),
            false => Err(format!("{}: no such folder", folder.display())),
        }
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::read(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return print(&format!("{USAGE}\nFaults: {}\n", Fault::NAMES)),
        Err(why) => return fail(&why),
    };
    let content = Content::Folder(arguments.folder);
    let server = match Server::start(&arguments.listen, content, arguments.plan) {
        Ok(server) => server,
        Err(error) => return fail(&format!("{}: {error}", arguments.listen)),
    };
    print(&format!("{}\n", server.url("")));
    loop {
        std::thread::park();
    }
}

/// Writes to standard output, whose reader may have gone.
fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn fail(why: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {why}\n\n{USAGE}");
    ExitCode::from(2)
}

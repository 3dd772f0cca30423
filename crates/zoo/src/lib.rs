//! The command line of the zoo: [`run`] is the `zoo` program, [`mod@bench`] is shared by `zoo bench` and `cargo bench`.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod aside;
mod audit;
pub mod bench;
mod calibration;
mod cli;
mod cmd;
mod context;
mod counts;
mod ending;
mod eval;
mod exit;
mod fault;
mod files;
mod fitting;
mod hints;
mod lines;
mod memory;
mod model;
mod nodes;
mod notes;
mod npy;
mod output;
mod peers;
mod people;
mod photos;
mod scratch;
mod selector;
mod verdicts;
mod weight_file;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ContextValue;
use clap::{CommandFactory, FromArgMatches};

pub use exit::{Exit, Failure};

/// Runs the program with these arguments, the first of which is its own name, and returns its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed = command().try_get_matches_from(&arguments);
    let cli = match parsed.and_then(|matches| cli::Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        // Help and version are errors to clap too; their exit code is 0.
        Err(error) => {
            let error = discreet(hints::hinted(error, &command(), &arguments));
            return ExitCode::from(output::usage(&error, &arguments));
        }
    };
    kernels::end_in_words(
        "error: ",
        " became shorter while it was read: nothing was computed from it\n",
        Exit::Disk.code().into(),
    );
    fault::tell_in_a_line();
    ending::watch();
    let cx = context::Context::new(&cli.global);
    if cli.command.runs_networks() {
        cx.use_costs();
    }
    let result = cli.command.run(&cx);
    if cli.command.keeps_weights() {
        cx.remember();
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            cx.out.failure(&failure);
            ExitCode::from(failure.exit.code())
        }
    }
}

/// Removes passwords and signatures from what an error repeats of the command line or of a variable.
fn discreet(mut error: clap::Error) -> clap::Error {
    let words = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(word) => Some((kind, registry::without_secrets(word))),
        _ => None,
    });
    for (kind, word) in words.collect::<Vec<_>>() {
        error.insert(kind, ContextValue::String(word));
    }
    error
}

/// Returns the command line as clap knows it, for completions and the documentation test.
pub fn command() -> clap::Command {
    cmd::in_groups(cli::Cli::command())
}

use std::path::PathBuf;

use clap::{ArgAction, Args, ColorChoice, Parser};

use crate::Exit;
use crate::cmd::Command;

/// Fetch, check, run and benchmark every HRNet of the PaddleClas page.
#[derive(Debug, Parser)]
#[command(name = "zoo", version, after_help = after_help(), propagate_version = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every subcommand.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The manifest; without it `zoo.toml` in this folder, else the one built in
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "ZOO_MANIFEST",
        help_heading = "Global options"
    )]
    pub(crate) manifest: Option<PathBuf>,
    /// Where weights are kept; without it the platform's cache folder
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "ZOO_CACHE",
        help_heading = "Global options"
    )]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Never use the network
    #[arg(long, global = true, env = "ZOO_OFFLINE", help_heading = "Global options")]
    pub(crate) offline: bool,
    /// Say only what went wrong
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
    /// Say more
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet", help_heading = "Global options")]
    pub(crate) verbose: u8,
    /// Colours in the output
    #[arg(long, global = true, value_name = "WHEN", default_value_t = ColorChoice::Auto, help_heading = "Global options")]
    pub(crate) color: ColorChoice,
}

fn after_help() -> String {
    let mut text = String::from(
        "Examples:\n  \
         zoo list                                     every variant with its size and accuracy\n  \
         zoo fetch all                                bring and verify the weights\n  \
         zoo classify cat.jpg --model HRNet_W18_C     what is in a photo\n  \
         zoo bench -m 'HRNet_W*' -b 1,4               how fast on this machine\n  \
         zoo nightly --quick                          a report of all of it, without a network\n\n\
         Exit codes:\n    0  success\n",
    );
    for (exit, meaning) in Exit::ALL {
        text.push_str(&format!(" {:>3}  {meaning}\n", exit.code()));
    }
    text.push_str(
        "\nEnded by a signal (130 by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP in a shell's count) it ends its processes and \
         deletes its temporary folders; what was measured, answered or downloaded by then is kept.\n",
    );
    text
}

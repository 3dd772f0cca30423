use std::path::PathBuf;

use clap::{ArgAction, Args, ColorChoice, Parser};

use crate::Exit;
use crate::cmd::Command;

/// Download, verify, run, benchmark and export HRNet image classifiers on your CPU.
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
    /// The manifest of networks and weights [default: zoo.toml in this folder, else the built-in one]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "ZOO_MANIFEST",
        help_heading = "Global options"
    )]
    pub(crate) manifest: Option<PathBuf>,
    /// Allow the manifest to name weight files below this folder too, by absolute path; files below the manifest's own folder
    /// are always allowed
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "ZOO_WEIGHTS_DIR",
        help_heading = "Global options"
    )]
    pub(crate) weights_dir: Option<PathBuf>,
    /// The folder for downloaded weights [default: the system's cache folder; `zoo cache path` prints it]
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
    /// Print results, warnings and errors only
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
    /// Print more details
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "quiet", help_heading = "Global options")]
    pub(crate) verbose: u8,
    /// When to colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value_t = ColorChoice::Auto, help_heading = "Global options")]
    pub(crate) color: ColorChoice,
}

fn after_help() -> String {
    let mut text = String::from(
        "Examples:\n  \
         zoo list                                   every variant with its size and published accuracy\n  \
         zoo fetch HRNet_W18_C                      download its weights and verify them\n  \
         zoo classify cat.jpg --model HRNet_W18_C   the five most likely classes of a photo\n  \
         zoo bench -m HRNet_W18_C,HRNet_W32_C       how fast they are on this machine\n  \
         zoo pick --max-p90 50ms                    the most accurate network that is fast enough here\n  \
         zoo nightly --quick                        a report of all of it; needs no download\n\n\
         `zoo COMMAND --help` explains a command and its options.\n\n\
         Exit codes:\n   0  success\n",
    );
    for (exit, meaning) in Exit::ALL {
        text.push_str(&format!(" {:>3}  {meaning}\n", exit.code()));
    }
    text.push_str(
        "\nEnvironment:\n  \
         ZOO_ISA    the engine's unit: avx512, avx2, neon, portable, or amx, which is avx512 with AMX\n             \
         [default: the best one for each precision, as `zoo doctor` prints them]\n  \
         ZOO_PEERS  the Python environment of other engines, see `zoo peers`\n\n\
         Variables of options stand beside them, as [env: ZOO_CACHE=].\n\
         \nIf a signal ends it (a shell shows 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP), it first ends its processes and \
         deletes its temporary folders; what was measured, answered or downloaded by then is kept.\n",
    );
    text
}

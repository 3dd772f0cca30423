//! The subcommands, one file each.

mod add;
mod bench;
mod cache;
mod classify;
mod compare;
mod completions;
mod doctor;
mod eval;
mod export;
mod failures;
mod fetch;
mod fidelity;
mod files;
mod groups;
mod infer;
mod inspect;
mod links;
mod lint;
mod list;
mod man;
mod mirror;
mod net;
mod nightly;
mod peers;
mod pick;
mod pin;
mod pose;
mod preprocess;
mod profile;
mod progress;
mod quantize;
mod report;
mod show;
mod tune;
mod verify;

use clap::Subcommand;
pub(crate) use groups::in_groups;

use crate::Failure;
use crate::context::Context;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    List(list::List),
    Show(show::Show),
    Add(add::Add),
    Lint(lint::Lint),
    Fetch(fetch::Fetch),
    Verify(verify::Verify),
    Links(links::Links),
    Cache(cache::Cache),
    Mirror(mirror::Mirror),
    Pin(pin::Pin),
    Classify(classify::Classify),
    Pose(pose::Pose),
    Preprocess(preprocess::Preprocess),
    Infer(infer::Infer),
    Export(export::Export),
    Quantize(quantize::Quantize),
    Fidelity(fidelity::Fidelity),
    Inspect(inspect::Inspect),
    Eval(Box<eval::Eval>),
    Bench(bench::Bench),
    Compare(compare::Compare),
    Profile(profile::Profile),
    Tune(tune::Tune),
    Peers(peers::Peers),
    Report(report::Report),
    Pick(pick::Pick),
    Nightly(nightly::Nightly),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Command {
    /// Returns whether the command prepares networks, for which `zoo tune` may have timed layers.
    pub(crate) fn runs_networks(&self) -> bool {
        matches!(
            self,
            Self::Show(_)
                | Self::Classify(_)
                | Self::Pose(_)
                | Self::Infer(_)
                | Self::Fidelity(_)
                | Self::Eval(_)
                | Self::Bench(_)
                | Self::Compare(_)
                | Self::Profile(_)
                | Self::Peers(_)
                | Self::Nightly(_)
        )
    }

    /// Returns whether the command may add weights to the cache, or checks those that are there.
    pub(crate) fn keeps_weights(&self) -> bool {
        matches!(self, Self::Fetch(_) | Self::Verify(_) | Self::Pin(_))
    }

    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        match self {
            Self::List(command) => command.run(cx),
            Self::Show(command) => command.run(cx),
            Self::Add(command) => command.run(cx),
            Self::Lint(command) => command.run(cx),
            Self::Fetch(command) => command.run(cx),
            Self::Verify(command) => command.run(cx),
            Self::Links(command) => command.run(cx),
            Self::Cache(command) => command.run(cx),
            Self::Mirror(command) => command.run(cx),
            Self::Pin(command) => command.run(cx),
            Self::Classify(command) => command.run(cx),
            Self::Pose(command) => command.run(cx),
            Self::Preprocess(command) => command.run(cx),
            Self::Infer(command) => command.run(cx),
            Self::Export(command) => command.run(cx),
            Self::Quantize(command) => command.run(cx),
            Self::Fidelity(command) => command.run(cx),
            Self::Inspect(command) => command.run(cx),
            Self::Eval(command) => command.run(cx),
            Self::Bench(command) => command.run(cx),
            Self::Compare(command) => command.run(cx),
            Self::Profile(command) => command.run(cx),
            Self::Tune(command) => command.run(cx),
            Self::Peers(command) => command.run(cx),
            Self::Report(command) => command.run(cx),
            Self::Pick(command) => command.run(cx),
            Self::Nightly(command) => command.run(cx),
            Self::Doctor(command) => command.run(cx),
            Self::Completions(command) => command.run(cx),
            Self::Man(command) => command.run(cx),
        }
    }
}

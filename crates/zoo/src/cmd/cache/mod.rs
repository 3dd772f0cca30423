//! `zoo cache`: lists and cleans the cache.

mod clean;
mod ls;

use clap::{Args, Subcommand};
use harness::counted;

use super::files::Files;
use crate::context::Context;
use crate::{Exit, Failure};

/// List and clean up the cache of weights
///
/// All manifests share one cache folder: `zoo cache path` prints it, --cache-dir or ZOO_CACHE chooses another. It also holds
/// the engines of `zoo peers install` and the times of `zoo tune`.
#[derive(Debug, Args)]
#[command(after_help = "Which one to use:\n  \
    gc     unfinished downloads that nobody has touched for a week\n  \
    prune  weights that no manifest names any more\n  \
    clear  everything that can be downloaded or made again")]
pub(crate) struct Cache {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Ls(ls::Ls),
    /// Print the path of the cache, or the paths of variants' weights
    Path {
        #[command(flatten)]
        files: Files,
    },
    Gc(clean::Gc),
    Prune(clean::Prune),
    Clear(clean::Clear),
}

impl Cache {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        match &self.action {
            Action::Ls(command) => command.run(cx),
            Action::Path { files } => path(cx, files),
            Action::Gc(command) => command.run(cx),
            Action::Prune(command) => command.run(cx),
            Action::Clear(command) => command.run(cx),
        }
    }
}

fn path(cx: &Context, files: &Files) -> Result<(), Failure> {
    if files.is_empty() {
        return cx.out.path(cx.cache().root());
    }
    let chosen = files.choose(cx)?;
    let mut missing = Vec::new();
    for (variant, artifact) in &chosen {
        match cx.cached(artifact)? {
            Some(path) => cx.out.path(&path)?,
            None => {
                cx.out
                    .warn(&format!("{} {}: not in the cache", variant.name, artifact.id));
                missing.push(Exit::Missing);
            }
        }
    }
    match Exit::of_many(&missing, chosen.len()) {
        None => Ok(()),
        Some(exit) => {
            let (missing, chosen) = (missing.len(), counted(chosen.len(), "file"));
            let failure = Failure::new(exit, format!("missing from the cache: {missing} of {chosen}"));
            Err(failure.help("`zoo fetch` downloads them"))
        }
    }
}

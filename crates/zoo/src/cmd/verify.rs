use clap::Args;
use registry::{Artifact, FetchError, Verified};
use serde::Serialize;

use super::files::{File, Files};
use super::net::Net;
use super::progress::Teller;
use crate::context::Context;
use crate::{Exit, Failure};

/// Hold the cached weights against zoo.toml and zoo.lock
///
/// A file that looks as it did when it was last read and found right, by size, times and inode, is not read again
/// unless --deep asks for it.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    files: Files,
    /// Read every byte, whatever the files look like
    #[arg(long)]
    deep: bool,
    /// Fetch what is damaged again: only the damaged blocks, where their digests are known
    #[arg(long)]
    repair: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    net: Net,
}

#[derive(Serialize)]
struct Line<'a> {
    variant: &'a str,
    source: &'a str,
    path: Option<String>,
    state: &'static str,
    bytes: Option<u64>,
    sha256: Option<String>,
    error: Option<String>,
}

type Outcome = Result<Option<Verified>, FetchError>;

impl Verify {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let files = self.files.choose_or_all(cx)?;
        let artifacts: Vec<&Artifact> = files.iter().map(|(_, artifact)| *artifact).collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let lock = cx.lock()?;
        let mut outcomes = cx.cache().verify_all(&artifacts, &lock, self.deep, threads);
        let mut repaired = vec![false; files.len()];
        if self.repair {
            self.repair(cx, &files, &mut outcomes, &mut repaired)?;
        }
        // Without a choice it is about what is there.
        let listed = |outcome: &Outcome| !self.files.is_empty() || !matches!(outcome, Ok(None));
        let lines: Vec<Line<'_>> = std::iter::zip(&files, &outcomes)
            .zip(&repaired)
            .filter(|((_, outcome), _)| listed(outcome))
            .map(|(((variant, artifact), outcome), repaired)| {
                Line::new(&variant.name, artifact, outcome, *repaired)
            })
            .collect();
        self.tell(cx, &lines)?;
        let failures: Vec<Exit> = outcomes
            .iter()
            .filter(|outcome| listed(outcome))
            .filter_map(|outcome| match outcome {
                Ok(Some(_)) => None,
                Ok(None) => Some(Exit::Missing),
                Err(error) => Some(Exit::from(error)),
            })
            .collect();
        match Exit::of_many(&failures, lines.len()) {
            None => Ok(()),
            Some(exit) => {
                let message = format!("{} of {} files are not right", failures.len(), lines.len());
                let failure = Failure::new(exit, message);
                let help = "`zoo verify --repair` fetches what is damaged again";
                Err(if failures.contains(&Exit::Checksum) {
                    failure.help(help)
                } else {
                    failure
                })
            }
        }
    }

    /// Fetches what is damaged again.
    fn repair(
        &self,
        cx: &Context,
        files: &[File<'_>],
        outcomes: &mut [Outcome],
        repaired: &mut [bool],
    ) -> Result<(), Failure> {
        let is_damaged = |index: &usize| matches!(outcomes[*index], Err(FetchError::Mismatch { .. }));
        let damaged: Vec<usize> = (0..files.len()).filter(is_damaged).collect();
        let chosen: Vec<File<'_>> = damaged.iter().map(|index| files[*index]).collect();
        let artifacts: Vec<&Artifact> = chosen.iter().map(|(_, artifact)| *artifact).collect();
        let teller = Teller::new(cx, &chosen, false);
        let results = self
            .net
            .fetcher(cx)
            .fetch_all(&artifacts, &mut cx.lock()?, &teller);
        for (index, result) in std::iter::zip(damaged, results) {
            repaired[index] = result.is_ok();
            outcomes[index] = result.map(|fetched| Some(fetched.file));
        }
        Ok(())
    }

    fn tell(&self, cx: &Context, lines: &[Line]) -> Result<(), Failure> {
        if self.json {
            return cx.out.json(&lines);
        }
        for line in lines {
            let what = match (&line.error, &line.sha256) {
                (Some(error), _) => error.clone(),
                (None, Some(sha256)) => format!("sha256 {sha256}"),
                (None, None) => "not in the cache".into(),
            };
            cx.out.data(&format!(
                "{:<8}  {} {}: {what}",
                line.state, line.variant, line.source
            ))?;
        }
        if lines.is_empty() {
            cx.out.note("no weights are in the cache");
        }
        Ok(())
    }
}

impl<'a> Line<'a> {
    fn new(variant: &'a str, artifact: &'a Artifact, outcome: &Outcome, repaired: bool) -> Self {
        let file = outcome.as_ref().ok().and_then(Option::as_ref);
        let state = match outcome {
            Ok(Some(_)) if repaired => "repaired",
            Ok(Some(_)) => "verified",
            Ok(None) => "missing",
            Err(_) => "wrong",
        };
        Self {
            variant,
            source: &artifact.id,
            path: file.map(|file| file.path.display().to_string()),
            state,
            bytes: file.map(|file| file.pin.bytes),
            sha256: file.map(|file| file.pin.sha256.to_string()),
            error: outcome.as_ref().err().map(ToString::to_string),
        }
    }
}

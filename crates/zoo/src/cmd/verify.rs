use clap::Args;
use harness::counted;
use hrnet_zoo::CopyState;
use registry::{Artifact, FetchError, Known, Verified, Voucher};
use serde::Serialize;

use super::files::{File, Files};
use super::net::Net;
use super::progress::Teller;
use crate::context::Context;
use crate::{Exit, Failure};

/// Check cached weights against the checksums of zoo.toml and zoo.lock
///
/// A file that looks as it did when it was last read and found right, by size, times, device and inode, is not read again
/// unless --deep is given. Prepared copies are compared with the checksum noted when they were made; with --deep, or without a
/// note of yours, they are compared value by value with the file they were made from.
///
/// A file of your own of which neither zoo.toml nor zoo.lock has a digest is read, and printed as unpinned: `zoo fetch NAME`
/// pins its digest.
///
/// Without NAME, checks every file in the cache; an empty cache is not an error (exit code 0). With NAME or `all`, a file that
/// was not downloaded is an error: exit code 7 if that is the only one, otherwise 9.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    files: Files,
    /// Read every byte of every file
    #[arg(long)]
    deep: bool,
    /// Download damaged files again, only their damaged blocks if block checksums are known; make damaged prepared copies again
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
    /// True for the prepared copy.
    prepared: bool,
    path: Option<String>,
    state: &'static str,
    bytes: Option<u64>,
    sha256: Option<String>,
    /// Who vouches for a download's digest.
    vouched_by: Option<Voucher>,
    error: Option<String>,
    #[serde(skip)]
    exit: Option<Exit>,
}

/// Advice about damage.
const REPAIR: &str = "`zoo verify --repair` downloads damaged files and makes damaged prepared weights again; it never changes your own files";

/// The state of a file of the user's own that was read, and of which nothing is known to compare it with.
const UNPINNED: &str = "unpinned";

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
        let mut lines = Vec::new();
        for ((file, outcome), repaired) in std::iter::zip(&files, &outcomes).zip(&repaired) {
            // Without a choice it is about what is there.
            if !self.files.is_empty() || !matches!(outcome, Ok(None)) {
                lines.push(Line::of_file(*file, outcome, *repaired));
            }
            lines.extend(self.copy(cx, *file)?);
        }
        self.tell(cx, &lines)?;
        let failures: Vec<Exit> = lines.iter().filter_map(|line| line.exit).collect();
        match Exit::of_many(&failures, lines.len()) {
            None => Ok(()),
            Some(exit) => {
                let missing = failures.iter().filter(|exit| **exit == Exit::Missing).count();
                let wrong = failures.len() - missing;
                Err(match (wrong, missing) {
                    (0, missing) => Failure::new(exit, not_downloaded(missing)).help(format!(
                        "`zoo fetch {}` downloads what is missing",
                        self.files.arguments()
                    )),
                    (wrong, 0) => Failure::new(exit, are_wrong(wrong, lines.len())).help(REPAIR),
                    (wrong, missing) => {
                        let what = format!("{}; {}", are_wrong(wrong, lines.len()), not_downloaded(missing));
                        Failure::new(exit, what).help(REPAIR)
                    }
                })
            }
        }
    }

    /// Returns the line about the prepared copy of a file's weights, which is made again if it is wrong and --repair is given.
    fn copy<'a>(&self, cx: &Context, file: File<'a>) -> Result<Option<Line<'a>>, Failure> {
        let (variant, artifact) = file;
        let state = cx.door()?.check_copy(variant, artifact, self.deep)?;
        match state {
            CopyState::Wrong(_) if self.repair => {
                let again = cx
                    .door()?
                    .remake_copy(variant, artifact)
                    .unwrap_or_else(CopyState::Wrong);
                Ok(Line::of_copy(cx, file, again, true))
            }
            state => Ok(Line::of_copy(cx, file, state, false)),
        }
    }

    /// Downloads damaged files again.
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
        teller.end();
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
                (None, Some(sha256)) if line.state == UNPINNED => format!(
                    "sha256 {sha256} of your file; no digest is pinned to compare it with, and `zoo fetch {}` pins this one",
                    line.variant
                ),
                (None, Some(sha256)) => match line.vouched_by {
                    Some(Voucher::Publisher) => format!("sha256 {sha256}, stated by the publisher"),
                    _ => format!("sha256 {sha256}"),
                },
                (None, None) => "not in the cache".into(),
            };
            let prepared = if line.prepared { ", prepared" } else { "" };
            cx.out.data(&format!(
                "{:<8}  {} {}{prepared}: {what}",
                line.state, line.variant, line.source
            ))?;
        }
        if lines.is_empty() {
            cx.out.note(&format!(
                "nothing to check: no weights are in {}; `zoo fetch all` downloads them, and `zoo verify all` fails while any \
                 are missing",
                cx.cache().root().display()
            ));
        }
        Ok(())
    }
}

/// Returns `true` if neither zoo.toml nor zoo.lock says anything of the bytes of a file of the user's own.
fn is_unpinned(artifact: &Artifact, file: &Verified) -> bool {
    let is_unknown = artifact.known == Known::Nothing && artifact.bytes.is_none();
    artifact.local.is_some() && !file.pinned && is_unknown
}

fn are_wrong(wrong: usize, all: usize) -> String {
    let verb = if wrong == 1 { "is" } else { "are" };
    format!("{wrong} of {} {verb} not right", counted(all, "file"))
}

fn not_downloaded(missing: usize) -> String {
    let verb = if missing == 1 { "is" } else { "are" };
    format!("{} {verb} not downloaded", counted(missing, "file"))
}

impl<'a> Line<'a> {
    fn of_file((variant, artifact): File<'a>, outcome: &Outcome, repaired: bool) -> Self {
        let file = outcome.as_ref().ok().and_then(Option::as_ref);
        let (state, exit) = match outcome {
            Ok(Some(_)) if repaired => ("repaired", None),
            Ok(Some(file)) if is_unpinned(artifact, file) => (UNPINNED, None),
            Ok(Some(_)) => ("verified", None),
            Ok(None) => ("missing", Some(Exit::Missing)),
            Err(error) => ("wrong", Some(Exit::from(error))),
        };
        Self {
            variant: &variant.name,
            source: &artifact.id,
            prepared: false,
            path: file.map(|file| file.path.display().to_string()),
            state,
            bytes: file.map(|file| file.pin.bytes),
            sha256: file.map(|file| file.pin.sha256.to_string()),
            vouched_by: file.filter(|_| artifact.local.is_none()).map(|file| file.voucher),
            error: outcome.as_ref().err().map(ToString::to_string),
            exit,
        }
    }

    /// Returns the line about a prepared copy; `None` if there is no copy.
    fn of_copy(cx: &Context, file: File<'a>, copy: CopyState, repaired: bool) -> Option<Self> {
        let (variant, artifact) = file;
        let (state, sha256, failure) = match copy {
            CopyState::Missing if repaired => ("removed", None, None),
            CopyState::Missing => return None,
            CopyState::Right(sha256) if repaired => ("repaired", Some(sha256), None),
            CopyState::Right(sha256) => ("verified", Some(sha256), None),
            CopyState::Wrong(error) => ("wrong", None, Some(Failure::from(error))),
        };
        let path = cx.door().ok().and_then(|door| door.copy_path(artifact));
        let metadata = path
            .as_ref()
            .and_then(|path| std::fs::symlink_metadata(path).ok());
        Some(Self {
            variant: &variant.name,
            source: &artifact.id,
            prepared: true,
            bytes: metadata
                .filter(|_| sha256.is_some())
                .map(|metadata| metadata.len()),
            path: path.map(|path| path.display().to_string()),
            state,
            sha256: sha256.map(|sha256| sha256.to_string()),
            vouched_by: None,
            error: failure.as_ref().map(|failure| failure.message.clone()),
            exit: failure.map(|failure| failure.exit),
        })
    }
}

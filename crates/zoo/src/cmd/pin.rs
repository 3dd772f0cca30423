use std::collections::BTreeSet;

use clap::Args;
use harness::counted;
use registry::{Artifact, FetchError, Lock, Pin as Content, PinnedBy, probe};
use serde::Serialize;

use super::files::{File, Files};
use super::net::Net;
use super::progress::Teller;
use crate::context::Context;
use crate::{Exit, Failure};

/// Record in zoo.lock the checksum of what each URL holds now
///
/// Files that are not pinned yet are downloaded and pinned. For pinned files the server is asked for size and version; if one
/// of them changed or is not stated, the file is downloaded and compared. Bytes that differ from the pinned ones are refused
/// until --accept-changed names their variant: either the publisher replaced the file, or someone else did.
#[derive(Debug, Args)]
pub(crate) struct Pin {
    #[command(flatten)]
    files: Files,
    /// Pin the new bytes of this variant; repeatable
    #[arg(long, value_name = "NAME")]
    accept_changed: Vec<String>,
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
    url: &'a str,
    state: &'static str,
    old_sha256: Option<String>,
    sha256: Option<String>,
    bytes: Option<u64>,
    error: Option<String>,
}

/// The content of a URL; `None` if its server says that it did not change.
type Outcome = Option<Result<Content, FetchError>>;

impl Pin {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let files = self.files.choose(cx)?;
        let accepted = self.accepted(cx)?;
        if cx.offline {
            return Err(Failure::new(Exit::Usage, "pinning needs the network").help("drop --offline"));
        }
        let mut lock = cx.lock()?;
        // A lock of its own: nothing is pinned there that could refuse what comes.
        let scratch = tempfile::Builder::new().prefix("zoo-pin-").tempdir();
        let scratch = scratch.map_err(|error| Failure::file(&std::env::temp_dir(), &error))?;
        let mut found = Lock::open(&scratch.path().join("zoo.lock"))?;
        let outcomes = self.ask(cx, &files, &lock, &mut found)?;
        self.compare(cx, &files, &accepted, &mut lock, &found, &outcomes)
    }

    /// Returns the variants whose new bytes may be pinned.
    fn accepted<'a>(&self, cx: &'a Context) -> Result<BTreeSet<&'a str>, Failure> {
        let names = self.accept_changed.iter();
        names.map(|name| Ok(cx.variant(name)?.name.as_str())).collect()
    }

    /// Asks for the present content of each URL.
    fn ask(
        &self,
        cx: &Context,
        files: &[File<'_>],
        lock: &Lock,
        found: &mut Lock,
    ) -> Result<Vec<Outcome>, Failure> {
        let fetcher = self.net.fetcher(cx);
        let pinned = files.iter().map(|(_, artifact)| *artifact);
        let pinned: Vec<&Artifact> = pinned
            .filter(|artifact| lock.pin(&artifact.url).is_some())
            .collect();
        let links = probe(&pinned, lock, &fetcher, fetcher.files);
        let same: BTreeSet<String> = links
            .into_iter()
            .filter(|link| link.bytes.is_some() && link.etag.is_some() && link.first_etag.is_some())
            .filter(|link| link.alive && !link.has_drifted())
            .map(|link| link.url)
            .collect();
        let is_unsure = |(_, artifact): &&File<'_>| !same.contains(&artifact.url);
        let unsure: Vec<File<'_>> = files.iter().filter(is_unsure).copied().collect();
        let artifacts: Vec<&Artifact> = unsure.iter().map(|(_, artifact)| *artifact).collect();
        let teller = Teller::new(cx, &unsure, false);
        let mut results = fetcher.fetch_all(&artifacts, found, &teller).into_iter();
        teller.end();
        let outcome = |file: &File<'_>| {
            let result = if is_unsure(&file) { results.next() } else { None };
            result.map(|result| result.map(|fetched| fetched.file.pin))
        };
        Ok(files.iter().map(outcome).collect())
    }

    /// Pins the accepted contents and reports every file.
    fn compare(
        &self,
        cx: &Context,
        files: &[File<'_>],
        accepted: &BTreeSet<&str>,
        lock: &mut Lock,
        found: &Lock,
        outcomes: &[Outcome],
    ) -> Result<(), Failure> {
        let failed = |path: &std::path::Path, error| Failure::file(path, &error);
        let path = lock.path().to_owned();
        let (mut lines, mut failures) = (Vec::new(), Vec::new());
        for ((variant, artifact), outcome) in std::iter::zip(files, outcomes) {
            let old = lock.pin(&artifact.url);
            let accepted = accepted.contains(variant.name.as_str());
            let state = match (old, outcome) {
                (_, None) => "unchanged",
                (_, Some(Err(_))) => "failed",
                (None, Some(Ok(_))) => "new",
                (Some(old), Some(Ok(new))) if old == *new => "unchanged",
                (Some(_), Some(Ok(_))) if accepted => "changed",
                (Some(_), Some(Ok(_))) => "refused",
            };
            let (new, error) = match outcome {
                Some(Ok(new)) => (Some(*new), None),
                Some(Err(error)) => (None, Some(error)),
                None => (None, None),
            };
            if let Some(new) = new.filter(|_| matches!(state, "new" | "changed")) {
                let by = found.pinned_by(&artifact.url);
                lock.replace(&artifact.url, new, by.unwrap_or(PinnedBy::FirstDownload))
                    .map_err(|error| failed(&path, error))?;
            }
            failures.extend(error.map(Exit::from));
            failures.extend((state == "refused").then_some(Exit::Checksum));
            lines.push(Line {
                variant: &variant.name,
                source: &artifact.id,
                url: &artifact.url,
                state,
                old_sha256: old.map(|pin| pin.sha256.to_string()),
                sha256: new.or(old).map(|pin| pin.sha256.to_string()),
                bytes: new.or(old).map(|pin| pin.bytes),
                error: error.map(ToString::to_string),
            });
        }
        let refused = lines.iter().filter(|line| line.state == "refused").count();
        // Notes on bytes that were refused would hide what is known of those that are pinned.
        if refused == 0 && found.pins().next().is_some() {
            lock.take_notes(found).map_err(|error| failed(&path, error))?;
        }
        self.tell(cx, &lines)?;
        verdict(&failures, refused, files.len())
    }

    fn tell(&self, cx: &Context, lines: &[Line<'_>]) -> Result<(), Failure> {
        if self.json {
            return cx.out.json(&lines);
        }
        for line in lines {
            let name = format!("{:<9}  {} {}", line.state, line.variant, line.source);
            let digest = |digest: &Option<String>| digest.clone().unwrap_or_else(|| "nothing".into());
            let (was, is) = (digest(&line.old_sha256), digest(&line.sha256));
            cx.out.data(&match (line.state, &line.error) {
                (_, Some(error)) => format!("{name}: {error}"),
                ("refused" | "changed", None) => format!("{name}: was sha256 {was}, is now {is}"),
                _ => format!("{name}: sha256 {is}"),
            })?;
        }
        Ok(())
    }
}

fn verdict(failures: &[Exit], refused: usize, total: usize) -> Result<(), Failure> {
    let Some(exit) = Exit::of_many(failures, total) else {
        return Ok(());
    };
    if refused == 0 {
        return Err(Failure::new(
            exit,
            format!(
                "{} of {} could not be fetched",
                failures.len(),
                counted(total, "file")
            ),
        ));
    }
    let message = format!(
        "other bytes than those pinned: {refused} of {}",
        counted(total, "file")
    );
    Err(Failure::new(Exit::Checksum, message).help(
        "either the publisher replaced the file, or someone else did; `--accept-changed NAME` pins the new bytes",
    ))
}

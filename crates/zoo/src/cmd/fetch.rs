use clap::Args;
use harness::counted;
use registry::{Artifact, Fetcher, Plan};
use serde::Serialize;

use super::files::{File, Files};
use super::net::Net;
use super::progress::Teller;
use crate::context::Context;
use crate::{Exit, Failure};

/// Download weights into the cache and verify them
///
/// Files enter the cache only after their size and checksum match zoo.toml, zoo.lock or what Hugging Face states. A file whose
/// checksum nobody states is trusted at the first download. Each first download is pinned in zoo.lock. Interrupted downloads
/// resume. Files that zoo.toml names by `path` are checked and pinned where they are.
#[derive(Debug, Args)]
pub(crate) struct Fetch {
    #[command(flatten)]
    files: Files,
    /// Refuse files whose checksum neither zoo.lock nor zoo.toml states
    #[arg(long)]
    locked: bool,
    /// Print the plan and exit
    #[arg(long)]
    dry_run: bool,
    /// Print JSON, one line per event
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    net: Net,
}

/// The plan for one file.
#[derive(Serialize)]
struct PlanLine<'a> {
    event: &'static str,
    variant: &'a str,
    source: &'a str,
    url: &'a str,
    action: &'static str,
    bytes: Option<u64>,
    kept_bytes: u64,
    from: Vec<String>,
}

impl Fetch {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let files = self.files.choose(cx)?;
        let mut fetcher = self.net.fetcher(cx);
        fetcher.locked = self.locked;
        if self.dry_run {
            return self.plan(cx, &fetcher, &files);
        }
        let artifacts: Vec<&Artifact> = files.iter().map(|(_, artifact)| *artifact).collect();
        let teller = Teller::new(cx, &files, self.json);
        let results = fetcher.fetch_all(&artifacts, &mut cx.lock()?, &teller);
        let advice = teller.end();
        drop(teller);
        let failures: Vec<Exit> = results
            .iter()
            .filter_map(|result| result.as_ref().err().map(Exit::from))
            .collect();
        match Exit::of_many(&failures, files.len()) {
            None => Ok(()),
            Some(exit) => {
                let all = counted(files.len(), "file");
                let failure = Failure::new(exit, format!("{} of {all} could not be fetched", failures.len()));
                Err(Failure {
                    help: advice.map(str::to_owned),
                    ..failure
                })
            }
        }
    }

    fn plan(&self, cx: &Context, fetcher: &Fetcher, files: &[File<'_>]) -> Result<(), Failure> {
        let lock = cx.lock()?;
        for (variant, artifact) in files {
            let plan = fetcher.plan(artifact, &lock)?;
            let (action, bytes, kept_bytes, from) = match plan {
                Plan::Keep(pin) => ("keep", Some(pin.bytes), pin.bytes, Vec::new()),
                Plan::Absent => ("absent", None, 0, Vec::new()),
                Plan::Download { bytes, kept, sources } => ("download", bytes, kept, sources),
            };
            let line = PlanLine {
                event: "plan",
                variant: &variant.name,
                source: &artifact.id,
                url: &artifact.url,
                action,
                bytes,
                kept_bytes,
                from,
            };
            if self.json {
                cx.out.json_line(&line)?;
            } else {
                cx.out.data(&line.text())?;
            }
        }
        Ok(())
    }
}

impl PlanLine<'_> {
    fn text(&self) -> String {
        let bytes = self
            .bytes
            .map_or("unknown size".into(), |bytes| format!("{bytes} bytes"));
        let kept = match (self.action, self.kept_bytes) {
            ("download", kept) if kept > 0 => format!(", {kept} of them already here"),
            _ => String::new(),
        };
        let from = match self.from.as_slice() {
            [] => String::new(),
            from => format!(" from {}", from.join(", then ")),
        };
        format!(
            "{:<8}  {} {}: {bytes}{kept}{from}",
            self.action, self.variant, self.source
        )
    }
}

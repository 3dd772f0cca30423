use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use registry::{Artifact, FetchError, Fetched, NoProgress, Progress, Variant};
use serde::Serialize;

use crate::context::Context;
use crate::{Exit, Failure};

/// Bring weights into the cache and verify them
///
/// A file is published only once its size and digest are those that zoo.toml or zoo.lock state; what nobody vouches
/// for is pinned in zoo.lock at the first download.
#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// Variants, or `all`
    #[arg(required = true, value_name = "NAME|all")]
    names: Vec<String>,
    /// Take this weight source of each variant, or `all`; without it the first
    #[arg(long, value_name = "ID")]
    source: Option<String>,
    /// Take only what is pinned
    #[arg(long)]
    locked: bool,
    /// Print JSON, one line a file
    #[arg(long)]
    json: bool,
}

/// What became of one file.
#[derive(Serialize)]
struct Line<'a> {
    variant: &'a str,
    source: &'a str,
    url: &'a str,
    path: Option<String>,
    bytes: Option<u64>,
    sha256: Option<String>,
    downloaded: bool,
    newly_pinned: bool,
    error: Option<String>,
}

impl Fetch {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let files = self.files(cx)?;
        let mut lock = cx.lock()?;
        let mut fetcher = cx.fetcher();
        fetcher.locked = self.locked;
        let mut failures = Vec::new();
        for (variant, artifact) in &files {
            let bar = Bar::new(cx, &format!("{} {}", variant.name, artifact.id));
            let result = fetcher.fetch(variant, artifact, &mut lock, bar.progress());
            drop(bar);
            self.tell(cx, variant, artifact, &result)?;
            if let Err(error) = result {
                failures.push(Failure::from(error).exit);
            }
        }
        match Exit::of_many(&failures, files.len()) {
            None => Ok(()),
            Some(exit) => Err(Failure::new(
                exit,
                format!("{} of {} files are not there", failures.len(), files.len()),
            )),
        }
    }

    fn files<'a>(&self, cx: &'a Context) -> Result<Vec<(&'a Variant, &'a Artifact)>, Failure> {
        let mut files = Vec::new();
        for variant in cx.variants(&self.names)? {
            match self.source.as_deref() {
                None => files.push((variant, &variant.artifacts[0])),
                Some("all") => files.extend(variant.artifacts.iter().map(|artifact| (variant, artifact))),
                Some(id) => files.extend(variant.artifact(id).map(|artifact| (variant, artifact))),
            }
        }
        if files.is_empty() {
            let source = self.source.as_deref().unwrap_or_default();
            return Err(Failure::new(
                Exit::NotFound,
                format!("none of these variants has a weight source `{source}`"),
            ));
        }
        Ok(files)
    }

    fn tell(
        &self,
        cx: &Context,
        variant: &Variant,
        artifact: &Artifact,
        result: &Result<Fetched, FetchError>,
    ) -> Result<(), Failure> {
        if self.json {
            let fetched = result.as_ref().ok();
            return cx.out.json_line(&Line {
                variant: &variant.name,
                source: &artifact.id,
                url: &artifact.url,
                path: fetched.map(|fetched| fetched.file.path.display().to_string()),
                bytes: fetched.map(|fetched| fetched.file.pin.bytes),
                sha256: fetched.map(|fetched| fetched.file.pin.sha256.to_string()),
                downloaded: fetched.is_some_and(|fetched| fetched.downloaded),
                newly_pinned: fetched.is_some_and(|fetched| fetched.newly_pinned),
                error: result.as_ref().err().map(ToString::to_string),
            });
        }
        let name = format!("{} {}", variant.name, artifact.id);
        match result {
            Ok(fetched) => {
                let how = match (fetched.downloaded, fetched.newly_pinned) {
                    (true, true) => "downloaded, now pinned",
                    (true, false) => "downloaded and verified",
                    (false, true) => "in the cache, now pinned",
                    (false, false) => "in the cache, verified",
                };
                let pin = &fetched.file.pin;
                cx.out.done(&format!(
                    "{name}: {how} ({} bytes, sha256 {})",
                    pin.bytes, pin.sha256
                ));
            }
            Err(error) => cx.out.warn(&format!("{name}: {error}")),
        }
        Ok(())
    }
}

/// A progress bar on a terminal, nothing elsewhere.
struct Bar(Option<ProgressBar>);

impl Bar {
    fn new(cx: &Context, name: &str) -> Self {
        let bar = || {
            let style = "{msg}  {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
            let bar = ProgressBar::no_length().with_message(name.to_owned());
            bar.with_style(
                ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
            )
        };
        Self(cx.out.shows_progress().then(bar))
    }

    fn progress(&self) -> &dyn Progress {
        if self.0.is_some() { self } else { &NoProgress }
    }
}

impl Progress for Bar {
    fn started(&self, bytes: Option<u64>) {
        if let Some(bar) = &self.0 {
            bar.reset();
            if let Some(bytes) = bytes {
                bar.set_length(bytes);
            }
        }
    }

    fn advanced(&self, bytes: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(bytes);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

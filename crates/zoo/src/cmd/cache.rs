use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use registry::{Digest, Known, Removed};
use serde::Serialize;

use super::files::Files;
use crate::context::Context;
use crate::output::table;
use crate::{Exit, Failure};

/// Look after the cache
#[derive(Debug, Args)]
pub(crate) struct Cache {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the files in the cache, and which weights they are
    Ls {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the cache's folder, or where the weights of variants lie
    Path {
        #[command(flatten)]
        files: Files,
    },
    /// Remove files that neither zoo.toml nor zoo.lock names
    Prune {
        /// Say what would be removed, and remove nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Remove what interrupted downloads left
    Gc {
        /// Keep what was touched in the last so many hours; 0 for nothing
        #[arg(long, value_name = "HOURS", default_value_t = 168)]
        keep_hours: u64,
        /// Say what would be removed, and remove nothing
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Serialize)]
struct Row {
    sha256: String,
    bytes: u64,
    path: PathBuf,
    weights: Vec<String>,
}

impl Cache {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        match &self.action {
            Action::Ls { json } => ls(cx, *json),
            Action::Path { files } => path(cx, files),
            Action::Prune { dry_run } => {
                let keep: BTreeSet<Digest> = owners(cx)?.into_keys().collect();
                tell(cx, cx.cache().prune(&keep, *dry_run), *dry_run)
            }
            Action::Gc { keep_hours, dry_run } => {
                let age = Duration::from_secs(keep_hours.saturating_mul(3600));
                tell(cx, cx.cache().collect_garbage(age, *dry_run), *dry_run)
            }
        }
    }
}

/// Whose each content is, by the manifest and the lock. A pin of a URL that the manifest has no longer keeps its file.
fn owners(cx: &Context) -> Result<BTreeMap<Digest, Vec<String>>, Failure> {
    let lock = cx.lock()?;
    let mut owners: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
    for (_, pin) in lock.pins() {
        owners.entry(pin.sha256).or_default();
    }
    for variant in &cx.zoo()?.variants {
        for artifact in &variant.artifacts {
            let pinned = lock.pin(&artifact.url).map(|pin| pin.sha256);
            let declared = match &artifact.known {
                Known::Full(digest) => Some(*digest),
                Known::Prefix(_) | Known::Nothing => None,
            };
            if let Some(digest) = pinned.or(declared) {
                owners
                    .entry(digest)
                    .or_default()
                    .push(format!("{} {}", variant.name, artifact.id));
            }
        }
    }
    Ok(owners)
}

fn ls(cx: &Context, json: bool) -> Result<(), Failure> {
    let owners = owners(cx)?;
    let files = cx
        .cache()
        .files()
        .map_err(|error| Failure::file(cx.cache().root(), &error))?;
    let rows: Vec<Row> = files
        .into_iter()
        .map(|file| Row {
            sha256: file.digest.to_string(),
            bytes: file.bytes,
            path: file.path,
            weights: owners.get(&file.digest).cloned().unwrap_or_default(),
        })
        .collect();
    if json {
        return cx.out.json(&rows);
    }
    let total: u64 = rows.iter().map(|row| row.bytes).sum();
    let count = rows.len();
    let lines = rows
        .into_iter()
        .map(|row| vec![row.sha256, row.bytes.to_string(), row.weights.join(", ")]);
    cx.out.data(&table(&["sha256", ">bytes", "weights"], lines))?;
    cx.out.note(&format!(
        "{count} files, {total} bytes in {}",
        cx.cache().root().display()
    ));
    Ok(())
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
        Some(exit) => Err(Failure::new(
            exit,
            format!("{} of {} files are not in the cache", missing.len(), chosen.len()),
        )),
    }
}

fn tell(cx: &Context, removed: std::io::Result<Vec<Removed>>, dry_run: bool) -> Result<(), Failure> {
    let removed = removed.map_err(|error| Failure::file(cx.cache().root(), &error))?;
    for one in &removed {
        cx.out
            .data(&format!("{} ({} bytes)", one.path.display(), one.bytes))?;
    }
    let bytes: u64 = removed.iter().map(|one| one.bytes).sum();
    let verb = if dry_run { "would be removed" } else { "removed" };
    cx.out.note(&format!("{} {verb}, {bytes} bytes", removed.len()));
    Ok(())
}

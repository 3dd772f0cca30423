use clap::Args;
use harness::counted;
use registry::{Artifact, mirror_to};
use serde::Serialize;

use super::files::{File, Files};
use super::net::mirror;
use crate::context::Context;
use crate::{Exit, Failure};

/// Copy cached weights and an index to a folder from which others can fetch them
///
/// The folder is a complete mirror, and so is any web server that serves it: `zoo fetch all --mirror DIR|URL`. For a machine
/// without a network, copy it to a USB stick: `zoo fetch all --offline --mirror /mnt/stick`.
#[derive(Debug, Args)]
pub(crate) struct Mirror {
    /// Target folder; with the feature `object-store` also s3://, gs:// or az:// BUCKET/PREFIX
    #[arg(value_name = "DIR|URL", value_parser = mirror())]
    target: registry::Mirror,
    #[command(flatten)]
    files: Files,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    url: &'a str,
    bytes: u64,
    sha256: String,
    copied: bool,
}

impl Mirror {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let (here, files): (Vec<File<'_>>, Vec<File<'_>>) = self
            .files
            .choose_or_all(cx)?
            .into_iter()
            .partition(|(_, artifact)| artifact.local.is_some());
        if !here.is_empty() {
            let files = counted(here.len(), "file");
            cx.out.note(&format!(
                "{files} of this machine left out: mirrors have what was downloaded"
            ));
        }
        let artifacts: Vec<&Artifact> = files.iter().map(|(_, artifact)| *artifact).collect();
        let made = mirror_to(&self.target, cx.cache(), &artifacts, &cx.lock()?)?;
        let lines: Vec<Line<'_>> = made
            .iter()
            .map(|file| Line {
                url: &file.url,
                bytes: file.pin.bytes,
                sha256: file.pin.sha256.to_string(),
                copied: file.copied,
            })
            .collect();
        if self.json {
            cx.out.json(&lines)?;
        } else {
            for line in &lines {
                let state = if line.copied { "copied" } else { "there" };
                cx.out
                    .data(&format!("{state:<8}  {} ({} bytes)", line.url, line.bytes))?;
            }
        }
        let missing = files.len() - made.len();
        if made.is_empty() || (missing > 0 && !self.files.is_empty()) {
            let exit = if made.is_empty() {
                Exit::Missing
            } else {
                Exit::Some
            };
            let message = format!(
                "missing from the cache: {missing} of {}",
                counted(files.len(), "file")
            );
            return Err(Failure::new(exit, message).help("`zoo fetch` downloads them"));
        }
        Ok(())
    }
}

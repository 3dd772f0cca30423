use clap::Args;
use registry::{Verified, verify};
use serde::Serialize;

use crate::context::Context;
use crate::{Exit, Failure};

/// Read the cached weights again and hold them against zoo.toml and zoo.lock
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Variants, or `all`; without any, all that are in the cache
    #[arg(value_name = "NAME|all")]
    names: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Line {
    variant: String,
    source: String,
    path: String,
    state: &'static str,
    sha256: Option<String>,
    error: Option<String>,
}

impl Verify {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let lock = cx.lock()?;
        let (mut lines, mut failures) = (Vec::new(), Vec::new());
        let all = ["all".to_owned()];
        for variant in cx.variants(if self.names.is_empty() { &all } else { &self.names })? {
            let path = |artifact| cx.cache().path(variant, artifact);
            let cached: Vec<_> = variant
                .artifacts
                .iter()
                .filter(|artifact| path(artifact).is_file())
                .collect();
            if cached.is_empty() && !self.names.is_empty() {
                failures.push(Exit::Missing);
                let missing = path(&variant.artifacts[0]).display().to_string();
                let error = Some("not in the cache".to_owned());
                lines.push(Line::new(
                    &variant.name,
                    &variant.artifacts[0].id,
                    missing,
                    "missing",
                    None,
                    error,
                ));
            }
            for artifact in cached {
                let path = path(artifact);
                let result = verify(&path, artifact, lock.pin(&artifact.url));
                let (state, sha256, error) = match result {
                    Ok(Verified {
                        pin, pinned: true, ..
                    }) => ("verified", Some(pin.sha256.to_string()), None),
                    Ok(Verified {
                        pin, pinned: false, ..
                    }) => ("unpinned", Some(pin.sha256.to_string()), None),
                    Err(error) => {
                        let failure = Failure::from(error);
                        failures.push(failure.exit);
                        ("wrong", None, Some(failure.message))
                    }
                };
                let path = path.display().to_string();
                lines.push(Line::new(&variant.name, &artifact.id, path, state, sha256, error));
            }
        }
        self.tell(cx, &lines)?;
        match Exit::of_many(&failures, lines.len()) {
            None => Ok(()),
            Some(exit) => Err(Failure::new(
                exit,
                format!("{} of {} files are not right", failures.len(), lines.len()),
            )),
        }
    }

    fn tell(&self, cx: &Context, lines: &[Line]) -> Result<(), Failure> {
        if self.json {
            return cx.out.json(&lines);
        }
        for line in lines {
            let name = format!("{} {}", line.variant, line.source);
            match (&line.error, &line.sha256) {
                (None, Some(sha256)) => cx
                    .out
                    .data(&format!("{:<8}  {name}: sha256 {sha256}", line.state))?,
                (error, _) => cx.out.data(&format!(
                    "{:<8}  {name}: {}",
                    line.state,
                    error.as_deref().unwrap_or("")
                ))?,
            }
        }
        if lines.is_empty() {
            cx.out.note("no weights are in the cache");
        }
        Ok(())
    }
}

impl Line {
    fn new(
        variant: &str,
        source: &str,
        path: String,
        state: &'static str,
        sha256: Option<String>,
        error: Option<String>,
    ) -> Self {
        Self {
            variant: variant.to_owned(),
            source: source.to_owned(),
            path,
            state,
            sha256,
            error,
        }
    }
}

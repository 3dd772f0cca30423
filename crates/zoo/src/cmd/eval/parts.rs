//! `zoo eval merge` and `zoo eval compare`: files of answers.

use clap::Args;
use harness::eval::{Part, Shard, mcnemar, merge};
use registry::Location;

use super::{bad_images, check_offline, classes};
use crate::context::Context;
use crate::eval::classes::{Subject, comparison, summary};
use crate::eval::parts;
use crate::files::location;
use crate::{Exit, Failure};

/// Combine shards, and prove that each image is there exactly once
#[derive(Debug, Args)]
pub(super) struct Merge {
    /// Files of answers of all shards, or folders with such files
    #[arg(required = true, value_name = "FILE|DIR|URL", value_parser = location())]
    files: Vec<Location>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Compare two evaluations on the same images by McNemar's exact test
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// First file of answers
    #[arg(value_name = "FILE|URL", value_parser = location())]
    first: Location,
    /// Second file of answers
    #[arg(value_name = "FILE|URL", value_parser = location())]
    second: Location,
    /// Print JSON
    #[arg(long)]
    json: bool,
}
impl Merge {
    pub(super) fn run(&self, cx: &Context) -> Result<(), Failure> {
        check_offline(cx, &self.files)?;
        let parts: Vec<Part> = parts(&self.files)?;
        let answers = merge(&parts).map_err(|error| {
            Failure::new(Exit::Some, error)
                .help("run each shard as `zoo eval … --shard I/N` with the same options")
        })?;
        let mut header = parts[0].header.clone();
        header.shard = Shard::WHOLE;
        let variant = cx.recorded(&header.key.variant)?;
        let claims = Subject::of(variant, &parts[0].header).claims(cx.zoo()?);
        let summary = summary(header, &answers, None, &claims);
        classes::tell(cx, &summary, &answers, self.json)?;
        bad_images(summary.tally.unreadable, 0)
    }
}

impl Compare {
    pub(super) fn run(&self, cx: &Context) -> Result<(), Failure> {
        check_offline(cx, [&self.first, &self.second])?;
        let [first, second]: [Part; 2] = parts(&[self.first.clone(), self.second.clone()])?
            .try_into()
            .map_err(|_| Failure::new(Exit::Usage, "expected two files of answers, not folders"))?;
        let data = [&first, &second].map(|part| &part.header.key.data);
        if data[0] != data[1] {
            let what = format!(
                "{} and {} have different images: {} and {}",
                self.first, self.second, data[0].digest, data[1].digest
            );
            return Err(Failure::new(Exit::Usage, what));
        }
        let both = mcnemar(&first.answers, &second.answers);
        if self.json {
            return cx.out.json(&both);
        }
        let name = |part: &Part| format!("{} {}", part.header.key.variant, part.header.key.precision);
        cx.out.data(&comparison([&name(&first), &name(&second)], &both))
    }
}

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use harness::{Budget, Case};
use hrnet::Precision;
use registry::lint::{Severity, lint};

use super::bench::line;
use super::report::{new_folder, render};
use crate::bench::race::{Heat, engines, installed};
use crate::bench::{ADVICE, BATCHES, Matrix, NETWORKS, Workshop, all_threads, measure, preprocess_cases};
use crate::context::Context;
use crate::{Exit, Failure};

/// Measure, check and report: the whole way, as every night
///
/// Needs neither network nor weights: where a variant's weights are not in the cache, seeded ones stand in, which
/// take as long to run, and the page says so. Installed peers are raced beside our engine.
#[derive(Debug, Args)]
pub(crate) struct Nightly {
    /// A few samples of f32 and f16 at batch 4 and f32 at batch 1, in a few minutes
    #[arg(long)]
    quick: bool,
    /// Where the dated folder goes
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Print the paths as JSON
    #[arg(long)]
    json: bool,
}

impl Nightly {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let zoo = cx.zoo()?;
        let wrong = lint(zoo)
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count();
        cx.out.note(&format!(
            "checked {} variants: {wrong} published figures are wrong",
            zoo.variants.len()
        ));
        check_cache(cx)?;

        let folder = new_folder(&self.out)?;
        let cases = self.cases(cx)?;
        cx.out.note(&format!(
            "measuring {} cells into {}",
            cases.len(),
            folder.display()
        ));
        let budget = if self.quick {
            Budget::QUICK
        } else {
            Budget::STANDARD
        };
        let workshop = Workshop::new(cx, None);
        let file = folder.join("records.jsonl");
        let mut records = measure(&workshop, &cases, budget, &file, |record| {
            cx.out.note(&line(record));
            Ok(())
        })?;
        for heat in self.heats(cx) {
            let standing = heat.run(&workshop, self.race_budget(), Some(&file))?;
            cx.out.note(&standing.text());
            records.extend(standing.records);
        }

        let command = if self.quick {
            "zoo nightly --quick"
        } else {
            "zoo nightly"
        };
        let pages = render(cx, &records, &self.out, &folder, command)?;
        if self.json {
            cx.out.json(&pages)?;
        } else {
            cx.out.data(&folder.join("index.html").display().to_string())?;
        }
        let failed = records.iter().filter(|record| record.summary().is_none()).count();
        if failed > 0 {
            return Err(Failure::new(
                Exit::Some,
                format!("{failed} of {} cells failed; the page lists them", records.len()),
            ));
        }
        Ok(())
    }

    /// Our engine and the installed peers in turns, on the networks that others publish most about.
    fn heats(&self, cx: &Context) -> Vec<Heat> {
        let peers = installed(cx, !self.quick);
        if peers.is_empty() {
            cx.out.note(ADVICE);
            return Vec::new();
        }
        let heat = |variant: &str| Heat {
            variant: variant.to_owned(),
            batch: 1,
            threads: all_threads(),
            // Without stock operations, which take longest of all, where time is short.
            engines: engines(if self.quick { 2 } else { 1 }, &peers),
        };
        NETWORKS.map(heat).into()
    }

    fn race_budget(&self) -> Budget {
        if self.quick {
            Budget {
                warm_up: 0,
                time: Duration::from_secs(3),
                ..Budget::RACE
            }
        } else {
            Budget::RACE
        }
    }

    fn cases(&self, cx: &Context) -> Result<Vec<Case>, Failure> {
        let zoo = cx.zoo()?;
        let every = Matrix {
            variants: zoo.variants.iter().map(|variant| variant.name.clone()).collect(),
            precisions: Precision::ALL.to_vec(),
            batches: BATCHES.to_vec(),
            crops: vec![224],
            backends: Vec::new(),
            threads: vec![all_threads()],
        };
        let networks = if self.quick {
            let f32_only = vec![Precision::F32];
            let single = Matrix {
                precisions: f32_only,
                batches: vec![1],
                ..every.clone()
            };
            let four = Matrix {
                precisions: vec![Precision::F32, Precision::F16],
                batches: vec![4],
                ..every
            };
            [single.cases(zoo), four.cases(zoo)].concat()
        } else {
            every.cases(zoo)
        };
        Ok([preprocess_cases(), networks].concat())
    }
}

/// Reads every cached file again: a nightly on damaged weights would report on something else.
fn check_cache(cx: &Context) -> Result<(), Failure> {
    let lock = cx.lock()?;
    let mut files = 0;
    for artifact in cx.zoo()?.variants.iter().flat_map(|variant| &variant.artifacts) {
        if cx.cache().verify(artifact, &lock, true)?.is_some() {
            files += 1;
        }
    }
    match files {
        0 => cx
            .out
            .note("no weights are in the cache: seeded weights stand in"),
        _ => cx.out.note(&format!("verified {files} cached weight files")),
    }
    Ok(())
}

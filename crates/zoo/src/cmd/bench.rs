use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use glob::Pattern;
use harness::{Budget, Case, Outcome, Quantile, Record};
use hrnet::Precision;
use registry::Zoo;

use crate::bench::{Matrix, Workshop, all_threads, measure, preprocess_cases};
use crate::context::Context;
use crate::model::WeightsArg;
use crate::{Exit, Failure, peers};

/// Measure latencies on this machine
///
/// Lists are separated by commas. Variants that share a network are measured once. Every run of a cell is kept: one
/// JSON record a cell, appended to the records file as soon as it is measured.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Variants, with * and ? as wildcards
    #[arg(
        short,
        long,
        value_name = "PATTERN",
        value_delimiter = ',',
        default_value = "*"
    )]
    model: Vec<Pattern>,
    /// Number formats: f32, f16, bf16
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "f32")]
    precision: Vec<Precision>,
    /// Batch sizes
    #[arg(short, long, value_name = "LIST", value_delimiter = ',', default_value = "1")]
    batch: Vec<NonZeroUsize>,
    /// Sides of the input, as CROP or CROP/RESIZE
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "224/256", value_parser = crop)]
    size: Vec<usize>,
    /// What runs the networks, each in the precisions it takes: backends of `zoo doctor`, peers of `zoo peers list`;
    /// without it the fastest that takes each
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    backend: Vec<String>,
    /// Thread counts; without it all of the machine's
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    threads: Vec<NonZeroUsize>,
    /// What to measure
    #[arg(long, value_enum, default_value_t = StageArg::Network)]
    stage: StageArg,
    /// A weight file, or `seeded:N`; without it the cached weights, or seeded ones where there are none
    #[arg(long, value_name = "FILE|seeded:N")]
    weights: Option<WeightsArg>,
    /// Time for each cell's samples
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds)]
    time: f64,
    /// Where records are appended
    #[arg(long, value_name = "FILE", default_value = "reports/records.jsonl")]
    out: PathBuf,
    /// Print the records as JSON, one a line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StageArg {
    /// Networks on batches in memory.
    Network,
    /// Photos to batches.
    Preprocess,
    /// Both.
    All,
}

impl Bench {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let cases = self.cases(cx)?;
        cx.out.note(&format!(
            "{} cells; records go to {}",
            cases.len(),
            self.out.display()
        ));
        let budget = Budget {
            time: Duration::from_secs_f64(self.time),
            ..Budget::STANDARD
        };
        let workshop = Workshop::new(cx, self.weights.clone());
        let records = measure(&workshop, &cases, budget, &self.out, |record| match self.json {
            true => cx.out.json_line(record),
            false => cx.out.data(&line(record)),
        })?;
        let failed = records.iter().filter(|record| record.summary().is_none()).count();
        match failed {
            0 => Ok(()),
            _ if failed == records.len() => Err(Failure::new(Exit::NoData, "no cell could be measured")),
            _ => Err(Failure::new(
                Exit::Some,
                format!("{failed} of {} cells failed", records.len()),
            )),
        }
    }

    fn cases(&self, cx: &Context) -> Result<Vec<Case>, Failure> {
        let zoo = cx.zoo()?;
        for backend in &self.backend {
            peers::runs(backend, Precision::F32)?;
        }
        let matrix = Matrix {
            variants: matching(zoo, &self.model)?,
            precisions: self.precision.clone(),
            batches: self.batch.iter().map(|batch| batch.get()).collect(),
            crops: self.size.clone(),
            backends: self.backend.clone(),
            threads: match self.threads.as_slice() {
                [] => vec![all_threads()],
                threads => threads.iter().map(|threads| threads.get()).collect(),
            },
        };
        Ok(match self.stage {
            StageArg::Network => matrix.cases(zoo),
            StageArg::Preprocess => preprocess_cases(),
            StageArg::All => [preprocess_cases(), matrix.cases(zoo)].concat(),
        })
    }
}

/// The names of the variants that fit one of the patterns, in the manifest's order.
///
/// # Errors
/// If nothing fits a pattern.
pub(super) fn matching(zoo: &Zoo, patterns: &[Pattern]) -> Result<Vec<String>, Failure> {
    for pattern in patterns {
        if !zoo.variants.iter().any(|variant| pattern.matches(&variant.name)) {
            // A plain name gets its suggestion; a pattern that fits nothing is as unknown as a name.
            zoo.find(pattern.as_str())?;
        }
    }
    let names = zoo.variants.iter().map(|variant| variant.name.clone());
    Ok(names
        .filter(|name| patterns.iter().any(|pattern| pattern.matches(name)))
        .collect())
}

/// One record as a line for people.
pub(crate) fn line(record: &Record) -> String {
    let id = record.case.to_string();
    match record.outcome() {
        Outcome::Failed(error) => format!("{id:<52} failed: {error}"),
        Outcome::Measured(summary) => {
            let images = record.images_per_s().unwrap_or_default();
            let p90 = match Quantile::of(&record.samples_ns, 0.9) {
                Quantile::Known { at_most_ns, .. } => format!("p90 <= {:.3} ms", at_most_ns / 1e6),
                Quantile::Needs(samples) => format!("p90 needs {samples} runs"),
            };
            format!(
                "{id:<52} {:>10.3} ms ± {:<8.3} {:>9.2} images/s  ({} runs; {p90})",
                summary.median_ms(),
                summary.mad_ns / 1e6,
                images,
                summary.samples
            )
        }
    }
}

/// The crop of `CROP` or `CROP/RESIZE`; a network's time does not depend on the resizing before it.
fn crop(text: &str) -> Result<usize, String> {
    let (crop, resize) = text.split_once('/').unwrap_or((text, text));
    match (crop.parse(), resize.parse()) {
        (Ok(crop), Ok(resize)) if 0 < crop && crop <= resize => Ok(crop),
        _ => Err(format!(
            "`{text}` is no size: expected CROP or CROP/RESIZE with CROP <= RESIZE, as in 224/256"
        )),
    }
}

pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds: &f64| (0.0..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| format!("`{text}` is no time: expected 0 to 86400 seconds"))
}

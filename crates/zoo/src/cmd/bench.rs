use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use harness::{Budget, Case, Record, counted, read};
use hrnet::{Precision, Shape, Size};

use crate::bench::{
    Campaign, Errand, Matrix, Task, all_threads, gains, preprocess_cases, provenance, resume, slow, told,
};
use crate::calibration::{CalibrationArg, refuse_unused, warn_of_stand_in};
use crate::context::Context;
use crate::counts::{BATCH, CELLS, PROCESSES, SIDE, THREADS, count, size};
use crate::files::{check_output, check_records};
use crate::model::WeightsArg;
use crate::selector::{CLASSIFIERS, Selector, matching};
use crate::{Exit, Failure, memory, peers};

/// Measure latencies on this machine
///
/// Lists are separated by commas. Variants that share a network are measured once. Each cell is measured in a process of
/// its own, after its answer was compared with the reference's. Every run is kept: one JSON record per process, appended to
/// the records file as soon as it is measured. --resume continues an interrupted run.
///
/// A line has the median of the runs, ± their median absolute deviation, and images per second. With 44 runs and more it has
/// p90, the 90th percentile of the runs, and its bound: the true 90th percentile does not exceed it, with 99 % confidence.
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Variants by name, or by pattern with * and ? as wildcards, as 'pose_*'; `classifiers`, `poses` or `all` of them. A name that
    /// chooses weights, such as hrnet_w18.ms_in1k, chooses only its network here
    #[arg(
        short,
        long,
        value_name = "NAME|PATTERN",
        value_delimiter = ',',
        default_value = CLASSIFIERS
    )]
    model: Vec<Selector>,
    /// Number formats: f32, f16, bf16, i16, int8, or `all` that run here
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "f32")]
    precision: Vec<PrecisionArg>,
    /// Batch sizes
    #[arg(short, long, value_name = "LIST", value_delimiter = ',', default_value = "1", value_parser = count::<BATCH>)]
    batch: Vec<NonZeroUsize>,
    /// Sizes of the input, as SIDE, CROP/RESIZE or HEIGHTxWIDTH [default: 224, and of a pose network its own]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = crop)]
    size: Vec<Size>,
    /// Backends of `zoo doctor` and peers of `zoo peers list`, each measured in those precisions that it runs [default: the
    /// fastest backend of each precision]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    backend: Vec<String>,
    /// Thread counts [default: all hardware threads]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = count::<THREADS>)]
    threads: Vec<NonZeroUsize>,
    /// Kind of cells to measure
    #[arg(long, value_enum, default_value_t = StageArg::Network)]
    stage: StageArg,
    /// Weight file, or `seeded:N` [default: the cached weights, or random ones if there are none]
    #[arg(long, value_name = "FILE[#KEY]|seeded:N")]
    weights: Option<WeightsArg>,
    #[command(flatten)]
    calibration: CalibrationArg,
    /// Time for each cell's samples, in each process
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, value_parser = seconds)]
    time: f64,
    /// Separate processes that measure each cell. Use 8 if you will run `zoo compare`
    #[arg(long, value_name = "N", default_value = "1", value_parser = count::<PROCESSES>)]
    processes: NonZeroUsize,
    /// Time for everything, as 20m: cells that do not fit are left out, remaining time goes where times spread most
    #[arg(long, value_name = "TIME", value_parser = duration)]
    budget: Option<Duration>,
    /// Print what would be measured and how long it would take, and measure nothing
    #[arg(long)]
    plan: bool,
    /// Skip cells that this program has already measured on this machine into the records file
    #[arg(long)]
    resume: bool,
    /// Measure each of the variants that share a network and compare them: any difference is a false alarm
    #[arg(long)]
    twins: bool,
    /// File to append records to
    #[arg(long, value_name = "FILE", default_value = "reports/records.jsonl")]
    out: PathBuf,
    /// Also write this run as CSV, one row per measured configuration: the columns of a report's cells.csv, which
    /// `zoo report --columns` explains; median_ms is the time to use
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Print the records as JSON, one per line
    #[arg(long)]
    json: bool,
    /// Measure one cell that standard input names, and print its record
    #[arg(long, hide = true)]
    worker: bool,
}

/// A number format, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrecisionArg {
    All,
    One(Precision),
}

impl FromStr for PrecisionArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            name => name
                .parse()
                .map(Self::One)
                .map_err(|error| format!("{error}, or all")),
        }
    }
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

/// The next step after a debug build was measured.
pub(super) const RELEASE: &str = "`cargo build --release -p zoo` makes the program to measure with";

/// Warns before a measurement if this is a debug build.
pub(super) fn warn_of_debug(cx: &Context) {
    if provenance().is_debug_build() {
        cx.out
            .warn(&format!("this is a debug build, which is slower: {RELEASE}"));
    }
}

impl Bench {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        if self.worker {
            return Errand::serve(cx, std::io::stdin());
        }
        let calibration = self.calibration.file.as_deref();
        refuse_unused(calibration, &precisions(&self.precision))?;
        let known = match self.out.is_file() {
            true => read(&self.out)?,
            false => Vec::new(),
        };
        let cases = self.cases(cx)?;
        // Each cell's process reads the file again, and what it says is heard only if it fails.
        if let Some(WeightsArg::File(file)) = &self.weights {
            let names: BTreeSet<&str> = cases
                .iter()
                .filter_map(|case| Some(case.network()?.variant.as_str()))
                .collect();
            let variants: Result<Vec<_>, _> = names.into_iter().map(|name| cx.recorded(name)).collect();
            file.check_fits_any(cx, &variants?)?;
        }
        let mut tasks: Vec<Task> = cases.into_iter().map(|case| Task::new(case, &self.out)).collect();
        if self.resume {
            resume(cx, &mut tasks, &known, self.weights.as_ref(), calibration)?;
        }
        let campaign = Campaign {
            cx,
            weights: self.weights.clone(),
            calibration: self.calibration.file.clone(),
            budget: Budget {
                time: Duration::from_secs_f64(self.time),
                ..Budget::STANDARD
            },
            processes: self.processes.get(),
            limit: self.budget,
        };
        if self.plan {
            let plan = campaign.plan(tasks, &known)?;
            for peer in peers::absent(cx, &self.backend) {
                cx.out.warn(&format!(
                    "{peer} is not here, its cells would fail: `zoo peers list` says what there is, `zoo peers install \
                     {peer}` installs a peer"
                ));
            }
            return match self.json {
                true => cx.out.json(&told::plan_rows(&plan)),
                false => cx.out.data(&told::plan(&plan, self.budget)),
            };
        }
        self.measure(cx, &campaign, tasks, &known)
    }

    fn measure(
        &self,
        cx: &Context,
        campaign: &Campaign,
        tasks: Vec<Task>,
        known: &[Record],
    ) -> Result<(), Failure> {
        check_records(&self.out)?;
        self.csv.as_deref().map_or(Ok(()), check_output)?;
        let plan = campaign.plan(tasks.clone(), known)?;
        cx.out.note(&told::begin(&tasks, campaign, &plan, &self.out));
        if self.calibration.file.is_none() && self.stage != StageArg::Preprocess {
            warn_of_stand_in(cx, "NAME", &precisions(&self.precision));
        }
        warn_of_debug(cx);
        if let Some(slow) = slow(&plan) {
            cx.out.note(&slow);
        }
        // Lines of single processes are progress where several make a cell.
        let several = campaign.processes > 1 || campaign.limit.is_some();
        let done = campaign.run(tasks, known, |record| {
            match (self.json, several) {
                (true, _) => cx.out.json_line(record)?,
                (false, false) => cx.out.data(&told::line(&[record]))?,
                (false, true) => cx.out.note(&told::progress(record)),
            }
            Ok(())
        })?;
        let measured = done.tasks.iter().filter(|task| !task.records.is_empty());
        if let Some(csv) = &self.csv {
            let records: Vec<Record> = done.tasks.iter().flat_map(|task| task.records.clone()).collect();
            report::write_cells(cx.zoo()?, &records, csv)?;
            let rows = counted(measured.clone().count(), "row");
            cx.out.done(&format!("{}: {rows}", csv.display()));
        }
        if several && !self.json {
            for task in measured.clone() {
                cx.out
                    .data(&told::line(&task.records.iter().collect::<Vec<_>>()))?;
            }
        }
        if let Some(gains) = gains(&done.tasks).filter(|_| !self.json) {
            cx.out.data(&format!("\n{gains}"))?;
        }
        let all: Vec<&Record> = done.tasks.iter().flat_map(|task| &task.records).collect();
        if let Some(noisy) = told::noisy(&all) {
            cx.out.note(&noisy);
        }
        if self.twins {
            cx.out.note(&told::twins(cx.zoo()?, &done.tasks));
        }
        if let Some(left_out) = told::left_out(&done, campaign.processes) {
            cx.out.warn(&left_out);
        }
        let has_none = |task: &&Task| task.records.iter().all(|record| record.summary().is_none());
        let (all, failed) = (measured.clone().count(), measured.filter(has_none).count());
        match failed {
            _ if failed == all => Err(Failure::new(Exit::NoData, "no cell could be measured")),
            0 => Ok(()),
            _ => Err(Failure::new(
                Exit::Some,
                format!("{failed} of {} failed", counted(all, "cell")),
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
            precisions: precisions(&self.precision),
            batches: self.batch.iter().map(|batch| batch.get()).collect(),
            sizes: self.size.clone(),
            backends: self.backend.clone(),
            threads: match self.threads.as_slice() {
                [] => vec![all_threads()],
                threads => threads.iter().map(|threads| threads.get()).collect(),
            },
            twins: self.twins,
        };
        matrix.check(CELLS)?;
        let cases = match self.stage {
            StageArg::Network => matrix.cases(zoo),
            StageArg::Preprocess => preprocess_cases(),
            StageArg::All => [preprocess_cases(), matrix.cases(zoo)].concat(),
        };
        // Hours of measuring must not end in a cell that could never run.
        let networks = cases.iter().filter_map(Case::network);
        let shapes: BTreeSet<_> = networks
            .map(|case| (&case.variant, case.batch, case.crop, case.precision))
            .collect();
        for (variant, batch, crop, precision) in shapes {
            memory::check(cx.variant(variant)?, Shape::images(batch, crop), precision)?;
        }
        Ok(cases)
    }
}

/// The precisions that a list names, each once.
pub(super) fn precisions(list: &[PrecisionArg]) -> Vec<Precision> {
    let mut named = Vec::new();
    for precision in list {
        match precision {
            PrecisionArg::All => named.extend(Precision::ALL),
            PrecisionArg::One(precision) => named.push(*precision),
        }
    }
    let mut seen = std::collections::HashSet::new();
    named.retain(|precision| seen.insert(*precision));
    named
}

/// Returns the size of `SIDE`, `CROP/RESIZE` or `HEIGHTxWIDTH`; a network's time does not depend on the resizing before it.
fn crop(text: &str) -> Result<Size, String> {
    let Some((crop, resize)) = text.split_once('/') else {
        return size(text);
    };
    match (crop.parse(), resize.parse()) {
        (Ok(crop), Ok(resize)) if 0 < crop && crop <= resize && resize <= SIDE => Ok(Size::square(crop)),
        _ => Err(format!(
            "`{text}` is no size: expected CROP/RESIZE with CROP <= RESIZE <= {SIDE}, as in 224/256"
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

/// A time with its units, as 20m or 1h30m.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    let time = parsed.and_then(|time| Duration::try_from(time).ok());
    time.filter(|time| !time.is_zero())
        .ok_or_else(|| format!("`{text}` is no time: expected a number with its unit, as 90s, 20m or 1h30m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_three_forms() {
        assert_eq!(crop("224/256"), Ok(Size::square(224)));
        assert_eq!(crop("64"), Ok(Size::square(64)));
        assert_eq!(crop("256x192"), Ok(Size::new(256, 192)), "height first");
        for text in ["0", "256/224", "256x", "256x0", "1048577", "256x1048577", ""] {
            assert!(crop(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_and_precisions_are_read_or_refused() {
        assert_eq!(duration("20m"), Ok(Duration::from_secs(1200)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        for text in ["", "20", "-5m", "0s", "soon"] {
            assert!(duration(text).is_err_and(|why| why.contains("20m")), "{text}");
        }
        let list = |text: &str| -> Vec<PrecisionArg> {
            text.split(',')
                .map(|name| name.parse().expect("a name"))
                .collect()
        };
        assert_eq!(precisions(&list("f16,all,f16")).len(), Precision::ALL.len());
        assert_eq!(precisions(&list("bf16,f32")), [Precision::Bf16, Precision::F32]);
        let why = "f8".parse::<PrecisionArg>().expect_err("no such format");
        assert!(why.ends_with(", or all"), "{why}");
    }
}

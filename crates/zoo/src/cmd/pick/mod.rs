mod limits;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use harness::{Case, Record, counted};
use hrnet::{Precision, Size};
use registry::{TaskKind, Variant, Zoo};
use report::{Choice, Evaluations, Input, Query, Verdicts, Wish, choices, measured_sizes};
use serde::Serialize;

use limits::{nanoseconds, nothing, share};

use super::bench::RELEASE;
use super::report::{REPORTS, peers, records};
use crate::context::Context;
use crate::counts::size;
use crate::files::quoted;
use crate::output::table;
use crate::selector::POSES;
use crate::verdicts::RECORDS;
use crate::{Exit, Failure};

/// Choose a network by published accuracy and the time measured here
///
/// Lists each measured variant in each measured precision, on the fastest of this program's engines, and marks with * those that
/// no other choice beats: no other is at least as good in all of median time, accuracy and bits. Accuracies are the
/// publishers' claims, in f32: top-1 of classifiers, COCO's AP of pose networks, which is compared only with AP on the same data. A
/// variant without one is listed and never marked. p90 is the 90th percentile of the runs; with
/// fewer than 44 runs it is the slowest run, with ≤ before it.
///
/// Needs records of `zoo bench` or `zoo nightly`. Exits with 12 if nothing was measured, and says how to measure; with 13 if
/// nothing meets the limits, and names the closest.
#[derive(Debug, Args)]
pub(crate) struct Pick {
    /// Kind of networks to choose among [default: classify, or pose if --min-ap is given]
    #[arg(long, value_enum)]
    task: Option<TaskArg>,
    /// The longest time of a batch at the 90th percentile, as 60ms or 1.5s
    #[arg(long, value_name = "TIME", value_parser = nanoseconds)]
    max_p90: Option<f64>,
    /// The lowest claimed top-1 accuracy, as 78% or 0.78; leaves out variants without a published one
    #[arg(long, value_name = "SHARE", value_parser = share)]
    min_top1: Option<f64>,
    /// The lowest claimed AP of keypoints, as 75% or 0.75; leaves out pose networks without a published one
    #[arg(long, value_name = "SHARE", value_parser = share, conflicts_with = "min_top1")]
    min_ap: Option<f64>,
    /// Images or people per batch; without it the smallest that was measured
    #[arg(short, long, value_name = "N")]
    batch: Option<usize>,
    /// Size of the network's input, as 224, or height and width as 256x192 [default: each variant's own, for which its accuracy is
    /// claimed]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    size: Option<Size>,
    /// Files of records; without any those of the newest night in reports/ and what `zoo bench` wrote there, each cell as it was
    /// measured last
    #[arg(long, value_name = "FILE")]
    records: Vec<PathBuf>,
    /// Print JSON, in which an accuracy is a share from 0 to 1
    #[arg(long)]
    json: bool,
}

/// A task, as `--task` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TaskArg {
    /// Classes of a photo.
    Classify,
    /// Keypoints of a person.
    Pose,
}

impl From<TaskArg> for TaskKind {
    fn from(task: TaskArg) -> Self {
        match task {
            TaskArg::Classify => Self::Classes,
            TaskArg::Pose => Self::Pose,
        }
    }
}

/// A choice in JSON.
#[derive(Serialize)]
struct Picked<'a> {
    variant: &'a str,
    precision: Precision,
    best: bool,
    /// Size of the input.
    size: Size,
    #[serde(flatten)]
    claimed: Claimed<'a>,
    p90_ms: f64,
    p90_is_slowest_run: bool,
    median_ms: f64,
    samples: usize,
    /// Why the time is doubtful; null if it is not.
    noise: Option<String>,
    case: String,
}

/// The claimed share, 0 to 1; null if nobody published one.
#[derive(Serialize)]
#[serde(untagged)]
enum Claimed<'a> {
    Classes {
        top1: Option<f64>,
    },
    Pose {
        ap: Option<f64>,
        /// The images of the AP.
        data: Option<&'a str>,
    },
}

impl Pick {
    /// Returns the task of the networks to choose among.
    ///
    /// # Errors
    /// If a limit is of the other task.
    fn task(&self) -> Result<TaskKind, Failure> {
        let limit = match (self.min_top1, self.min_ap) {
            (Some(_), _) => Some((
                TaskArg::Classify,
                "--min-top1",
                "classifiers: pose networks have --min-ap",
            )),
            (_, Some(_)) => Some((
                TaskArg::Pose,
                "--min-ap",
                "pose networks: classifiers have --min-top1",
            )),
            (None, None) => None,
        };
        match (self.task, limit) {
            (Some(task), Some((of, option, whose))) if task != of => Err(Failure::new(
                Exit::Usage,
                format!("{option} is a limit of {whose}"),
            )),
            (task, limit) => {
                let task = task.or(limit.map(|(of, ..)| of));
                Ok(task.unwrap_or(TaskArg::Classify).into())
            }
        }
    }

    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let (zoo, task) = (cx.zoo()?, self.task()?);
        let files = self.files(cx, Path::new(REPORTS))?;
        if files.is_empty() {
            return Err(self.unmeasured(task, "nothing was measured yet"));
        }
        let mut records = records(&files)?;
        // The page of a night or of a report has a copy of its records.
        records.sort_by(|a, b| (&a.started, &a.case, a.process).cmp(&(&b.started, &b.case, b.process)));
        records.dedup();
        let input = Input {
            zoo,
            findings: &[],
            records: &records,
            layers: None,
            evaluations: &Evaluations::default(),
            peers: &peers(),
            history: &[],
            verdicts: &Verdicts::default(),
            command: "zoo pick",
        };
        let query = Query {
            task,
            batch: self.batch,
            size: self.size,
        };
        let found = choices(&input, query);
        let Some(batch) = found.first().map(|choice| choice.case.batch) else {
            return Err(self.absent(zoo, task, &measured_sizes(&input, task)));
        };
        let missing = missing(zoo, task, &found);
        if !missing.is_empty() {
            cx.out.note(&self.left_out(task, &missing, batch));
        }
        for doubt in self.doubts(&found) {
            cx.out.note(&doubt);
        }
        let wish = Wish {
            max_p90_ns: self.max_p90,
            min_accuracy: self.min_top1.or(self.min_ap),
        };
        let fitting: Vec<&Choice> = found.iter().filter(|choice| choice.fits(wish)).collect();
        if fitting.is_empty() {
            return Err(nothing(&found, wish));
        }
        if self.json {
            return cx.out.json(
                &fitting
                    .iter()
                    .map(|choice| picked(task, choice))
                    .collect::<Vec<_>>(),
            );
        }
        if fitting
            .iter()
            .any(|choice| choice.case.precision != Precision::F32)
        {
            cx.out.note(
                "accuracies are claimed in f32; `zoo fidelity NAME --precision all` says how near other precisions come",
            );
        }
        cx.out.data(&listed(task, &fitting))
    }

    /// The files of records that are there, told where they were not asked for.
    fn files(&self, cx: &Context, reports: &Path) -> Result<Vec<PathBuf>, Failure> {
        if !self.records.is_empty() {
            return Ok(self.records.clone());
        }
        let night = report::newest(reports, &Record::now())?;
        let folders = night.as_deref().into_iter().chain([reports]);
        let mut files: Vec<PathBuf> = folders.map(|folder| folder.join(RECORDS)).collect();
        files.retain(|file| file.is_file());
        if !files.is_empty() {
            let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
            cx.out.note(&format!("from {}", names.join(" and ")));
        }
        Ok(files)
    }

    /// Returns the failure of records without a choice: the sizes that were measured and those that were wanted.
    fn absent(&self, zoo: &Zoo, task: TaskKind, measured: &[Size]) -> Failure {
        let wanted: BTreeSet<Size> = match self.size {
            Some(size) => BTreeSet::from([size]),
            None => of_task(zoo, task)
                .map(|variant| variant.preprocess.size())
                .collect(),
        };
        let is_other = measured.iter().all(|size| !wanted.contains(size));
        if let Some(other) = measured.first().filter(|_| is_other) {
            let what = format!(
                "no variant was measured at {} pixels: the records are at {} pixels",
                listed_sizes(&wanted),
                listed_sizes(measured)
            );
            let bench = self.bench(task, &[], self.batch.unwrap_or(1));
            return Failure::new(Exit::NoData, what).help(format!(
                "`zoo pick --size {other}` chooses among these; `{bench}` measures every network, in some minutes"
            ));
        }
        let at = self
            .batch
            .map_or(String::new(), |batch| format!(" at batch {batch}"));
        let what = match task {
            TaskKind::Classes => "variant",
            TaskKind::Pose => "pose network",
        };
        self.unmeasured(task, &format!("no {what} was measured{at}"))
    }

    /// Returns the reasons to doubt all of the choices: another size than accuracies are claimed for, and debug builds.
    fn doubts(&self, found: &[Choice]) -> Vec<String> {
        let mut doubts = Vec::new();
        if let Some(size) = self.size {
            doubts.push(format!(
                "times are at {size} pixels; accuracies are claimed at each variant's own size"
            ));
        }
        let debug = found.iter().filter(|choice| choice.is_debug_build).count();
        if debug > 0 {
            doubts.push(format!(
                "{debug} of {} measured by a debug build, which is slower: {RELEASE}",
                counted(found.len(), "time")
            ));
        }
        doubts
    }

    /// That there is nothing to pick from, and the command that measures it.
    fn unmeasured(&self, task: TaskKind, what: &str) -> Failure {
        let bench = self.bench(task, &[], self.batch.unwrap_or(1));
        Failure::new(Exit::NoData, what).help(format!(
            "`{bench}` measures every network, in some minutes; then ask again"
        ))
    }

    /// The networks that were not measured: how many, the first of them, and the command that measures them.
    fn left_out(&self, task: TaskKind, missing: &[&str], batch: usize) -> String {
        let command = self.bench(task, missing, batch);
        let named = &missing[..missing.len().min(NAMED)];
        let others = match missing.len() - named.len() {
            0 => String::new(),
            others => format!(" and {}", counted(others, "other")),
        };
        format!(
            "{} not measured at batch {batch}: {}{others}; `{command}` measures {}",
            counted(missing.len(), "network"),
            named.join(", "),
            if missing.len() == 1 { "it" } else { "them" }
        )
    }

    /// The command that measures these networks into the file that this command reads: by name if they are few, else all that
    /// are not there yet.
    fn bench(&self, task: TaskKind, networks: &[&str], batch: usize) -> String {
        let mut words = vec!["zoo bench".to_owned()];
        if (1..=NAMED).contains(&networks.len()) {
            words.push(format!("-m {}", networks.join(",")));
        } else if task == TaskKind::Pose {
            words.push(format!("-m {POSES}"));
        }
        words.push(format!("-b {batch}"));
        if let Some(size) = self.size {
            words.push(format!("--size {size}"));
        }
        if networks.len() > NAMED {
            words.push("--resume".into());
        }
        if let Some(file) = self.records.last() {
            words.push(format!("--out {}", quoted(file)));
        }
        words.join(" ")
    }
}

fn listed_sizes<'a>(sizes: impl IntoIterator<Item = &'a Size>) -> String {
    let sizes: Vec<String> = sizes.into_iter().map(Size::to_string).collect();
    sizes.join(", ")
}

/// The variants of a task, in the manifest's order.
fn of_task(zoo: &Zoo, task: TaskKind) -> impl Iterator<Item = &Variant> {
    zoo.variants
        .iter()
        .filter(move |variant| variant.task.kind() == task)
}

/// Networks that a list names before it only counts the others.
const NAMED: usize = 3;

/// The networks of the manifest that were not measured, each by its first variant.
fn missing<'a>(zoo: &'a Zoo, task: TaskKind, found: &[Choice]) -> Vec<&'a str> {
    let is_missing = |name: &str| found.iter().all(|choice| choice.variant != name);
    let mut networks: Vec<&str> = Vec::new();
    for variant in of_task(zoo, task).filter(|variant| is_missing(&variant.name)) {
        let network = zoo.network_of(variant).name.as_str();
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    networks
}

/// A title, right-aligned after a `>`, and its value.
type Column = (&'static str, fn(&Choice) -> String);

/// The choices as a table; its last column says which times are doubtful, if any is.
fn listed(task: TaskKind, choices: &[&Choice]) -> String {
    let mut columns: Vec<Column> = vec![
        ("", |choice| if choice.best { "*" } else { "" }.into()),
        ("variant", |choice| choice.variant.clone()),
    ];
    let claimed: fn(&Choice) -> String = |choice| choice.claimed.clone();
    match task {
        TaskKind::Classes => columns.push((">top-1 (claimed)", claimed)),
        TaskKind::Pose => columns.extend::<[Column; 3]>([
            ("input", |choice| choice.case.crop.to_string()),
            (">AP (claimed)", claimed),
            ("on", |choice| choice.data.clone().unwrap_or_default()),
        ]),
    }
    columns.extend::<[Column; 5]>([
        ("precision", |choice| choice.case.precision.to_string()),
        (">p90 ms", |choice| {
            let bound = if choice.enough { "" } else { "≤ " };
            format!("{bound}{:.2}", choice.p90_ns / 1e6)
        }),
        (">median ms", |choice| format!("{:.2}", choice.median_ns / 1e6)),
        (">runs", |choice| choice.samples.to_string()),
        ("measured as", |choice| {
            Case::Network(choice.case.clone()).to_string()
        }),
    ]);
    if choices.iter().any(|choice| choice.noise.is_some()) {
        columns.push(("noisy", |choice| {
            choice.noise.map_or(String::new(), |noise| noise.to_string())
        }));
    }
    let titles: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
    let row = |choice: &&Choice| columns.iter().map(|(_, value)| value(choice)).collect();
    table(&titles, choices.iter().map(row))
}

fn picked(task: TaskKind, choice: &Choice) -> Picked<'_> {
    Picked {
        variant: &choice.variant,
        precision: choice.case.precision,
        best: choice.best,
        size: choice.case.crop,
        claimed: match task {
            TaskKind::Classes => Claimed::Classes {
                top1: choice.accuracy,
            },
            TaskKind::Pose => Claimed::Pose {
                ap: choice.accuracy,
                data: choice.data.as_deref(),
            },
        },
        p90_ms: choice.p90_ns / 1e6,
        p90_is_slowest_run: !choice.enough,
        median_ms: choice.median_ns / 1e6,
        samples: choice.samples,
        noise: choice.noise.map(|noise| noise.to_string()),
        case: Case::Network(choice.case.clone()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_night_is_taken_and_what_bench_wrote_where_they_are_there() {
        let cx = Context::embedded();
        let reports = tempfile::tempdir().expect("a folder");
        let pick = |records: &[&str]| Pick {
            task: None,
            max_p90: None,
            min_top1: None,
            min_ap: None,
            batch: None,
            size: None,
            records: records.iter().map(PathBuf::from).collect(),
            json: false,
        };
        let files = |pick: Pick| pick.files(&cx, reports.path()).expect("readable");
        assert_eq!(files(pick(&[])), [""; 0].map(PathBuf::from));
        for day in ["2026-11-24-epyc", "2026-11-25-epyc", "latest"] {
            std::fs::create_dir(reports.path().join(day)).expect("made");
            std::fs::write(reports.path().join(day).join("index.html"), "").expect("written");
        }
        let newest = reports.path().join("2026-11-25-epyc").join("records.jsonl");
        assert_eq!(
            files(pick(&[])),
            [""; 0].map(PathBuf::from),
            "its samples are gone"
        );
        std::fs::write(&newest, "").expect("written");
        assert_eq!(files(pick(&[])), std::slice::from_ref(&newest));
        let bench = reports.path().join("records.jsonl");
        std::fs::write(&bench, "").expect("written");
        assert_eq!(files(pick(&[])), [newest, bench]);
        assert_eq!(files(pick(&["mine.jsonl"])), [PathBuf::from("mine.jsonl")]);
    }
}

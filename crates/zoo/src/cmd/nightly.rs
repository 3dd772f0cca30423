use std::fs::File;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use harness::verdict::Comparison;
use harness::{Budget, Case, PreprocessCase, Record, counted, read};
use hrnet::Precision;
use hrnet_zoo::CopyState;
use registry::lint::{Severity, lint};

use super::bench::{duration, warn_of_debug};
use super::profile::write_smallest;
use super::report::{new_folder, render};
use crate::bench::race::{Heat, entrants, is_ours, usual};
use crate::bench::{
    ADVICE, BATCHES, Campaign, Matrix, NETWORKS, Task, Workshop, all_threads, preprocess_cases, told,
};
use crate::context::Context;
use crate::eval::NightEvalArgs;
use crate::files::{check_output, make_folder};
use crate::peers::installed;
use crate::verdicts::nights::{KEPT_DAYS, TWICE, prune};
use crate::verdicts::tonight::Tonight;
use crate::verdicts::{self, RECORDS};
use crate::{Exit, Failure};

/// Who holds this file of the folder of reports measures a night into it.
const LOCK: &str = ".night.lock";

/// The networks that a quick night measures in every precision.
const IN_ALL_PRECISIONS: [&str; 2] = ["HRNet_W18_C", "HRNet_W48_C"];

/// The pose networks of a full night, at batch 1: those of COCO, for which most AP is published.
const POSES: [&str; 4] = [
    "pose_hrnet_w32_256x192",
    "pose_hrnet_w32_384x288",
    "pose_hrnet_w48_256x192",
    "pose_hrnet_w48_384x288",
];

/// Measure, compare with the night before, and report
///
/// Needs neither network nor weights: if a variant's weights are not in the cache, seeded ones stand in, which take as long to
/// run, and the page says so. Installed peers are raced beside our engine.
///
/// Each cell is measured in processes of its own, as many as the time allows, with more for the cells whose times spread most.
///
/// Classifiers are measured at 224x224. A full run measures the four pose networks of COCO at batch 1 as well.
///
/// With a data set the accuracy of each network whose weights are in the cache is measured, too, as by `zoo eval`.
///
/// Cells are compared with the last night of the same machine and command in the folder. Exits with 10 if a cell became slower, and
/// with 12 if a cell that had data has none; with --quick, which takes few samples, a regression is a warning. Samples of a
/// night are deleted when two later nights are more than 30 days newer; its page, medians and verdicts stay. Nights that began
/// after this one, by a clock that was wrong, are left out and named. Only one `zoo nightly` may run in a folder.
#[derive(Debug, Args)]
pub(crate) struct Nightly {
    /// A few samples of f32 at batches 1 and 4, of two networks in the other precisions, and of one pose network, in a few minutes
    #[arg(long)]
    quick: bool,
    /// Time for measuring our own backends; races with peers, accuracy and the report come on top
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2h", conflicts_with = "quick")]
    budget: Duration,
    #[command(flatten)]
    eval: NightEvalArgs,
    /// Measure every cell twice, not only a few: whatever is called changed between the two is a false alarm
    #[arg(long)]
    aa: bool,
    /// Parent of the dated folder
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Also write the page as Markdown with its charts into this folder, as README.md, for places that do not show HTML; removes
    /// charts of the page before that the new one does not have
    #[arg(long, value_name = "DIR")]
    markdown: Option<PathBuf>,
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
            "checked {}; wrong published figures: {wrong}",
            counted(zoo.variants.len(), "variant")
        ));
        check_cache(cx)?;
        warn_of_debug(cx);
        if let Some(folder) = &self.markdown {
            let page = folder.join("README.md");
            make_folder(&page)?;
            check_output(&page)?;
        }
        let eval = self.eval.plan(cx, if self.quick { 100 } else { 1000 })?;

        let _alone = alone(&self.out)?;
        let folder = new_folder(&self.out)?;
        let (mut records, again) = self.measure(cx, &folder)?;
        let workshop = Workshop::new(cx, None);
        for heat in self.heats(cx)? {
            let standing = heat.run(&workshop, self.race_budget(), Some(&folder.join(RECORDS)))?;
            cx.out.note(&standing.text());
            records.extend(standing.records);
        }

        let unevaluated = match &eval {
            Some(eval) => eval.run(cx, &self.out, &folder)?,
            None => 0,
        };
        let runs = NonZeroUsize::new(if self.quick { 7 } else { 20 }).expect("not zero");
        if let Err(failure) = write_smallest(cx, &folder, runs) {
            cx.out.warn(&format!("no times of layers: {}", failure.message));
        }
        let tonight = Tonight {
            command: self.command(),
            reports: &self.out,
            folder: &folder,
            records: &records,
            again: &again,
        };
        let judged = tonight.judge()?;
        if let Some(ahead) = &judged.ahead {
            cx.out.warn(ahead);
        }
        cx.out.note(&judged.told);
        if let Some(noisy) = told::noisy(&records.iter().collect::<Vec<_>>()) {
            cx.out.note(&noisy);
        }
        let copy = self.markdown.as_deref();
        let mut pages = render(cx, &records, &self.out, &folder, self.command(), copy)?;
        pages.extend(judged.paths);
        for pruned in prune(&self.out, &Record::now())? {
            cx.out.detail(&format!(
                "{}: older than {KEPT_DAYS} days, keeps medians only",
                pruned.display()
            ));
        }
        if self.json {
            cx.out.json(&pages)?;
        } else {
            cx.out.path(&folder.join("index.html"))?;
        }
        self.end(cx, &records, judged.night.comparison.as_ref())?;
        match unevaluated {
            0 => Ok(()),
            _ => Err(Failure::new(
                Exit::Some,
                format!(
                    "{} could not be evaluated; the page says why",
                    counted(unevaluated, "network")
                ),
            )),
        }
    }

    /// The records of all cells, and those of the cells that are measured twice, by turns with the first.
    fn measure(&self, cx: &Context, folder: &Path) -> Result<(Vec<Record>, Vec<Record>), Failure> {
        let (cases, twice) = (self.cases(cx)?, folder.join(TWICE));
        let again = self.twice(&cases);
        cx.out.note(&format!(
            "measuring {}, {} of them twice (A/A), into {}",
            counted(cases.len(), "cell"),
            again.len(),
            folder.display()
        ));
        let campaign = Campaign {
            cx,
            weights: None,
            calibration: None,
            budget: if self.quick { Budget::QUICK } else { Budget::NIGHT },
            processes: 1,
            limit: (!self.quick).then_some(self.budget),
        };
        let first = cases
            .iter()
            .map(|case| Task::new(case.clone(), &folder.join(RECORDS)));
        let second = again.iter().map(|case| Task::new(case.clone(), &twice));
        let done = campaign.run(first.chain(second).collect(), &self.last_records()?, |record| {
            if record.process == Some(0) {
                cx.out.note(&told::line(&[record]));
            } else {
                cx.out.detail(&told::progress(record));
            }
            Ok(())
        })?;
        if let Some(left_out) = told::left_out(&done, campaign.processes) {
            cx.out.warn(&format!("{left_out}; --budget gives more time"));
        }
        let (again, first): (Vec<Task>, Vec<Task>) =
            done.tasks.into_iter().partition(|task| task.file == twice);
        let records = |tasks: Vec<Task>| tasks.into_iter().flat_map(|task| task.records).collect();
        Ok((records(first), records(again)))
    }

    /// The latest measurements, for the plan; the present night has no page yet.
    fn last_records(&self) -> Result<Vec<Record>, Failure> {
        let file = report::newest(&self.out, &Record::now())?.map(|folder| folder.join(RECORDS));
        match file.filter(|file| file.is_file()) {
            Some(file) => Ok(read(&file)?),
            None => Ok(Vec::new()),
        }
    }

    fn command(&self) -> &'static str {
        if self.quick {
            "zoo nightly --quick"
        } else {
            "zoo nightly"
        }
    }

    /// The cells that are measured twice: a few that take no long time, or all.
    fn twice(&self, cases: &[Case]) -> Vec<Case> {
        let first = cases
            .iter()
            .find_map(|case| Some(case.network()?.variant.as_str()));
        let few = |case: &&Case| match case {
            Case::Preprocess(PreprocessCase::Decode) => true,
            Case::Preprocess(PreprocessCase::Batch { .. } | PreprocessCase::Person { .. }) => false,
            Case::Network(case) => case.precision == Precision::F32 && Some(case.variant.as_str()) == first,
        };
        cases
            .iter()
            .filter(|case| self.aa || few(case))
            .cloned()
            .collect()
    }

    /// Returns the exit code of the night: a regression has precedence over lost cells, and these over failed ones.
    fn end(&self, cx: &Context, records: &[Record], comparison: Option<&Comparison>) -> Result<(), Failure> {
        let failed = records.iter().filter(|record| record.summary().is_none()).count();
        if failed == records.len() {
            return Err(Failure::new(
                Exit::NoData,
                "no cell could be measured; the page says why",
            ));
        }
        let judge = |comparison| verdicts::judge(comparison, verdicts::Shown::default());
        match comparison.map_or(Ok(()), judge) {
            Err(failure) if self.quick && failure.exit == Exit::Regressed => cx.out.warn(&format!(
                "{}, by few samples: a full `zoo nightly` would fail",
                failure.message
            )),
            judged => judged?,
        }
        match failed {
            0 => Ok(()),
            _ => Err(Failure::new(
                Exit::Some,
                format!(
                    "{failed} of {} failed; the page lists them",
                    counted(records.len(), "cell")
                ),
            )),
        }
    }

    /// Our engine and the installed peers in turns, on the networks that others publish most about.
    fn heats(&self, cx: &Context) -> Result<Vec<Heat>, Failure> {
        let mut others = installed(cx, !self.quick);
        if others.is_empty() {
            cx.out.note(ADVICE);
            return Ok(Vec::new());
        }
        // Stock operations take longest of all.
        if !self.quick {
            others = usual(Precision::F32, 1, &others);
        }
        let engines = entrants(Precision::F32, &others)?;
        let heat = |variant: &str| Heat {
            variant: variant.to_owned(),
            precision: Precision::F32,
            batch: 1,
            threads: all_threads(),
            engines: engines.clone(),
        };
        // A manifest of somebody's own need not have them.
        let zoo = cx.zoo()?;
        let named = |name: &&str| zoo.variant(name).is_some();
        let pose = (!self.quick).then_some(POSES[0]);
        let networks = NETWORKS.into_iter().chain(pose);
        Ok(networks.filter(named).map(heat).collect())
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
            variants: zoo.classifiers().map(|variant| variant.name.clone()).collect(),
            precisions: Precision::ALL.to_vec(),
            batches: BATCHES.to_vec(),
            sizes: Vec::new(),
            backends: Vec::new(),
            threads: vec![all_threads()],
            twins: false,
        };
        let networks = if self.quick {
            let f32 = Matrix {
                precisions: vec![Precision::F32],
                batches: vec![1, 4],
                ..every.clone()
            };
            // Preparing i16 and int8 takes longer than timing them: two networks show what precisions gain and cost.
            let others = Precision::ALL
                .into_iter()
                .filter(|precision| *precision != Precision::F32);
            let others = Matrix {
                variants: IN_ALL_PRECISIONS.map(str::to_owned).into(),
                precisions: others.collect(),
                batches: vec![4],
                ..every.clone()
            };
            // The smallest alone: it stands for the others in a few seconds.
            let pose = Matrix {
                variants: vec![POSES[0].to_owned()],
                precisions: vec![Precision::F32],
                batches: vec![1],
                ..every
            };
            [f32.cases(zoo), others.cases(zoo), pose.cases(zoo)].concat()
        } else {
            // Stock operations would take minutes a cell.
            let ours = Precision::ALL.into_iter().filter(|precision| is_ours(*precision));
            let poses = Matrix {
                variants: POSES.map(str::to_owned).into(),
                precisions: ours.collect(),
                batches: vec![1],
                ..every.clone()
            };
            [every.cases(zoo), poses.cases(zoo)].concat()
        };
        Ok([preprocess_cases(), networks].concat())
    }
}

/// The lock of the folder of reports, as long as the night lasts: two at once would measure each other.
fn alone(reports: &Path) -> Result<File, Failure> {
    let failed = |error| Failure::file(reports, &error);
    std::fs::create_dir_all(reports).map_err(failed)?;
    ::files::try_hold(&reports.join(LOCK))
        .map_err(failed)?
        .ok_or_else(|| {
            let what = format!(
                "{}: another `zoo nightly` is measuring into this folder",
                reports.display()
            );
            Failure::new(Exit::Other, what)
                .help("wait until it has ended; two at once would slow each other down")
        })
}

/// Reads every cached file again, and holds what was prepared from it against it: a nightly on damaged weights would report
/// on something else.
fn check_cache(cx: &Context) -> Result<(), Failure> {
    let lock = cx.lock()?;
    let mut files = 0;
    for variant in &cx.zoo()?.variants {
        for artifact in &variant.artifacts {
            if cx.cache().verify(artifact, &lock, true)?.is_some() {
                files += 1;
            }
            if let CopyState::Wrong(error) = cx.door()?.check_copy(variant, artifact, true)? {
                return Err(error.into());
            }
        }
    }
    match files {
        0 => cx
            .out
            .note("no weights are in the cache: seeded weights stand in"),
        _ => cx
            .out
            .note(&format!("verified {}", counted(files, "cached weight file"))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::Provenance;
    use harness::verdict::{History, Repeat, Rule, compare};

    fn nightly(quick: bool) -> Nightly {
        Nightly {
            quick,
            eval: NightEvalArgs::default(),
            aa: false,
            out: "reports".into(),
            markdown: None,
            json: false,
            budget: Duration::from_secs(60),
        }
    }

    fn record(case: &str, samples: Result<Vec<u64>, String>) -> Record {
        let case = case.parse().expect("a case");
        Record::new(case, Record::now(), samples, Provenance::default())
    }

    #[test]
    fn a_quick_night_tells_a_regression_and_a_full_one_fails() {
        let cx = Context::embedded();
        let set = |ms: u64| {
            let slow = record("preprocess/decode", Ok(vec![ms * 1_000_000; 9]));
            vec![
                slow,
                record("HRNet_W18_C/f32/bs1/crop224/cpu/t1", Ok(vec![9_000; 9])),
            ]
        };
        let judged = |before: &[Record], now: &[Record]| {
            compare(
                &Repeat::of(before),
                &Repeat::of(now),
                &History::default(),
                Rule::default(),
            )
        };
        let code = |quick: bool, records: &[Record], comparison: Option<&Comparison>| {
            nightly(quick)
                .end(&cx, records, comparison)
                .err()
                .map(|failure| failure.exit)
        };
        let slower = judged(&set(10), &set(100));
        assert_eq!(code(false, &set(100), Some(&slower)), Some(Exit::Regressed));
        assert_eq!(code(true, &set(100), Some(&slower)), None);
        let mut broken = set(10);
        broken[0] = record("preprocess/decode", Err("no photo".into()));
        let lost = judged(&set(10), &broken);
        assert_eq!(code(true, &broken, Some(&lost)), Some(Exit::NoData));
        assert_eq!(code(true, &broken, None), Some(Exit::Some), "the first night");
        assert_eq!(code(true, &broken[..1], None), Some(Exit::NoData), "all failed");
        assert_eq!(code(false, &set(10), None), None);
    }

    #[test]
    fn two_nights_are_not_measured_into_one_folder_at_once() {
        let reports = tempfile::tempdir().expect("a folder");
        let reports = reports.path().join("new");
        let held = alone(&reports).expect("free");
        let failure = alone(&reports).expect_err("taken");
        assert!(failure.message.contains("another `zoo nightly`"), "{failure:?}");
        drop(held);
        alone(&reports).expect("free again");
    }

    #[test]
    fn a_quick_night_has_one_pose_cell_and_a_full_one_those_of_coco_at_their_own_sizes() {
        let poses = |quick: bool| -> Vec<String> {
            let cases = nightly(quick).cases(&Context::embedded()).expect("cases");
            let ids = cases.iter().map(Case::to_string);
            ids.filter(|id| id.starts_with("pose_")).collect()
        };
        let threads = all_threads();
        assert_eq!(
            poses(true),
            [format!("pose_hrnet_w32_256x192/f32/bs1/256x192/cpu/t{threads}")]
        );
        let full = poses(false);
        let ours = Precision::ALL.into_iter().filter(|precision| is_ours(*precision));
        assert_eq!(full.len(), 4 * ours.count(), "{full:?}");
        let largest = format!("pose_hrnet_w48_384x288/int8/bs1/384x288/cpu/t{threads}");
        assert!(full.contains(&largest), "{full:?}");
    }

    #[test]
    fn few_cells_are_measured_twice_unless_all_are_asked_for() {
        let cases = nightly(true).cases(&Context::embedded()).expect("cases");
        let few = nightly(true).twice(&cases);
        assert_eq!(few.len(), 3, "{few:?}");
        let all = Nightly {
            aa: true,
            ..nightly(true)
        };
        assert_eq!(all.twice(&cases), cases);
    }
}

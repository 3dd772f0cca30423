use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use harness::Case;
use harness::verdict::{Comparison, History, Rule, compare};

use super::bench::seconds;
use crate::context::Context;
use crate::counts::{PROCESSES, RUNS, count};
use crate::verdicts::interleave::Duel;
use crate::verdicts::nights::earlier;
use crate::verdicts::selftest::{self, SelfTest};
use crate::verdicts::{Shown, judge, set, text};
use crate::{Exit, Failure};

/// The meanings of the verdicts, for the help.
const VERDICTS: &str = "\
Verdicts:
  slower           beyond the threshold and beyond chance
  faster           beyond the threshold and beyond chance
  same             the interval of the change is within the threshold, or the records are identical
  cannot tell      neither: the lines below the table say what to do next
  not comparable   another machine, size, build, thread count or distance of the cores: it says which
  no data          failed, or measured on one side only

The change is corrected for the machine's speed around each cell. Sides that were measured at different times may differ by \
more than the program: on a noisy machine only --run tells.

Columns that --verbose adds, as --json does:
  before, now      the median times as measured
  uncorrected      the change as measured, and its 95 % interval
  threshold        the smallest change that counts, learned from earlier nights where it says so
  p                the chance of such a change if nothing changed, raised for the number of cells
";

/// The threshold where both sides are measured in turns, as a share: no night lies between them.
const IN_TURNS: f64 = 0.01;

/// Tell whether cells became slower
///
/// Compares two sets of records, or with --run measures two builds of this program in turns. Small changes need several
/// processes: measure both sides with `zoo bench --processes 8`. Exits with 10 if a cell became slower, else with 12 if a cell
/// that had data has none any more or nothing could be compared. Cells that are new, not comparable or without an answer do not
/// change the exit code.
#[derive(Debug, Args)]
#[command(after_help = VERDICTS)]
pub(crate) struct Compare {
    /// BEFORE and NOW: files of records or folders of reports; with --run two executables
    #[arg(value_names = ["BEFORE", "NOW"], num_args = 2, required_unless_present_any = ["self_test", "self_test_worker"])]
    sets: Vec<PathBuf>,
    /// Folder of earlier reports to learn thresholds from [default: the folder that BEFORE and NOW lie in]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["run", "self_test"])]
    history: Option<PathBuf>,
    /// Smallest change that counts, in percent [default: learned from history; 3 without enough history; 1 with --run]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    threshold: Option<f64>,
    /// The largest chance of any false alarm over all cells
    #[arg(long, value_name = "CHANCE", default_value_t = 0.05, value_parser = chance)]
    alpha: f64,
    /// Measure two executables in turns, each time in fresh processes, and measure again what looks changed
    #[arg(long, conflicts_with = "self_test")]
    run: bool,
    #[command(flatten)]
    cells: Cells,
    /// With --run or --self-test: rounds of the order before, now, now, before, which is two processes per side
    #[arg(long, value_name = "N", default_value = "4", value_parser = count::<PROCESSES>)]
    blocks: NonZeroUsize,
    /// With --run: time for each cell's samples in each process
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = seconds)]
    time: f64,
    /// Slow a cell down by 0, 2, 5 and 10 % on this machine and print how often the verdict finds it; takes some minutes
    #[arg(long)]
    self_test: bool,
    /// With --self-test: number of trials
    #[arg(long, value_name = "N", default_value = "20", value_parser = count::<RUNS>)]
    trials: NonZeroUsize,
    /// With --self-test: the cell to slow down
    #[arg(
        long,
        value_name = "ID",
        default_value = "hrnet_w18_small/f32/bs1/crop128/cpu/t1"
    )]
    cell: Case,
    /// With --self-test: samples per process
    #[arg(long, value_name = "N", default_value = "15", value_parser = count::<RUNS>)]
    samples: NonZeroUsize,
    /// One process of the self-test
    #[arg(long, hide = true)]
    self_test_worker: bool,
    /// Also list cells that were measured on one side only
    #[arg(long, conflicts_with = "self_test")]
    all: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// With --run: the cells, as `zoo bench` takes them.
#[derive(Debug, Args)]
struct Cells {
    /// With --run: variants, with * and ? as wildcards
    #[arg(short, long, value_name = "PATTERN", requires = "run")]
    model: Option<String>,
    /// With --run: number formats
    #[arg(long, value_name = "LIST", requires = "run")]
    precision: Option<String>,
    /// With --run: batch sizes
    #[arg(short, long, value_name = "LIST", requires = "run")]
    batch: Option<String>,
    /// With --run: sides of the input
    #[arg(long, value_name = "LIST", requires = "run")]
    size: Option<String>,
    /// With --run: what runs the networks
    #[arg(long, value_name = "LIST", requires = "run")]
    backend: Option<String>,
    /// With --run: thread counts
    #[arg(long, value_name = "LIST", requires = "run")]
    threads: Option<String>,
}

impl Cells {
    /// The options of `zoo bench` that were given; both programs check them.
    fn options(&self) -> Vec<String> {
        let given = [
            ("--model", &self.model),
            ("--precision", &self.precision),
            ("--batch", &self.batch),
            ("--size", &self.size),
            ("--backend", &self.backend),
            ("--threads", &self.threads),
        ];
        let given = given
            .into_iter()
            .filter_map(|(name, value)| Some([name.to_owned(), value.clone()?]));
        given.flatten().collect()
    }
}

impl Compare {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        if self.self_test_worker {
            return cx
                .out
                .json_line(&selftest::worker(cx, &self.cell, self.samples.get())?);
        }
        if self.self_test {
            return self.test(cx);
        }
        let [before, now] = &self.sets[..] else {
            return Err(Failure::new(
                Exit::Usage,
                "two sets of records are compared: BEFORE and NOW",
            ));
        };
        let comparison = if self.run {
            Duel {
                cx,
                programs: [before.clone(), now.clone()],
                cells: self.cells.options(),
                time: self.time,
                blocks: self.blocks.get(),
                rule: self.rule(Some(IN_TURNS)),
            }
            .run()?
        } else {
            self.files()?
        };
        match self.json {
            true => cx.out.json(&comparison)?,
            false => cx.out.data(&text(&comparison, self.shown(cx)))?,
        }
        judge(&comparison, self.shown(cx))
    }

    fn shown(&self, cx: &Context) -> Shown {
        Shown {
            all: self.all,
            details: cx.out.is_verbose(),
        }
    }

    fn rule(&self, threshold: Option<f64>) -> Rule {
        Rule {
            alpha: self.alpha,
            threshold: self.threshold.or(threshold),
        }
    }

    fn files(&self) -> Result<Comparison, Failure> {
        let [before, now] = [set(&self.sets[0])?, set(&self.sets[1])?];
        let shared = || match [&self.sets[0], &self.sets[1]].map(|path| (path.is_dir(), path.parent())) {
            [(true, Some(a)), (true, Some(b))] if a == b && a.is_dir() => Some(a.to_owned()),
            _ => None,
        };
        let history = match self.history.clone().or_else(shared) {
            Some(reports) => History::of(&earlier(&reports, &now)?),
            None => History::default(),
        };
        Ok(compare(&before, &now, &history, self.rule(None)))
    }

    fn test(&self, cx: &Context) -> Result<(), Failure> {
        let test = SelfTest {
            cx,
            case: self.cell.clone(),
            trials: self.trials.get(),
            blocks: self.blocks.get(),
            samples: self.samples.get(),
            rule: self.rule(Some(IN_TURNS)),
        };
        cx.out.note(&format!(
            "{}: {} trials of {} processes a side in turns, {} samples each",
            self.cell,
            self.trials,
            2 * self.blocks.get(),
            self.samples
        ));
        let detections = test.run()?;
        match self.json {
            true => cx.out.json(&detections),
            false => cx.out.data(&selftest::text(&detections)),
        }
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let number = text.trim_end_matches('%').trim_end().parse().ok();
    let percent = number.filter(|percent: &f64| (0.0..=1000.0).contains(percent));
    percent
        .map(|percent| percent / 100.0)
        .ok_or_else(|| format!("`{text}` is no threshold: expected percent, as in 3"))
}

fn chance(text: &str) -> Result<f64, String> {
    let chance = text
        .parse()
        .ok()
        .filter(|chance: &f64| *chance > 0.0 && *chance < 1.0);
    chance.ok_or_else(|| format!("`{text}` is no chance: expected a number between 0 and 1, as in 0.05"))
}

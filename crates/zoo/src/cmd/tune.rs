use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::path::Path;

use clap::Args;
use harness::{Stopwatch, counted};
use hrnet::{Shape, Size};
use runtime::Tuned;

use super::bench::{PrecisionArg, precisions, warn_of_debug};
use crate::bench::all_threads;
use crate::context::Context;
use crate::counts::{BATCH, THREADS, count, size};
use crate::files::write_whole;
use crate::output::table;
use crate::selector::{CLASSIFIERS, Selector, matching};
use crate::{Exit, Failure, memory};

/// Time every algorithm for every layer on this machine, so that the engine uses the fastest
///
/// Without these times the engine chooses by estimates. They are kept in the cache folder and used by every later run on this
/// machine. Layers that were timed before are skipped unless --again is given. `zoo show NAME --plan` prints the chosen
/// algorithms.
#[derive(Debug, Args)]
pub(crate) struct Tune {
    /// Variants, by name or by pattern with * and ?, as 'pose_*'; `classifiers`, `poses` or `all` of them
    #[arg(
        short,
        long,
        value_name = "NAME|PATTERN",
        value_delimiter = ',',
        default_value = CLASSIFIERS
    )]
    model: Vec<Selector>,
    /// Batch sizes
    #[arg(short, long, value_name = "LIST", value_delimiter = ',', default_value = "1", value_parser = count::<BATCH>)]
    batch: Vec<NonZeroUsize>,
    /// Thread counts [default: all hardware threads]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = count::<THREADS>)]
    threads: Vec<NonZeroUsize>,
    /// Number formats, or `all` that the engine runs here
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "f32")]
    precision: Vec<PrecisionArg>,
    /// Size of the input, as 224, or height and width as 256x192 [default: the published one]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    size: Option<Size>,
    /// Discard earlier times
    #[arg(long)]
    again: bool,
}

impl Tune {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        warn_of_debug(cx);
        let path = cx.costs_path()?;
        let _alone = alone(&path)?;
        let mut costs = if self.again {
            runtime::Costs::default()
        } else {
            cx.costs()?.unwrap_or_default()
        };
        let threads = match self.threads.as_slice() {
            [] => vec![all_threads()],
            threads => threads.iter().map(|threads| threads.get()).collect(),
        };
        let engine = runtime::backend("cpu")?;
        let mut precisions = precisions(&self.precision);
        precisions.retain(|precision| engine.arithmetic(*precision).is_some());
        let mut tuned: Vec<Tuned> = Vec::new();
        for name in matching(cx.zoo()?, &self.model)? {
            let variant = cx.variant(&name)?;
            for (batch, threads) in self
                .batch
                .iter()
                .flat_map(|b| threads.iter().map(move |t| (b, t)))
            {
                let size = self.size.unwrap_or(variant.preprocess.size());
                let graph = variant.spec.graph(Shape::images(batch.get(), size))?;
                for precision in &precisions {
                    memory::check_graph(&variant.name, &graph, *precision)?;
                }
                cx.out.note(&format!(
                    "{}, batch {batch}, {}",
                    variant.name,
                    counted(*threads, "thread")
                ));
                for precision in &precisions {
                    runtime::tune(&graph, *precision, *threads, &mut costs, clocked, |layer| {
                        cx.out.detail(&layer.layer.to_string());
                        tuned.push(layer);
                    })?;
                }
            }
        }
        write_whole(&path, Context::costs_text(&costs).as_bytes())?;
        if !tuned.is_empty() {
            cx.out.data(&table(
                &[
                    "layer",
                    ">us",
                    "",
                    ">us",
                    "",
                    ">us",
                    "",
                    "estimate chose",
                    ">which takes",
                ],
                tuned.iter().map(row),
            ))?;
        }
        cx.out.done(&format!(
            "{} timed; {} in {}",
            counted(tuned.len(), "layer"),
            counted(costs.len(), "time"),
            path.display()
        ));
        Ok(())
    }
}

fn clocked(run: &mut dyn FnMut()) -> u64 {
    let mut watch = Stopwatch::start();
    run();
    watch.lap_ns()
}

/// Locks the times at this path as long as they are measured: two processes at once would slow each other down, and one of
/// them would lose its times.
fn alone(path: &Path) -> Result<File, Failure> {
    let folder = ::files::folder_of(path);
    let failed = |error| Failure::file(folder, &error);
    fs::create_dir_all(folder).map_err(failed)?;
    let held = ::files::try_hold(&path.with_extension("lock")).map_err(failed)?;
    held.ok_or_else(|| {
        let what = format!("{}: another `zoo tune` is timing on this machine", path.display());
        Failure::new(Exit::Other, what)
            .help("wait until it has ended; two at once would slow each other down")
    })
}

/// Returns a table row: the layer, its algorithms from the fastest on, and the cost of the estimate's choice.
fn row(tuned: &Tuned) -> Vec<String> {
    let mut times = tuned.times.clone();
    times.sort_by_key(|(_, ns)| *ns);
    let mut row = vec![tuned.layer.to_string()];
    for place in 0..3 {
        let (time, name) = times.get(place).map_or(Default::default(), |(algorithm, ns)| {
            (format!("{:.1}", *ns as f64 / 1e3), algorithm.to_string())
        });
        row.extend([time, name]);
    }
    let estimated = times.iter().find(|(algorithm, _)| *algorithm == tuned.estimated);
    let share = estimated.map_or(1.0, |(_, ns)| *ns as f64 / times[0].1.max(1) as f64);
    row.push(tuned.estimated.to_string());
    row.push(if share > 1.0 {
        format!("{:.0} % longer", 100.0 * (share - 1.0))
    } else {
        String::new()
    });
    row
}

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use harness::{Budget, counted};
use hrnet::{Precision, Shape};
use serde::Serialize;

use super::bench::{PrecisionArg, precisions, seconds, warn_of_debug};
use super::report::typed;
use crate::bench::race::{Entrant, Heat, entrants, is_ours, markdown, overview, usual};
use crate::bench::{ADVICE, NETWORKS, Workshop, all_threads};
use crate::calibration::{CalibrationArg, refuse_unused, warn_of_stand_in};
use crate::context::Context;
use crate::counts::{BATCH, THREADS, count};
use crate::files::{check_output, check_records, write_whole};
use crate::model::WeightsArg;
use crate::output::table;
use crate::peers::{Environment, PEERS, Peer, State, installed, named};
use crate::selector::{Selector, matching};
use crate::{Exit, Failure, memory};

/// Install other inference engines and race them against ours
///
/// They are installed into a separate Python environment, in the cache or in the folder ZOO_PEERS. `ort` and `tract` are
/// instead features of this program.
#[derive(Debug, Args)]
pub(crate) struct Peers {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Install(Install),
    Race(Box<Race>),
}

impl Peers {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        match &self.command {
            Command::List(command) => command.run(cx),
            Command::Install(command) => command.run(cx),
            Command::Race(command) => command.run(cx),
        }
    }
}

/// List the engines, the folder that is searched for them, and which are installed
#[derive(Debug, Args)]
struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    installed: Option<String>,
    lacks: Vec<String>,
    requires: Vec<String>,
    about: &'static str,
}

impl Row {
    fn of(peer: &Peer, environment: &Environment) -> Self {
        let (installed, lacks) = match environment.state(peer) {
            State::Installed(version) => (Some(version), Vec::new()),
            State::Lacks(lacks) => (None, lacks.into_iter().map(str::to_owned).collect()),
        };
        let requires = peer
            .requires
            .iter()
            .map(|(name, version)| format!("{name}=={version}"));
        Self {
            name: peer.name,
            installed,
            lacks,
            requires: requires.collect(),
            about: peer.about,
        }
    }

    /// Describes a backend that is a third-party engine.
    fn of_backend(name: &'static str) -> Self {
        let feature = format!("--features {name}");
        let (about, state) = match runtime::backend(name) {
            Ok(backend) => (
                backend.about(),
                backend.identity().map_err(|error| error.to_string()),
            ),
            Err(_) => ("in other builds of this program", Err(feature.clone())),
        };
        let (installed, lacks) = match state {
            Ok(identity) => (Some(identity), Vec::new()),
            Err(lacking) => (None, vec![lacking]),
        };
        Self {
            name,
            installed,
            lacks,
            requires: vec![feature],
            about,
        }
    }
}

impl List {
    fn run(&self, cx: &Context) -> Result<(), Failure> {
        let environment = Environment::of(cx);
        let peers = PEERS.iter().map(|peer| Row::of(peer, &environment));
        let rows = peers.chain(runtime::PEERS.iter().map(|name| Row::of_backend(name)));
        let rows: Vec<Row> = rows.collect();
        if self.json {
            return cx.out.json(&rows);
        }
        let lines = rows.iter().map(|row| {
            let state = match &row.installed {
                Some(version) => version.clone(),
                None => "–".into(),
            };
            vec![
                row.name.to_owned(),
                state,
                row.about.to_owned(),
                row.requires.join(" "),
            ]
        });
        cx.out
            .data(&table(&["peer", "installed", "what runs", "takes"], lines))?;
        cx.out.note(&format!(
            "searched in {} (ZOO_PEERS names another folder; the default is `peers` in the cache, which ZOO_CACHE moves)",
            environment.root().display()
        ));
        if rows.iter().all(|row| row.installed.is_none()) {
            cx.out.note("`zoo peers install` installs them there");
        }
        Ok(())
    }
}

/// Install peers with pip, in versions that are known to work; a peer that fails to install does not stop the others
///
/// All of them take about 7 GB, because PyTorch's packages include CUDA, and some minutes.
#[derive(Debug, Args)]
struct Install {
    /// Peers to install [default: all]
    names: Vec<String>,
    /// Python for the environment, 3.11 or newer
    #[arg(long, value_name = "FILE", default_value = "python3")]
    python: OsString,
}

impl Install {
    fn run(&self, cx: &Context) -> Result<(), Failure> {
        let peers = named(&self.names)?;
        if cx.offline {
            return Err(Failure::new(
                Exit::Missing,
                "peers are installed over the network, and --offline forbids it",
            ));
        }
        let environment = Environment::of(cx);
        environment.create(&self.python)?;
        let mut failed = 0;
        for peer in &peers {
            cx.out.note(&format!(
                "installing {} into {}",
                peer.name,
                environment.root().display()
            ));
            match environment.install(peer) {
                Ok(()) => cx.out.done(&format!("{} {}", peer.name, peer.requires[0].1)),
                Err(why) => {
                    failed += 1;
                    cx.out.warn(&format!("{} cannot be installed: {why}", peer.name));
                }
            }
        }
        match failed {
            0 => Ok(()),
            _ => Err(Failure::new(
                Exit::Some,
                format!(
                    "could not be installed: {failed} of {}",
                    counted(peers.len(), "engine")
                ),
            )),
        }
    }
}

/// Time our engine and the installed peers in turns, on the same weights, images and threads
///
/// Every engine's logits or heatmaps are first compared with the reference's; an engine with a wrong output is not timed. A ratio is the
/// median over the rounds, with a 95 % interval that assumes nothing about the distribution of times.
///
/// With --precision f32, all engines run f32. With i16, f16 or bf16, ours runs that precision, and peers run every float
/// precision they have. With int8, they run our own int8 export with the same calibration. Our f32 takes part in every race.
#[derive(Debug, Args)]
struct Race {
    /// Variants, by name or by pattern with * and ?, as 'pose_*'; `classifiers`, `poses` or `all` of them
    #[arg(short, long, value_name = "NAME|PATTERN", value_delimiter = ',', default_values = NETWORKS)]
    model: Vec<Selector>,
    /// Number formats of our engine, one race each, or `all` that run here
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "f32")]
    precision: Vec<PrecisionArg>,
    /// Batch sizes
    #[arg(short, long, value_name = "LIST", value_delimiter = ',', default_value = "1", value_parser = count::<BATCH>)]
    batch: Vec<NonZeroUsize>,
    /// Thread counts [default: 1, and all hardware threads]
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = count::<THREADS>)]
    threads: Vec<NonZeroUsize>,
    /// Peers and backends to race against cpu [default: every installed peer, and candle at batch 1]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    peers: Vec<String>,
    /// Weight file, or `seeded:N` [default: the cached weights, or random ones if there are none]
    #[arg(long, value_name = "FILE[#KEY]|seeded:N")]
    weights: Option<WeightsArg>,
    #[command(flatten)]
    calibration: CalibrationArg,
    /// Time for the rounds of each race; at least seven rounds are run
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0, value_parser = seconds)]
    time: f64,
    /// File to append records to
    #[arg(long, value_name = "FILE", default_value = "reports/records.jsonl")]
    out: PathBuf,
    /// Also write the tables as Markdown into this file, with the command, the machine, the date and all versions
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Print the records as JSON, one per line
    #[arg(long)]
    json: bool,
}

impl Race {
    fn run(&self, cx: &Context) -> Result<(), Failure> {
        let heats = self.heats(cx)?;
        check_records(&self.out)?;
        warn_of_debug(cx);
        self.markdown.as_deref().map_or(Ok(()), check_output)?;
        let precisions: Vec<Precision> = heats.iter().map(|heat| heat.precision).collect();
        refuse_unused(self.calibration.file.as_deref(), &precisions)?;
        if self.calibration.file.is_none() {
            warn_of_stand_in(cx, "NAME", &precisions);
        }
        if self.peers.is_empty() && installed(cx, true).is_empty() {
            cx.out.warn(ADVICE);
        }
        let budget = Budget {
            time: Duration::from_secs_f64(self.time),
            ..Budget::RACE
        };
        let workshop = Workshop::new(cx, self.weights.clone()).calibrated(self.calibration.file.clone());
        let mut standings = Vec::new();
        for heat in &heats {
            let engines: Vec<String> = heat.engines.iter().map(Entrant::label).collect();
            cx.out
                .note(&format!("preparing {}: {}", heat.id(), engines.join(", ")));
            let standing = heat.run(&workshop, budget, Some(&self.out))?;
            if self.json {
                standing
                    .records
                    .iter()
                    .try_for_each(|record| cx.out.json_line(record))?;
            } else {
                cx.out.data(&standing.text())?;
            }
            standings.push(standing);
        }
        if !self.json && standings.len() > 1 {
            cx.out.data(&overview(&standings))?;
        }
        if let Some(file) = &self.markdown {
            write_whole(file, markdown(&typed(), &standings).as_bytes())?;
            cx.out.done(&format!(
                "{}: {}",
                file.display(),
                counted(standings.len(), "race")
            ));
        }
        let records = || standings.iter().flat_map(|standing| &standing.records);
        let failed = records().filter(|record| record.summary().is_none()).count();
        match failed {
            0 => Ok(()),
            _ => Err(Failure::new(
                Exit::Some,
                format!("{failed} of {} failed", counted(records().count(), "cell")),
            )),
        }
    }

    fn heats(&self, cx: &Context) -> Result<Vec<Heat>, Failure> {
        let mut threads: Vec<usize> = self.threads.iter().map(|threads| threads.get()).collect();
        if threads.is_empty() {
            threads = vec![1, all_threads()];
            threads.dedup();
        }
        let precisions = self.precisions(cx)?;
        let installed = installed(cx, true);
        let mut heats = Vec::new();
        for variant in matching(cx.zoo()?, &self.model)? {
            for precision in precisions.iter().copied() {
                for batch in self.batch.iter().map(|batch| batch.get()) {
                    let network = cx.variant(&variant)?;
                    let input = Shape::images(batch, network.preprocess.size());
                    memory::check(network, input, precision)?;
                    let engines = match self.peers.as_slice() {
                        [] => entrants(precision, &usual(precision, batch, &installed))?,
                        named => entrants(precision, named)?,
                    };
                    heats.extend(threads.iter().map(|threads| Heat {
                        variant: variant.clone(),
                        precision,
                        batch,
                        threads: *threads,
                        engines: engines.clone(),
                    }));
                }
            }
        }
        Ok(heats)
    }

    /// Returns the requested precisions that our engine runs here, and reports the others.
    fn precisions(&self, cx: &Context) -> Result<Vec<Precision>, Failure> {
        let asked = precisions(&self.precision);
        let (runs, others): (Vec<Precision>, Vec<Precision>) =
            asked.into_iter().partition(|one| is_ours(*one));
        for precision in others {
            cx.out
                .note(&format!("{precision}: our engine does not run it here, skipped"));
        }
        match runs.is_empty() {
            true => Err(
                Failure::new(Exit::NoData, "our engine runs none of these precisions")
                    .help("`zoo doctor` lists the backends and their precisions"),
            ),
            false => Ok(runs),
        }
    }
}

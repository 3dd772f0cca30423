use std::collections::BTreeMap;

use clap::Args;
use harness::counted;
use hrnet::Precision;
use kernels::engine::Isa;
use serde::Serialize;

use crate::Failure;
use crate::bench::{handover_ns, peak, provenance};
use crate::context::Context;
use crate::peers::{Environment, installed};

/// Show the version, what was found on this machine, and which files and folders are used
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Checkup {
    version: String,
    build: String,
    commit: Option<String>,
    manifest: String,
    variants: usize,
    cache: String,
    lock: String,
    offline: bool,
    cpu: String,
    threads: usize,
    memory_gib: f64,
    os: String,
    cpu_features: Vec<String>,
    /// Units that the engine can use on this CPU.
    units: Vec<&'static str>,
    /// Use of them by each precision; a precision that no unit multiplies is left out.
    precisions: BTreeMap<Precision, Arithmetic>,
    /// The reason why there is no matrix unit.
    no_matrix_unit: Option<String>,
    /// Time to hand a cache line from one of two threads to the other, in ns.
    handover_ns: Option<f64>,
    backends: Vec<String>,
    peers: Vec<&'static str>,
    /// Folder that is searched for packages of peers.
    peers_folder: String,
}

/// The unit that runs a precision's products.
#[derive(Serialize)]
struct Arithmetic {
    unit: &'static str,
    /// Instruction that multiplies the operands.
    instruction: &'static str,
    /// Its peak rate on one thread, in G multiply-accumulates per second.
    gmacs_per_s: f64,
}

impl Arithmetic {
    /// Measures the unit that runs this precision; `None` if it has no instruction for it.
    fn of(precision: Precision) -> Result<Option<Self>, Failure> {
        let unit = runtime::unit_for(precision)?;
        let format = runtime::operands(precision, unit);
        let measured = || {
            Some(Self {
                unit: unit.name(),
                instruction: unit.multiplies(format)?,
                gmacs_per_s: (peak(unit, format, 1)? / 1e8).round() / 10.0,
            })
        };
        Ok(measured())
    }

    /// Formats as `amx: AMX tdpbusd, 1628.7 GMAC/s on one thread`.
    fn text(&self) -> String {
        format!(
            "{}: {}, {} GMAC/s on one thread",
            self.unit, self.instruction, self.gmacs_per_s
        )
    }
}

impl Doctor {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let about = provenance();
        let backends = runtime::BACKENDS.iter().map(|backend| {
            let runs = |precision: &Precision| {
                backend
                    .arithmetic(*precision)
                    .map(|how| format!("{precision}: {how}"))
            };
            let precisions: Vec<String> = Precision::ALL.iter().filter_map(runs).collect();
            let what = backend
                .identity()
                .unwrap_or_else(|error| format!("absent, {error}"));
            format!("{} ({what}) {}", backend.name(), precisions.join("; "))
        });
        let mut precisions = BTreeMap::new();
        for precision in Precision::ALL {
            precisions.extend(Arithmetic::of(precision)?.map(|arithmetic| (precision, arithmetic)));
        }
        let tiles = Isa::with_tiles();
        let checkup = Checkup {
            version: about.zoo,
            build: about.build,
            commit: about
                .commit
                .map(|commit| commit.hash + if commit.dirty { ", with changes" } else { "" }),
            manifest: cx.manifest_origin(),
            variants: cx.zoo()?.variants.len(),
            cache: cx.cache().root().display().to_string(),
            lock: cx.lock()?.path().display().to_string(),
            offline: cx.offline,
            cpu: about.machine.cpu,
            threads: about.machine.threads,
            memory_gib: (about.machine.memory_bytes as f64 / f64::from(1 << 30) * 10.0).round() / 10.0,
            os: about.machine.os,
            cpu_features: about.machine.cpu_features,
            units: tiles.iter().chain(&Isa::available()).map(Isa::name).collect(),
            precisions,
            no_matrix_unit: tiles.err().map(|why| why.to_string()),
            handover_ns: (about.machine.threads > 1).then(|| handover_ns().round()),
            backends: backends.collect(),
            peers: installed(cx, true),
            peers_folder: Environment::of(cx).root().display().to_string(),
        };
        if self.json {
            return cx.out.json(&checkup);
        }
        let arithmetic = Precision::ALL.map(|precision| {
            let text = match checkup.precisions.get(&precision) {
                Some(arithmetic) => arithmetic.text(),
                None => "not on this CPU: no instruction multiplies it".into(),
            };
            format!("{:<12}{text}", precision.to_string())
        });
        let without = match &checkup.no_matrix_unit {
            Some(why) => format!("; no tiles: {why}"),
            None => String::new(),
        };
        let commit = checkup.commit.as_deref().unwrap_or("unknown");
        cx.out.data(&format!(
            "zoo         {} ({}), commit {commit}\nmanifest    {}, {}\ncache       {}\nlock        {}\n\
             network     {}\ncpu         {}, {}\nfeatures    {}\nunits       {}{without}; ZOO_ISA \
             names one to use\n{}\nhand-over   {}\nmemory      {} GiB\nsystem      {}\n\
             backends    {}\npeers       {}",
            checkup.version,
            checkup.build,
            checkup.manifest,
            counted(checkup.variants, "variant"),
            checkup.cache,
            checkup.lock,
            if checkup.offline { "off" } else { "allowed" },
            checkup.cpu,
            counted(checkup.threads, "thread"),
            checkup.cpu_features.join(" "),
            checkup.units.join(", "),
            arithmetic.join("\n"),
            checkup.handover_ns.map_or("one thread".into(), |ns| format!(
                "{ns:.0} ns from core to core, now"
            )),
            checkup.memory_gib,
            checkup.os,
            checkup.backends.join("\n            "),
            match checkup.peers.as_slice() {
                [] => format!(
                    "none in {}; `zoo peers install` installs them",
                    checkup.peers_folder
                ),
                peers => peers.join(" "),
            },
        ))
    }
}

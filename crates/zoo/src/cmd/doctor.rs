use std::collections::BTreeMap;

use clap::Args;
use harness::counted;
use hrnet::Precision;
use kernels::engine::Isa;
use kernels::engine::matrix::{MatrixUnit, Operand};
use serde::Serialize;

use crate::Failure;
use crate::bench::{handover_ns, matrix_peak, peaks, provenance};
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
    /// Vector units that the engine can use on this CPU.
    units: Vec<&'static str>,
    unit: &'static str,
    /// Peak rate of the multiply instruction for each precision's operands, on one thread, in G multiply-accumulates per
    /// second.
    peaks: BTreeMap<Precision, f64>,
    /// Matrix unit of the CPU, if it has one; the engine does not use it yet.
    matrix_unit: Option<&'static str>,
    /// The reason why there is no matrix unit.
    no_matrix_unit: Option<String>,
    /// Peak rate of the matrix unit on one thread by operand, in G multiply-accumulates per second.
    matrix_peaks: BTreeMap<&'static str, f64>,
    /// Time to hand a cache line from one of two threads to the other, in ns.
    handover_ns: Option<f64>,
    backends: Vec<String>,
    peers: Vec<&'static str>,
    /// Folder that is searched for packages of peers.
    peers_folder: String,
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
        let unit = runtime::unit()?;
        let matrix = MatrixUnit::hardware();
        let rounded = |(precision, peak): (Precision, f64)| (precision, (peak / 1e8).round() / 10.0);
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
            units: Isa::available().iter().map(Isa::name).collect(),
            unit: unit.name(),
            peaks: peaks(unit, 1).into_iter().map(rounded).collect(),
            matrix_unit: matrix.ok().map(MatrixUnit::name),
            no_matrix_unit: matrix.err().map(|why| why.to_string()),
            matrix_peaks: matrix.map(matrix_peaks).unwrap_or_default(),
            handover_ns: (about.machine.threads > 1).then(|| handover_ns().round()),
            backends: backends.collect(),
            peers: installed(cx, true),
            peers_folder: Environment::of(cx).root().display().to_string(),
        };
        if self.json {
            return cx.out.json(&checkup);
        }
        let peak = |(precision, peak): (&Precision, &f64)| format!("{precision} {peak}");
        let peaks: Vec<String> = checkup.peaks.iter().map(peak).collect();
        let matrix = match (checkup.matrix_unit, &checkup.no_matrix_unit) {
            (Some(unit), _) => {
                let peak = |(operand, peak): (&&str, &f64)| format!("{operand} {peak}");
                let peaks: Vec<String> = checkup.matrix_peaks.iter().map(peak).collect();
                format!(
                    "{unit}: {} GMAC/s, one thread; networks in int8 and bf16 use it, unless ZOO_ISA names another unit",
                    peaks.join(", ")
                )
            }
            (None, why) => format!("none: {}", why.as_deref().unwrap_or("unknown")),
        };
        let commit = checkup.commit.as_deref().unwrap_or("unknown");
        cx.out.data(&format!(
            "zoo         {} ({}), commit {commit}\nmanifest    {}, {}\ncache       {}\nlock        {}\n\
             network     {}\ncpu         {}, {}\nfeatures    {}\nunits       {}; the engine uses {}\n\
             peaks       {} GMAC/s, one thread\ntiles       {matrix}\nhand-over   {}\nmemory      {} GiB\nsystem      {}\n\
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
            checkup.units.join(" "),
            checkup.unit,
            peaks.join(", "),
            checkup.handover_ns.map_or("one thread".into(), |ns| format!(
                "{ns:.0} ns from core to core, now"
            )),
            checkup.memory_gib,
            checkup.os,
            checkup.backends.join("\n            "),
            match checkup.peers.as_slice() {
                [] => format!("none in {}; `zoo peers install` installs them", checkup.peers_folder),
                peers => peers.join(" "),
            },
        ))
    }
}

fn matrix_peaks(unit: MatrixUnit) -> BTreeMap<&'static str, f64> {
    [("int8", Operand::I8U8), ("bf16", Operand::Bf16)]
        .into_iter()
        .map(|(name, operand)| (name, (matrix_peak(unit, operand) / 1e8).round() / 10.0))
        .collect()
}

//! Other inference engines, run beside ours on the same network, weights, images and threads.
//!
//! [`PEERS`] lists them. Each lives in a Python environment of its own making ([`Environment`]) and runs as a child
//! process ([`Worker`]) that loads our own ONNX export and answers line by line. Those of [`runtime::PEERS`] beside them
//! are libraries of this program, where it was built with them.

mod environment;
mod process;
mod python;

use hrnet::Precision;

use crate::context::Context;
use crate::{Exit, Failure};

pub(crate) use environment::{Environment, State};
pub(crate) use process::{Job, Limits, Worker};

/// A third-party engine.
#[derive(Debug)]
pub(crate) struct Peer {
    /// The name in case ids and options; `worker.py` knows it too.
    pub(crate) name: &'static str,
    /// Python packages and their versions; the first one gives the version that is shown.
    pub(crate) requires: &'static [(&'static str, &'static str)],
    /// These packages and all of their dependencies in pip's format: one version each, with the SHA-256 of every file.
    packages: &'static str,
    /// One line about the engine.
    pub(crate) about: &'static str,
    /// Number formats that it runs, if the CPU has instructions for them.
    precisions: &'static [Precision],
    /// The form of our int8 export that it runs fastest.
    pub(crate) rounding: onnx::Rounding,
    /// The largest difference to the reference's output, as a share of its largest absolute value, that a correct network in
    /// f32 shows on seeded weights, which magnify rounding.
    tolerance: f32,
    /// True for an engine that compiles each network or takes several times as long as others; it is left out if time is short.
    pub(crate) slow: bool,
}

impl Peer {
    /// Returns whether it runs a precision on this CPU; without instructions for it, engines silently use another one.
    fn runs(&self, precision: Precision) -> bool {
        let any_of: &[&str] = match precision {
            Precision::F16 => &["avx512fp16", "fp16"],
            Precision::Bf16 => &["avx512bf16", "bf16"],
            Precision::F32 | Precision::I16 | Precision::Int8 => &[],
        };
        let has = |feature: &&str| any_of.contains(feature);
        self.precisions.contains(&precision) && (any_of.is_empty() || kernels::cpu_features().iter().any(has))
    }

    /// Returns the largest difference to the reference's output, as a share of its largest absolute value, that a correct network
    /// shows on random weights: the same tolerance as for our engine, and in f32 the one of this peer's algorithms.
    pub(crate) fn tolerance(&self, precision: Precision) -> f32 {
        match precision {
            Precision::F32 => self.tolerance,
            _ => precision.tolerance(),
        }
    }
}

const NUMPY: (&str, &str) = ("numpy", "2.4.6");
const TORCH: (&str, &str) = ("torch", "2.15.0");
const ONNX: (&str, &str) = ("onnx", "1.23.2");

/// Every peer, in the order of tables.
pub(crate) static PEERS: &[Peer] = &[
    Peer {
        name: "openvino",
        requires: &[("openvino", "2026.4.1"), NUMPY],
        packages: include_str!("packages/openvino.txt"),
        about: "OpenVINO, inference precision as asked, latency hint",
        precisions: &[Precision::F32, Precision::F16, Precision::Bf16, Precision::Int8],
        rounding: onnx::Rounding::Operands,
        tolerance: 1e-4,
        slow: false,
    },
    Peer {
        name: "onnxruntime",
        requires: &[("onnxruntime", "1.31.1"), NUMPY],
        packages: include_str!("packages/onnxruntime.txt"),
        about: "ONNX Runtime, CPU provider, all graph optimisations",
        precisions: &[Precision::F32, Precision::Int8],
        rounding: onnx::Rounding::Every,
        tolerance: 1e-4,
        slow: false,
    },
    Peer {
        name: "torch",
        requires: &[TORCH, ONNX, NUMPY],
        packages: include_str!("packages/torch.txt"),
        about: "PyTorch, eager, channels last, batch norms folded",
        precisions: &[Precision::F32],
        rounding: onnx::Rounding::Every,
        tolerance: 1e-4,
        slow: false,
    },
    Peer {
        name: "torch-compile",
        requires: &[TORCH, ONNX, NUMPY],
        packages: include_str!("packages/torch.txt"),
        about: "PyTorch, torch.compile with frozen weights; needs a C++ compiler, takes a minute a network",
        precisions: &[Precision::F32],
        rounding: onnx::Rounding::Every,
        tolerance: 1e-4,
        slow: true,
    },
    Peer {
        name: "ncnn",
        requires: &[("ncnn", "1.0.20261020"), ("pnnx", "20261020"), NUMPY],
        packages: include_str!("packages/ncnn.txt"),
        about: "ncnn, 16-bit storage off; has no batches, so runs image by image",
        precisions: &[Precision::F32],
        rounding: onnx::Rounding::Every,
        tolerance: 2e-4,
        slow: false,
    },
    Peer {
        name: "mnn",
        requires: &[("MNN", "3.6.1"), NUMPY],
        packages: include_str!("packages/mnn.txt"),
        about: "MNN, high precision; its Winograd tiles round more than others'",
        precisions: &[Precision::F32],
        rounding: onnx::Rounding::Every,
        tolerance: 1e-2,
        slow: false,
    },
];

/// Returns the names of all third-party engines: peers, and third-party backends, whether this build has them or not.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    PEERS
        .iter()
        .map(|peer| peer.name)
        .chain(runtime::PEERS.iter().copied())
}

/// Returns those of [`names`] that can run here: installed peers, and backends of this build whose libraries are found; slow
/// peers only if `slow`.
pub(crate) fn installed(cx: &Context, slow: bool) -> Vec<&'static str> {
    let environment = Environment::of(cx);
    let peers = PEERS
        .iter()
        .filter(|peer| (slow || !peer.slow) && environment.has(peer))
        .map(|peer| peer.name);
    let runs = |name: &&str| runtime::backend(name).is_ok_and(|backend| backend.identity().is_ok());
    let backends = runtime::PEERS.iter().copied().filter(runs);
    peers.chain(backends).collect()
}

/// Returns those of these third-party engines that are not installed.
pub(crate) fn absent<'a>(cx: &Context, engines: &'a [String]) -> Vec<&'a str> {
    let theirs = engines.iter().map(String::as_str);
    let theirs: Vec<&str> = theirs
        .filter(|name| names().any(|known| known == *name))
        .collect();
    let installed = if theirs.is_empty() {
        Vec::new()
    } else {
        installed(cx, true)
    };
    theirs
        .into_iter()
        .filter(|name| !installed.contains(name))
        .collect()
}

/// Returns the peer with this name.
pub(crate) fn find(name: &str) -> Option<&'static Peer> {
    PEERS.iter().find(|peer| peer.name == name)
}

/// Returns the peers with these names; without names, all of them.
pub(crate) fn named(names: &[String]) -> Result<Vec<&'static Peer>, Failure> {
    if names.is_empty() {
        return Ok(PEERS.iter().collect());
    }
    let known = || PEERS.iter().map(|peer| peer.name);
    let one = |name: &String| {
        find(name).ok_or_else(|| {
            if runtime::PEERS.contains(&name.as_str()) {
                let what = format!("`{name}` is not a Python package here but a feature of this program");
                return Failure::new(Exit::NotFound, what).help(format!(
                    "`cargo build --release -p zoo --features {name}` builds it in"
                ));
            }
            let list: Vec<&str> = known().collect();
            let failure = Failure::new(
                Exit::NotFound,
                format!("unknown peer `{name}`: there are {}", list.join(", ")),
            );
            match registry::nearest(name, known()) {
                Some(nearest) => failure.help(format!("did you mean `{nearest}`?")),
                None => failure,
            }
        })
    };
    names.iter().map(one).collect()
}

/// Returns whether the backend or peer with this name runs a precision.
///
/// # Errors
/// If there is no backend or peer with that name.
pub(crate) fn runs(name: &str, precision: Precision) -> Result<bool, Failure> {
    if let Some(peer) = find(name) {
        return Ok(peer.runs(precision));
    }
    match runtime::backend(name) {
        Ok(backend) => Ok(backend.arithmetic(precision).is_some()),
        Err(error) => {
            let peers: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
            Err(Failure::from(error).help(format!("peers run too: {}", peers.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn peers_and_backends_share_one_space_of_names() {
        for peer in PEERS {
            assert!(
                runtime::backend(peer.name).is_err(),
                "{} is a backend too",
                peer.name
            );
            assert_eq!(runs(peer.name, Precision::F32).ok(), Some(true));
            assert_eq!(runs(peer.name, Precision::I16).ok(), Some(false));
        }
        assert_eq!(names().collect::<HashSet<_>>().len(), names().count());
        assert_eq!(runs("candle", Precision::F16).ok(), Some(true));
        assert_eq!(runs("openvino", Precision::Int8).ok(), Some(true));
        assert_eq!(runs("ncnn", Precision::Int8).ok(), Some(false));
        let unknown = runs("opencv", Precision::F32).expect_err("no such thing");
        assert!(unknown.message.contains("cpu-exact") && unknown.help.expect("help").contains("openvino"));
    }

    #[test]
    fn the_worker_has_a_class_for_each_peer() {
        for peer in PEERS {
            assert!(
                process::PROGRAM.contains(&format!("    \"{}\": ", peer.name)),
                "{}",
                peer.name
            );
        }
    }

    /// Parses the packages of a list, each with its version, its condition and its digests.
    fn listed(list: &str) -> Vec<(String, String, Vec<&str>)> {
        let one_line = |package: &str| !package.is_empty() && !package.starts_with('#');
        let joined = list.replace("\\\n", "\t");
        let packages: Vec<&str> = list
            .lines()
            .filter(|line| !line.starts_with([' ', '#']))
            .collect();
        assert_eq!(
            joined.lines().filter(|line| one_line(line)).count(),
            packages.len(),
            "a package is a line that digests go on"
        );
        let digests = |package: &str| {
            let begin = list.find(package).expect("its line") + package.len();
            let lines = list[begin..].lines().skip(1);
            let own = lines.take_while(|line| line.starts_with(' '));
            own.map(|line| line.trim().trim_end_matches(" \\")).collect()
        };
        let split = |package: &&str| {
            let (name, rest) = package.split_once("==").expect("a version");
            let version = rest.trim_end_matches('\\').trim();
            (name.to_owned(), version.to_owned(), digests(package))
        };
        packages.iter().map(split).collect()
    }

    #[test]
    fn every_package_of_a_peer_is_one_version_with_the_digests_of_its_files() {
        let mut versions: HashMap<String, HashSet<String>> = HashMap::new();
        for peer in PEERS {
            let listed = listed(peer.packages);
            for (name, version) in peer.requires {
                let same = |(package, listed, _): &&(String, String, Vec<&str>)| {
                    package.eq_ignore_ascii_case(name) && listed == version
                };
                assert!(
                    listed.iter().any(|package| same(&package)),
                    "{}: {name}",
                    peer.name
                );
            }
            for (name, _, digests) in &listed {
                assert!(!digests.is_empty(), "{}: {name} without digests", peer.name);
                for digest in digests {
                    let hex = digest.strip_prefix("--hash=sha256:").unwrap_or_default();
                    let is_hex = hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
                    assert!(is_hex, "{}: {name}: {digest}", peer.name);
                }
            }
            for name in listed.iter().map(|(name, ..)| name) {
                let of = listed.iter().filter(|(other, ..)| other == name);
                let of: HashSet<String> = of.map(|(_, version, _)| version.clone()).collect();
                let known = versions.entry(name.clone()).or_insert_with(|| of.clone());
                assert_eq!(*known, of, "{}: {name}: peers share one environment", peer.name);
            }
        }
    }

    #[test]
    fn a_misspelt_peer_gets_its_suggestion() {
        let failure = named(&["openvin".into()]).expect_err("misspelt");
        assert_eq!(failure.help.as_deref(), Some("did you mean `openvino`?"));
        assert_eq!(named(&[]).expect("all").len(), PEERS.len());
        let failure = named(&["tract".into()]).expect_err("no package");
        assert!(failure.help.expect("help").contains("--features tract"));
    }
}

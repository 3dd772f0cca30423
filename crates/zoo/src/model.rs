//! From a variant's name to something that runs: which weights, on which backend.

use std::num::NonZeroUsize;
use std::path::Path;
use std::str::FromStr;

use clap::Args;
use hrnet::{Graph, Precision, SeededWeights, Shape, WeightSource};
use registry::{Artifact, Digest, Variant};
use runtime::{Options, Session};
use serde::{Deserialize, Serialize};

use crate::calibration::{Calibrated, CalibrationArg, refuse_unused};
use crate::context::Context;
use crate::weight_file::WeightFile;
use crate::{Exit, Failure};

/// Options of every subcommand that runs one network.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// The variant, as `zoo list` names it
    #[arg(short, long, value_name = "NAME")]
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) weights: WeightArgs,
    /// What runs the network; without it the first of `zoo doctor` that takes the precision
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<String>,
    /// Number format: f32, f16, bf16, i16 or int8
    #[arg(long, value_name = "NAME", default_value_t = Precision::F32)]
    pub(crate) precision: Precision,
    /// Threads; without it all of the machine's
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    #[command(flatten)]
    calibration: CalibrationArg,
}

impl ModelArgs {
    /// A session of the model for batches of `input`.
    pub(crate) fn session(
        &self,
        cx: &Context,
        variant: &Variant,
        input: Shape,
    ) -> Result<Box<dyn Session>, Failure> {
        let graph = variant.spec.graph(input)?;
        let weights = self.weights.load(cx, variant, &graph)?;
        self.prepare(cx, variant, &graph, &weights)
    }

    /// A session of the graph, which may be a part of the one the weights were loaded for.
    pub(crate) fn prepare(
        &self,
        cx: &Context,
        variant: &Variant,
        graph: &Graph,
        weights: &Weights,
    ) -> Result<Box<dyn Session>, Failure> {
        let calibration = self.calibration.file.as_deref();
        refuse_unused(calibration, &[self.precision])?;
        let mut options = Options::new(self.precision);
        options.threads = self.threads.unwrap_or(options.threads);
        if let Some(file) = calibration {
            let weights = || Weights::identity(cx, variant, &self.weights.choice());
            options.calibration = Some(Calibrated::read(cx, file, variant, weights)?.calibration);
        }
        let backend = match &self.backend {
            Some(name) => runtime::backend(name)?,
            None => runtime::default_backend(self.precision)?,
        };
        Ok(backend.prepare(graph, weights.source.as_ref(), options)?)
    }
}

/// Which weights of a variant.
#[derive(Debug, Args)]
pub(crate) struct WeightArgs {
    /// A weight file, or `seeded:N` for made-up weights; without it the fetched ones. Of several sets of weights in a file,
    /// `FILE#KEY` takes the one under that key, as `zoo inspect` names it
    #[arg(long, value_name = "FILE[#KEY]|seeded:N")]
    pub(crate) weights: Option<WeightsArg>,
    /// Which of the variant's weight sources, where it has several
    #[arg(long, value_name = "ID", conflicts_with = "weights")]
    pub(crate) source: Option<String>,
}

impl WeightArgs {
    /// The weights, fitted to the graph of the whole network.
    pub(crate) fn load(&self, cx: &Context, variant: &Variant, graph: &Graph) -> Result<Weights, Failure> {
        let weights = Weights::load(cx, variant, graph, &self.choice())?;
        cx.out.detail(&format!("weights: {}", weights.about));
        Ok(weights)
    }

    pub(crate) fn choice(&self) -> Choice<'_> {
        match (&self.weights, &self.source) {
            (Some(weights), _) => Choice::Given(weights.clone()),
            (None, source) => Choice::Cached(source.as_deref()),
        }
    }

    /// Whether the weights are made up.
    pub(crate) fn are_seeded(&self) -> bool {
        self.weights.as_ref().is_some_and(WeightsArg::are_seeded)
    }
}

/// `--weights`: a file or a seed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum WeightsArg {
    Seeded(u64),
    File(WeightFile),
}

impl WeightsArg {
    /// Whether the weights are made up.
    pub(crate) fn are_seeded(&self) -> bool {
        matches!(self, Self::Seeded(_))
    }
}

impl FromStr for WeightsArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("seeded:") {
            Some(seed) => {
                let seed = seed
                    .parse()
                    .map_err(|_| format!("`{seed}` is no seed: expected a number, as in seeded:0"))?;
                Ok(Self::Seeded(seed))
            }
            None => Ok(Self::File(WeightFile::parse(text))),
        }
    }
}

/// Where a network's weights are to come from.
pub(crate) enum Choice<'a> {
    /// What the user named.
    Given(WeightsArg),
    /// The fetched file of this source, or of the first one in the cache.
    Cached(Option<&'a str>),
    /// The fetched file, or seeded ones: latencies do not depend on the values.
    CachedOrSeeded,
}

/// Weights with the words that a record says about them.
pub(crate) struct Weights {
    pub(crate) source: Box<dyn WeightSource>,
    pub(crate) about: String,
}

impl Weights {
    pub(crate) fn load(
        cx: &Context,
        variant: &Variant,
        graph: &Graph,
        choice: &Choice,
    ) -> Result<Self, Failure> {
        match choice {
            Choice::Given(WeightsArg::Seeded(seed)) => Ok(Self::seeded(*seed)),
            Choice::Given(WeightsArg::File(file)) => Ok(Self {
                source: Box::new(file.weights(cx, graph)?),
                about: file.name(),
            }),
            Choice::Cached(source) => {
                let artifact = pick(variant, *source, cx)?;
                match cx.cached(artifact)? {
                    Some(path) => Self::prepared(cx, &path, artifact, graph),
                    None => Err(missing(variant, artifact)),
                }
            }
            Choice::CachedOrSeeded => {
                let artifact = pick(variant, None, cx)?;
                match cx.cached(artifact)? {
                    Some(path) => Self::prepared(cx, &path, artifact, graph),
                    None => Ok(Self::seeded(0)),
                }
            }
        }
    }

    /// What [`Weights::load`] will say about the weights.
    pub(crate) fn about(cx: &Context, variant: &Variant, choice: &Choice) -> Result<String, Failure> {
        let source = match choice {
            Choice::Given(WeightsArg::Seeded(seed)) => return Ok(seeded(*seed)),
            Choice::Given(WeightsArg::File(file)) => return Ok(file.name()),
            Choice::Cached(source) => *source,
            Choice::CachedOrSeeded => None,
        };
        let artifact = pick(variant, source, cx)?;
        match (cx.cached(artifact)?, choice) {
            (None, Choice::CachedOrSeeded) => Ok(seeded(0)),
            _ => Ok(artifact.file_name.clone()),
        }
    }

    /// What tells weights from others: the SHA-256 of their file, with the key of the set that was asked for, or `seeded:N`.
    pub(crate) fn identity(cx: &Context, variant: &Variant, choice: &Choice) -> Result<String, Failure> {
        let hashed = |path: &Path| {
            let digest = Digest::of_file(path).map_err(|error| Failure::file(path, &error))?;
            Ok(digest.to_string())
        };
        let source = match choice {
            Choice::Given(WeightsArg::File(file)) => {
                let set = file.set.as_ref().map_or(String::new(), |set| format!("#{set}"));
                return Ok(format!("{}{set}", hashed(&file.path)?));
            }
            Choice::Given(WeightsArg::Seeded(_)) => return Self::about(cx, variant, choice),
            Choice::Cached(source) => *source,
            Choice::CachedOrSeeded => None,
        };
        let artifact = pick(variant, source, cx)?;
        if let Some(pin) = cx.lock()?.pin(&artifact.url) {
            return Ok(pin.sha256.to_string());
        }
        match cx.cached(artifact)? {
            Some(path) => hashed(&path),
            None => Self::about(cx, variant, choice),
        }
    }

    fn seeded(seed: u64) -> Self {
        Self {
            source: Box::new(SeededWeights::new(seed)),
            about: seeded(seed),
        }
    }

    /// A cached file's weights, mapped from the prepared copy beside it, which the first use writes.
    fn prepared(cx: &Context, path: &Path, artifact: &Artifact, graph: &Graph) -> Result<Self, Failure> {
        let digest = cx.lock()?.pin(&artifact.url).map(|pin| pin.sha256.to_string());
        let weights = checkpoint::load_prepared(path, digest.as_deref(), graph)?;
        Ok(Self {
            source: Box::new(weights),
            about: artifact.file_name.clone(),
        })
    }
}

fn seeded(seed: u64) -> String {
    format!("seeded:{seed}")
}

/// The source of this id; without an id the first one that is in the cache, else the first.
fn pick<'a>(variant: &'a Variant, id: Option<&str>, cx: &Context) -> Result<&'a Artifact, Failure> {
    let artifacts = &variant.artifacts;
    match id {
        Some(id) => artifacts
            .iter()
            .find(|artifact| artifact.id == id)
            .ok_or_else(|| {
                let known: Vec<&str> = artifacts.iter().map(|artifact| artifact.id.as_str()).collect();
                Failure::new(
                    Exit::NotFound,
                    format!(
                        "{} has no weight source `{id}`: it has {}",
                        variant.name,
                        known.join(", ")
                    ),
                )
            }),
        None => Ok(artifacts
            .iter()
            .find(|artifact| matches!(cx.cached(artifact), Ok(Some(_))))
            .unwrap_or(&artifacts[0])),
    }
}

fn missing(variant: &Variant, artifact: &Artifact) -> Failure {
    let name = &variant.name;
    Failure::new(Exit::Missing, format!("the {} weights of {name} are not in the cache", artifact.id)).help(format!(
        "`zoo fetch {name}` brings them; `--weights FILE` takes another file, `--weights seeded:0` made-up ones"
    ))
}

//! From a variant's name to something that runs: which weights, on which backend.

use std::cell::OnceCell;
use std::fs::File;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use harness::WeightsCheck;
use hrnet::{Graph, Precision, SeededWeights, Shape, WeightSource};
use hrnet_zoo::{Notice, PoseModel, PoseOptions};
use registry::{Artifact, Check, Digest, FetchError, Named, Preprocess, Variant};
use runtime::{Options, Session};
use serde::{Deserialize, Serialize};

use crate::calibration::{CalibrationArg, refuse_unused};
use crate::context::Context;
use crate::counts::{THREADS, count};
use crate::photos::Whose;
use crate::weight_file::WeightFile;
use crate::{Exit, Failure, memory};

/// Options of every subcommand that runs one network.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// Variant, in any case: its name, W18 for HRNet_W18_C, or timm's hrnet_w18.ms_in1k, which also chooses the weights
    #[arg(short, long, value_name = "NAME")]
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) weights: WeightArgs,
    /// Backend [default: the first one in `zoo doctor` that runs the precision]
    #[arg(long, value_name = "NAME")]
    pub(crate) backend: Option<String>,
    /// Number format: f32, f16, bf16, i16 or int8; also fp32, half and other common names
    #[arg(long, value_name = "NAME", default_value_t = Precision::F32)]
    pub(crate) precision: Precision,
    /// Threads [default: all hardware threads]
    #[arg(long, value_name = "N", value_parser = count::<THREADS>)]
    pub(crate) threads: Option<NonZeroUsize>,
    #[command(flatten)]
    calibration: CalibrationArg,
}

/// A session and the origin of its ranges.
pub(crate) struct Ready {
    pub(crate) session: Box<dyn Session>,
    /// Origin of the ranges: SHA-256 of the calibration, or the name of its stand-in; `None` in floating point.
    pub(crate) calibration: Option<String>,
}

/// A pose network and the origin of its ranges.
pub(crate) struct ReadyPose {
    pub(crate) model: PoseModel,
    /// As [`Ready::calibration`].
    pub(crate) calibration: Option<String>,
}

impl ModelArgs {
    /// Prepares a pose network, whose crops are made by this profile.
    pub(crate) fn pose(
        &self,
        cx: &Context,
        named: Named,
        profile: &Preprocess,
        options: PoseOptions,
    ) -> Result<ReadyPose, Failure> {
        let variant = named.variant;
        let largest = Shape::images(options.batch.get(), profile.size());
        let graph = variant.spec.graph(largest)?;
        memory::check_graph(&variant.name, &graph, self.precision)?;
        let weights = self.weights.load(cx, named, &graph)?;
        let mut calibration = None;
        let model = PoseModel::new(variant, profile, options, |graph| {
            let ready = self.ready(cx, variant, graph, &weights)?;
            calibration = ready.calibration;
            Ok::<_, Failure>(ready.session)
        })?;
        Ok(ReadyPose { model, calibration })
    }

    /// Prepares a session of the model for batches of shape `input`.
    pub(crate) fn session(&self, cx: &Context, named: Named, input: Shape) -> Result<Ready, Failure> {
        let graph = named.variant.spec.graph(input)?;
        memory::check_graph(&named.variant.name, &graph, self.precision)?;
        let weights = self.weights.load(cx, named, &graph)?;
        self.ready(cx, named.variant, &graph, &weights)
    }

    /// Prepares a session of the graph, which may be a part of the one that the weights were loaded for.
    pub(crate) fn prepare(
        &self,
        cx: &Context,
        variant: &Variant,
        graph: &Graph,
        weights: &Weights,
    ) -> Result<Box<dyn Session>, Failure> {
        Ok(self.ready(cx, variant, graph, weights)?.session)
    }

    fn ready(
        &self,
        cx: &Context,
        variant: &Variant,
        graph: &Graph,
        weights: &Weights,
    ) -> Result<Ready, Failure> {
        refuse_unused(self.calibration.file.as_deref(), &[self.precision])?;
        let mut options = Options::new(self.precision);
        options.threads = self.threads.unwrap_or(options.threads);
        let identity = || weights.identity(cx);
        let ranges = self.calibration.ranges(cx, variant, self.precision, identity)?;
        options.calibration = ranges.calibration;
        let backend = match &self.backend {
            Some(name) => runtime::backend(name)?,
            None => runtime::default_backend(self.precision)?,
        };
        Ok(Ready {
            session: backend.prepare(graph, weights.source.as_ref(), options)?,
            calibration: ranges.about,
        })
    }
}

/// Options that choose the weights of a variant.
#[derive(Debug, Args)]
pub(crate) struct WeightArgs {
    /// Weight file, or `seeded:N` for random weights [default: the downloaded ones]. In a file with several sets of weights,
    /// `FILE#KEY` chooses the set with that key, as listed by `zoo inspect`
    #[arg(long, value_name = "FILE[#KEY]|seeded:N")]
    pub(crate) weights: Option<WeightsArg>,
    /// Weight source, for variants with several [default: the one that the name chooses, else the first one in the cache]
    #[arg(long, value_name = "ID", conflicts_with = "weights")]
    pub(crate) source: Option<String>,
}

impl WeightArgs {
    /// Loads the weights, fitted to the graph of the whole network.
    pub(crate) fn load(&self, cx: &Context, named: Named, graph: &Graph) -> Result<Weights, Failure> {
        let weights = Weights::load(cx, named.variant, graph, &self.choice(named))?;
        cx.out.detail(&format!("weights: {}", weights.shown()));
        Ok(weights)
    }

    /// Returns the owner of the weights without loading them.
    pub(crate) fn whose<'v>(&self, cx: &Context, named: Named<'v>) -> Result<Whose<'v>, Failure> {
        self.choice(named).whose(cx, named)
    }

    /// Returns the choice of weights: by option, or by a name that chooses a source.
    pub(crate) fn choice<'a>(&'a self, named: Named<'a>) -> Choice<'a> {
        match (&self.weights, &self.source) {
            (Some(weights), _) => Choice::Given(weights.clone()),
            (None, Some(source)) => Choice::Cached(Some(source)),
            (None, None) => Choice::of(named),
        }
    }

    /// Returns whether an option names weights.
    pub(crate) fn are_named(&self) -> bool {
        self.weights.is_some() || self.source.is_some()
    }

    /// Returns whether the weights are random.
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
    /// Returns whether the weights are random.
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
                    .map_err(|_| format!("`{seed}` is not a seed: expected a number, as in seeded:0"))?;
                Ok(Self::Seeded(seed))
            }
            None => Ok(Self::File(WeightFile::parse(text))),
        }
    }
}

/// The choice of a network's weights.
pub(crate) enum Choice<'a> {
    /// A file or a seed that the user named.
    Given(WeightsArg),
    /// The downloaded file of this source, or of the first source in the cache.
    Cached(Option<&'a str>),
    /// The downloaded file if there is one, else random weights: latencies do not depend on the values.
    CachedOrSeeded,
}

impl<'a> Choice<'a> {
    /// Returns the choice that a name alone makes: the source that it stands for, else the first source in the cache.
    pub(crate) fn of(named: Named<'a>) -> Self {
        Self::Cached(named.artifact.map(|artifact| artifact.id.as_str()))
    }

    /// Returns the owner of the weights that [`Weights::load`] would load. Reads only the tensor names of a file.
    pub(crate) fn whose<'v>(&self, cx: &Context, named: Named<'v>) -> Result<Whose<'v>, Failure> {
        let variant = named.variant;
        if let (Self::Given(_), Some(source)) = (self, named.artifact) {
            return Ok(Whose::InPlaceOf(source));
        }
        let artifact = match self {
            Self::Given(WeightsArg::Seeded(_)) => return Ok(Whose::Seeded),
            Self::Given(WeightsArg::File(file)) => {
                return Ok(Whose::File {
                    name: file.name(),
                    naming: file.naming()?,
                });
            }
            Self::Cached(source) => pick(variant, *source, cx)?,
            Self::CachedOrSeeded => pick(variant, None, cx)?,
        };
        let Some(artifact) = artifact else {
            return Ok(Whose::Seeded);
        };
        let is_seeded = matches!(self, Self::CachedOrSeeded) && cx.cached(artifact)?.is_none();
        Ok(match is_seeded {
            true => Whose::Seeded,
            false => Whose::Source(artifact),
        })
    }
}

/// Weights, and their origin for records.
pub(crate) struct Weights {
    pub(crate) source: Box<dyn WeightSource>,
    origin: Origin,
}

/// The origin of weights.
enum Origin {
    Seeded(u64),
    File(FileOrigin),
}

/// A weight file and its digest, which is computed at the first request.
struct FileOrigin {
    /// The file's name, as its publisher or the user calls it.
    name: String,
    path: PathBuf,
    /// Key of the requested set of weights.
    set: Option<String>,
    digest: FileDigest,
}

enum FileDigest {
    /// Known from the cache.
    Known(Digest, WeightsCheck),
    /// The file was named by the user, and is not hashed yet.
    Unread(File, OnceCell<(Digest, WeightsCheck)>),
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
            Choice::Given(WeightsArg::File(file)) => Self::read(cx, file, variant, graph),
            Choice::Cached(source) => {
                let artifact = pick(variant, *source, cx)?.ok_or_else(|| no_source(variant))?;
                let cached = Self::cached(cx, artifact, graph)?;
                cached.ok_or_else(|| missing(variant, artifact))
            }
            Choice::CachedOrSeeded => {
                let cached = match pick(variant, None, cx)? {
                    Some(artifact) => Self::cached(cx, artifact, graph)?,
                    None => None,
                };
                Ok(cached.unwrap_or_else(|| Self::seeded(0)))
            }
        }
    }

    /// Returns what [`Weights::about`] will say about the weights of a choice.
    pub(crate) fn about_choice(cx: &Context, variant: &Variant, choice: &Choice) -> Result<String, Failure> {
        Origin::of(cx, variant, choice)?.about(cx)
    }

    /// Returns the description for records: `seeded:N`, or the name of the file and its SHA-256.
    pub(crate) fn about(&self, cx: &Context) -> Result<String, Failure> {
        self.origin.about(cx)
    }

    /// Returns the identity of the weights: the SHA-256 of their file, with the key of a requested set, or `seeded:N`.
    pub(crate) fn identity(&self, cx: &Context) -> Result<String, Failure> {
        self.origin.identity(cx)
    }

    /// Returns how the SHA-256 of the file is known; `None` for random weights.
    pub(crate) fn check(&self, cx: &Context) -> Result<Option<WeightsCheck>, Failure> {
        match &self.origin {
            Origin::Seeded(_) => Ok(None),
            Origin::File(file) => Ok(Some(file.digest(cx)?.1)),
        }
    }

    /// Returns a description for messages, without hashing anything.
    pub(crate) fn shown(&self) -> String {
        match &self.origin {
            Origin::Seeded(seed) => seeded(*seed),
            Origin::File(file) => match &file.digest {
                FileDigest::Known(digest, check) => format!("{}, sha256 {digest}, {check}", file.name),
                FileDigest::Unread(..) => file.path.display().to_string(),
            },
        }
    }

    fn seeded(seed: u64) -> Self {
        Self {
            source: Box::new(SeededWeights::new(seed)),
            origin: Origin::Seeded(seed),
        }
    }

    fn cached(cx: &Context, artifact: &Artifact, graph: &Graph) -> Result<Option<Self>, Failure> {
        let Some(opened) = cx.door()?.open(artifact, graph)? else {
            return Ok(None);
        };
        opened.notices.iter().for_each(|notice| tell(cx, notice));
        // A file that is known by its stamp is a prepared copy, whose tensors are compared with their checksums.
        let check = match opened.check {
            Check::Read => WeightsCheck::Read,
            Check::Stamp => WeightsCheck::StampAndSums,
        };
        Ok(Some(Self {
            source: Box::new(opened.weights),
            origin: Origin::File(FileOrigin {
                name: artifact.file_name.clone(),
                path: cx.cache().path(opened.sha256),
                set: None,
                digest: FileDigest::Known(opened.sha256, check),
            }),
        }))
    }

    fn read(cx: &Context, named: &WeightFile, variant: &Variant, graph: &Graph) -> Result<Self, Failure> {
        let file = named.open()?;
        Ok(Self {
            source: Box::new(named.weights(cx, &file, variant, graph)?),
            origin: Origin::File(FileOrigin::named(named, file)),
        })
    }
}

impl Origin {
    /// Returns the weights that [`Weights::load`] would find, without loading them.
    fn of(cx: &Context, variant: &Variant, choice: &Choice) -> Result<Self, Failure> {
        let source = match choice {
            Choice::Given(WeightsArg::Seeded(seed)) => return Ok(Self::Seeded(*seed)),
            Choice::Given(WeightsArg::File(named)) => {
                return Ok(Self::File(FileOrigin::named(named, named.open()?)));
            }
            Choice::Cached(source) => *source,
            Choice::CachedOrSeeded => None,
        };
        let artifact = match (pick(variant, source, cx)?, choice) {
            (Some(artifact), _) => artifact,
            (None, Choice::CachedOrSeeded) => return Ok(Self::Seeded(0)),
            (None, _) => return Err(no_source(variant)),
        };
        match (cx.cache().open(artifact, &cx.lock()?, false)?, choice) {
            (Some(found), _) => Ok(Self::File(FileOrigin {
                name: artifact.file_name.clone(),
                digest: FileDigest::Known(found.pin.sha256, found.check.into()),
                path: found.path,
                set: None,
            })),
            (None, Choice::CachedOrSeeded) => Ok(Self::Seeded(0)),
            (None, _) => Err(missing(variant, artifact)),
        }
    }

    fn about(&self, cx: &Context) -> Result<String, Failure> {
        match self {
            Self::Seeded(seed) => Ok(seeded(*seed)),
            Self::File(file) => Ok(format!("{}, sha256 {}", file.name, file.digest(cx)?.0)),
        }
    }

    fn identity(&self, cx: &Context) -> Result<String, Failure> {
        match self {
            Self::Seeded(seed) => Ok(seeded(*seed)),
            Self::File(file) => {
                let set = file.set.as_ref().map_or(String::new(), |set| format!("#{set}"));
                Ok(format!("{}{set}", file.digest(cx)?.0))
            }
        }
    }
}

impl FileOrigin {
    fn named(named: &WeightFile, file: File) -> Self {
        Self {
            name: named.name(),
            path: named.path.clone(),
            set: named.set.clone(),
            digest: FileDigest::Unread(file, OnceCell::new()),
        }
    }

    fn digest(&self, cx: &Context) -> Result<(Digest, WeightsCheck), Failure> {
        match &self.digest {
            FileDigest::Known(digest, check) => Ok((*digest, *check)),
            FileDigest::Unread(file, digest) => {
                if let Some(digest) = digest.get() {
                    return Ok(*digest);
                }
                let found = cx.cache().digest_of(file);
                let (pin, check) = found.map_err(|error| Failure::file(&self.path, &error))?;
                Ok(*digest.get_or_init(|| (pin.sha256, check.into())))
            }
        }
    }
}

/// Says that a prepared copy could not be used or made.
fn tell(cx: &Context, notice: &Notice) {
    match notice {
        Notice::Remade(error) => cx.out.warn(&format!("{error}; it is made again")),
        Notice::NotNoted(error) => cx.out.detail(&format!("{error}; not noted in the cache")),
        Notice::NotMade { path, error } => {
            let path = path.display();
            cx.out
                .detail(&format!("{error}; the weights come from {path} itself"));
        }
        _ => {}
    }
}

fn seeded(seed: u64) -> String {
    format!("seeded:{seed}")
}

/// Returns the source with this id; without an id the first one in the cache, else the first one, if there is any.
fn pick<'a>(variant: &'a Variant, id: Option<&str>, cx: &Context) -> Result<Option<&'a Artifact>, Failure> {
    Ok(cx.door()?.pick(variant, id)?)
}

/// The failure of a variant without a weight source.
fn no_source(variant: &Variant) -> Failure {
    let what = format!("zoo.toml names no weights of {}", variant.name);
    Failure::new(Exit::Missing, what).help(
        "`--weights FILE` takes a file, `--weights seeded:0` random ones; `path = \"FILE\"` in a [[variant.weights]] makes a \
         file its own",
    )
}

fn missing(variant: &Variant, artifact: &Artifact) -> Failure {
    if let Some(local) = &artifact.local {
        return FetchError::Absent { path: local.path() }.into();
    }
    let (name, id) = (&variant.name, &artifact.id);
    let is_first = variant.artifacts.first().is_some_and(|first| first.id == *id);
    let source = if is_first {
        String::new()
    } else {
        format!(" --source {id}")
    };
    Failure::new(Exit::Missing, format!("the {id} weights of {name} are not in the cache")).help(format!(
        "`zoo fetch {name}{source}` downloads them; `--weights FILE` uses another file, `--weights seeded:0` random weights"
    ))
}

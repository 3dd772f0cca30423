use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use files::LARGEST_TEXT;
use hrnet::{Features, Graph, Precision, SeededWeights};
use registry::{Artifact, Cache, Frame, Lock, Named, Preprocess, Variant, Zoo};
use runtime::{Backend, Calibration, Options};

use crate::model::{Model, Parts, Source};
use crate::{Door, Error, Labels, PoseModel, PoseOptions, find_profile, sources_by_naming, transform};

/// The choices by which a [`Model`] or a [`PoseModel`] is loaded, from [`Model::builder`] or [`PoseModel::builder`].
#[derive(Clone, Debug)]
#[must_use = "`build` and `build_pose` load the model"]
pub struct Builder {
    name: String,
    manifest: Option<PathBuf>,
    cache: Option<PathBuf>,
    weights: Choice,
    profile: Option<String>,
    crop: Option<usize>,
    precision: Precision,
    calibration: Option<Arc<Calibration>>,
    backend: Option<String>,
    threads: Option<NonZeroUsize>,
    features: Features,
    top: usize,
    pose: PoseOptions,
}

/// Where weights come from.
#[derive(Clone, Debug)]
enum Choice {
    /// The cache: this source, or that of the name, or the first that is there.
    Cached(Option<String>),
    File {
        path: PathBuf,
        set: Option<String>,
    },
    Seeded(u64),
}

impl Builder {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            manifest: None,
            cache: None,
            weights: Choice::Cached(None),
            profile: None,
            crop: None,
            precision: Precision::F32,
            calibration: None,
            backend: None,
            threads: None,
            features: Features::default(),
            top: 5,
            pose: PoseOptions::default(),
        }
    }

    /// Takes variants from this `zoo.toml`, and pins from the `zoo.lock` beside it; without it those built in.
    pub fn manifest(mut self, path: impl Into<PathBuf>) -> Self {
        self.manifest = Some(path.into());
        self
    }

    /// Looks for weights in this folder; without it in the user's cache folder, `~/.cache/hrnet-zoo` on Linux. The variable
    /// `ZOO_CACHE`, which the `zoo` program reads, is not read here.
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// Takes the weights of this source, as `zoo show NAME` lists them; without it those of the name, as of timm's
    /// `hrnet_w18.ms_in1k`, else the first source that is in the cache.
    pub fn source(mut self, id: impl Into<String>) -> Self {
        self.weights = Choice::Cached(Some(id.into()));
        self
    }

    /// Reads the weights from a file: `.pdparams`, `.pth` or `.safetensors`, with the tensor names of PaddleClas, timm or OpenMMLab.
    pub fn weights(mut self, path: impl Into<PathBuf>) -> Self {
        self.weights = Choice::File {
            path: path.into(),
            set: None,
        };
        self
    }

    /// Reads one of several sets of weights in a file, as `zoo inspect FILE` names them, such as `state_dict_ema`.
    pub fn weights_set(mut self, path: impl Into<PathBuf>, set: impl Into<String>) -> Self {
        self.weights = Choice::File {
            path: path.into(),
            set: Some(set.into()),
        };
        self
    }

    /// Takes random weights, the same for the same seed: classes mean nothing, and nothing is downloaded.
    pub fn seeded(mut self, seed: u64) -> Self {
        self.weights = Choice::Seeded(seed);
        self
    }

    /// Prepares photos by this profile of the manifest, such as `timm-288-bilinear-1.0`, or by the only one whose name begins so;
    /// without it as the publisher of the weights does.
    pub fn profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// Crops photos to this side, in pixels, a multiple of 32. The short side is resized to it in the profile's proportion.
    pub fn crop(mut self, side: usize) -> Self {
        self.crop = Some(side);
        self
    }

    /// Computes in this number format; without it in f32.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// Rounds by these ranges in i16 and int8, as `zoo quantize` finds them on photos; without them by ranges of eight synthetic
    /// photos, which cost accuracy.
    pub fn calibration(mut self, calibration: Calibration) -> Self {
        self.calibration = Some(Arc::new(calibration));
        self
    }

    /// Runs on this backend, as `zoo doctor` names it; without it on the first that takes the precision.
    pub fn backend(mut self, name: impl Into<String>) -> Self {
        self.backend = Some(name.into());
        self
    }

    /// Runs on this number of threads; without it on all of the machine's.
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Chooses which maps [`Model::features`] computes; without it timm's default.
    pub fn features(mut self, location: Features) -> Self {
        self.features = location;
        self
    }

    /// Chooses how many classes [`Model::classify`] returns; without it 5.
    pub fn top(mut self, count: usize) -> Self {
        self.top = count;
        self
    }

    /// Chooses whether a [`PoseModel`] also runs on each person's mirrored crop, which takes twice the time and finds keypoints
    /// better; without it `true`.
    pub fn flip_test(mut self, flip: bool) -> Self {
        self.pose.flip = flip;
        self
    }

    /// Chooses the most people that one run of a [`PoseModel`] takes; without it 1.
    pub fn batch(mut self, people: NonZeroUsize) -> Self {
        self.pose.batch = people;
        self
    }

    /// Loads the weights and prepares the network for one image.
    ///
    /// # Errors
    /// If the name is not known or that of a pose network, the weights are not there, not those that were pinned or not those of
    /// the network, or the network cannot be prepared.
    pub fn build(self) -> Result<Model, Error> {
        let zoo = self.zoo()?;
        let named = zoo.named(&self.name)?;
        if !named.variant.is_classifier() {
            return Err(Error::NoClassifier {
                variant: named.variant.name.clone(),
            });
        }
        let loaded = self.load(&zoo, named)?;
        let preprocess = self.preprocess(&zoo, named.variant, &loaded)?;
        let engine = self.engine()?;
        Model::new(Parts {
            variant: named.variant.name.clone(),
            source: loaded.artifact.map(|artifact| artifact.id.clone()),
            spec: named.variant.spec.clone(),
            transform: transform(&preprocess)?,
            preprocess,
            weights: loaded.source,
            backend: engine.backend,
            options: engine.options,
            features: self.features,
            labels: Labels::of(named.variant)?,
            top: self.top,
        })
    }

    /// Loads the weights of a pose network and prepares it. [`Builder::crop`], [`Builder::features`] and [`Builder::top`] are of
    /// classifiers and have no effect.
    ///
    /// # Errors
    /// As [`Builder::build`], and if the variant classifies photos or its keypoints have no published skeleton.
    pub fn build_pose(self) -> Result<PoseModel, Error> {
        let zoo = self.zoo()?;
        let named = zoo.named(&self.name)?;
        if named.variant.is_classifier() {
            return Err(Error::NoPose {
                variant: named.variant.name.clone(),
            });
        }
        let loaded = self.load(&zoo, named)?;
        let profile = self.preprocess(&zoo, named.variant, &loaded)?;
        let Engine { backend, options } = self.engine()?;
        PoseModel::new(named.variant, &profile, self.pose, |graph| {
            Ok(backend.prepare(graph, loaded.source.get(), options.clone())?)
        })
    }

    /// The weights of a variant under the lock in force, and a check that the calibration is theirs.
    fn load<'z>(&self, zoo: &'z Zoo, named: Named<'z>) -> Result<Loaded<'z>, Error> {
        let cache = Cache::new(self.cache_folder());
        let lock = Lock::in_force(&cache, self.manifest.as_deref(), zoo.extends)?;
        let mut door = Door::new(&cache, lock);
        if let Some(manifest) = &self.manifest {
            door = door.for_manifest(manifest, zoo);
        }
        // The parameters do not depend on the size of images.
        let graph = named.variant.spec.graph(named.variant.input())?;
        let loaded = self.open(&door, &cache, named, &graph)?;
        self.check_calibration(zoo, named.variant, &loaded.identity)?;
        Ok(loaded)
    }

    /// The backend and its settings.
    fn engine(&self) -> Result<Engine, Error> {
        let backend = match &self.backend {
            Some(name) => runtime::backend(name)?,
            None => runtime::default_backend(self.precision)?,
        };
        let mut options = Options::new(self.precision);
        options.threads = self.threads.unwrap_or(options.threads);
        options.calibration = self.calibration.clone();
        Ok(Engine { backend, options })
    }

    fn zoo(&self) -> Result<Zoo, Error> {
        let Some(path) = &self.manifest else {
            return Ok(Zoo::builtin());
        };
        let text = files::read_text(path, LARGEST_TEXT).map_err(Error::io(path))?;
        Ok(Zoo::parse(&text, path)?)
    }

    fn cache_folder(&self) -> PathBuf {
        let folder = self.cache.clone().or_else(Cache::platform_root);
        folder.unwrap_or_else(|| PathBuf::from(".zoo-cache"))
    }

    fn open<'z>(
        &self,
        door: &Door<'_>,
        cache: &Cache,
        named: Named<'z>,
        graph: &Graph,
    ) -> Result<Loaded<'z>, Error> {
        let variant = named.variant;
        match &self.weights {
            Choice::Seeded(seed) => Ok(Loaded {
                source: Source::Seeded(SeededWeights::new(*seed)),
                artifact: named.artifact,
                identity: format!("seeded:{seed}"),
            }),
            Choice::File { path, set } => {
                let file = files::open_file(path).map_err(Error::io(path))?;
                let tensors = checkpoint::read_open(path, &file, set.as_deref())?;
                let alike = sources_by_naming(variant, tensors.naming()?);
                // Read only where a calibration asks for it.
                let identity = match &self.calibration {
                    Some(_) => identity_of(cache, path, &file, set.as_deref())?,
                    None => String::new(),
                };
                Ok(Loaded {
                    source: Source::File(tensors.weights(graph)?),
                    artifact: named.artifact.or(alike.first().copied()),
                    identity,
                })
            }
            Choice::Cached(id) => {
                let alias = named.artifact.map(|artifact| artifact.id.as_str());
                let picked = door.pick(variant, id.as_deref().or(alias))?;
                let artifact = picked.ok_or_else(|| Error::NoSource {
                    variant: variant.name.clone(),
                })?;
                // Its notices are about speed: the weights are the right ones.
                let opened = door.open(artifact, graph)?;
                let opened = opened.ok_or_else(|| missing(variant, artifact, cache))?;
                Ok(Loaded {
                    source: Source::File(opened.weights),
                    artifact: Some(artifact),
                    identity: opened.sha256.to_string(),
                })
            }
        }
    }

    /// The profile asked for, else that of the weights' publisher, else the variant's; with the crop that was asked for.
    fn preprocess(&self, zoo: &Zoo, variant: &Variant, loaded: &Loaded<'_>) -> Result<Preprocess, Error> {
        let profile = match &self.profile {
            Some(name) => find_profile(zoo, Some(variant), name)?,
            None => loaded
                .artifact
                .map_or(&variant.preprocess, |artifact| &artifact.preprocess),
        };
        let mut profile = profile.clone();
        if let (
            Some(crop),
            Frame::Centre {
                resize_short,
                crop: own,
            },
        ) = (self.crop, profile.frame)
        {
            let short = crop.saturating_mul(resize_short) / own;
            profile = profile.centred(short.max(crop), crop);
        }
        Ok(profile)
    }

    /// Refuses a calibration of another network, or of other weights.
    fn check_calibration(&self, zoo: &Zoo, variant: &Variant, identity: &str) -> Result<(), Error> {
        let Some(calibration) = &self.calibration else {
            return Ok(());
        };
        let network = &zoo.network_of(variant).name;
        let checks = [
            (calibration.origin.network.as_deref(), network.as_str()),
            (calibration.origin.weights.as_deref(), identity),
        ];
        for (found, expected) in checks {
            if let Some(found) = found.filter(|found| *found != expected) {
                return Err(Error::Calibration {
                    found: found.to_owned(),
                    expected: expected.to_owned(),
                });
            }
        }
        Ok(())
    }
}

/// What runs a network, and how.
struct Engine {
    backend: &'static dyn Backend,
    options: Options,
}

/// Weights, and whose they are.
struct Loaded<'z> {
    source: Source,
    /// The source of the manifest, that of the name, or the first that names its tensors alike.
    artifact: Option<&'z Artifact>,
    /// SHA-256 of the file, with the key of the set that was asked for, or `seeded:N`.
    identity: String,
}

fn identity_of(
    cache: &Cache,
    path: &std::path::Path,
    file: &std::fs::File,
    set: Option<&str>,
) -> Result<String, Error> {
    let (pin, _) = cache.digest_of(file).map_err(Error::io(path))?;
    let set = set.map_or(String::new(), |set| format!("#{set}"));
    Ok(format!("{}{set}", pin.sha256))
}

fn missing(variant: &Variant, artifact: &Artifact, cache: &Cache) -> Error {
    match &artifact.local {
        Some(local) => registry::FetchError::Absent { path: local.path() }.into(),
        None => Error::NotFetched {
            variant: variant.name.clone(),
            id: artifact.id.clone(),
            cache: cache.root().to_owned(),
        },
    }
}

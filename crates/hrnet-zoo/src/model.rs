use std::collections::BTreeMap;
use std::fmt;

use hrnet::{Features, Graph, HrnetSpec, SeededWeights, Shape, WeightSource};
use preprocess::{Transform, Worker};
use registry::Preprocess;
use runtime::{Backend, Options, Session};

use crate::{Builder, Class, Error, Labels};

/// A trained network that classifies photos.
///
/// A model is prepared for one image at a time when it is loaded. [`Model::run`] prepares it for other batch sizes, and
/// [`Model::features`] for feature maps, when they are first called, and keeps that: each takes memory of its own. A model runs on
/// threads of its own; to run several at once, load several, with fewer [threads](Builder::threads) each.
pub struct Model {
    parts: Parts,
    worker: Worker<f32>,
    /// One prepared photo, `[3, crop, crop]`.
    photo: Vec<f32>,
    sessions: BTreeMap<Job, Box<dyn Session>>,
}

/// The choices and files that [`Builder::build`] found.
pub(crate) struct Parts {
    pub(crate) variant: String,
    pub(crate) source: Option<String>,
    pub(crate) spec: HrnetSpec,
    pub(crate) preprocess: Preprocess,
    pub(crate) transform: Transform,
    pub(crate) weights: Source,
    pub(crate) backend: &'static dyn Backend,
    pub(crate) options: Options,
    pub(crate) features: Features,
    pub(crate) labels: Labels,
    pub(crate) top: usize,
}

/// Loaded weights.
pub(crate) enum Source {
    Seeded(SeededWeights),
    File(checkpoint::Weights),
}

impl Source {
    pub(crate) fn get(&self) -> &dyn WeightSource {
        match self {
            Self::Seeded(weights) => weights,
            Self::File(weights) => weights,
        }
    }
}

/// The work of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Job {
    /// The logits of a batch of this many images.
    Logits(usize),
    /// The feature maps of one image.
    Features,
}

/// One map of a photo's feature pyramid.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FeatureMap {
    /// Pixels of the image for each pixel of the map, in either direction: 2, 4, 8, 16 or 32.
    pub stride: usize,
    /// The name of the network's node that computes it.
    pub node: String,
    /// Its shape, `[1, c, crop / stride, crop / stride]`.
    pub shape: Shape,
    /// Its values, row-major.
    pub values: Vec<f32>,
}

impl Model {
    /// Loads a variant of the built-in manifest with the weights that `zoo fetch NAME` downloaded, in f32 on all threads.
    ///
    /// A name is understood as by `zoo`: `HRNet_W18_C`, `W18`, or timm's `hrnet_w18.ms_in1k`, which chooses the weights, too.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), hrnet_zoo::Error> {
    /// let mut model = hrnet_zoo::Model::load("HRNet_W18_C")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Builder::build`]; [`Error::NotFetched`] if the weights are not in the cache.
    pub fn load(name: &str) -> Result<Self, Error> {
        Self::builder(name).build()
    }

    /// Begins to load a variant with other weights, numbers or sizes.
    ///
    /// ```
    /// use hrnet_zoo::{Model, Precision};
    ///
    /// # fn main() -> Result<(), hrnet_zoo::Error> {
    /// let mut model = Model::builder("hrnet_w18_small")
    ///     .seeded(0)
    ///     .precision(Precision::F16)
    ///     .crop(32)
    ///     .build()?;
    /// let logits = model.run(&vec![0.5; 2 * 3 * 32 * 32])?;
    /// assert_eq!(logits.len(), 2 * 1000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(name: impl Into<String>) -> Builder {
        Builder::new(name.into())
    }

    pub(crate) fn new(parts: Parts) -> Result<Self, Error> {
        let mut model = Self {
            worker: parts.transform.worker(),
            photo: vec![0.0; parts.transform.output_elements()],
            sessions: BTreeMap::new(),
            parts,
        };
        model.session(Job::Logits(1))?;
        Ok(model)
    }

    /// Classifies a photo, the bytes of a JPEG, PNG, WebP or BMP file: the likeliest classes, the best first.
    ///
    /// # Errors
    /// If the bytes cannot be read as a photo, or the backend fails.
    pub fn classify(&mut self, photo: &[u8]) -> Result<Vec<Class>, Error> {
        let logits = self.logits(photo)?;
        Ok(self.parts.labels.top(&logits, self.parts.top))
    }

    /// Computes the logits of a photo, `[classes]`.
    ///
    /// # Errors
    /// As [`Model::classify`].
    pub fn logits(&mut self, photo: &[u8]) -> Result<Vec<f32>, Error> {
        self.compute(photo, Job::Logits(1))
    }

    /// Prepares a photo: `[3, crop, crop]`, red first, normalised as the network expects.
    ///
    /// # Errors
    /// If the bytes cannot be read as a photo.
    pub fn prepare(&mut self, photo: &[u8]) -> Result<Vec<f32>, Error> {
        self.worker.file(photo, &mut self.photo).map_err(Error::Photo)?;
        Ok(self.photo.clone())
    }

    /// Computes the logits of a batch of prepared photos: `[n, 3, crop, crop]`, row-major, gives `[n, classes]`.
    ///
    /// # Errors
    /// If the length is not that of whole images, a value is not finite, or the network cannot be prepared for the batch.
    pub fn run(&mut self, images: &[f32]) -> Result<Vec<f32>, Error> {
        let image = self.photo.len();
        if images.is_empty() || !images.len().is_multiple_of(image) {
            return Err(Error::Batch {
                actual: images.len(),
                image,
                side: self.parts.preprocess.size().h,
            });
        }
        let session = self.session(Job::Logits(images.len() / image))?;
        Ok(session.logits(images)?)
    }

    /// Computes the feature maps of a photo at strides 2, 4, 8, 16 and 32, in this order: those of timm's `features_only=True`.
    ///
    /// ```
    /// # fn main() -> Result<(), hrnet_zoo::Error> {
    /// # let photo = include_bytes!("../../../tests/golden/photo.jpg");
    /// let mut model = hrnet_zoo::Model::builder("hrnet_w18_small").seeded(0).crop(64).build()?;
    /// let maps = model.features(photo)?;
    /// let shapes: Vec<String> = maps.iter().map(|map| map.shape.to_string()).collect();
    /// assert_eq!(shapes, ["1x64x32x32", "1x128x16x16", "1x256x8x8", "1x512x4x4", "1x1024x2x2"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Model::classify`].
    pub fn features(&mut self, photo: &[u8]) -> Result<Vec<FeatureMap>, Error> {
        let mut values = self.compute(photo, Job::Features)?;
        let Parts { spec, features, .. } = &self.parts;
        let features = spec.features(*features);
        let shapes = self.session(Job::Features)?.shapes().clone();
        let maps = features.into_iter().zip(&shapes.outputs);
        let maps = maps.zip(shapes.split(&mut values));
        Ok(maps
            .map(|((feature, shape), values)| FeatureMap {
                stride: feature.stride,
                node: feature.node.to_string(),
                shape: shape.shape,
                values: values.to_vec(),
            })
            .collect())
    }

    /// Returns the variant's name, as the manifest writes it.
    pub fn name(&self) -> &str {
        &self.parts.variant
    }

    /// Returns the id of the manifest's weight source by whose profile photos are prepared: that of the weights, of the name, or of a
    /// file's tensor names. `None` if none of these says it; then the variant's own profile is used.
    pub fn source(&self) -> Option<&str> {
        self.parts.source.as_deref()
    }

    /// Returns the profile by which photos are prepared.
    pub fn preprocess(&self) -> &Preprocess {
        &self.parts.preprocess
    }

    /// Returns the shape of one image, `[1, 3, crop, crop]`.
    pub fn input_shape(&self) -> Shape {
        Shape::images(1, self.parts.preprocess.size())
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> usize {
        self.parts.spec.classes()
    }

    fn compute(&mut self, photo: &[u8], job: Job) -> Result<Vec<f32>, Error> {
        self.worker.file(photo, &mut self.photo).map_err(Error::Photo)?;
        let photo = std::mem::take(&mut self.photo);
        let computed = self.session(job).and_then(|session| Ok(session.logits(&photo)?));
        self.photo = photo;
        computed
    }

    /// The session for a job, prepared at the first call.
    fn session(&mut self, job: Job) -> Result<&mut dyn Session, Error> {
        if !self.sessions.contains_key(&job) {
            let session = self.parts.session(job)?;
            self.sessions.insert(job, session);
        }
        let session = self.sessions.get_mut(&job);
        Ok(session.expect("it was prepared above").as_mut())
    }
}

impl Parts {
    fn session(&self, job: Job) -> Result<Box<dyn Session>, Error> {
        let graph = self.graph(job)?;
        let session = self
            .backend
            .prepare(&graph, self.weights.get(), self.options.clone())?;
        Ok(session)
    }

    fn graph(&self, job: Job) -> Result<Graph, Error> {
        let images = match job {
            Job::Logits(images) => images,
            Job::Features => 1,
        };
        let whole = self.spec.graph(Shape::images(images, self.preprocess.size()))?;
        Ok(match job {
            Job::Logits(_) => whole,
            Job::Features => {
                let features = self.spec.features(self.features);
                let nodes = features.iter().filter_map(|feature| whole.at(&feature.node));
                whole.computing(&nodes.collect::<Vec<_>>())
            }
        })
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts {
            variant,
            source,
            options,
            ..
        } = &self.parts;
        f.debug_struct("Model")
            .field("variant", variant)
            .field("source", source)
            .field("precision", &options.precision)
            .field("threads", &options.threads)
            .field("input", &self.parts.preprocess.size())
            .finish_non_exhaustive()
    }
}

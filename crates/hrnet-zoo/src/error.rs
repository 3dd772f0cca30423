use std::io;
use std::path::PathBuf;

use checkpoint::CheckpointError;
use hrnet::SpecError;
use pose::{BoxError, HeatmapError};
use preprocess::PreprocessError;
use registry::{FetchError, ManifestError, UnknownVariant};
use runtime::{RuntimeError, UnknownBackend};

/// A model that cannot be loaded, or a photo that it cannot take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name is that of no variant, or of several.
    #[error(transparent)]
    Variant(#[from] UnknownVariant),
    /// The manifest or its lock is not valid.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The variant has no weight source of this id.
    #[error("{variant} has no weight source `{id}`: it has {}", known.join(", "))]
    Source {
        /// The variant's name.
        variant: String,
        /// The id asked for.
        id: String,
        /// The ids of its sources.
        known: Vec<String>,
    },
    /// The manifest names no weights of the variant.
    #[error("zoo.toml names no weights of {variant}: give a file or a seed")]
    NoSource {
        /// The variant's name.
        variant: String,
    },
    /// The weights were not downloaded.
    #[error("the {id} weights of {variant} are not in the cache {}: `zoo fetch {variant} --source {id}` downloads them", cache.display())]
    NotFetched {
        /// The variant's name.
        variant: String,
        /// The id of the weight source.
        id: String,
        /// The cache's folder.
        cache: PathBuf,
    },
    /// The bytes in the cache are not those that were pinned, or cannot be read.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The weights are damaged, or not those of the variant's network.
    #[error(transparent)]
    Weights(#[from] CheckpointError),
    /// The weights of the calibration are others than those that were loaded, or its network is another.
    #[error("a calibration of {found}, expected one of {expected}")]
    Calibration {
        /// The network or the weights of the calibration.
        found: String,
        /// Those of the model.
        expected: String,
    },
    /// The manifest has no preprocessing profile of this name.
    #[error("no preprocessing `{name}` in the manifest: it has {}", known.join(", "))]
    UnknownProfile {
        /// The name asked for.
        name: String,
        /// The names of the manifest's profiles.
        known: Vec<String>,
    },
    /// The name stands for several preprocessing profiles.
    #[error("`{name}` stands for several preprocessings: {}", candidates.join(", "))]
    AmbiguousProfile {
        /// The name asked for.
        name: String,
        /// The names of those profiles.
        candidates: Vec<String>,
    },
    /// The variant's file of labels has more or fewer lines than the network has classes.
    #[error("{}: {found} lines, expected {expected}: one name for each class of the network", path.display())]
    Labels {
        /// The file.
        path: PathBuf,
        /// Its lines.
        found: usize,
        /// The network's classes.
        expected: usize,
    },
    /// The variant answers with keypoints.
    #[error("`{variant}` finds the keypoints of a person: it has no classes")]
    NoClassifier {
        /// The variant.
        variant: String,
    },
    /// The variant classifies photos.
    #[error("`{variant}` classifies photos: it finds no keypoints")]
    NoPose {
        /// The variant.
        variant: String,
    },
    /// The variant has keypoints of its own, whose names and mirrored partners nothing states.
    #[error("`{variant}` has {keypoints} keypoints of its own: their names, sides and links are not known")]
    OwnKeypoints {
        /// The variant.
        variant: String,
        /// Their number.
        keypoints: usize,
    },
    /// The profile makes other inputs than those that the decoder of the variant needs.
    #[error(
        "the profile `{profile}` is none of `{variant}`: its decoder needs crops of persons, `profile = \"{needed}\"`"
    )]
    NoCrops {
        /// The profile.
        profile: String,
        /// The variant.
        variant: String,
        /// The kind of profile that the decoder needs.
        needed: &'static str,
    },
    /// A person's box cannot be cropped.
    #[error(transparent)]
    Box(#[from] BoxError),
    /// The outputs of the network are not the heatmaps of its keypoints.
    #[error(transparent)]
    Heatmaps(#[from] HeatmapError),
    /// The profile crops persons, by boxes that a photo alone does not have.
    #[error("the profile `{profile}` crops a person by a box: it prepares no whole photo")]
    PersonProfile {
        /// The profile.
        profile: String,
    },
    /// The numbers of a profile prepare no photo.
    #[error(transparent)]
    Transform(PreprocessError),
    /// The network does not take images of this size.
    #[error(transparent)]
    Size(#[from] SpecError),
    /// The bytes are no photo that can be read.
    #[error(transparent)]
    Photo(PreprocessError),
    /// A batch whose length is not that of whole images.
    #[error(
        "a batch of {actual} elements: expected a positive multiple of {image}, [3, {side}, {side}] for each image"
    )]
    Batch {
        /// The elements of the batch.
        actual: usize,
        /// The elements of one image.
        image: usize,
        /// The side of an image, pixels.
        side: usize,
    },
    /// The build has no backend of this name.
    #[error(transparent)]
    Backend(#[from] UnknownBackend),
    /// The network cannot be prepared or run.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The published file was changed by somebody while its values were read.
    #[error("{}: changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The prepared copy was removed by somebody.
    #[error("{}: removed meanwhile", path.display())]
    Gone {
        /// Where it lay.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl Error {
    /// Names the file of an input or output error.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

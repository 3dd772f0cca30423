use std::fmt;
use std::io;

use checkpoint::CheckpointError;
use harness::StoreError;
use harness::eval::EvalError;
use hrnet::{SpecError, WeightError};
use kernels::engine::UnknownIsa;
use preprocess::PreprocessError;
use registry::{Fault, FetchError, LocationError, ManifestError, UnknownVariant};
use report::ReportError;
use runtime::{RuntimeError, UnknownBackend};

/// The program's exit codes; they are part of its interface and stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Any other failure.
    Other,
    /// The arguments, or an input file that they name, are invalid.
    Usage,
    /// `zoo.toml` or `zoo.lock` is invalid.
    Manifest,
    /// No variant of that name.
    NotFound,
    /// The network or a server failed.
    Network,
    /// A file has another digest or size than expected.
    Checksum,
    /// The file is not in the cache and was not, or may not be, downloaded; or the engine is not installed.
    Missing,
    /// The disk is full, or a file may not be read or written.
    Disk,
    /// Some of several failed.
    Some,
    /// A cell became slower.
    Regressed,
    /// Nothing was measured, or there are no records.
    NoData,
    /// No network meets the limits.
    NothingFits,
    /// There is not enough memory, found beforehand or reported by the system during the run.
    Memory,
    /// A bug in this program.
    Fault,
}

impl Exit {
    /// Every code with its meaning, for `--help`.
    pub const ALL: [(Self, &str); 14] = [
        (Self::Other, "other failure"),
        (Self::Usage, "usage"),
        (Self::Manifest, "zoo.toml or zoo.lock is invalid"),
        (Self::NotFound, "no variant of that name"),
        (Self::Network, "network failed"),
        (Self::Checksum, "checksum or size mismatch"),
        (Self::Missing, "weights not downloaded or engine not installed"),
        (Self::Disk, "disk or permission"),
        (Self::Some, "some of several failed"),
        (Self::Regressed, "a cell became slower"),
        (Self::NoData, "no data: nothing measured"),
        (Self::NothingFits, "no network meets the limits"),
        (Self::Memory, "not enough memory"),
        (Self::Fault, "a fault of this program: please report it"),
    ];

    /// Returns the exit code of the process.
    pub const fn code(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Usage => 2,
            Self::Manifest => 3,
            Self::NotFound => 4,
            Self::Network => 5,
            Self::Checksum => 6,
            Self::Missing => 7,
            Self::Disk => 8,
            Self::Some => 9,
            Self::Regressed => 10,
            Self::NoData => 12,
            Self::NothingFits => 13,
            Self::Memory => 14,
            // Rust's own, which no code of ours can change in a thread that panics.
            Self::Fault => 101,
        }
    }

    /// Returns the code for several failures of `total` attempts: the common one if all failed alike, else [`Exit::Some`].
    pub fn of_many(failures: &[Self], total: usize) -> Option<Self> {
        let first = *failures.first()?;
        let alike = failures.len() == total && failures.iter().all(|exit| *exit == first);
        Some(if alike { first } else { Self::Some })
    }
}

/// An error with its exit code and, where there is one, advice.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The error: what failed, where and why.
    pub message: String,
    /// Advice on what to do next.
    pub help: Option<String>,
}

impl Failure {
    /// Returns a failure without advice.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
            help: None,
        }
    }

    /// Returns the failure with advice.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// Returns the failure of a file that could not be read or written.
    pub fn file(path: &std::path::Path, error: &io::Error) -> Self {
        Self::new(Exit::Disk, format!("{}: {error}", path.display()))
    }
}

impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        Self::new(Exit::Manifest, error)
    }
}

impl From<UnknownVariant> for Failure {
    fn from(error: UnknownVariant) -> Self {
        let names: Vec<String> = error.candidates.iter().map(|name| format!("`{name}`")).collect();
        let help = match (names.split_last(), &error.weights_of) {
            (None, None) => "`zoo list` lists all of them".into(),
            (None, Some(variant)) => format!("`zoo show {variant}` lists its weights"),
            (Some((last, [])), _) => format!("did you mean {last}?"),
            (Some((last, others)), _) => format!("did you mean {} or {last}?", others.join(", ")),
        };
        Self::new(Exit::NotFound, error).help(help)
    }
}

impl From<&FetchError> for Exit {
    fn from(error: &FetchError) -> Self {
        match error {
            FetchError::Network { .. } | FetchError::Refused { .. } => Self::Network,
            FetchError::Sources { failures, .. } => {
                let exits: Vec<Self> = failures.iter().map(Self::from).collect();
                // Where one source has other bytes and another is gone, the network is what may get better.
                Self::of_many(&exits, exits.len()).map_or(Self::Network, |exit| match exit {
                    Self::Some => Self::Network,
                    exit => exit,
                })
            }
            FetchError::Mismatch { .. } | FetchError::Damaged { .. } | FetchError::NotPinned { .. } => {
                Self::Checksum
            }
            FetchError::Offline { .. } | FetchError::Absent { .. } => Self::Missing,
            FetchError::Disk { .. } => Self::Disk,
            _ => Self::Other,
        }
    }
}

impl From<&FetchError> for Failure {
    fn from(error: &FetchError) -> Self {
        let help = match error {
            FetchError::Refused { advice, .. } => Some(advice.as_str()),
            FetchError::Sources { .. } => {
                Some("`zoo links` shows which URLs are dead; `--mirror` names another source")
            }
            FetchError::Mismatch {
                said_by: "zoo.blocks",
                ..
            } => Some(
                "the server sends damaged bytes; if it does not, delete zoo.blocks, which is created again",
            ),
            FetchError::Mismatch {
                said_by: registry::COPY_NOTE,
                ..
            } => Some("`zoo verify --repair` removes it and makes it again"),
            FetchError::Mismatch { .. } => Some(
                "the publisher or someone else replaced the file; if you did, `zoo pin NAME --accept-changed NAME` pins it",
            ),
            FetchError::Damaged { .. } => Some("`zoo verify --repair` without --offline downloads it again"),
            FetchError::Absent { .. } => Some("put it there, or change its `path` in zoo.toml"),
            FetchError::NotPinned { .. } => Some("without --locked the first download pins it"),
            FetchError::Offline { .. } => {
                Some("without --offline it is downloaded; `--mirror FOLDER` needs no network")
            }
            FetchError::Disk { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("`zoo cache gc` and `zoo cache prune` make room; the next fetch resumes")
            }
            _ => None,
        };
        Self {
            help: help.map(str::to_owned),
            ..Self::new(Exit::from(error), error)
        }
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self::from(&error)
    }
}

impl From<&LocationError> for Failure {
    fn from(error: &LocationError) -> Self {
        let (exit, help) = match error.fault {
            Fault::Absent => (
                Exit::Missing,
                Some("names in a store are exact, and `--out` creates no bucket"),
            ),
            Fault::Disk => (Exit::Disk, None),
            Fault::Network => (
                Exit::Network,
                Some("existing answers are kept: the same command resumes"),
            ),
            Fault::Forbidden => (
                Exit::Network,
                Some(
                    "credentials and address of a store come from the environment: AWS_ACCESS_KEY_ID, \
                     AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT for s3://",
                ),
            ),
        };
        Self {
            help: help.map(str::to_owned),
            ..Self::new(exit, error)
        }
    }
}

impl From<LocationError> for Failure {
    fn from(error: LocationError) -> Self {
        Self::from(&error)
    }
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        match error {
            CheckpointError::Io { .. } => Self::new(Exit::Disk, error),
            CheckpointError::Checksum { .. } => Self::new(Exit::Checksum, error),
            CheckpointError::Set { .. } => Self::new(Exit::Usage, error),
            CheckpointError::Source { path, source } => {
                let failure = Self::from(source);
                let message = format!("{} was not written: {}", path.display(), failure.message);
                Self { message, ..failure }
            }
            _ => Self::new(Exit::Other, error),
        }
    }
}

/// Advice if values differ from the stored ones.
const DAMAGED: &str = "the disk lost bytes, or they were changed: `zoo verify --deep --repair` makes the prepared weights again";

impl From<WeightError> for Failure {
    fn from(error: WeightError) -> Self {
        match error {
            WeightError::Damaged { .. } => Self::new(Exit::Checksum, error).help(DAMAGED),
            _ => Self::new(Exit::Other, error),
        }
    }
}

impl From<onnx::Int8Error> for Failure {
    fn from(error: onnx::Int8Error) -> Self {
        match error {
            onnx::Int8Error::Weight(error) => error.into(),
            _ => Self::new(Exit::Other, error),
        }
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        match &error {
            ReportError::Markers { .. } => Self::new(Exit::Usage, &error).help(
                "add this line and its other half: the text between the two is replaced each time",
            ),
            ReportError::Io { .. } => Self::new(Exit::Disk, error),
            ReportError::Layers { .. } => Self::new(Exit::Other, &error).help(
                "`zoo profile NAME --out FILE` writes it again; without the file the page has no chart of layers",
            ),
            ReportError::Evaluation { .. } => Self::new(Exit::Other, &error)
                .help("`zoo eval` writes it again; other files belong in another folder"),
            _ => Self::new(Exit::Other, error),
        }
    }
}

impl From<EvalError> for Failure {
    fn from(error: EvalError) -> Self {
        let exit = if matches!(error, EvalError::Io { .. }) {
            Exit::Disk
        } else {
            Exit::Usage
        };
        Self::new(exit, error)
    }
}

impl From<RuntimeError> for Failure {
    fn from(error: RuntimeError) -> Self {
        match &error {
            RuntimeError::Missing { help, .. } => {
                let help = help.clone();
                Self::new(Exit::Missing, error).help(help)
            }
            RuntimeError::Weights(WeightError::Damaged { .. }) => {
                Self::new(Exit::Checksum, error).help(DAMAGED)
            }
            RuntimeError::Memory { .. } => {
                Self::new(Exit::Memory, error).help("a smaller batch or size needs less")
            }
            RuntimeError::NoBackend { .. } => {
                Self::new(Exit::Usage, error).help("`zoo doctor` lists the backends and their precisions")
            }
            _ => Self::new(Exit::Other, error),
        }
    }
}

impl From<hrnet_zoo::Error> for Failure {
    fn from(error: hrnet_zoo::Error) -> Self {
        use hrnet_zoo::Error;
        match error {
            Error::Variant(error) => error.into(),
            Error::Manifest(error) => error.into(),
            Error::Fetch(error) => error.into(),
            Error::Weights(error) => error.into(),
            Error::Size(error) => error.into(),
            Error::Photo(error) => error.into(),
            Error::Backend(error) => error.into(),
            Error::Runtime(error) => error.into(),
            Error::Io { path, source } => Self::file(&path, &source),
            Error::UnknownProfile { name, known } => {
                let failure = Self::new(
                    Exit::NotFound,
                    format!("no preprocessing `{name}` in the manifest"),
                );
                failure.help(format!("it has {}", known.join(", ")))
            }
            Error::AmbiguousProfile { name, candidates } => {
                let failure = Self::new(
                    Exit::Usage,
                    format!("`{name}` matches several preprocessing profiles"),
                );
                failure.help(format!("choose one of {}", candidates.join(", ")))
            }
            Error::Changed { .. } => {
                Self::new(Exit::Checksum, error).help("`zoo verify --repair` downloads it again")
            }
            Error::NoClassifier { .. } => Self::new(Exit::Usage, error)
                .help("`zoo pose` finds them on photos; `zoo list` shows the task of each variant"),
            Error::NoPose { .. } | Error::PersonProfile { .. } => {
                Self::new(Exit::Usage, error).help("`zoo list` shows the task of each variant")
            }
            Error::OwnKeypoints { .. } => {
                Self::new(Exit::Usage, error).help("`zoo infer` computes its heatmaps")
            }
            Error::Box(_) | Error::NoCrops { .. } => Self::new(Exit::Usage, error),
            Error::Transform(_) | Error::Labels { .. } => Self::new(Exit::Manifest, error),
            Error::Source { .. } => Self::new(Exit::NotFound, error),
            Error::NoSource { .. } | Error::NotFetched { .. } | Error::Gone { .. } => {
                Self::new(Exit::Missing, error)
            }
            Error::Calibration { .. } | Error::Batch { .. } => Self::new(Exit::Usage, error),
            _ => Self::new(Exit::Other, error),
        }
    }
}

macro_rules! failure {
    ($($error:ty => $exit:expr),* $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new($exit, error)
            }
        })*
    };
}
failure! {
    PreprocessError => Exit::Other,
    SpecError => Exit::Usage,
    StoreError => Exit::Disk,
    UnknownBackend => Exit::Usage,
}

impl From<UnknownIsa> for Failure {
    fn from(error: UnknownIsa) -> Self {
        Self::new(Exit::Usage, error)
            .help("the variable ZOO_ISA names the unit: set it to one of these, or unset it for the best one")
    }
}

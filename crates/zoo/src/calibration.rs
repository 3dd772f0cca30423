//! Calibration files: reading them, and checking which run may use them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::files::LARGEST_TEXT;
use hrnet::{Graph, Node, NodeId, Precision};
use registry::{Digest, Variant};
use runtime::Calibration;

use crate::context::Context;
use crate::{Exit, Failure};

/// A calibration of one variant and its weights.
pub(crate) struct Calibrated {
    pub(crate) calibration: Arc<Calibration>,
    /// SHA-256 of the file's text.
    pub(crate) digest: String,
}

/// Refuses a calibration if none of the precisions uses one.
pub(crate) fn refuse_unused(file: Option<&Path>, precisions: &[Precision]) -> Result<(), Failure> {
    match file {
        Some(file) if !precisions.iter().any(|precision| precision.is_fixed_point()) => {
            let names: Vec<&str> = precisions.iter().map(|precision| precision.name()).collect();
            let what = format!(
                "--calibration {}: {} takes none",
                file.display(),
                names.join(", ")
            );
            Err(Failure::new(Exit::Usage, what).help("i16 and int8 do: choose one by --precision"))
        }
        _ => Ok(()),
    }
}

impl Calibrated {
    /// Reads the calibration in a file.
    ///
    /// # Errors
    /// If the file is not a calibration, or belongs to another network, or to weights of another identity.
    pub(crate) fn read(
        cx: &Context,
        file: &Path,
        variant: &Variant,
        weights: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<Self, Failure> {
        let found = Self::open(file)?;
        let refused = |what: String| {
            let what = format!("{}: a calibration of {what}", file.display());
            Err(Failure::new(Exit::Usage, what).help(ADVICE))
        };
        let origin = &found.calibration.origin;
        let network = network(cx, variant)?;
        if let Some(other) = origin.network.as_ref().filter(|other| **other != network) {
            return refused(format!("{other}, not of {network}"));
        }
        if let Some(other) = &origin.weights {
            let weights = weights()?;
            if *other != weights {
                return refused(format!("the weights {other}, not of {weights}"));
            }
        }
        Ok(found)
    }

    /// Reads the calibration in a file, of any network and weights.
    pub(crate) fn open(file: &Path) -> Result<Self, Failure> {
        let text = ::files::read_text(file, LARGEST_TEXT).map_err(|error| Failure::file(file, &error))?;
        let found = Calibration::parse(&text).map_err(|error| {
            let what = format!("{}: {error}", file.display());
            Failure::new(Exit::Other, what).help(ADVICE)
        })?;
        Ok(Self::of(found))
    }

    /// Returns the description for records of weights that ran with this calibration.
    pub(crate) fn about(&self, weights: &str) -> String {
        format!("{weights}, calibration {}", &self.digest[..8])
    }

    pub(crate) fn of(calibration: Calibration) -> Self {
        Self {
            digest: Digest::of(calibration.to_text().as_bytes()).to_string(),
            calibration: Arc::new(calibration),
        }
    }
}

/// Returns the ranges for rounding an ONNX model of the graph.
pub(crate) fn ranges(calibration: &Calibration, graph: &Graph) -> onnx::Ranges {
    let range = |(id, node): (NodeId, &Node)| {
        let range = calibration.value(graph, id)?;
        Some((node.name(), (range.lo, range.hi)))
    };
    graph.iter().filter_map(range).collect()
}

const ADVICE: &str = "`zoo quantize NAME --photos DIR` makes one on photos";

/// Warns if a network runs in fixed point with ranges from images that are not the user's.
pub(crate) fn warn_of_stand_in(cx: &Context, network: &str, precisions: &[Precision]) {
    let fixed = precisions.iter().filter(|precision| precision.is_fixed_point());
    let mut names: Vec<&str> = fixed.map(|precision| precision.name()).collect();
    names.dedup();
    if !names.is_empty() {
        cx.out.warn(&format!(
            "{} without --calibration: ranges of {}; `zoo quantize {network} --photos DIR` finds those of your photos",
            names.join(" and "),
            Calibration::STAND_IN
        ));
    }
}

/// Returns the name of the variant's network, which several variants may share.
pub(crate) fn network(cx: &Context, variant: &Variant) -> Result<String, Failure> {
    Ok(cx.zoo()?.network_of(variant).name.clone())
}

/// `--calibration`, for every subcommand that runs a network.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CalibrationArg {
    /// File of ranges for i16 and int8, from `zoo quantize` [default: ranges of synthetic photos]
    #[arg(long = "calibration", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// The ranges for rounding a network's values.
#[derive(Default)]
pub(crate) struct Ranges {
    /// The calibration; `None` in floating point, and for a stand-in from synthetic photos.
    pub(crate) calibration: Option<Arc<Calibration>>,
    /// Origin of the ranges: SHA-256 of the calibration, or the name of its stand-in; `None` in floating point.
    pub(crate) about: Option<String>,
}

impl CalibrationArg {
    /// Returns the ranges of a precision for weights of this identity; warns about a stand-in.
    ///
    /// # Errors
    /// As those of [`Calibrated::read`].
    pub(crate) fn ranges(
        &self,
        cx: &Context,
        variant: &Variant,
        precision: Precision,
        weights: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<Ranges, Failure> {
        match &self.file {
            _ if !precision.is_fixed_point() => Ok(Ranges::default()),
            None => {
                warn_of_stand_in(cx, &variant.name, &[precision]);
                Ok(Ranges {
                    calibration: None,
                    about: Some(Calibration::STAND_IN.to_owned()),
                })
            }
            Some(file) => {
                let found = Calibrated::read(cx, file, variant, weights)?;
                Ok(Ranges {
                    calibration: Some(found.calibration),
                    about: Some(found.digest),
                })
            }
        }
    }
}

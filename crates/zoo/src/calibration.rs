//! Files of calibrations: whose they are, and which run may use them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::files::LARGEST_TEXT;
use hrnet::{Graph, Node, NodeId, Precision};
use registry::{Digest, Variant};
use runtime::Calibration;

use crate::context::Context;
use crate::{Exit, Failure};

/// A calibration for one variant and its weights.
pub(crate) struct Calibrated {
    pub(crate) calibration: Arc<Calibration>,
    /// SHA-256 of its text.
    pub(crate) digest: String,
}

/// Refuses a calibration where none of the precisions takes one.
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
    /// The calibration in a file.
    ///
    /// # Errors
    /// If it is none, or of another network, or not of the weights of this identity.
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

    /// The calibration in a file, whosever it is.
    pub(crate) fn open(file: &Path) -> Result<Self, Failure> {
        let text = ::files::read_text(file, LARGEST_TEXT).map_err(|error| Failure::file(file, &error))?;
        let found = Calibration::parse(&text).map_err(|error| {
            let what = format!("{}: {error}", file.display());
            Failure::new(Exit::Other, what).help(ADVICE)
        })?;
        Ok(Self::of(found))
    }

    /// What a record says of weights that ran by this calibration.
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

/// The ranges that an ONNX model of the graph is rounded by.
pub(crate) fn ranges(calibration: &Calibration, graph: &Graph) -> onnx::Ranges {
    let range = |(id, node): (NodeId, &Node)| {
        let range = calibration.value(graph, id)?;
        Some((node.name.clone(), (range.lo, range.hi)))
    };
    graph.iter().filter_map(range).collect()
}

const ADVICE: &str = "`zoo quantize NAME --photos DIR` makes one on photos";

/// Warns where a network runs in fixed point by ranges of images that are none of the user's.
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

/// The name of the variant's network, which several variants may share.
pub(crate) fn network(cx: &Context, variant: &Variant) -> Result<String, Failure> {
    Ok(cx.zoo()?.network_of(variant).name.clone())
}

/// `--calibration`, for every subcommand that runs a network.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct CalibrationArg {
    /// Ranges for i16 and int8, a file of `zoo quantize`; without it ranges of synthetic photos
    #[arg(long = "calibration", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// What a network's values are rounded by.
#[derive(Default)]
pub(crate) struct Ranges {
    /// None in floating point, and where a stand-in is found on synthetic photos.
    pub(crate) calibration: Option<Arc<Calibration>>,
    /// Where they come from: SHA-256 of the calibration, or what stands in for one; none in floating point.
    pub(crate) about: Option<String>,
}

impl CalibrationArg {
    /// What a precision is run by on weights of this identity; warns where that is a stand-in.
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

//! The network of an evaluation, and what identifies it.

use std::num::NonZeroUsize;

use harness::Record;
use harness::eval::{DataSet, Header, Key, Protocol, Shard};
use hrnet::{Graph, Precision};
use registry::{Digest, Variant};
use runtime::{Backend, Options, Session};

use crate::bench::provenance;
use crate::calibration::CalibrationArg;
use crate::context::Context;
use crate::model::{Choice, Weights};
use crate::photos::Preparation;
use crate::{Failure, memory};

/// The network to evaluate, and how it runs.
pub(crate) struct Network<'a> {
    pub(crate) variant: &'a Variant,
    pub(crate) weights: Choice<'a>,
    /// The weight source; `None` for a given file or seed.
    pub(crate) source: Option<&'a str>,
    pub(crate) preparation: Preparation<'a>,
    pub(crate) precision: Precision,
    /// The ranges for a precision in fixed point.
    pub(crate) calibration: &'a CalibrationArg,
    /// Name of the backend; `None` for the default of the precision.
    pub(crate) backend: Option<&'a str>,
    pub(crate) batch: NonZeroUsize,
    /// Threads of the network; `None` for all.
    pub(crate) threads: Option<NonZeroUsize>,
}

/// A network whose weights are loaded.
pub(crate) struct Loaded<'a> {
    network: &'a Network<'a>,
    weights: Weights,
    /// SHA-256 of the weights, or `seeded:N`.
    identity: String,
    options: Options,
    /// Origin of the ranges.
    calibration: Option<String>,
    backend: &'static dyn Backend,
    unit: Option<&'static str>,
    /// The plans of the sessions that were prepared.
    plans: Vec<String>,
}

/// The images of an evaluation, and what is asked about them.
pub(crate) struct Target {
    pub(crate) data: DataSet,
    /// Number of classes that may be answered; 0 for keypoints.
    pub(crate) candidates: usize,
    /// How keypoints are evaluated; `None` for classes.
    pub(crate) keypoints: Option<Protocol>,
}

impl<'a> Network<'a> {
    /// Loads the weights, fitted to a graph of the variant, and the ranges.
    pub(crate) fn load(&'a self, cx: &Context, graph: &Graph) -> Result<Loaded<'a>, Failure> {
        memory::check_graph(&self.variant.name, graph, self.precision)?;
        let weights = Weights::load(cx, self.variant, graph, &self.weights)?;
        let mut options = Options::new(self.precision);
        options.threads = self.threads.unwrap_or(options.threads);
        let identity = weights.identity(cx)?;
        let named = || Ok(identity.clone());
        let ranges = self.calibration.ranges(cx, self.variant, self.precision, named)?;
        options.calibration = ranges.calibration;
        let backend = match self.backend {
            Some(name) => runtime::backend(name)?,
            None => runtime::default_backend(self.precision)?,
        };
        Ok(Loaded {
            network: self,
            weights,
            identity,
            options,
            calibration: ranges.about,
            backend,
            unit: None,
            plans: Vec::new(),
        })
    }
}

impl Loaded<'_> {
    /// Prepares a session of a graph on the weights.
    pub(crate) fn session(&mut self, graph: &Graph) -> Result<Box<dyn Session>, Failure> {
        let Network {
            variant, precision, ..
        } = self.network;
        memory::check_graph(&variant.name, graph, *precision)?;
        let weights = self.weights.source.as_ref();
        let session = self.backend.prepare(graph, weights, self.options.clone())?;
        self.unit = session.unit();
        self.plans.extend(session.plan());
        Ok(session)
    }

    /// Returns the header of the answers of the sessions that were prepared.
    pub(crate) fn header(&self, cx: &Context, target: Target, shard: Shard) -> Result<Header, Failure> {
        let Network {
            variant,
            preparation,
            precision,
            batch,
            source,
            ..
        } = self.network;
        let profile = serde_json::to_string(preparation.profile).expect("our types have string keys");
        let key = Key {
            variant: variant.name.clone(),
            weights: self.identity.clone(),
            calibration: self.calibration.clone(),
            preprocess: format!("{profile} by {}", preprocess::DECODER),
            precision: *precision,
            backend: self.about()?,
            batch: batch.get(),
            data: target.data,
            candidates: target.candidates,
            keypoints: target.keypoints,
        };
        Ok(Header {
            eval: Header::SCHEMA,
            key,
            shard,
            source: source.map(str::to_owned),
            preprocess: preparation.profile.id.clone(),
            started: Record::now(),
            weights_check: self.weights.check(cx)?,
            provenance: provenance(),
        })
    }

    /// Describes the engine: library and version, vector unit, digest of its plans.
    fn about(&self) -> Result<String, Failure> {
        let mut about = self.backend.identity()?;
        if let Some(unit) = self.unit {
            about.push_str(&format!(", on {unit}"));
        }
        // The plan says which algorithm computes each layer, and so how its sums are rounded.
        if !self.plans.is_empty() {
            let digest = Digest::of(self.plans.concat().as_bytes()).to_string();
            about.push_str(&format!(", plan {}", &digest[..8]));
        }
        Ok(about)
    }
}

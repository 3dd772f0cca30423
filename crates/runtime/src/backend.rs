use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::Arc;

use hrnet::{Graph, NodeId, Precision, Shape, WeightError, WeightSource};

use crate::{Calibration, CalibrationError, candle, cpu};

/// A way to run a network: one file a backend, one line in [`BACKENDS`].
pub trait Backend: Sync {
    /// The name used in case ids and options.
    fn name(&self) -> &'static str;

    /// One line on what runs where, with the version of the library behind it.
    fn about(&self) -> &'static str;

    /// [`Backend::about`] as this machine has it, with the version of a library that is loaded only when it is needed.
    ///
    /// # Errors
    /// If that library is not here.
    fn identity(&self) -> Result<String, RuntimeError> {
        Ok(self.about().to_owned())
    }

    /// How this backend computes in `precision`, or `None` if it cannot.
    fn arithmetic(&self, precision: Precision) -> Option<&'static str>;

    /// The largest difference to reference values, as a share of the largest absolute one, that a correct network shows
    /// on seeded weights.
    fn tolerance(&self, precision: Precision) -> f32 {
        precision.tolerance()
    }

    /// A session for the graph's input shape, with the weights converted and laid out.
    ///
    /// # Errors
    /// If a weight is missing, the precision is not supported or the device fails.
    fn prepare(
        &self,
        graph: &Graph,
        weights: &dyn WeightSource,
        options: Options,
    ) -> Result<Box<dyn Session>, RuntimeError>;
}

/// Every backend of this build; the first is the default.
pub static BACKENDS: &[&dyn Backend] = &[
    &cpu::FAST,
    &cpu::EXACT,
    &candle::CPU,
    #[cfg(feature = "cuda")]
    &candle::CUDA,
    #[cfg(feature = "metal")]
    &candle::METAL,
    #[cfg(feature = "ort")]
    &crate::ort::Ort,
    #[cfg(feature = "tract")]
    &crate::tract::Tract,
];

/// Backends that are other people's engines, by name, whether this build has them or not: each is a feature of that name.
pub const PEERS: &[&str] = &["ort", "tract"];

/// The backend that runs a precision when none is named: the first of [`BACKENDS`] that can.
///
/// # Errors
/// If none can.
pub fn default_backend(precision: Precision) -> Result<&'static dyn Backend, RuntimeError> {
    let can = |backend: &&dyn Backend| backend.arithmetic(precision).is_some();
    let first = BACKENDS.iter().copied().find(|backend| can(backend));
    first.ok_or(RuntimeError::NoBackend { precision })
}

/// The shapes of what a session reads and gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shapes {
    /// The batch of images, `[n, 3, h, w]`.
    pub input: Shape,
    /// The results, in the order of the graph's outputs: of a classifier the logits alone, `[n, classes, 1, 1]`.
    pub outputs: Vec<Shape>,
}

impl Shapes {
    /// Those of the graph.
    pub fn of(graph: &Graph) -> Self {
        let shape = |id: &NodeId| graph.node(*id).shape;
        Self {
            input: graph.input_shape(),
            outputs: graph.outputs().iter().map(shape).collect(),
        }
    }

    /// The elements of all results together.
    pub fn results(&self) -> usize {
        self.outputs.iter().map(|shape| shape.elements()).sum()
    }

    /// The part of `results` that holds each of them, `[n, c, h, w]`, in order.
    ///
    /// # Panics
    /// If `results` has not as many elements as all of them.
    pub fn split<'a>(&self, mut results: &'a mut [f32]) -> Vec<&'a mut [f32]> {
        assert_eq!(results.len(), self.results(), "elements of all results");
        let mut parts = Vec::with_capacity(self.outputs.len());
        for shape in &self.outputs {
            let (part, rest) = results.split_at_mut(shape.elements());
            parts.push(part);
            results = rest;
        }
        parts
    }

    /// Refuses slices of other lengths.
    pub(crate) fn check(&self, images: &[f32], results: &[f32]) -> Result<(), RuntimeError> {
        RuntimeError::check_length("images", images.len(), &[self.input])?;
        RuntimeError::check_length("logits", results.len(), &self.outputs)
    }
}

/// A prepared network.
pub trait Session: Send {
    /// Runs one batch: `images` is `[n, 3, h, w]` row-major, `logits` takes `[n, classes]`, or of a graph with several outputs
    /// all of them, one after the other ([`Shapes::split`]).
    ///
    /// The images must be finite, which is not looked at here, for this is what is timed: on vector units a ReLU makes 0 of a
    /// NaN, so the logits of an image that holds one may be finite and mean nothing. [`check_finite`] tells, and
    /// [`Session::logits`] asks it.
    ///
    /// # Errors
    /// If a slice does not have the length the session was prepared for, or the device fails.
    fn run(&mut self, images: &[f32], logits: &mut [f32]) -> Result<(), RuntimeError>;

    /// The shapes of what [`Session::run`] reads and gives.
    fn shapes(&self) -> &Shapes;

    /// The shape of the batch that [`Session::run`] takes.
    fn input_shape(&self) -> Shape {
        self.shapes().input
    }

    /// The shape of the result, the first where there are several: of a classifier `[n, classes, 1, 1]`.
    fn output_shape(&self) -> Shape {
        self.shapes().outputs[0]
    }

    /// The fused program as text, one step a line, if the backend makes one.
    fn plan(&self) -> Option<String> {
        None
    }

    /// The vector unit it runs on, where it chooses one itself.
    fn unit(&self) -> Option<&'static str> {
        None
    }

    /// The fused steps, if the backend runs any.
    fn steps(&self) -> Vec<StepCost> {
        Vec::new()
    }

    /// As [`Session::run`], and calls `after` with the index of each of [`Session::steps`] once it is done.
    ///
    /// # Errors
    /// As [`Session::run`].
    fn run_watched(
        &mut self,
        images: &[f32],
        logits: &mut [f32],
        after: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), RuntimeError> {
        let _ = after;
        self.run(images, logits)
    }

    /// Runs one batch into a new vector.
    ///
    /// # Errors
    /// As [`Session::run`], and if an image is not finite.
    fn logits(&mut self, images: &[f32]) -> Result<Vec<f32>, RuntimeError> {
        check_finite(images, self.input_shape())?;
        let mut logits = vec![0.0; self.shapes().results()];
        self.run(images, &mut logits)?;
        Ok(logits)
    }
}

/// Refuses a batch that holds a NaN or an infinity.
///
/// # Errors
/// If `images` has not the length of `shape`, or with the first value that is not finite.
pub fn check_finite(images: &[f32], shape: Shape) -> Result<(), RuntimeError> {
    RuntimeError::check_length("images", images.len(), &[shape])?;
    let Some(index) = images.iter().position(|value| !value.is_finite()) else {
        return Ok(());
    };
    let Shape { c, h, w, .. } = shape;
    Err(RuntimeError::NotFinite {
        value: images[index],
        image: index / (c * h * w),
        channel: index / (h * w) % c,
        row: index / w % h,
        column: index % w,
    })
}

/// One fused step of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepCost {
    /// The node of the graph that it computes; of several that are fused, the convolution or linear layer where there is
    /// one.
    pub layer: String,
    /// The kernel and the shapes, equal for steps that cost the same.
    pub kind: String,
    /// Multiply-accumulates by the definition of the layer, however it is computed.
    pub macs: u64,
    /// What is multiplied; none of steps that multiply no weights.
    pub operands: Option<Precision>,
    /// Bytes of prepared weights.
    pub weight_bytes: usize,
}

/// How a network is to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Number format of weights and activations.
    pub precision: Precision,
    /// Threads of the session's own pool.
    pub threads: NonZeroUsize,
    /// What layers read, for precisions in fixed point; without it [`Calibration::stand_in`].
    pub calibration: Option<Arc<Calibration>>,
}

impl Options {
    /// All hardware threads in `precision`.
    pub fn new(precision: Precision) -> Self {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            precision,
            threads,
            calibration: None,
        }
    }

    /// The same on so many threads.
    pub fn threads(self, threads: NonZeroUsize) -> Self {
        Self { threads, ..self }
    }
}

/// Why a network could not be prepared or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The backend has no arithmetic for this precision.
    #[error("backend {backend} does not run in {precision}")]
    Precision {
        /// The backend's name.
        backend: &'static str,
        /// The precision asked for.
        precision: Precision,
    },
    /// No backend has arithmetic for this precision.
    #[error("no backend of this build runs in {precision}")]
    NoBackend {
        /// The precision asked for.
        precision: Precision,
    },
    /// The weights lack something the network needs.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// There is no calibration, or it does not fit.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// A slice of another length than the session's shapes.
    #[error("{what} has {actual} elements; prepared for {expected} ({})", shapes.iter().map(Shape::to_string).collect::<Vec<_>>().join(", "))]
    Length {
        /// `images` or `logits`.
        what: &'static str,
        /// The shape that was prepared, or those of several results.
        shapes: Vec<Shape>,
        /// The number of elements of all.
        expected: usize,
        /// The length of the slice.
        actual: usize,
    },
    /// An image holds a NaN or an infinity; places are counted from 0.
    #[error(
        "image {image} is not finite: {value} in channel {channel}, row {row}, column {column}, counted from 0"
    )]
    NotFinite {
        /// The first value that is not finite.
        value: f32,
        /// Its image of the batch.
        image: usize,
        /// Its channel.
        channel: usize,
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
    },
    /// A library that the backend loads is not here.
    #[error("{reason}")]
    Missing {
        /// Which library, what the system said, and where it was looked for.
        reason: String,
        /// What to do about it.
        help: String,
    },
    /// There is not as much memory as the network needs.
    #[error("backend {backend}: {source}")]
    Memory {
        /// The backend's name.
        backend: &'static str,
        /// How much was asked for, and what the system said.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The library or device behind the backend failed.
    #[error("backend {backend}: {source}")]
    Device {
        /// The backend's name.
        backend: &'static str,
        /// What it said.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl RuntimeError {
    /// The failure of the library or device behind a backend.
    pub(crate) fn device(backend: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Device {
            backend,
            source: source.into(),
        }
    }

    /// Refuses a slice whose length is not that of all these shapes.
    fn check_length(what: &'static str, actual: usize, shapes: &[Shape]) -> Result<(), Self> {
        let expected = shapes.iter().map(|shape| shape.elements()).sum();
        if actual == expected {
            Ok(())
        } else {
            Err(Self::Length {
                what,
                shapes: shapes.to_vec(),
                expected,
                actual,
            })
        }
    }
}

/// A backend name that this build does not have.
#[derive(Debug, thiserror::Error)]
#[error("{}: this build has {}", self.what(), names().join(", "))]
pub struct UnknownBackend {
    /// The name asked for.
    pub name: String,
}

impl UnknownBackend {
    fn what(&self) -> String {
        let name = &self.name;
        if PEERS.contains(&name.as_str()) {
            format!("backend `{name}` comes with `--features {name}`")
        } else {
            format!("unknown backend `{name}`")
        }
    }
}

fn names() -> Vec<&'static str> {
    BACKENDS.iter().map(|backend| backend.name()).collect()
}

/// The backend of this name.
///
/// # Errors
/// If this build has none of that name.
pub fn backend(name: &str) -> Result<&'static dyn Backend, UnknownBackend> {
    BACKENDS
        .iter()
        .copied()
        .find(|backend| backend.name() == name)
        .ok_or_else(|| UnknownBackend {
            name: name.to_owned(),
        })
}

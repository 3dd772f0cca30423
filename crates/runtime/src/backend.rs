use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::Arc;

use hrnet::{Graph, OutputKind, Precision, Shape, WeightError, WeightSource};

use crate::{Calibration, CalibrationError, Outputs, candle, cpu};

/// A way to run a network: one file per backend, one line in [`BACKENDS`].
pub trait Backend: Sync {
    /// Returns the name used in case ids and options.
    fn name(&self) -> &'static str;

    /// Returns one line on the engine and the device, with the version of the library behind it.
    fn about(&self) -> &'static str;

    /// Returns [`Backend::about`] for this machine, with the version of a library that is loaded only when it is needed.
    ///
    /// # Errors
    /// If that library cannot be loaded.
    fn identity(&self) -> Result<String, RuntimeError> {
        Ok(self.about().to_owned())
    }

    /// Returns the arithmetic of this backend in `precision`, in words; `None` if it cannot compute in it.
    fn arithmetic(&self, precision: Precision) -> Option<&'static str>;

    /// Returns the largest difference from reference values, as a share of the largest absolute one, that a correct network shows
    /// on seeded weights.
    fn tolerance(&self, precision: Precision) -> f32 {
        precision.tolerance()
    }

    /// Prepares a session for the graph's input shape, with the weights converted and laid out.
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

/// Returns the backend that runs a precision if none is named: the first of [`BACKENDS`] that can.
///
/// # Errors
/// If none can.
pub fn default_backend(precision: Precision) -> Result<&'static dyn Backend, RuntimeError> {
    let can = |backend: &&dyn Backend| backend.arithmetic(precision).is_some();
    let first = BACKENDS.iter().copied().find(|backend| can(backend));
    first.ok_or(RuntimeError::NoBackend { precision })
}

/// The shapes of a session's input and outputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shapes {
    /// The batch of images, `[n, 3, h, w]`.
    pub input: Shape,
    /// The outputs, in the graph's order: one of a classifier or a pose network, several of a feature pyramid.
    pub outputs: Vec<OutputShape>,
}

/// An output of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputShape {
    /// Its name, as [`hrnet::Output`] has it: `logits`, `stride_4`, `heatmaps`.
    pub name: String,
    /// The meaning of its values.
    pub kind: OutputKind,
    /// Its shape, `[n, c, h, w]`; of logits `[n, classes, 1, 1]`.
    pub shape: Shape,
}

impl Shapes {
    /// Returns the shapes of a graph.
    pub fn of(graph: &Graph) -> Self {
        let outputs = graph.outputs().iter().map(|output| OutputShape {
            name: output.name.clone(),
            kind: output.kind,
            shape: graph.node(output.node).shape,
        });
        Self {
            input: graph.input_shape(),
            outputs: outputs.collect(),
        }
    }

    /// Returns the number of elements of all outputs together.
    pub fn results(&self) -> usize {
        self.outputs.iter().map(|output| output.shape.elements()).sum()
    }

    /// Splits `results` into the part of each output, `[n, c, h, w]`, in order.
    ///
    /// # Panics
    /// If the length of `results` is not [`Shapes::results`].
    pub fn split<'a>(&self, mut results: &'a mut [f32]) -> Vec<&'a mut [f32]> {
        assert_eq!(results.len(), self.results(), "elements of all outputs");
        let mut parts = Vec::with_capacity(self.outputs.len());
        for output in &self.outputs {
            let (part, rest) = results.split_at_mut(output.shape.elements());
            parts.push(part);
            results = rest;
        }
        parts
    }

    /// Checks the lengths of both slices.
    pub(crate) fn check(&self, images: &[f32], results: &[f32]) -> Result<(), RuntimeError> {
        let outputs: Vec<Shape> = self.outputs.iter().map(|output| output.shape).collect();
        RuntimeError::check_length("images", images.len(), &[self.input])?;
        RuntimeError::check_length("results", results.len(), &outputs)
    }
}

/// A prepared network.
pub trait Session: Send {
    /// Runs one batch: `images` is `[n, 3, h, w]` row-major, `results` takes all outputs, one after the other
    /// ([`Shapes::split`]): of a classifier the logits, `[n, classes]`. Each output is written once, where it stays.
    ///
    /// The images must be finite. It is not checked here, because this call is timed: on vector units a ReLU turns NaN into 0, so
    /// the logits of an image that holds one may be finite and mean nothing. [`check_finite`] checks it, and [`Session::logits`]
    /// calls that.
    ///
    /// # Errors
    /// If a slice does not have the length the session was prepared for, or the device fails.
    fn run(&mut self, images: &[f32], results: &mut [f32]) -> Result<(), RuntimeError>;

    /// Returns the shapes of the input and the outputs of [`Session::run`].
    fn shapes(&self) -> &Shapes;

    /// Returns the shape of the batch that [`Session::run`] takes.
    fn input_shape(&self) -> Shape {
        self.shapes().input
    }

    /// Returns the shape of the first output: of a classifier `[n, classes, 1, 1]`.
    fn output_shape(&self) -> Shape {
        self.shapes().outputs[0].shape
    }

    /// Returns the fused program as text, one step per line, if the backend makes one.
    fn plan(&self) -> Option<String> {
        None
    }

    /// Returns the vector unit it runs on, if it chooses one itself.
    fn unit(&self) -> Option<&'static str> {
        None
    }

    /// Returns the fused steps, if the backend runs any.
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
        results: &mut [f32],
        after: &mut (dyn FnMut(usize) + Send),
    ) -> Result<(), RuntimeError> {
        let _ = after;
        self.run(images, results)
    }

    /// Runs one batch of a classifier into a new vector, `[n, classes]`. Of any other network it holds all outputs, one after
    /// the other.
    ///
    /// # Errors
    /// As [`Session::run`], and if an image is not finite.
    fn logits(&mut self, images: &[f32]) -> Result<Vec<f32>, RuntimeError> {
        Ok(self.outputs(images)?.values)
    }

    /// Runs one batch and returns all outputs, by name.
    ///
    /// # Errors
    /// As [`Session::run`], and if an image is not finite.
    fn outputs(&mut self, images: &[f32]) -> Result<Outputs, RuntimeError> {
        check_finite(images, self.input_shape())?;
        let mut values = vec![0.0; self.shapes().results()];
        self.run(images, &mut values)?;
        Ok(Outputs {
            shapes: self.shapes().outputs.clone(),
            values,
        })
    }
}

/// Checks that a batch holds neither a NaN nor an infinity.
///
/// # Errors
/// If the length of `images` is not that of `shape`, or a value is not finite: the error has the first.
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
    /// The format of the operands; `None` for steps that multiply no weights.
    pub operands: Option<Precision>,
    /// `true` if a matrix unit multiplies them, `false` if the vector unit does.
    pub on_tiles: bool,
    /// Bytes of prepared weights.
    pub weight_bytes: usize,
}

/// The settings of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Number format of weights and activations.
    pub precision: Precision,
    /// Threads of the session's own pool.
    pub threads: NonZeroUsize,
    /// The ranges of the layers' inputs, for precisions in fixed point; without it [`Calibration::stand_in`].
    pub calibration: Option<Arc<Calibration>>,
}

impl Options {
    /// Returns the settings for `precision` on all hardware threads.
    pub fn new(precision: Precision) -> Self {
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            precision,
            threads,
            calibration: None,
        }
    }

    /// Returns the same settings with this number of threads.
    pub fn threads(self, threads: NonZeroUsize) -> Self {
        Self { threads, ..self }
    }
}

/// A network that could not be prepared or run.
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
    /// The weights lack a parameter of the network, or are damaged.
    #[error(transparent)]
    Weights(#[from] WeightError),
    /// There is no calibration, or it does not fit.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// A slice of another length than the session's shapes.
    #[error("{what} has {actual} elements; prepared for {expected} ({})", shapes.iter().map(Shape::to_string).collect::<Vec<_>>().join(", "))]
    Length {
        /// `images` or `results`.
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
    /// A library that the backend loads cannot be found or loaded.
    #[error("{reason}")]
    Missing {
        /// The library, the system's error, and the place where it was looked for.
        reason: String,
        /// The advice.
        help: String,
    },
    /// There is less memory than the network needs.
    #[error("backend {backend}: {source}")]
    Memory {
        /// The backend's name.
        backend: &'static str,
        /// The bytes that were asked for, and the system's error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The library or device behind the backend failed.
    #[error("backend {backend}: {source}")]
    Device {
        /// The backend's name.
        backend: &'static str,
        /// Its error.
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

    /// Checks that a slice has the length of all these shapes.
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

/// Returns the backend of this name.
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

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use half::{bf16, f16};
use harness::{
    Case, Cell, Closeness, Fidelity, NetworkCase, PreprocessCase, Provenance, Record, WeightsCheck,
};
use hrnet::{Graph, Precision, Shape};
use hrnet_zoo::transform;
use preprocess::{Element, RgbImage, Transform};
use registry::Variant;
use runtime::{Calibration, Options, RuntimeError};

use super::desk::Desk;
use crate::calibration::{Calibrated, ranges};
use crate::context::Context;
use crate::model::{Choice, Weights, WeightsArg};
use crate::npy::Array;
use crate::{Exit, Failure, memory, npy, peers};

/// The photo that preprocessing is timed on.
const PHOTO: &[u8] = include_bytes!("../../../../tests/golden/photo.jpg");

/// The backend whose logits others are compared with.
pub(crate) const REFERENCE: &str = "cpu-exact";

/// A cell that is ready to be timed, with what a record says about it.
pub(crate) struct Prepared {
    /// One run a call.
    pub(crate) cell: Cell,
    pub(crate) about: About,
}

/// The fields of a record besides its times.
pub(crate) struct About {
    /// Origin of the weights; empty for preprocessing.
    pub(crate) weights: String,
    /// The way in which their digest is known.
    pub(crate) weights_check: Option<WeightsCheck>,
    /// The backend of the cell.
    pub(crate) backend: String,
    /// Fidelity of the answer to the reference's; `None` for preprocessing.
    pub(crate) fidelity: Option<Fidelity>,
}

impl About {
    /// The record of what came of the cell.
    pub(crate) fn record(
        self,
        case: &Case,
        started: String,
        samples: Result<Vec<u64>, String>,
        common: &Provenance,
    ) -> Record {
        let about = Provenance {
            weights: self.weights,
            weights_check: self.weights_check,
            backend: self.backend,
            ..common.clone()
        };
        let mut record = Record::new(case.clone(), started, samples, about);
        record.fidelity = self.fidelity;
        record
    }
}

/// Makes cells ready.
pub(crate) struct Workshop<'a> {
    pub(crate) cx: &'a Context,
    /// Weights for every cell; without them the cache's, or seeded ones where a file is missing.
    weights: Option<WeightsArg>,
    /// Ranges for cells in fixed point; without them those of synthetic photos.
    calibration: Option<PathBuf>,
    /// The folder that answers of the reference are shared in.
    shared: Option<PathBuf>,
    desk: RefCell<Desk>,
}

/// The question of a network cell, independent of the engine that answers.
pub(super) struct Question<'a> {
    pub(super) case: &'a NetworkCase,
    pub(super) variant: &'a Variant,
    pub(super) graph: Graph,
    pub(super) weights: Weights,
    /// Description of the weights, and of the given ranges, for records.
    pub(super) told_weights: String,
    /// The way in which the digest of the weights is known.
    pub(super) weights_check: Option<WeightsCheck>,
    calibration: Option<Calibrated>,
    /// `[n, 3, crop, crop]`.
    pub(super) images: Vec<f32>,
}

impl<'a> Workshop<'a> {
    pub(crate) fn new(cx: &'a Context, weights: Option<WeightsArg>) -> Self {
        Self {
            cx,
            weights,
            calibration: None,
            shared: None,
            desk: RefCell::default(),
        }
    }

    /// The same with a file of ranges for cells in fixed point.
    pub(crate) fn calibrated(self, calibration: Option<PathBuf>) -> Self {
        Self { calibration, ..self }
    }

    /// The same, which shares the reference's answers with other processes in a folder. All must have the same weights.
    pub(crate) fn sharing(self, folder: PathBuf) -> Self {
        Self {
            shared: Some(folder),
            ..self
        }
    }

    /// The cell of this case, whose answer has been compared with the reference's.
    pub(crate) fn prepare(&self, case: &Case) -> Result<Prepared, Failure> {
        match case {
            Case::Network(case) => self.network(case),
            Case::Preprocess(case) => self.preprocess(case),
        }
    }

    /// As [`Workshop::prepare`], for a network.
    pub(super) fn network(&self, case: &NetworkCase) -> Result<Prepared, Failure> {
        let question = self.question(case)?;
        let reference = self.reference(&question)?;
        match peers::find(&case.backend) {
            Some(peer) => self
                .desk
                .borrow_mut()
                .prepare(self.cx, peer, &question, &reference),
            None => question.ours(&reference),
        }
    }

    fn question<'q>(&'q self, case: &'q NetworkCase) -> Result<Question<'q>, Failure> {
        let variant = self.cx.recorded(&case.variant)?;
        let graph = variant.spec.graph(Shape::images(case.batch, case.crop))?;
        memory::check_graph(&variant.name, &graph, case.precision)?;
        let choice = self.weights.clone().map_or(Choice::CachedOrSeeded, Choice::Given);
        let weights = Weights::load(self.cx, variant, &graph, &choice)?;
        let identity = || weights.identity(self.cx);
        let calibration = self
            .calibration
            .as_ref()
            .filter(|_| case.precision.is_fixed_point())
            .map(|file| Calibrated::read(self.cx, file, variant, identity))
            .transpose()?;
        let sized = variant.preprocess.centred(case.crop.h, case.crop.h);
        let images = photo_batch(&transform(&sized)?, case.batch)?;
        let about = weights.about(self.cx)?;
        Ok(Question {
            case,
            variant,
            graph,
            told_weights: calibration
                .as_ref()
                .map_or(about.clone(), |calibrated| calibrated.about(&about)),
            weights_check: weights.check(self.cx)?,
            weights,
            calibration,
            images,
        })
    }

    /// The right logits, `[n, classes]`, computed once a question.
    fn reference(&self, question: &Question) -> Result<Rc<Vec<f32>>, Failure> {
        let case = question.case;
        let key = (case.variant.clone(), case.batch, case.crop);
        if let Some(logits) = self.desk.borrow().reference(&key) {
            return Ok(logits);
        }
        let logits = Rc::new(self.shared_reference(question)?);
        self.desk.borrow_mut().keep_reference(key, Rc::clone(&logits));
        Ok(logits)
    }

    /// The right logits that another process left, or else our own, for others to take.
    fn shared_reference(&self, question: &Question) -> Result<Vec<f32>, Failure> {
        let NetworkCase {
            variant, batch, crop, ..
        } = question.case;
        let file = self
            .shared
            .as_ref()
            .map(|folder| folder.join(format!("{variant}-bs{batch}-crop{crop}.npy")));
        if let Some(file) = file.as_ref().filter(|file| file.is_file()) {
            return npy::read(file);
        }
        let mut session = runtime::backend(REFERENCE)?.prepare(
            &question.graph,
            question.weights.source.as_ref(),
            Options::new(Precision::F32),
        )?;
        let logits = session.logits(&question.images)?;
        if let Some(file) = file {
            let shape = [*batch, logits.len() / batch];
            npy::write(&file, &Array::new("logits", &shape, &logits))?;
        }
        Ok(logits)
    }

    fn preprocess(&self, case: &PreprocessCase) -> Result<Prepared, Failure> {
        let cell: Cell = match case {
            PreprocessCase::Decode => Cell::new(|| {
                std::hint::black_box(preprocess::decode(PHOTO).map_err(|error| error.to_string())?);
                Ok(())
            }),
            PreprocessCase::Batch {
                resize,
                crop,
                precision,
                batch,
            } => {
                let first = &self.cx.zoo()?.variants[0];
                let transform = first.preprocess.centred(*resize, *crop);
                let transform = hrnet_zoo::transform(&transform)?;
                match precision {
                    Precision::F32 => batch_cell::<f32>(transform, *batch)?,
                    Precision::F16 => batch_cell::<f16>(transform, *batch)?,
                    Precision::Bf16 => batch_cell::<bf16>(transform, *batch)?,
                    Precision::I16 | Precision::Int8 => {
                        let what = format!("{precision}: batches are made in floating point alone");
                        return Err(Failure::new(Exit::Usage, what));
                    }
                }
            }
        };
        Ok(Prepared {
            cell,
            about: About {
                weights: String::new(),
                weights_check: None,
                backend: "this program, one thread".into(),
                fidelity: None,
            },
        })
    }
}

impl Question<'_> {
    /// Ranges for rounding a model in int8: those that our engine takes.
    pub(super) fn ranges(&self) -> Result<onnx::Ranges, Failure> {
        let calibration = match &self.calibration {
            Some(calibrated) => Arc::clone(&calibrated.calibration),
            None => Arc::new(Calibration::stand_in(&self.graph, self.weights.source.as_ref())?),
        };
        calibration.check(&self.graph).map_err(RuntimeError::from)?;
        Ok(ranges(&calibration, &self.graph))
    }

    /// The cell of a backend of ours.
    fn ours(self, reference: &[f32]) -> Result<Prepared, Failure> {
        let backend = runtime::backend(&self.case.backend)?;
        let threads = self
            .case
            .threads
            .try_into()
            .map_err(|_| Failure::new(Exit::Usage, "0 threads"))?;
        let mut options = Options::new(self.case.precision).threads(threads);
        if let Some(calibrated) = self.calibration {
            options.calibration = Some(calibrated.calibration);
        }
        let mut session = backend.prepare(&self.graph, self.weights.source.as_ref(), options)?;
        let images = self.images;
        let mut logits = vec![0.0; self.graph.output_shape().elements()];
        session.run(&images, &mut logits)?;
        let tolerance = backend.tolerance(self.case.precision);
        let fidelity = right(&logits, reference, self.case.batch, tolerance)
            .map_err(|why| wrong(&self.case.backend, &why))?;
        let unit = session
            .unit()
            .map_or(String::new(), |unit| format!(", on {unit}"));
        let cell = Cell::new(move || {
            session
                .run(&images, &mut logits)
                .map_err(|error| error.to_string())
        });
        Ok(Prepared {
            cell,
            about: About {
                weights: self.told_weights,
                weights_check: self.weights_check,
                backend: format!("{}{unit}", backend.identity()?),
                fidelity: Some(fidelity),
            },
        })
    }
}

/// A wrong answer, which is never timed.
pub(super) fn wrong(name: &str, why: &str) -> Failure {
    Failure::new(
        Exit::Other,
        format!("{name} gives a wrong answer, not timed: {why}"),
    )
}

/// Returns the fidelity of the logits of this many images to the reference's; the error says what is wrong with them.
pub(super) fn right(
    logits: &[f32],
    reference: &[f32],
    images: usize,
    tolerance: f32,
) -> Result<Fidelity, String> {
    if logits.len() != reference.len() {
        let (found, expected) = (logits.len(), reference.len());
        return Err(format!("{found} logits, expected {expected}"));
    }
    if let Some(odd) = logits.iter().find(|logit| !logit.is_finite()) {
        return Err(format!("a logit is {odd}"));
    }
    let mut closeness = Closeness::default();
    closeness.add(logits, reference, reference.len() / images.max(1));
    let fidelity = closeness.fidelity().ok_or("no logits")?;
    let share = fidelity.largest_error;
    if share > f64::from(tolerance) {
        return Err(format!(
            "logits differ from {REFERENCE}'s by {share:.1e} of the largest, allowed are {tolerance:.0e}"
        ));
    }
    Ok(fidelity)
}

fn photo() -> Result<RgbImage, Failure> {
    Ok(preprocess::decode(PHOTO)?)
}

/// A batch of the photo as the transform makes it, `[n, 3, crop, crop]`, each fainter than the one before: an answer
/// in another image's place is a wrong one.
fn photo_batch(transform: &Transform, n: usize) -> Result<Vec<f32>, Failure> {
    let mut batch = vec![0.0; n * transform.output_elements()];
    transform.batch(std::iter::repeat_n(&photo()?, n), &mut batch);
    for (index, image) in batch.chunks_exact_mut(transform.output_elements()).enumerate() {
        let strength = 1.0 - index as f32 / (2 * n) as f32;
        image.iter_mut().for_each(|value| *value *= strength);
    }
    Ok(batch)
}

fn batch_cell<T: Element + 'static>(transform: Transform, n: usize) -> Result<Cell, Failure> {
    let image = photo()?;
    let mut batch = vec![T::default(); n * transform.output_elements()];
    Ok(Cell::new(move || {
        transform.batch(std::iter::repeat_n(&image, n), &mut batch);
        std::hint::black_box(&mut batch);
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_logits_are_told_from_right_ones() {
        let reference = [2.0, -4.0, 0.0];
        let fidelity = |logits: &[f32], tolerance| right(logits, &reference, 1, tolerance);
        let exact = fidelity(&reference, 1e-4).expect("the same");
        assert_eq!((exact.largest_error, exact.top1_agreement), (0.0, 1.0));
        let near = fidelity(&[2.0, -4.0, 0.0004], 1e-3).expect("near enough");
        assert!((near.largest_error - 1e-4).abs() < 1e-8, "{near:?}");
        let why = fidelity(&[2.0, -4.0, 0.0008], 1e-4).expect_err("too far");
        assert!(why.contains("2.0e-4 of the largest, allowed are 1e-4"), "{why}");
        let why = fidelity(&[2.0, f32::NAN, 0.0], 1.0).expect_err("no number");
        assert!(why.contains("NaN"), "{why}");
        let why = fidelity(&[2.0], 1.0).expect_err("too few");
        assert_eq!(why, "1 logits, expected 3");
        let two = [1.0, 2.0, 5.0, 4.0];
        let half = right(&[1.0, 2.0, 4.4, 4.6], &two, 2, 0.5).expect("near enough");
        assert_eq!(half.top1_agreement, 0.5);
    }

    #[test]
    fn no_two_images_of_a_batch_are_alike() {
        let cx = Context::embedded();
        let first = &cx.zoo().expect("the manifest").variants[0];
        let sized = first.preprocess.centred(64, 64);
        let batch = photo_batch(&transform(&sized).expect("valid"), 3).expect("a batch");
        let images: Vec<&[f32]> = batch.chunks_exact(3 * 64 * 64).collect();
        assert!(images.len() == 3 && images[0] != images[1] && images[1] != images[2]);
    }
}

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use half::{bf16, f16};
use harness::{
    Case, Cell, Closeness, Fidelity, MapCloseness, NetworkCase, PreprocessCase, Provenance, Record,
    WeightsCheck, counted,
};
use hrnet::{Graph, Output, OutputKind, Precision, Shape};
use preprocess::{Element, Transform};
use registry::Variant;
use runtime::{Calibration, Options, RuntimeError};

use super::desk::Desk;
use super::inputs::{PHOTO, person_cell, photo, photo_batch};
use crate::calibration::{Calibrated, ranges};
use crate::context::Context;
use crate::model::{Choice, Weights, WeightsArg};
use crate::npy::Array;
use crate::{Exit, Failure, memory, npy, peers};

/// The backend whose outputs others are compared with.
pub(crate) const REFERENCE: &str = "cpu-exact";

/// The tolerance of heatmaps over that of logits. Rounding errors of a classifier are averaged by its pooling, and the largest is
/// one of a thousand logits; of heatmaps it is the largest of tens of thousands of values that nothing averages. Errors of right
/// engines in 8 bits on seeded weights reach half of the largest value.
const MAPS: f32 = 1.5;

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
    /// `[n, 3, h, w]`.
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
        let images = photo_batch(&variant.preprocess, case.crop, case.batch)?;
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

    /// The right outputs, of a classifier the logits, `[n, classes]`, computed once per question.
    fn reference(&self, question: &Question) -> Result<Rc<Vec<f32>>, Failure> {
        let case = question.case;
        let key = (case.variant.clone(), case.batch, case.crop);
        if let Some(values) = self.desk.borrow().reference(&key) {
            return Ok(values);
        }
        let values = Rc::new(self.shared_reference(question)?);
        self.desk.borrow_mut().keep_reference(key, Rc::clone(&values));
        Ok(values)
    }

    /// The right outputs that another process left, or else our own, for others to take.
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
        let values = session.logits(&question.images)?;
        if let Some(file) = file {
            let shape = [*batch, values.len() / batch];
            npy::write(&file, &Array::new(question.output(), &shape, &values))?;
        }
        Ok(values)
    }

    fn preprocess(&self, case: &PreprocessCase) -> Result<Prepared, Failure> {
        let cell: Cell = match case {
            PreprocessCase::Decode => Cell::new(|| {
                std::hint::black_box(preprocess::decode(PHOTO).map_err(|error| error.to_string())?);
                Ok(())
            }),
            PreprocessCase::Person { size } => person_cell(*size)?,
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
    /// The name of the output that is compared.
    fn output(&self) -> &str {
        &self.graph.outputs()[0].name
    }

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
        let output = &self.graph.outputs()[0];
        let mut results = vec![0.0; self.graph.output_shape().elements()];
        session.run(&images, &mut results)?;
        let tolerance = backend.tolerance(self.case.precision);
        let fidelity = right(output, &results, reference, self.case.batch, tolerance)
            .map_err(|why| wrong(&self.case.backend, &why))?;
        let unit = session
            .unit()
            .map_or(String::new(), |unit| format!(", on {unit}"));
        let cell = Cell::new(move || {
            session
                .run(&images, &mut results)
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

/// Returns the fidelity of an output of this many images to the reference's; the error says what is wrong with it.
pub(super) fn right(
    output: &Output,
    values: &[f32],
    reference: &[f32],
    images: usize,
    tolerance: f32,
) -> Result<Fidelity, String> {
    let name = &output.name;
    if values.len() != reference.len() {
        let found = counted(values.len(), "value");
        return Err(format!("{name} of {found}, expected {}", reference.len()));
    }
    if let Some(odd) = values.iter().find(|value| !value.is_finite()) {
        return Err(format!("a value of {name} is {odd}"));
    }
    let (fidelity, tolerance) = match output.kind {
        OutputKind::Logits => {
            let mut closeness = Closeness::default();
            closeness.add(values, reference, reference.len() / images.max(1));
            (closeness.fidelity(), tolerance)
        }
        OutputKind::Heatmaps | OutputKind::Features { .. } | OutputKind::Value => {
            let mut closeness = MapCloseness::default();
            closeness.add(values, reference);
            (closeness.fidelity(), MAPS * tolerance)
        }
    };
    let fidelity = fidelity.ok_or_else(|| format!("no {name}"))?;
    let share = fidelity.largest_error;
    if share > f64::from(tolerance) {
        return Err(format!(
            "{name} differ from {REFERENCE}'s by {share:.1e} of the largest, allowed are {tolerance:.0e}"
        ));
    }
    Ok(fidelity)
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

    /// The output of a network of this kind.
    fn output(name: &str) -> Output {
        let cx = Context::embedded();
        let graph = cx.variant(name).expect("there").graph();
        graph.outputs()[0].clone()
    }

    #[test]
    fn wrong_logits_are_told_from_right_ones() {
        let reference = [2.0, -4.0, 0.0];
        let logits = output("hrnet_w18_small");
        let fidelity = |values: &[f32], tolerance| right(&logits, values, &reference, 1, tolerance);
        let exact = fidelity(&reference, 1e-4).expect("the same");
        assert_eq!((exact.largest_error, exact.top1_agreement), (0.0, Some(1.0)));
        let near = fidelity(&[2.0, -4.0, 0.0004], 1e-3).expect("near enough");
        assert!((near.largest_error - 1e-4).abs() < 1e-8, "{near:?}");
        let why = fidelity(&[2.0, -4.0, 0.0008], 1e-4).expect_err("too far");
        assert!(why.contains("2.0e-4 of the largest, allowed are 1e-4"), "{why}");
        let why = fidelity(&[2.0, f32::NAN, 0.0], 1.0).expect_err("no number");
        assert!(why.contains("NaN"), "{why}");
        let why = fidelity(&[2.0], 1.0).expect_err("too few");
        assert_eq!(why, "logits of 1 value, expected 3");
        let two = [1.0, 2.0, 5.0, 4.0];
        let half = right(&logits, &[1.0, 2.0, 4.4, 4.6], &two, 2, 0.5).expect("near enough");
        assert_eq!(half.top1_agreement, Some(0.5));
    }

    #[test]
    fn heatmaps_are_judged_by_their_error_alone() {
        let maps = output("pose_hrnet_w32_256x192");
        let fidelity = right(&maps, &[1.0, 2.0, 4.4, 4.6], &[1.0, 2.0, 5.0, 4.0], 2, 0.5);
        let fidelity = fidelity.expect("near enough");
        assert!((fidelity.largest_error - 0.12).abs() < 1e-7, "{fidelity:?}");
        assert_eq!((fidelity.top1_agreement, fidelity.divergence), (None, None));
        assert!(
            right(&maps, &[1.71], &[2.0], 1, 0.1).is_ok(),
            "within 1.5 times the tolerance"
        );
        let why = right(&maps, &[1.0], &[2.0], 1, 0.1).expect_err("too far");
        assert!(
            why.starts_with("heatmaps differ from cpu-exact's by 5.0e-1"),
            "{why}"
        );
    }
}

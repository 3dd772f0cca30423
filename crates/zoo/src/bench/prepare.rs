use std::cell::RefCell;
use std::rc::Rc;

use half::{bf16, f16};
use harness::{Case, Cell, NetworkCase, PreprocessCase};
use hrnet::{Graph, Precision, Shape};
use preprocess::{Element, Interpolation, RgbImage, Transform};
use registry::{Preprocess, Variant};
use runtime::Options;

use super::desk::Desk;
use crate::context::Context;
use crate::model::{Choice, Weights, WeightsArg};
use crate::{Exit, Failure, peers};

/// The photo that preprocessing is timed on.
const PHOTO: &[u8] = include_bytes!("../../../../tests/golden/photo.jpg");

/// The backend whose logits others are compared with.
const REFERENCE: &str = "cpu-exact";

/// A cell that is ready to be timed, with what a record says about it.
pub(crate) struct Prepared {
    /// One run a call.
    pub(crate) cell: Cell,
    /// Where the weights come from; empty for preprocessing.
    pub(crate) weights: String,
    /// What runs the cell.
    pub(crate) backend: String,
}

/// Makes cells ready.
pub(crate) struct Workshop<'a> {
    pub(crate) cx: &'a Context,
    /// Weights for every cell; without them the cache's, or seeded ones where a file is missing.
    weights: Option<WeightsArg>,
    desk: RefCell<Desk>,
}

/// What a network cell asks, whoever answers.
pub(super) struct Question<'a> {
    pub(super) case: &'a NetworkCase,
    pub(super) variant: &'a Variant,
    pub(super) graph: Graph,
    pub(super) weights: Weights,
    /// `[n, 3, crop, crop]`.
    pub(super) images: Vec<f32>,
}

impl<'a> Workshop<'a> {
    pub(crate) fn new(cx: &'a Context, weights: Option<WeightsArg>) -> Self {
        Self {
            cx,
            weights,
            desk: RefCell::default(),
        }
    }

    /// The cell of this case.
    pub(crate) fn prepare(&self, case: &Case) -> Result<Prepared, Failure> {
        match case {
            Case::Network(case) => self.network(case, false),
            Case::Preprocess(case) => self.preprocess(case),
        }
    }

    /// The cell of a race: its answer is compared with the reference's, as that of every peer is.
    pub(super) fn racer(&self, case: &NetworkCase) -> Result<Prepared, Failure> {
        self.network(case, true)
    }

    fn network(&self, case: &NetworkCase, compared: bool) -> Result<Prepared, Failure> {
        let question = self.question(case)?;
        match peers::find(&case.backend) {
            Some(peer) => {
                let reference = self.reference(&question)?;
                self.desk
                    .borrow_mut()
                    .prepare(self.cx, peer, &question, &reference)
            }
            None => {
                let reference = if compared {
                    Some(self.reference(&question)?)
                } else {
                    None
                };
                question.ours(reference.as_deref().map(Vec::as_slice))
            }
        }
    }

    fn question<'q>(&'q self, case: &'q NetworkCase) -> Result<Question<'q>, Failure> {
        let variant = self.cx.variant(&case.variant)?;
        let graph = variant.spec.graph(Shape::square(case.batch, case.crop))?;
        let choice = self.weights.clone().map_or(Choice::CachedOrSeeded, Choice::Given);
        let weights = Weights::load(self.cx, variant, &graph, &choice)?;
        let sized = Preprocess {
            resize_short: case.crop,
            crop: case.crop,
            ..variant.preprocess.clone()
        };
        let images = photo_batch(&transform(&sized)?, case.batch)?;
        Ok(Question {
            case,
            variant,
            graph,
            weights,
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
        let mut session = runtime::backend(REFERENCE)?.prepare(
            &question.graph,
            question.weights.source.as_ref(),
            Options::new(Precision::F32),
        )?;
        let logits = Rc::new(session.logits(&question.images)?);
        self.desk.borrow_mut().keep_reference(key, Rc::clone(&logits));
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
                let transform = Preprocess {
                    resize_short: *resize,
                    crop: *crop,
                    ..first.preprocess.clone()
                };
                let transform = self::transform(&transform)?;
                match precision {
                    Precision::F32 => batch_cell::<f32>(transform, *batch)?,
                    Precision::F16 => batch_cell::<f16>(transform, *batch)?,
                    Precision::Bf16 => batch_cell::<bf16>(transform, *batch)?,
                }
            }
        };
        Ok(Prepared {
            cell,
            weights: String::new(),
            backend: "this program, one thread".into(),
        })
    }
}

impl Question<'_> {
    /// The cell of a backend of ours, compared with the reference's logits if there are some.
    fn ours(self, reference: Option<&[f32]>) -> Result<Prepared, Failure> {
        let backend = runtime::backend(&self.case.backend)?;
        let threads = self
            .case
            .threads
            .try_into()
            .map_err(|_| Failure::new(Exit::Usage, "0 threads"))?;
        let options = Options {
            precision: self.case.precision,
            threads,
        };
        let mut session = backend.prepare(&self.graph, self.weights.source.as_ref(), options)?;
        let images = self.images;
        let mut logits = vec![0.0; self.graph.output_shape().elements()];
        session.run(&images, &mut logits)?;
        if let Some(reference) = reference {
            let tolerance = backend.tolerance(self.case.precision);
            right(&logits, reference, tolerance).map_err(|why| wrong(&self.case.backend, &why))?;
        }
        if let Some(odd) = logits.iter().find(|logit| !logit.is_finite()) {
            return Err(wrong(&self.case.backend, &format!("{odd} for a photo")));
        }
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
            weights: self.weights.about,
            backend: format!("{}{unit}", backend.about()),
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

/// Whether logits are those of the reference; the error says how far they are off.
pub(super) fn right(logits: &[f32], reference: &[f32], tolerance: f32) -> Result<(), String> {
    if logits.len() != reference.len() {
        let (found, expected) = (logits.len(), reference.len());
        return Err(format!("{found} logits, expected {expected}"));
    }
    if let Some(odd) = logits.iter().find(|logit| !logit.is_finite()) {
        return Err(format!("a logit is {odd}"));
    }
    let largest = reference
        .iter()
        .fold(0.0_f32, |most, logit| most.max(logit.abs()));
    let differences = logits.iter().zip(reference).map(|(a, b)| (a - b).abs());
    let share = differences.fold(0.0_f32, f32::max) / largest.max(f32::MIN_POSITIVE);
    if share <= tolerance {
        Ok(())
    } else {
        Err(format!(
            "logits differ from {REFERENCE}'s by {share:.1e} of the largest, allowed are {tolerance:.0e}"
        ))
    }
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

/// The manifest's preprocessing as the code that carries it out.
pub(crate) fn transform(preprocess: &Preprocess) -> Result<Transform, Failure> {
    let interpolation = match preprocess.interpolation {
        registry::Interpolation::Bilinear => Interpolation::Bilinear,
    };
    Transform::new(
        preprocess.resize_short,
        preprocess.crop,
        interpolation,
        preprocess.mean,
        preprocess.std,
    )
    .map_err(|error| Failure::new(Exit::Manifest, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_logits_are_told_from_right_ones() {
        let reference = [2.0, -4.0, 0.0];
        assert_eq!(right(&[2.0, -4.0, 0.0004], &reference, 1e-4), Ok(()));
        let why = right(&[2.0, -4.0, 0.0008], &reference, 1e-4).expect_err("too far");
        assert!(why.contains("2.0e-4 of the largest, allowed are 1e-4"), "{why}");
        let why = right(&[2.0, f32::NAN, 0.0], &reference, 1.0).expect_err("no number");
        assert!(why.contains("NaN"), "{why}");
        let why = right(&[2.0], &reference, 1.0).expect_err("too few");
        assert_eq!(why, "1 logits, expected 3");
    }

    #[test]
    fn no_two_images_of_a_batch_are_alike() {
        let cx = Context::embedded();
        let first = &cx.zoo().expect("the manifest").variants[0];
        let sized = Preprocess {
            resize_short: 64,
            crop: 64,
            ..first.preprocess.clone()
        };
        let batch = photo_batch(&transform(&sized).expect("valid"), 3).expect("a batch");
        let images: Vec<&[f32]> = batch.chunks_exact(3 * 64 * 64).collect();
        assert!(images.len() == 3 && images[0] != images[1] && images[1] != images[2]);
    }
}

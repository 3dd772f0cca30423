use half::{bf16, f16};
use harness::{Case, Cell, NetworkCase, PreprocessCase};
use hrnet::{Precision, Shape};
use preprocess::{Element, Interpolation, RgbImage, Transform};
use registry::Preprocess;
use runtime::Options;

use crate::context::Context;
use crate::model::{Choice, Weights, WeightsArg};
use crate::{Exit, Failure};

/// The photo that preprocessing is timed on.
const PHOTO: &[u8] = include_bytes!("../../../../tests/golden/photo.jpg");

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
    pub(crate) weights: Option<WeightsArg>,
}

impl Workshop<'_> {
    /// The cell of this case.
    pub(crate) fn prepare(&self, case: &Case) -> Result<Prepared, Failure> {
        match case {
            Case::Network(case) => self.network(case),
            Case::Preprocess(case) => self.preprocess(case),
        }
    }

    fn network(&self, case: &NetworkCase) -> Result<Prepared, Failure> {
        let variant = self.cx.variant(&case.variant)?;
        let shape = Shape::square(case.batch, case.crop);
        let graph = variant.spec.graph(shape)?;
        let choice = self.weights.clone().map_or(Choice::CachedOrSeeded, Choice::Given);
        let weights = Weights::load(self.cx, variant, &graph, &choice)?;
        let backend = runtime::backend(&case.backend)?;
        let threads = case
            .threads
            .try_into()
            .map_err(|_| Failure::new(Exit::Usage, "0 threads"))?;
        let options = Options {
            precision: case.precision,
            threads,
        };
        let mut session = backend.prepare(&graph, weights.source.as_ref(), options)?;

        let sized = Preprocess {
            resize_short: case.crop,
            crop: case.crop,
            ..variant.preprocess.clone()
        };
        let images = photo_batch(&transform(&sized)?, case.batch)?;
        let mut logits = vec![0.0; graph.output_shape().elements()];
        session.run(&images, &mut logits)?;
        if let Some(wrong) = logits.iter().find(|logit| !logit.is_finite()) {
            return Err(Failure::new(
                Exit::Other,
                format!("the network gives {wrong} for a photo; not timed"),
            ));
        }
        let cell: Cell = Box::new(move || {
            session
                .run(&images, &mut logits)
                .map_err(|error| error.to_string())
        });
        Ok(Prepared {
            cell,
            weights: weights.about,
            backend: backend.about().to_owned(),
        })
    }

    fn preprocess(&self, case: &PreprocessCase) -> Result<Prepared, Failure> {
        let cell: Cell = match case {
            PreprocessCase::Decode => Box::new(|| {
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

fn photo() -> Result<RgbImage, Failure> {
    Ok(preprocess::decode(PHOTO)?)
}

/// A batch of `n` equal photos as the transform makes it, `[n, 3, crop, crop]`.
fn photo_batch(transform: &Transform, n: usize) -> Result<Vec<f32>, Failure> {
    let mut batch = vec![0.0; n * transform.output_elements()];
    transform.batch(std::iter::repeat_n(&photo()?, n), &mut batch);
    Ok(batch)
}

fn batch_cell<T: Element + 'static>(transform: Transform, n: usize) -> Result<Cell, Failure> {
    let image = photo()?;
    let mut batch = vec![T::default(); n * transform.output_elements()];
    Ok(Box::new(move || {
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

use std::path::{Path, PathBuf};

use clap::Args;
use harness::counted;
use hrnet::Shape;
use hrnet_zoo::{Class, Labels};
use preprocess::Worker;
use serde::Serialize;

use crate::context::Context;
use crate::files::{find_images, read_image};
use crate::model::{ModelArgs, Ready};
use crate::output::table;
use crate::photos::PreprocessArg;
use crate::{Exit, Failure};

/// Classify photos
///
/// Prepares photos as the publisher of the weights does: the weight source, or the tensor names in a file, select the
/// preprocessing profile, which is printed. Answers are printed one by one. A photo that cannot be read is reported and
/// skipped.
#[derive(Debug, Args)]
pub(crate) struct Classify {
    /// Image files, folders of images, or `-` for one image from standard input
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    preprocess: PreprocessArg,
    /// Number of classes to print per photo
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
    /// Print JSON, one line per image
    #[arg(long)]
    json: bool,
}

/// The answer for one image.
#[derive(Serialize)]
struct Answer<'a> {
    image: PathBuf,
    model: &'a str,
    /// Id of the preprocessing profile.
    preprocess: &'a str,
    /// Origin of the ranges: SHA-256 of the calibration, or the name of its stand-in; `None` in floating point.
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<&'a str>,
    classes: Vec<Class>,
}

impl Classify {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let named = cx.classifier(&self.model.model)?;
        let variant = named.variant;
        let images = find_images(cx, &self.images)?;
        let whose = self.model.weights.whose(cx, named)?;
        let preparation = self.preprocess.choose(cx, variant, &whose)?;
        let transform = hrnet_zoo::transform(preparation.profile)?;
        let labels = Labels::of(variant)?;
        let input = Shape::square(1, transform.crop());
        let Ready {
            mut session,
            calibration,
        } = self.model.session(cx, named, input)?;
        preparation.tell(cx);
        if self.model.weights.are_seeded() {
            cx.out
                .warn("random weights were never trained: the classes are meaningless");
        }
        if variant.spec.classes() == 1 {
            cx.out.warn(
                "a network with one class gives it a probability of 100 % for every photo: `--json` prints the logit, which differs",
            );
        }
        let mut worker = transform.worker::<f32>();
        let mut batch = vec![0.0_f32; transform.output_elements()];
        let mut failures = Vec::new();
        for path in &images {
            if let Err(failure) = prepare(&mut worker, path, &mut batch) {
                cx.out.failure(&failure);
                failures.push(failure.exit);
                continue;
            }
            let logits = session.logits(&batch)?;
            let answer = Answer {
                image: path.clone(),
                model: &variant.name,
                preprocess: &preparation.profile.id,
                calibration: calibration.as_deref(),
                classes: labels.top(&logits, self.top),
            };
            match self.json {
                true => cx.out.json_line(&answer)?,
                false => cx.out.data(&human(&answer))?,
            }
        }
        match Exit::of_many(&failures, images.len()) {
            None => Ok(()),
            Some(exit) => Err(Failure::new(
                exit,
                format!(
                    "{} of {} could not be read",
                    failures.len(),
                    counted(images.len(), "image")
                ),
            )),
        }
    }
}

/// Reads a photo and writes it as network input.
fn prepare(worker: &mut Worker<f32>, path: &Path, out: &mut [f32]) -> Result<(), Failure> {
    worker
        .file(&read_image(path)?, out)
        .map(|_| ())
        .map_err(|error| Failure::new(Exit::Other, format!("{}: {error}", path.display())))
}

fn human(answer: &Answer) -> String {
    let rows = answer.classes.iter().map(|class| {
        vec![
            format!("{:.2} %", class.probability * 100.0),
            class.index.to_string(),
            class.name.clone(),
        ]
    });
    let (image, model) = (answer.image.display(), &answer.model);
    format!(
        "{image} ({model})\n{}",
        table(&[">probability", ">class", "name"], rows)
    )
}

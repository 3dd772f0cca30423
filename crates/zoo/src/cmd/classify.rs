use std::path::{Path, PathBuf};

use clap::Args;
use harness::counted;
use hrnet::Shape;
use hrnet_zoo::Class;
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
/// Photos are prepared as the publisher of the weights does, by what the source, or the tensor names in a file, say; which
/// way is printed. Each answer is printed as soon as it is there. A photo that cannot be read is reported, and the next one
/// follows.
#[derive(Debug, Args)]
pub(crate) struct Classify {
    /// Image files, folders of them, or `-` for one from standard input
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    preprocess: PreprocessArg,
    /// How many classes to name
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
    /// The preprocessing's id.
    preprocess: &'a str,
    /// Where ranges come from: SHA-256 of the calibration, or what stood in for one; none in floating point.
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<&'a str>,
    classes: Vec<Class>,
}

impl Classify {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let named = cx.named(&self.model.model)?;
        let variant = named.variant;
        let images = find_images(cx, &self.images)?;
        let whose = self.model.weights.whose(cx, named)?;
        let preparation = self.preprocess.choose(cx, variant, &whose)?;
        let transform = hrnet_zoo::transform(preparation.profile)?;
        let input = Shape::square(1, transform.crop());
        let Ready {
            mut session,
            calibration,
        } = self.model.session(cx, named, input)?;
        preparation.tell(cx);
        if self.model.weights.are_seeded() {
            cx.out
                .warn("seeded weights were never trained: the classes mean nothing");
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
                classes: hrnet_zoo::top(&logits, self.top),
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

/// Writes a photo as the network takes it.
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
            class.name.to_owned(),
        ]
    });
    let (image, model) = (answer.image.display(), &answer.model);
    format!(
        "{image} ({model})\n{}",
        table(&[">probability", ">class", "name"], rows)
    )
}

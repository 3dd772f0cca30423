use std::path::{Path, PathBuf};

use clap::Args;
use harness::counted;
use preprocess::Worker;

use crate::context::Context;
use crate::files::{check_output, find_images, read_image};
use crate::model::WeightArgs;
use crate::npy::Array;
use crate::photos::{Preparation, PreprocessArg};
use crate::{Exit, Failure, npy};

/// Turn photos into the array that a network takes
///
/// The decoded, resized and cropped pixels equal those of OpenCV or Pillow, depending on the profile (a `[preprocess.*]` of
/// zoo.toml). Normalised to floats, they are within about 1e-6 of the publisher's. The output is float32 `[n, 3, crop, crop]`,
/// channels in the order red, green, blue, images in the given order; folders are read with their subfolders, sorted by name.
#[derive(Debug, Args)]
pub(crate) struct Preprocess {
    /// JPEG, PNG, WebP or BMP files, folders of them, or `-` for one image from standard input
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    preprocess: PreprocessArg,
    /// Variant to prepare the batch for: its weights select the preprocessing profile
    #[arg(short, long, value_name = "NAME", required_unless_present = "profile")]
    model: Option<String>,
    #[command(flatten)]
    weights: WeightArgs,
    /// Output file, `.npy`
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Preprocess {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let preparation = self.preparation(cx)?;
        let profile = preparation.profile;
        check_output(&self.output)?;
        let files = find_images(cx, &self.images)?;
        let transform = hrnet_zoo::transform(profile)?;
        let mut worker = transform.worker::<f32>();
        let mut batch = vec![0.0; files.len() * transform.output_elements()];
        let mut failures = Vec::new();
        let outputs = batch.chunks_exact_mut(transform.output_elements());
        for (path, out) in files.iter().zip(outputs) {
            if let Err(failure) = prepare(cx, &mut worker, path, out) {
                cx.out.failure(&failure);
                failures.push(failure.exit);
            }
        }
        if let Some(exit) = Exit::of_many(&failures, files.len()) {
            let (bad, all) = (failures.len(), files.len());
            let failure = Failure::new(
                exit,
                format!(
                    "{bad} of {} cannot be prepared: nothing is written",
                    counted(all, "image")
                ),
            );
            return Err(failure.help("leave out the images named above, or replace them"));
        }
        preparation.tell(cx);
        let shape = [files.len(), 3, transform.crop(), transform.crop()];
        npy::write(&self.output, &Array::new("images", &shape, &batch))?;
        cx.out.done(&format!("{}: {shape:?}", self.output.display()));
        Ok(())
    }

    fn preparation<'z>(&self, cx: &'z Context) -> Result<Preparation<'z>, Failure> {
        match &self.model {
            Some(model) => {
                let named = cx.classifier(model)?;
                let whose = self.weights.whose(cx, named)?;
                let preparation = self.preprocess.choose(cx, named.variant, &whose)?;
                let is_chosen =
                    self.preprocess.profile.is_some() || self.weights.are_named() || named.artifact.is_some();
                Ok(match is_chosen {
                    true => preparation,
                    false => preparation.of_any_weights(named.variant),
                })
            }
            None if self.weights.are_named() => {
                let what = "--weights and --source without --model: of which network they are is not known";
                Err(Failure::new(Exit::Usage, what))
            }
            None => {
                let name = self.preprocess.profile.as_deref().unwrap_or_default();
                Ok(Preparation::asked(hrnet_zoo::find_profile(
                    cx.zoo()?,
                    None,
                    name,
                )?))
            }
        }
    }
}

fn prepare(cx: &Context, worker: &mut Worker<f32>, path: &Path, out: &mut [f32]) -> Result<(), Failure> {
    let notes = worker
        .file(&read_image(path)?, out)
        .map_err(|error| Failure::new(Exit::Other, format!("{}: {error}", path.display())))?;
    if notes.icc {
        cx.out.detail(&format!(
            "{}: its ICC profile is ignored, as OpenCV and Pillow do",
            path.display()
        ));
    }
    if notes.turned {
        cx.out
            .detail(&format!("{}: turned as its EXIF data says", path.display()));
    }
    Ok(())
}

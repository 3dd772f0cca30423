use std::path::{Path, PathBuf};

use clap::Args;
use preprocess::Worker;
use registry::{Preprocess as Profile, Zoo};

use crate::context::Context;
use crate::files::{find_images, read_image};
use crate::{Exit, Failure, npy};

/// Turn photos into the batch that a network takes
///
/// Photos are decoded, resized, cropped and normalised to the last bit as OpenCV or Pillow would for the profile, one of
/// `[preprocess.*]` in zoo.toml. The output is float32 `[n, 3, crop, crop]`, red first, the images in the order given;
/// folders are searched with their subfolders, in the order of names.
#[derive(Debug, Args)]
pub(crate) struct Preprocess {
    /// JPEG, PNG, WebP or BMP files, folders of them, or `-` for one from standard input
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Which preprocessing, or the beginning of its name
    #[arg(long, value_name = "NAME", required_unless_present = "model")]
    profile: Option<String>,
    /// The preprocessing of this variant
    #[arg(short, long, value_name = "NAME", conflicts_with = "profile")]
    model: Option<String>,
    /// Where the batch goes, a `.npy` file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

impl Preprocess {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let profile = match (&self.model, &self.profile) {
            (Some(model), _) => &cx.variant(model)?.preprocess,
            (None, name) => find(cx.zoo()?, name.as_deref().unwrap_or_default())?,
        };
        let files = find_images(cx, &self.images)?;
        let transform = crate::bench::transform(profile)?;
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
                format!("{bad} of {all} images cannot be prepared: nothing is written"),
            );
            return Err(failure.help("leave out the images named above, or replace them"));
        }
        let shape = [files.len(), 3, transform.crop(), transform.crop()];
        npy::write(&self.output, &shape, &batch)?;
        cx.out
            .done(&format!("{}: {shape:?}, {}", self.output.display(), profile.id));
        Ok(())
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

/// The profile of this name, or the only one whose name begins so.
pub(super) fn find<'z>(zoo: &'z Zoo, name: &str) -> Result<&'z Profile, Failure> {
    if let Some(profile) = zoo.preprocess.get(name) {
        return Ok(profile);
    }
    let names = || zoo.preprocess.keys().map(String::as_str);
    let begin: Vec<&str> = names()
        .filter(|id| !name.is_empty() && id.starts_with(name))
        .collect();
    match begin.as_slice() {
        [id] => Ok(&zoo.preprocess[*id]),
        [] => {
            let known: Vec<&str> = names().collect();
            let failure = Failure::new(
                Exit::NotFound,
                format!("no preprocessing `{name}` in the manifest"),
            );
            Err(failure.help(format!("it has {}", known.join(", "))))
        }
        several => {
            let failure = Failure::new(
                Exit::Usage,
                format!("`{name}` begins several names of preprocessings"),
            );
            Err(failure.help(format!("say which: {}", several.join(", "))))
        }
    }
}

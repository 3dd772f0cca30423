//! Classifies a photo from a Rust program: `cargo run --release --example classify -- WEIGHTS PHOTO [VARIANT]`.
//!
//! `WEIGHTS` is a file as `zoo fetch` brings it, `.pdparams`, `.pth` or `.safetensors`; the variant is `HRNet_W18_C`
//! unless named.

use std::error::Error;
use std::io::{Write, stdout};
use std::path::Path;

use hrnet::{Precision, Shape};
use preprocess::{Filter, Profile, Transform};
use registry::{Interpolation, Resampler, Zoo};
use runtime::Options;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [weights, photo, name @ ..] = args.as_slice() else {
        return Err("usage: classify WEIGHTS PHOTO [VARIANT]".into());
    };

    let zoo = Zoo::parse(include_str!("../zoo.toml"), Path::new("zoo.toml"))?;
    let variant = zoo.find(name.first().map_or("HRNet_W18_C", String::as_str))?;

    // Photos are prepared as the publisher of the weights does: tensor names tell who that is.
    let file = checkpoint::read(Path::new(weights))?;
    let publisher = match file.naming()? {
        checkpoint::Naming::Timm => registry::Naming::Timm,
        checkpoint::Naming::Mmpretrain => registry::Naming::Mmpretrain,
        _ => registry::Naming::Paddle,
    };
    let source = variant
        .artifacts
        .iter()
        .find(|source| source.naming == Some(publisher));
    let wants = source.map_or(&variant.preprocess, |source| &source.preprocess);

    // Photo to batch: [1, 3, crop, crop], normalised.
    let filter = match wants.interpolation {
        Interpolation::Bilinear => Filter::Bilinear,
        Interpolation::Bicubic => Filter::Bicubic,
    };
    let profile = match wants.resampler {
        Resampler::OpenCv4 => Profile::Paddle,
        Resampler::Pillow12 => Profile::Timm(filter),
        Resampler::Pillow13 => Profile::Timm13(filter),
    };
    let transform = Transform::new(wants.resize_short, wants.crop, profile, wants.mean, wants.std)?;
    let mut batch = vec![0.0_f32; transform.output_elements()];
    transform.worker().file(&std::fs::read(photo)?, &mut batch)?;

    // Widths to graph, weights bound to it, both prepared for the fastest backend: done once.
    let graph = variant.spec.graph(Shape::square(1, wants.crop))?;
    let weights = file.weights(&graph)?;
    let backend = runtime::default_backend(Precision::F32)?;
    let mut session = backend.prepare(&graph, &weights, Options::new(Precision::F32))?;

    // Batch to logits, [1, 1000]: done for every batch, without allocating.
    let mut logits = vec![0.0; session.output_shape().elements()];
    session.run(&batch, &mut logits)?;

    let mut classes: Vec<usize> = (0..logits.len()).collect();
    classes.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    for class in &classes[..5] {
        writeln!(stdout(), "class {class:>4}  logit {:.3}", logits[*class])?;
    }
    Ok(())
}

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use hrnet::Shape;
use preprocess::{RgbImage, Transform};
use serde::Serialize;

use crate::context::Context;
use crate::model::ModelArgs;
use crate::output::table;
use crate::{Exit, Failure, labels};

/// Say what is in photos
#[derive(Debug, Args)]
pub(crate) struct Classify {
    /// JPEG, PNG, WebP or BMP files
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// How many classes to name
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The answer for one image.
#[derive(Serialize)]
struct Answer {
    image: PathBuf,
    model: String,
    classes: Vec<Class>,
}

#[derive(Serialize)]
struct Class {
    index: usize,
    name: &'static str,
    probability: f64,
    logit: f32,
}

impl Classify {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let variant = cx.variant(&self.model.model)?;
        let transform = crate::bench::transform(&variant.preprocess)?;
        let images = self
            .images
            .iter()
            .map(|path| decode(&transform, path))
            .collect::<Result<Vec<RgbImage>, _>>()?;
        let crop = transform.crop();
        let mut session = self.model.session(cx, variant, Shape::square(1, crop))?;
        if self.model.weights.are_seeded() {
            cx.out
                .warn("seeded weights were never trained: the classes mean nothing");
        }
        let mut answers = Vec::new();
        for (path, image) in self.images.iter().zip(&images) {
            let mut batch = vec![0.0_f32; transform.output_elements()];
            transform.batch([image], &mut batch);
            let logits = session.logits(&batch)?;
            let classes = top(&logits, self.top);
            answers.push(Answer {
                image: path.clone(),
                model: variant.name.clone(),
                classes,
            });
        }
        if self.json {
            cx.out.json(&answers)
        } else {
            cx.out.data(&human(&answers))
        }
    }
}

fn decode(transform: &Transform, path: &Path) -> Result<RgbImage, Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::file(path, &error))?;
    let decoded = transform.decode(&bytes);
    decoded
        .map(|(image, _)| image)
        .map_err(|error| Failure::new(Exit::Other, format!("{}: {error}", path.display())))
}

/// The classes of the largest logits, with softmax probabilities.
fn top(logits: &[f32], count: usize) -> Vec<Class> {
    let names = labels::imagenet();
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |logit: f32| f64::from(logit - largest).exp();
    let sum: f64 = logits.iter().map(|logit| weight(*logit)).sum();
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    order
        .into_iter()
        .take(count)
        .map(|index| Class {
            index,
            name: names.get(index).copied().unwrap_or("unnamed"),
            probability: weight(logits[index]) / sum,
            logit: logits[index],
        })
        .collect()
}

fn human(answers: &[Answer]) -> String {
    let mut text = String::new();
    for answer in answers {
        let rows = answer.classes.iter().map(|class| {
            vec![
                format!("{:.2} %", class.probability * 100.0),
                class.index.to_string(),
                class.name.to_owned(),
            ]
        });
        text.push_str(&format!("{} ({})\n", answer.image.display(), answer.model));
        text.push_str(&table(&[">probability", ">class", "name"], rows));
    }
    text
}

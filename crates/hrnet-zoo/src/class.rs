use serde::Serialize;

use crate::Labels;

/// A class of a network's answer for one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Class {
    /// Its index, from 0.
    pub index: usize,
    /// Its name: of the variant's file of labels, or in English for the 1000 classes of ImageNet; `unnamed` without either.
    pub name: String,
    /// Its softmax probability, 0 to 1.
    pub probability: f64,
    /// Its logit.
    pub logit: f32,
}

/// Returns the classes of the `count` largest logits of one image, `[classes]`, the largest first. 1000 classes have ImageNet's
/// names.
///
/// ```
/// let mut logits = [0.0; 1000];
/// logits[281] = 9.0;
/// let best = &hrnet_zoo::top(&logits, 5)[0];
/// assert_eq!((best.index, best.name.as_str()), (281, "tabby, tabby cat"));
/// assert!((best.probability - 0.89).abs() < 0.01);
/// ```
pub fn top(logits: &[f32], count: usize) -> Vec<Class> {
    Labels::imagenet().top(logits, count)
}

impl Labels {
    /// Returns the classes of the `count` largest logits of one image, `[classes]`, the largest first. If there are not as many
    /// names as logits, the classes are unnamed.
    pub fn top(&self, logits: &[f32], count: usize) -> Vec<Class> {
        let names = Some(self.names()).filter(|names| names.len() == logits.len());
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weight = |logit: f32| f64::from(logit - largest).exp();
        let sum: f64 = logits.iter().map(|logit| weight(*logit)).sum();
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
        let class = |index: usize| Class {
            index,
            name: names.map_or("unnamed", |names| &names[index]).to_owned(),
            probability: weight(logits[index]) / sum,
            logit: logits[index],
        };
        order.into_iter().take(count).map(class).collect()
    }
}

use serde::Serialize;

use crate::labels;

/// A class of a network's answer for one image.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Class {
    /// Its index, from 0.
    pub index: usize,
    /// Its name in English; `unnamed` if the network's classes are not the 1000 of ImageNet.
    pub name: &'static str,
    /// Its softmax probability, 0 to 1.
    pub probability: f64,
    /// Its logit.
    pub logit: f32,
}

/// Returns the classes of the `count` largest logits of one image, `[classes]`, the largest first.
///
/// ```
/// let mut logits = [0.0; 1000];
/// logits[281] = 9.0;
/// let best = &hrnet_zoo::top(&logits, 5)[0];
/// assert_eq!((best.index, best.name), (281, "tabby, tabby cat"));
/// assert!((best.probability - 0.89).abs() < 0.01);
/// ```
pub fn top(logits: &[f32], count: usize) -> Vec<Class> {
    // Classes of other data sets have no names here.
    let names = match labels::imagenet() {
        names if names.len() == logits.len() => names,
        _ => Vec::new(),
    };
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weight = |logit: f32| f64::from(logit - largest).exp();
    let sum: f64 = logits.iter().map(|logit| weight(*logit)).sum();
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    let class = |index: usize| Class {
        index,
        name: names.get(index).copied().unwrap_or("unnamed"),
        probability: weight(logits[index]) / sum,
        logit: logits[index],
    };
    order.into_iter().take(count).map(class).collect()
}

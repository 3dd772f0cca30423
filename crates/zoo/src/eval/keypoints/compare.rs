use std::collections::HashSet;

use harness::eval::Header;
use harness::{Interval, counted};
use serde::Serialize;

use super::answer::PeopleAnswer;
use super::figures::{CONFIDENCE, DRAWINGS, SEED, evaluation, interval};
use crate::{Exit, Failure};

/// Two evaluations of the same people.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Difference {
    /// Images that count in both.
    images: usize,
    /// AP of each.
    ap: [f64; 2],
    /// 95 % bootstrap interval of the first AP less the second, over images.
    interval: Interval,
}

/// Compares two evaluations on the images that could be read in both.
///
/// # Errors
/// If they are not of the same images and annotations, or no person counts.
pub(crate) fn difference(
    headers: [&Header; 2],
    answers: [&[PeopleAnswer]; 2],
) -> Result<Difference, Failure> {
    let protocol = |header: &Header| {
        let what = || {
            format!(
                "the answers of {} are of classes, not keypoints",
                header.key.variant
            )
        };
        let protocol = header.key.keypoints.clone();
        protocol.ok_or_else(|| Failure::new(Exit::Usage, what()))
    };
    let protocols = [protocol(headers[0])?, protocol(headers[1])?];
    let [one, other] = &protocols;
    if headers[0].key.data != headers[1].key.data || one.annotations != other.annotations {
        let what = format!(
            "different images or annotations: {} with {}, and {} with {}",
            headers[0].key.data.digest, one.annotations, headers[1].key.data.digest, other.annotations
        );
        return Err(
            Failure::new(Exit::Usage, what).help("evaluate both with the same --data and --annotations")
        );
    }
    let read = |answers: &[PeopleAnswer]| -> HashSet<usize> {
        let read = answers.iter().filter(|answer| answer.error.is_none());
        read.map(|answer| answer.image).collect()
    };
    let both: HashSet<usize> = &read(answers[0]) & &read(answers[1]);
    let of_both = |answers: &[PeopleAnswer]| -> Vec<PeopleAnswer> {
        let of_both = answers.iter().filter(|answer| both.contains(&answer.image));
        of_both.cloned().collect()
    };
    let evaluations = [
        evaluation(one, &of_both(answers[0]))?,
        evaluation(other, &of_both(answers[1]))?,
    ];
    let [first, second] = &evaluations;
    let ap = [first.figures().ap, second.figures().ap];
    let drawn = first.difference(second, DRAWINGS, CONFIDENCE, SEED);
    match (ap, drawn) {
        ([Some(one), Some(other)], Some(drawn)) => Ok(Difference {
            images: both.len(),
            ap: [one, other],
            interval: interval(drawn),
        }),
        _ => {
            let what = format!(
                "no annotated person counts on the {} of both",
                counted(both.len(), "image")
            );
            Err(Failure::new(Exit::NoData, what))
        }
    }
}

impl Difference {
    /// Formats the comparison of evaluations of these names.
    pub(crate) fn text(&self, names: [&str; 2]) -> String {
        let Self {
            images,
            ap: [one, other],
            interval: Interval { low, high },
        } = *self;
        let verdict = match (low > 0.0, high < 0.0) {
            (true, _) => format!("{} is better", names[0]),
            (_, true) => format!("{} is better", names[1]),
            _ => "which is better is not known".to_owned(),
        };
        format!(
            "compared on {}: AP {one:.4} with {}, {other:.4} with {}\n\
             difference {:+.4}, 95 % [{low:+.4}, {high:+.4}] for images like these: {verdict}\n",
            counted(images, "image"),
            names[0],
            names[1],
            one - other,
        )
    }
}

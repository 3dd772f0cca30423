//! Which detections match which people, as `COCOeval.evaluateImg` decides it.

use super::{DETECTIONS, Range, THRESHOLDS, threshold};
use crate::Oks;
use crate::coco::{Detection, Person};

/// A detection after the matching, at each threshold: bit `t` is that of the threshold `t`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) score: f64,
    /// It matches a person.
    pub(super) matched: u16,
    /// It counts neither way.
    pub(super) ignored: u16,
}

/// The people and detections of an image in one range of areas.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Matches {
    /// The best detections, the best first.
    pub(super) outcomes: Vec<Outcome>,
    /// The people that count.
    pub(super) people: usize,
}

/// The people and detections of an image, with their similarities.
pub(super) struct Scene<'a> {
    people: &'a [&'a Person],
    /// The best detections, the best first.
    found: Vec<&'a Detection>,
    /// `[found, people]`.
    similarities: Vec<f64>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(people: &'a [&'a Person], detections: &[&'a Detection], oks: &Oks) -> Self {
        let mut found = detections.to_vec();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(DETECTIONS);
        let rows = found.iter().flat_map(|found| {
            people
                .iter()
                .map(|person| oks.to_person(person, &found.keypoints))
        });
        Self {
            similarities: rows.collect(),
            people,
            found,
        }
    }

    /// Matches each detection, the best first, with the most similar person that is left. People out of the range count neither
    /// way, nor do crowds, people without a labelled keypoint, and detections out of the range that match nobody.
    pub(super) fn matches(&self, range: Range) -> Matches {
        let is_ignored = |person: &Person| person.crowd || person.labelled == 0 || !range.holds(person.area);
        // Those that count come first.
        let (counted, ignored): (Vec<usize>, Vec<usize>) =
            (0..self.people.len()).partition(|index| !is_ignored(self.people[*index]));
        let mut outcomes: Vec<Outcome> = self
            .found
            .iter()
            .map(|found| Outcome {
                score: found.score,
                ..Outcome::default()
            })
            .collect();
        for level in 0..THRESHOLDS {
            let mut taken = vec![false; self.people.len()];
            for (index, outcome) in outcomes.iter_mut().enumerate() {
                let counted_match = self.best(index, level, &counted, &taken);
                let found = counted_match.or_else(|| self.best(index, level, &ignored, &taken));
                let is_out = !range.holds(self.found[index].area());
                let ignore = match found {
                    Some(_) => counted_match.is_none(),
                    None => is_out,
                };
                outcome.matched |= u16::from(found.is_some()) << level;
                outcome.ignored |= u16::from(ignore) << level;
                if let Some(person) = found {
                    taken[person] = true;
                }
            }
        }
        Matches {
            outcomes,
            people: counted.len(),
        }
    }

    /// Returns the most similar person of these that is left and similar enough; of equal ones the last.
    fn best(&self, found: usize, level: usize, people: &[usize], taken: &[bool]) -> Option<usize> {
        let mut least = threshold(level);
        let mut best = None;
        for person in people {
            if taken[*person] && !self.people[*person].crowd {
                continue;
            }
            let similarity = self.similarities[found * self.people.len() + person];
            if similarity >= least {
                (least, best) = (similarity, Some(*person));
            }
        }
        best
    }
}

use serde::{Deserialize, Serialize};

use super::Answer;
use crate::Interval;
use crate::verdict::share_interval;

/// Answers, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Images with an answer and a label: what shares are of.
    pub counted: usize,
    /// Of these, those whose first class is right.
    pub top1: usize,
    /// Those with a right class among the first five.
    pub top5: usize,
    /// Images without a right class, which count neither way.
    pub unlabelled: usize,
    /// Images that could not be read.
    pub unreadable: usize,
}

impl Tally {
    /// The counts of these answers.
    pub fn of<'a>(answers: impl IntoIterator<Item = &'a Answer>) -> Self {
        let mut tally = Self::default();
        answers.into_iter().for_each(|answer| tally.add(answer));
        tally
    }

    /// Counts one more.
    pub fn add(&mut self, answer: &Answer) {
        match answer.is_right() {
            None if answer.error.is_some() => self.unreadable += 1,
            None => self.unlabelled += 1,
            Some(right) => {
                self.counted += 1;
                self.top1 += usize::from(right);
                self.top5 += usize::from(answer.place.is_some());
            }
        }
    }

    /// All images.
    pub fn images(&self) -> usize {
        self.counted + self.unlabelled + self.unreadable
    }

    /// The share of images whose first class is right; `None` without images.
    pub fn top1_share(&self) -> Option<f64> {
        self.share(self.top1)
    }

    /// The share of images with a right class among the first five.
    pub fn top5_share(&self) -> Option<f64> {
        self.share(self.top5)
    }

    /// Wilson's 95 % interval of the share for images like these.
    pub fn interval(&self, right: usize) -> Interval {
        share_interval(right, self.counted)
    }

    /// The share of `right` right answers; `None` without images.
    pub fn share(&self, right: usize) -> Option<f64> {
        (self.counted > 0).then(|| right as f64 / self.counted as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::answer;
    use super::*;

    #[test]
    fn every_answer_counts_where_it_belongs() {
        let unlabelled = Answer {
            unlabelled: true,
            ..answer(3, None)
        };
        let unreadable = Answer {
            image: 4,
            error: Some("a.jpg: damaged".into()),
            ..Answer::default()
        };
        let answers = [
            answer(0, Some(0)),
            answer(1, Some(4)),
            answer(2, None),
            unlabelled,
            unreadable,
        ];
        let tally = Tally::of(&answers);
        assert_eq!((tally.counted, tally.top1, tally.top5), (3, 1, 2));
        assert_eq!((tally.unlabelled, tally.unreadable, tally.images()), (1, 1, 5));
        assert_eq!(tally.top1_share(), Some(1.0 / 3.0));
        assert_eq!(Tally::default().top5_share(), None);
    }
}

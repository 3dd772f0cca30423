use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Answer;

/// Two sets of answers on the same images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Images that count in both.
    pub images: usize,
    /// Images that only the first has right.
    pub only_first: usize,
    /// Images that only the second has right.
    pub only_second: usize,
    /// The chance of so one-sided a difference if both were as good, by McNemar's exact test, two-sided.
    pub p: f64,
    /// Images whose first class is the same in both, right or not.
    pub agreeing: usize,
}

/// Compares two sets of answers by their first classes.
pub fn mcnemar(first: &[Answer], second: &[Answer]) -> McNemar {
    let others: HashMap<usize, &Answer> = second.iter().map(|answer| (answer.image, answer)).collect();
    let (mut images, mut only_first, mut only_second, mut agreeing) = (0, 0, 0, 0);
    for answer in first {
        let Some(other) = others.get(&answer.image) else {
            continue;
        };
        let (Some(one), Some(two)) = (answer.is_right(), other.is_right()) else {
            continue;
        };
        images += 1;
        only_first += usize::from(one && !two);
        only_second += usize::from(two && !one);
        agreeing += usize::from(answer.top.first() == other.top.first());
    }
    McNemar {
        images,
        only_first,
        only_second,
        p: two_sided(only_first, only_second),
        agreeing,
    }
}

/// Twice the smaller tail of a fair coin.
fn two_sided(heads: usize, tails: usize) -> f64 {
    let (n, few) = (heads + tails, heads.min(tails));
    let mut log = -(n as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=few {
        tail += log.exp();
        log += ((n - k) as f64).ln() - ((k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::answer;
    use super::*;

    #[test]
    fn p_values_are_those_of_the_binomial_test() {
        // 2 * sum(comb(n, k) for k in range(few + 1)) / 2**n in Python, whose integers are exact.
        for ((a, b), expected) in [
            ((0, 0), 1.0),
            ((5, 5), 1.0),
            ((1, 9), 0.021_484_375),
            ((10, 25), 0.016_673_847_8),
            ((0, 20), 1.907_348_6e-6),
        ] {
            assert!(
                (two_sided(a, b) / expected - 1.0).abs() < 1e-5,
                "{a}, {b}: {}",
                two_sided(a, b)
            );
            assert_eq!(two_sided(a, b), two_sided(b, a));
        }
        assert!(two_sided(20_000, 20_500) > 0.01, "large counts do not underflow");
    }

    #[test]
    fn only_images_that_count_in_both_are_compared() {
        let first = [answer(0, Some(0)), answer(1, Some(0)), answer(2, None)];
        let unreadable = Answer {
            image: 2,
            error: Some("damaged".into()),
            ..Answer::default()
        };
        let second = [
            answer(1, Some(3)),
            Answer {
                top: vec![9],
                ..answer(0, Some(0))
            },
            unreadable,
        ];
        let both = mcnemar(&first, &second);
        assert_eq!((both.images, both.only_first, both.only_second), (2, 1, 0));
        assert_eq!((both.agreeing, both.p), (1, 1.0));
    }
}

//! Values beside expected ones.

/// Returns the largest absolute difference. It is infinite, and so over any bound, if a value or its expected one is NaN, if an
/// infinity is not matched by the same one, or if the lengths differ.
pub fn largest_difference<A, B>(values: &[A], expected: &[B]) -> f64
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    if values.len() != expected.len() {
        return f64::INFINITY;
    }
    let difference = |(value, expected): (&A, &B)| {
        let (value, expected) = ((*value).into(), (*expected).into());
        let difference = (value - expected).abs();
        match difference.is_nan() {
            // An infinity less itself.
            true if value == expected => 0.0,
            true => f64::INFINITY,
            false => difference,
        }
    };
    values.iter().zip(expected).map(difference).fold(0.0, f64::max)
}

/// Returns the class of the largest logit; `None` if there are no logits, or one of them is NaN.
pub fn first_class<A: Copy + Into<f64>>(logits: &[A]) -> Option<usize> {
    classes(logits)?.first().copied()
}

/// Returns the rank in `expected` of the first class of `logits`, 0 for the same first class; `None` if one of them has no first
/// class.
pub fn places<A, B>(logits: &[A], expected: &[B]) -> Option<usize>
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    let first = first_class(logits)?;
    classes(expected)?.iter().position(|class| *class == first)
}

/// The classes, that of the largest logit first.
fn classes<A: Copy + Into<f64>>(logits: &[A]) -> Option<Vec<usize>> {
    let logits: Vec<f64> = logits.iter().map(|logit| (*logit).into()).collect();
    if logits.iter().any(|logit| logit.is_nan()) {
        return None;
    }
    let mut classes: Vec<usize> = (0..logits.len()).collect();
    classes.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    Some(classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_difference_is_that_of_one_value() {
        assert_eq!(
            largest_difference(&[1.0_f32, 2.0, -3.0], &[1.5_f64, 2.0, -1.0]),
            2.0
        );
        assert_eq!(largest_difference::<f32, f32>(&[], &[]), 0.0);
    }

    #[test]
    fn what_is_no_number_differs_from_everything() {
        for values in [[f32::NAN, 0.0], [0.0, f32::NAN]] {
            assert_eq!(largest_difference(&values, &[0.0_f32, 0.0]), f64::INFINITY);
            assert_eq!(largest_difference(&[0.0_f32, 0.0], &values), f64::INFINITY);
            assert_eq!(largest_difference(&values, &values), f64::INFINITY);
            assert_eq!(first_class(&values), None);
            assert_eq!(places(&values, &[0.0_f32, 1.0]), None);
            assert_eq!(places(&[0.0_f32, 1.0], &values), None);
        }
        let infinite = [f32::INFINITY, f32::NEG_INFINITY];
        assert_eq!(largest_difference(&infinite, &[f32::INFINITY; 2]), f64::INFINITY);
        assert_eq!(largest_difference(&infinite, &[1.0_f32; 2]), f64::INFINITY);
        assert_eq!(largest_difference(&infinite, &infinite), 0.0);
    }

    #[test]
    fn values_of_another_number_differ() {
        assert_eq!(largest_difference(&[0.0_f32], &[0.0_f32, 0.0]), f64::INFINITY);
        assert_eq!(largest_difference(&[0.0_f32], &[] as &[f32]), f64::INFINITY);
    }

    #[test]
    fn a_first_class_has_its_place_in_the_order_expected() {
        assert_eq!(first_class(&[1.0_f32, 3.0, 2.0]), Some(1));
        assert_eq!(first_class::<f32>(&[]), None);
        let expected = [0.5_f64, 0.1, 0.4];
        assert_eq!(places(&[9.0_f32, 1.0, 2.0], &expected), Some(0));
        assert_eq!(places(&[1.0_f32, 1.5, 2.0], &expected), Some(1));
        assert_eq!(places(&[1.0_f32, 3.0, 2.0], &expected), Some(2));
    }
}

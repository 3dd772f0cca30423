//! The limits of `zoo pick`: how they are written, and what comes nearest to them.

use std::cmp::Ordering;

use report::{Choice, Wish};

use crate::{Exit, Failure};

/// Returns the choices nearest to the limits: the fastest that is accurate enough, and the most accurate that is fast enough.
pub(super) fn nothing(found: &[Choice], wish: Wish) -> Failure {
    let meets = |wish: Wish| found.iter().filter(move |choice| choice.fits(wish));
    let accurate = Wish {
        max_p90_ns: None,
        ..wish
    };
    let quick = Wish {
        min_accuracy: None,
        ..wish
    };
    let mut near: Vec<&Choice> = Vec::new();
    if wish.max_p90_ns.is_some() {
        near.extend(meets(accurate).min_by(|a, b| a.p90_ns.total_cmp(&b.p90_ns)));
    }
    if wish.min_accuracy.is_some() {
        // Of equal accuracies the fastest.
        let better = |a: &&Choice, b: &&Choice| {
            let accuracy = a.accuracy.partial_cmp(&b.accuracy).unwrap_or(Ordering::Equal);
            accuracy.then(b.median_ns.total_cmp(&a.median_ns))
        };
        near.extend(
            meets(quick)
                .filter(|choice| choice.accuracy.is_some())
                .max_by(better),
        );
    }
    if near.is_empty() {
        near.extend(found.first());
    }
    let told = |choice: &&Choice| {
        let bound = if choice.enough { "" } else { "≤ " };
        let p90 = wish.max_p90_ns.map_or(String::new(), |_| {
            format!(", p90 {bound}{:.1} ms", choice.p90_ns / 1e6)
        });
        let claimed = match (choice.accuracy, &choice.data) {
            (None, _) => choice.claimed.clone(),
            (Some(_), None) => format!("{} claimed", choice.claimed),
            (Some(_), Some(data)) => format!("AP {} claimed on {data}", choice.claimed),
        };
        format!(
            "{} in {}, {claimed} (median {:.1} ms{p90})",
            choice.variant,
            choice.case.precision,
            choice.median_ns / 1e6
        )
    };
    let told: Vec<String> = near.iter().map(told).collect();
    Failure::new(Exit::NothingFits, "no measured variant meets these limits")
        .help(format!("the closest: {}", told.join("; ")))
}

/// A time with its unit, in ns.
pub(super) fn nanoseconds(text: &str) -> Result<f64, String> {
    let units = [("ms", 1e6), ("us", 1e3), ("µs", 1e3), ("ns", 1.0), ("s", 1e9)];
    let parsed = units.iter().find_map(|(unit, scale)| {
        let number: f64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        Some(number * scale)
    });
    if let Some(ns) = parsed.filter(|ns| ns.is_finite() && *ns > 0.0) {
        return Ok(ns);
    }
    Err(match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number.is_finite() => format!("`{text}` needs a unit, as in {text}ms"),
        _ => format!("`{text}` is no time: expected a number with its unit, as 60ms or 1.5s"),
    })
}

/// A share of 1, or in percent.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let (number, most) = match text.strip_suffix('%') {
        Some(percent) => (percent.trim_end(), 100.0),
        None => (text, 1.0),
    };
    match number.parse::<f64>() {
        Ok(share) if (0.0..=most).contains(&share) => Ok(share / most),
        Ok(share) if most == 1.0 && share > 1.0 && share <= 100.0 => {
            Err(format!("`{text}` needs a unit, as in {text}%"))
        }
        _ => Err(format!("`{text}` is no accuracy: expected one as 78% or 0.78")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_shares_end_at_one() {
        assert_eq!(nanoseconds("60ms"), Ok(60e6));
        assert_eq!(nanoseconds("1.5 s"), Ok(1.5e9));
        assert_eq!(nanoseconds("20us"), Ok(20e3));
        assert_eq!(nanoseconds("50"), Err("`50` needs a unit, as in 50ms".into()));
        for text in ["ms", "-1ms", "-1", "60 minutes", "infs", "NaNms", "NaN"] {
            assert!(nanoseconds(text).expect_err(text).contains("60ms"), "{text}");
        }
        assert_eq!(
            (share("0.78"), share("78%"), share("78 %")),
            (Ok(0.78), Ok(0.78), Ok(0.78))
        );
        assert_eq!(share("78"), Err("`78` needs a unit, as in 78%".into()));
        for text in ["780", "101%", "-0.1", "NaN", "%"] {
            assert!(share(text).expect_err(text).contains("0.78"), "{text}");
        }
    }
}

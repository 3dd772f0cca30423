use std::str::FromStr;

use harness::Interval;
use harness::eval::{Agreement, Answer, Bounds, Header, Held, Pace, Printed, Shard, Share, Summary, Tally};
use registry::{Claim, Digest, Metric, Variant, Zoo};

/// An accuracy that is claimed of a variant's weights.
pub(crate) struct Claimed<'a> {
    pub(crate) claim: &'a Claim,
    pub(crate) top: usize,
    pub(crate) printed: Printed,
}

/// What the data set of the claims is known by: its 50,000 validation images, with labels of all 1000 classes.
const VALIDATION: (usize, usize) = (50_000, 1000);

/// The accuracies that are claimed of these weights: of the source that was used, or of the first where a file was given.
///
/// A claim that was measured with another preprocessing is another claim.
pub(crate) fn claims<'a>(
    zoo: &'a Zoo,
    variant: &'a Variant,
    source: Option<&str>,
    preprocess: &str,
) -> Vec<Claimed<'a>> {
    let source = source.unwrap_or(&variant.artifacts[0].id);
    let one = |claim: &'a Claim| {
        let weights = claim.weights.as_ref()?;
        if weights.variant != variant.name || weights.artifact != source {
            return None;
        }
        let column = zoo.column(&claim.column)?;
        if column.preprocess.as_ref().unwrap_or(&variant.preprocess.id) != preprocess {
            return None;
        }
        let printed = Printed::new(claim.value, claim.decimals(), column.unit.scale());
        let (top, printed) = match column.metric {
            Metric::Top1 => (1, printed),
            Metric::Top5 => (5, printed),
            Metric::Top1Error => (1, printed.of_the_rest()),
            Metric::Top5Error => (5, printed.of_the_rest()),
            _ => return None,
        };
        Some(Claimed { claim, top, printed })
    };
    variant.claims.iter().filter_map(one).collect()
}

/// What these answers come to, beside the claims.
pub(crate) fn summary(header: Header, answers: &[Answer], pace: Option<Pace>, claims: &[Claimed]) -> Summary {
    let tally = Tally::of(answers);
    let data = &header.key.data;
    let complete = answers.len() == data.images
        && (data.images, data.classes) == VALIDATION
        && header.key.candidates == VALIDATION.1
        && tally.unlabelled == 0;
    let share = |right: usize| {
        Some(Share {
            share: tally.share(right)?,
            interval: tally.interval(right),
        })
    };
    let claims = claims
        .iter()
        .map(|claimed| Held {
            column: claimed.claim.column.clone(),
            printed: claimed.claim.printed.clone(),
            top: claimed.top,
            agreement: Agreement::of(
                &tally,
                if claimed.top == 1 { tally.top1 } else { tally.top5 },
                claimed.printed,
                complete,
            ),
        })
        .collect();
    Summary {
        top1: share(tally.top1),
        top5: share(tally.top5),
        images_sha256: (header.shard == Shard::WHOLE && answers.len() == data.images)
            .then(|| digest(answers)),
        tally,
        pace,
        claims,
        header,
    }
}

fn digest(answers: &[Answer]) -> String {
    let mut answers: Vec<&Answer> = answers.iter().collect();
    answers.sort_by_key(|answer| answer.image);
    let text: String = answers
        .iter()
        .map(|answer| format!("{}\n", answer.sha256.as_deref().unwrap_or("-")))
        .collect();
    Digest::of(text.as_bytes()).to_string()
}

/// A claim, and how near to it the accuracy must be known to be, or not to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Undecided {
    pub(crate) claimed: Printed,
    /// As a share.
    pub(crate) within: f64,
}

impl Undecided {
    /// Whether the accuracy on the whole data set is known to lie within the tolerance of the claim, or outside of it.
    pub(crate) fn is_settled(self, bounds: &Bounds, tally: &Tally) -> bool {
        // Unlabelled and unreadable images are no draws from the counted ones; without them the whole is smaller, and bounds
        // for the larger whole are wider.
        let Interval { low, high } = bounds.after(tally.top1, tally.counted);
        let (least, most) = (self.claimed.low - self.within, self.claimed.high + self.within);
        (low >= least && high <= most) || high < least || low > most
    }
}

/// A distance in percentage points, as 0.5pp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Points(pub(crate) f64);

impl FromStr for Points {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text
            .strip_suffix("pp")
            .and_then(|number| number.trim().parse().ok());
        let points = number.filter(|points: &f64| *points > 0.0 && *points <= 100.0);
        points
            .map(|points| Self(points / 100.0))
            .ok_or_else(|| format!("`{text}` is no distance: expected percentage points, as 0.5pp"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;

    #[test]
    fn claims_are_those_of_the_weights_that_were_used() {
        let cx = Context::embedded();
        let zoo = cx.zoo().expect("valid");
        let w18 = zoo.find("HRNet_W18_C").expect("there");
        let columns = |source: Option<&str>, preprocess: &str| {
            let claims = claims(zoo, w18, source, preprocess);
            claims
                .iter()
                .map(|claimed| (claimed.claim.column.clone(), claimed.top))
                .collect::<Vec<_>>()
        };
        let paddle = columns(None, "paddle-224");
        assert!(paddle.contains(&("page-top1".to_owned(), 1)), "{paddle:?}");
        assert!(paddle.iter().any(|(_, top)| *top == 5), "{paddle:?}");
        assert!(!paddle.iter().any(|(column, _)| column.starts_with("timm")));
        assert!(columns(None, "timm-224-bilinear-0.875").is_empty());
        let timm = columns(Some("ms"), "timm-224-bilinear-0.875");
        assert!(timm.contains(&("timm-top1".to_owned(), 1)), "{timm:?}");
    }

    #[test]
    fn a_run_is_settled_once_the_bounds_are_on_one_side() {
        let until = Undecided {
            claimed: Printed::new(0.769, 3, 1.0),
            within: 0.005,
        };
        let bounds = Bounds::new(50_000, 0.05);
        let settled = |top1: usize, counted: usize| {
            let tally = Tally {
                counted,
                top1,
                ..Tally::default()
            };
            until.is_settled(&bounds, &tally)
        };
        assert!(!settled(77, 100), "too few to tell");
        assert!(settled(400, 1000), "far below");
        assert!(settled(38_450, 50_000), "all are known");
        assert!(settled(34_605, 45_000), "and most are enough");
        assert_eq!("0.5pp".parse(), Ok(Points(0.005)));
        assert!("0.5".parse::<Points>().is_err() && "0pp".parse::<Points>().is_err());
    }
}

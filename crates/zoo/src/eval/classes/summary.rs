use std::str::FromStr;

use harness::eval::{Agreement, Answer, Bounds, Header, Held, Pace, Printed, Share, Summary, Tally};
use harness::{Interval, counted};
use registry::{Claim, Metric, Zoo};

use crate::eval::Subject;
use crate::eval::keep::images_sha256;

/// A published accuracy of a variant.
pub(crate) struct Claimed<'a> {
    pub(crate) claim: &'a Claim,
    pub(crate) top: usize,
    pub(crate) printed: Printed,
    /// Reasons why the claim is not about this evaluation: other weights, preprocessing or precision.
    pub(crate) reasons: Vec<String>,
}

/// Images and classes of the claims' data set: the 50,000 validation images, with labels of all 1000 classes.
const VALIDATION: (usize, usize) = (50_000, 1000);

/// Returns the accuracies claimed for the source's weights; for weights of no source, those of the first source.
pub(crate) fn claims<'a>(subject: &Subject<'a>, zoo: &'a Zoo) -> Vec<Claimed<'a>> {
    let published = subject.published(zoo).into_iter();
    let of_imagenet = published.filter(|published| published.column.data.is_none());
    of_imagenet
        .filter_map(|published| {
            let printed = published.printed;
            let (top, printed) = match published.column.metric {
                Metric::Top1 => (1, printed),
                Metric::Top5 => (5, printed),
                Metric::Top1Error => (1, printed.of_the_rest()),
                Metric::Top5Error => (5, printed.of_the_rest()),
                _ => return None,
            };
            Some(Claimed {
                claim: published.claim,
                top,
                printed,
                reasons: published.reasons,
            })
        })
        .collect()
}

/// Returns the reasons why no claim is about so many images, of so many classes, with answers among so many: they are not all
/// images of the validation set.
pub(crate) fn other_images(images: usize, classes: usize, candidates: usize) -> Vec<String> {
    let (all_images, all_classes) = VALIDATION;
    let mut reasons = Vec::new();
    if images != all_images {
        reasons.push(format!(
            "{}, not the 50 000 of the validation set",
            counted(images, "image")
        ));
    }
    if classes != all_classes {
        reasons.push(format!(
            "images of {}, not of {all_classes}",
            counted(classes, "class")
        ));
    }
    if candidates != all_classes {
        reasons.push(format!(
            "answers among {}, not {all_classes}",
            counted(candidates, "class")
        ));
    }
    reasons
}

/// Summarizes the answers and compares them with the claims.
pub(crate) fn summary(header: Header, answers: &[Answer], pace: Option<Pace>, claims: &[Claimed]) -> Summary {
    let tally = Tally::of(answers);
    let share = |right: usize| {
        Some(Share {
            share: tally.share(right)?,
            interval: tally.interval(right),
        })
    };
    let key = &header.key;
    let other_images = other_images(tally.counted, key.data.classes, key.candidates);
    let held = |claimed: &Claimed| {
        let reasons = [&claimed.reasons[..], &other_images].concat();
        let right = if claimed.top == 1 { tally.top1 } else { tally.top5 };
        Held {
            column: claimed.claim.column.clone(),
            printed: claimed.claim.printed.clone(),
            top: claimed.top,
            agreement: match reasons.is_empty() {
                true => Agreement::of(&tally, right, claimed.printed),
                false => Agreement::NotComparable,
            },
            reasons,
        }
    };
    Summary {
        top1: share(tally.top1),
        top5: share(tally.top5),
        images_sha256: images_sha256(&header, answers),
        tally,
        pace,
        claims: claims.iter().map(held).collect(),
        header,
    }
}

/// A claim, and the distance to it that decides when a run may stop.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Undecided {
    /// The claim in percent, and its column.
    pub(crate) claim: String,
    pub(crate) claimed: Printed,
    /// The distance, as a share.
    pub(crate) within: f64,
    /// The claim is about this evaluation, so that it can be said where the accuracy is from it.
    pub(crate) comparable: bool,
}

impl Undecided {
    /// Returns where the accuracy on the whole data set is, once it is known to be within the tolerance of the claim or outside
    /// of it. Of a claim about something else nothing is said.
    pub(crate) fn settled(&self, bounds: &Bounds, tally: &Tally) -> Option<String> {
        // Unlabelled and unreadable images are no draws from the counted ones; without them the whole is smaller, and bounds
        // for the larger whole are wider.
        let Interval { low, high } = bounds.after(tally.top1, tally.counted);
        let (least, most) = (self.claimed.low - self.within, self.claimed.high + self.within);
        let where_it_is = match (low >= least && high <= most, high < least || low > most) {
            (true, _) => "within",
            (false, true) => "farther than",
            (false, false) => return None,
        };
        if !self.comparable {
            return Some(format!(
                "top-1 on all {} images is between {:.2} and {:.2} %, with 95 % confidence",
                bounds.images(),
                100.0 * low,
                100.0 * high
            ));
        }
        // Without the last digits of a product.
        let (points, claim) = ((1e11 * self.within).round() / 1e9, &self.claim);
        Some(format!(
            "top-1 on all {} images is {where_it_is} {points}pp from {claim}, with 95 % confidence",
            bounds.images()
        ))
    }
}

/// A distance in percentage points, such as 0.5pp.
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
            .ok_or_else(|| format!("`{text}` is not a distance: expected percentage points, such as 0.5pp"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use harness::Provenance;
    use harness::eval::{DataSet, Key, Shard};
    use hrnet::Precision;

    /// The columns of claims, and why they say nothing of this.
    fn claims(source: Option<&str>, preprocess: &str, precision: Precision) -> Vec<(String, Vec<String>)> {
        let cx = Context::embedded();
        let zoo = cx.zoo().expect("valid");
        let subject = Subject {
            variant: zoo.find("HRNet_W18_C").expect("there"),
            source,
            preprocess,
            precision,
        };
        let claims = super::claims(&subject, zoo);
        let told = claims
            .into_iter()
            .map(|claimed| (claimed.claim.column.clone(), claimed.reasons));
        told.collect()
    }

    #[test]
    fn claims_are_those_of_the_source_prepared_as_it_is() {
        const TIMM: &str = "timm-224-bilinear-0.875";
        let columns = |claims: &[(String, Vec<String>)]| -> Vec<String> {
            let about = claims.iter().filter(|(_, reasons)| reasons.is_empty());
            about.map(|(column, _)| column.clone()).collect()
        };
        let paddle = claims(Some("paddle"), "paddle-224", Precision::F32);
        assert_eq!(
            columns(&paddle),
            ["page-top1", "page-top5", "readme-top1", "readme-top5"]
        );
        let ms = claims(Some("ms"), TIMM, Precision::F32);
        let expected = [
            "page-reference-top1",
            "page-reference-top5",
            "ms-top1-error",
            "ms-top5-error",
            "timm-top1",
            "timm-top5",
        ];
        assert_eq!(columns(&ms), expected);
        let other = claims(Some("paddle"), TIMM, Precision::Int8);
        assert_eq!(
            other[0].1,
            [
                "photos prepared as timm-224-bilinear-0.875, not as paddle-224",
                "in int8, not in f32"
            ]
        );
        let file = claims(None, "paddle-224", Precision::F32);
        assert_eq!(file[0], ("page-top1".into(), vec!["other weights".into()]));
    }

    fn header(weights: String, images: usize, classes: usize) -> Header {
        Header {
            eval: Header::SCHEMA,
            key: Key {
                variant: "HRNet_W18_C".into(),
                weights,
                calibration: None,
                preprocess: "{}".into(),
                precision: Precision::F32,
                backend: "cpu".into(),
                batch: 8,
                data: DataSet {
                    images,
                    classes,
                    digest: "00".into(),
                },
                candidates: classes,
                keypoints: None,
            },
            shard: Shard::WHOLE,
            source: None,
            preprocess: "timm-224-bilinear-0.875".into(),
            started: "2026-01-01T00:00:00Z".into(),
            weights_check: None,
            provenance: Provenance::default(),
        }
    }

    #[test]
    fn a_claim_is_compared_on_the_whole_validation_set_alone() {
        let cx = Context::embedded();
        let zoo = cx.zoo().expect("valid");
        let w18 = zoo.find("HRNet_W18_C").expect("there");
        let of = |header: Header, images: usize| {
            let claims = super::claims(&Subject::of(w18, &header), zoo);
            // timm's 76.770 %.
            let place = |image: usize| (image < 38_385).then_some(0);
            let answers: Vec<Answer> = (0..images)
                .map(|image| Answer {
                    image,
                    place: place(image),
                    ..Answer::default()
                })
                .collect();
            let summary = summary(header.clone(), &answers, None, &claims);
            let held = summary.claims.iter().find(|held| held.top == 1);
            let timm = summary.claims.iter().find(|held| held.column == "timm-top1");
            timm.or(held).expect("a claim").clone()
        };
        // Of the file that the source `ms` states, whoever names it.
        let ms = format!("8cb57bb9{}", "0".repeat(56));
        let whole = of(header(ms.clone(), 50_000, 1000), 50_000);
        assert_eq!(whole.to_string(), "timm-top1 76.770: agrees");
        assert_eq!(
            of(header(ms.clone(), 50_000, 1000), 49_999).agreement,
            Agreement::NotComparable
        );
        let one = of(header("0".repeat(64), 1, 1), 1).to_string();
        assert!(
            one.contains("; 1 image, not the") && one.contains("images of 1 class, not"),
            "{one}"
        );
        let mine = of(header("0".repeat(64), 20, 5), 20);
        assert_eq!(
            mine.to_string(),
            "page-top1 0.769: not comparable: other weights; photos prepared as timm-224-bilinear-0.875, not as paddle-224; \
             20 images, not the 50 000 of the validation set; images of 5 classes, not of 1000; answers among 5 classes, not 1000"
        );
    }

    #[test]
    fn a_run_is_settled_once_the_bounds_are_on_one_side() {
        let until = Undecided {
            claim: "the claim of 76.9 % (page-top1)".into(),
            claimed: Printed::new(0.769, 3, 1.0),
            within: 0.005,
            comparable: true,
        };
        let bounds = Bounds::new(50_000, 0.05);
        let settled = |top1: usize, counted: usize| {
            let tally = Tally {
                counted,
                top1,
                ..Tally::default()
            };
            until.settled(&bounds, &tally)
        };
        assert_eq!(settled(77, 100), None, "too few to tell");
        let farther = "top-1 on all 50000 images is farther than 0.5pp from the claim of 76.9 % (page-top1), with 95 % confidence";
        assert_eq!(settled(400, 1000).as_deref(), Some(farther));
        let is_within = |told: Option<String>| told.is_some_and(|told| told.contains("is within 0.5pp"));
        assert!(is_within(settled(38_450, 50_000)), "all are known");
        assert!(is_within(settled(34_605, 45_000)), "and most are enough");
        let other = Undecided {
            comparable: false,
            ..until.clone()
        };
        let tally = Tally {
            counted: 50_000,
            top1: 38_450,
            ..Tally::default()
        };
        assert_eq!(
            other.settled(&bounds, &tally).as_deref(),
            Some("top-1 on all 50000 images is between 76.90 and 76.90 %, with 95 % confidence")
        );
        assert_eq!("0.5pp".parse(), Ok(Points(0.005)));
        assert!("0.5".parse::<Points>().is_err() && "0pp".parse::<Points>().is_err());
    }
}

use std::collections::BTreeMap;

use harness::counted;
use harness::eval::{Agreement, Estimate, Figure, PeopleClaim, PeopleTally, Protocol};
use registry::{Column, Metric, Zoo};

use crate::eval::Subject;

/// The data set whose claims are compared, with its number of images.
const VALIDATION: (&str, usize) = ("COCO val2017", 5000);
/// The protocol of its claims, as the manifest writes it.
const PROTOCOL: &str = "boxes of a detector with person AP 56.4, flip test";
/// The detector's boxes.
const BOXES: &str = "COCO_val2017_detections_AP_H_56_person.json";

/// Compares the figures with the claims: where a claim is about these images, boxes and so on, its printed digits decide.
pub(super) fn judged(
    subject: &Subject,
    zoo: &Zoo,
    protocol: &Protocol,
    tally: &PeopleTally,
    figures: &BTreeMap<Figure, Estimate>,
) -> Vec<PeopleClaim> {
    let published = subject.published(zoo).into_iter();
    let claims = published.filter_map(|published| {
        let figure = figure(&published.column.metric)?;
        let reasons = [published.reasons, reasons(published.column, protocol, tally)].concat();
        let value = figures.get(&figure).map(|estimate| estimate.value);
        Some(PeopleClaim {
            column: published.claim.column.clone(),
            printed: published.claim.printed.clone(),
            figure,
            agreement: match reasons.is_empty() {
                true => Agreement::of_value(value, published.printed),
                false => Agreement::NotComparable,
            },
            reasons,
        })
    });
    claims.collect()
}

fn figure(metric: &Metric) -> Option<Figure> {
    match metric {
        Metric::Ap => Some(Figure::Ap),
        Metric::Ap50 => Some(Figure::Ap50),
        Metric::Ap75 => Some(Figure::Ap75),
        Metric::Ar => Some(Figure::Ar),
        _ => None,
    }
}

/// Returns the reasons why a claim of this column is not about these images, boxes and runs.
fn reasons(column: &Column, protocol: &Protocol, tally: &PeopleTally) -> Vec<String> {
    let (data, images) = VALIDATION;
    if column.data.as_deref() != Some(data) || column.protocol.as_deref() != Some(PROTOCOL) {
        let data = column.data.as_deref().unwrap_or("unnamed images");
        let how = column
            .protocol
            .as_ref()
            .map_or(String::new(), |how| format!(", {how}"));
        return vec![format!("claims of {data}{how} are not judged")];
    }
    let mut reasons = Vec::new();
    if tally.images != images {
        reasons.push(format!(
            "{}, not the {images} of {data}",
            counted(tally.images, "image")
        ));
    }
    match &protocol.boxes {
        None => reasons.push("annotated boxes, not those of the detector".into()),
        Some(boxes) if boxes.file != BOXES => {
            reasons.push(format!("boxes of {}, not of {BOXES}", boxes.file))
        }
        Some(_) => {}
    }
    if !protocol.flip {
        reasons.push("no flip test".into());
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;
    use harness::eval::Boxes;
    use hrnet::Precision;

    /// The evaluation that the claims are about.
    fn protocol() -> Protocol {
        Protocol {
            keypoints: "coco".into(),
            annotations: "ab".into(),
            category: 1,
            boxes: Some(Boxes {
                file: BOXES.into(),
                sha256: "cd".into(),
            }),
            flip: true,
            rules: String::new(),
        }
    }

    /// The verdicts about an AP of these weights, by column.
    fn verdicts(variant: &str, source: &str, protocol: &Protocol, images: usize, ap: f64) -> Vec<String> {
        let cx = Context::embedded();
        let zoo = cx.zoo().expect("valid");
        let variant = zoo.find(variant).expect("there");
        let artifact = variant.artifact(source).expect("a source");
        let subject = Subject {
            variant,
            source: Some(source),
            preprocess: &artifact.preprocess.id,
            precision: Precision::F32,
        };
        let tally = PeopleTally {
            images,
            ..PeopleTally::default()
        };
        let estimate = Estimate {
            value: ap,
            interval: None,
        };
        let figures = BTreeMap::from([(Figure::Ap, estimate)]);
        let claims = judged(&subject, zoo, protocol, &tally, &figures);
        let of_ap = claims.iter().filter(|claim| claim.figure == Figure::Ap);
        of_ap.map(ToString::to_string).collect()
    }

    #[test]
    fn a_claim_is_judged_by_its_digits_on_the_detectors_boxes_of_all_images_alone() {
        let w32 = |protocol: &Protocol, images: usize, ap: f64| {
            verdicts("pose_hrnet_w32_256x192", "ms", protocol, images, ap).concat()
        };
        assert_eq!(w32(&protocol(), 5000, 0.7437), "pose-ms-ap 0.744: agrees");
        assert_eq!(w32(&protocol(), 5000, 0.7434), "pose-ms-ap 0.744: differs");
        let mut other = protocol();
        other.boxes = None;
        other.flip = false;
        assert_eq!(
            w32(&other, 4999, 0.744),
            "pose-ms-ap 0.744: not comparable: 4999 images, not the 5000 of COCO val2017; annotated boxes, not those of the \
             detector; no flip test"
        );
        other.boxes = Some(Boxes {
            file: "mine.json".into(),
            sha256: "ef".into(),
        });
        assert!(w32(&other, 5000, 0.744).contains(": boxes of mine.json, not of COCO_val2017_detections"));
        // mmpose prints two figures of one file: both are judged.
        let both = verdicts("pose_hrnet_w32_256x192", "mmpose", &protocol(), 5000, 0.749);
        assert_eq!(both, ["mmpose-ap 0.749: agrees", "mmpose-yml-ap 0.746: differs"]);
    }

    #[test]
    fn claims_of_coco_are_understood_and_of_other_sets_they_are_not_judged() {
        let cx = Context::embedded();
        let zoo = cx.zoo().expect("valid");
        let tally = PeopleTally {
            images: VALIDATION.1,
            ..PeopleTally::default()
        };
        let of_people = zoo
            .columns
            .iter()
            .filter(|column| figure(&column.metric).is_some());
        let mut judged = 0;
        for column in of_people {
            let reasons = reasons(column, &protocol(), &tally);
            match column.data.as_deref() {
                Some("COCO val2017") => {
                    assert_eq!(reasons, [""; 0], "{}", column.id);
                    judged += 1;
                }
                _ => assert!(
                    reasons[0].ends_with("are not judged"),
                    "{}: {reasons:?}",
                    column.id
                ),
            }
        }
        assert_eq!(judged, 12, "AP, AP50, AP75 and AR of three publications");
    }
}

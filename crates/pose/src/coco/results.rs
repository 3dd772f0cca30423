use serde::{Deserialize, Deserializer, Serialize};

use super::photo::with_pythons_numbers;
use super::{CocoError, PERSON, Place};
use crate::{Keypoint, PersonBox};

/// A person that a network found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// The image's id.
    pub image: u64,
    /// The category: 1 in COCO.
    pub category: u64,
    /// x, y and score of each keypoint, pixels of the photo; zeros if it was not found.
    pub keypoints: Vec<[f64; 3]>,
    /// The score by which detections are ranked.
    pub score: f64,
    /// x, y, width, height of the person's box without padding, pixels. AP takes a person's size from it.
    pub bbox: Option<[f64; 4]>,
}

/// A person's box that a detector found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectedBox {
    /// The image's id.
    pub image: u64,
    /// The category: 1 in COCO.
    pub category: u64,
    /// x, y, width, height, pixels; not checked, see [`PersonBox::detected`].
    pub bbox: [f64; 4],
    /// The detector's score, 0 to 1.
    pub score: f64,
}

#[derive(Deserialize, Serialize)]
struct Raw {
    image_id: Option<u64>,
    category_id: Option<u64>,
    #[serde(default, deserialize_with = "sides", skip_serializing_if = "Option::is_none")]
    bbox: Option<[f64; 4]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keypoints: Option<Vec<f64>>,
    score: Option<f64>,
}

/// A number of a box, which Python may have written as a word.
#[derive(Deserialize)]
#[serde(untagged)]
enum Side {
    Number(f64),
    Word(Word),
}

#[derive(Deserialize)]
enum Word {
    NaN,
    Infinity,
    #[serde(rename = "-Infinity")]
    NegativeInfinity,
}

impl From<Side> for f64 {
    fn from(side: Side) -> Self {
        match side {
            Side::Number(number) => number,
            Side::Word(Word::NaN) => Self::NAN,
            Side::Word(Word::Infinity) => Self::INFINITY,
            Side::Word(Word::NegativeInfinity) => Self::NEG_INFINITY,
        }
    }
}

fn sides<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<[f64; 4]>, D::Error> {
    let sides: Option<[Side; 4]> = Option::deserialize(deserializer)?;
    Ok(sides.map(|sides| sides.map(f64::from)))
}

impl Detection {
    /// Returns a person of these keypoints on an image, of COCO's people: the box is stored without padding.
    pub fn new(image: u64, person: &PersonBox, keypoints: &[Option<Keypoint>], score: f64) -> Self {
        let triple = |keypoint: &Option<Keypoint>| match keypoint {
            Some(found) => [found.x, found.y, f64::from(found.score)],
            None => [0.0; 3],
        };
        Self {
            image,
            category: PERSON,
            keypoints: keypoints.iter().map(triple).collect(),
            score,
            bbox: Some(person.xywh()),
        }
    }

    /// Returns the area by which AP calls a detection medium or large, square pixels: that of the box if there is one, else of
    /// the keypoints' extent. mmpose stores boxes; without them AP(M) and AP(L) are others.
    pub fn area(&self) -> f64 {
        if let Some([_, _, width, height]) = self.bbox {
            return width * height;
        }
        let extent = |axis: usize| {
            let values = self.keypoints.iter().map(|keypoint| keypoint[axis]);
            let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
            (high - low).max(0.0)
        };
        extent(0) * extent(1)
    }
}

/// Reads a file of results: a list of `image_id`, `category_id`, `keypoints`, `score` and maybe `bbox`.
///
/// # Errors
/// If it is not such a file, or an entry misses a field or has another number of keypoints.
pub fn read_detections(file: &str, json: &[u8], keypoints: usize) -> Result<Vec<Detection>, CocoError> {
    let detection = |place: Place, raw: Raw| {
        let numbers = place.field(raw.keypoints, "keypoints")?;
        Ok(Detection {
            image: place.field(raw.image_id, "image_id")?,
            category: raw.category_id.unwrap_or(PERSON),
            keypoints: place.triples(&numbers, keypoints)?,
            score: place.field(raw.score, "score")?,
            bbox: raw.bbox,
        })
    };
    let what = "results, a list of `image_id`, `category_id`, `keypoints` and `score`";
    entries(file, json, what, detection)
}

/// Reads a detector's boxes, such as `COCO_val2017_detections_AP_H_56_person.json`: a list of `image_id`, `category_id`, `bbox` and
/// `score`. The boxes themselves are checked one by one by [`PersonBox::detected`]; `NaN` and `Infinity`, as Python writes them, are
/// read and refused there.
///
/// # Errors
/// If it is not such a file, or an entry misses a field.
pub fn read_boxes(file: &str, json: &[u8]) -> Result<Vec<DetectedBox>, CocoError> {
    let detected = |place: Place, raw: Raw| {
        Ok(DetectedBox {
            image: place.field(raw.image_id, "image_id")?,
            category: raw.category_id.unwrap_or(PERSON),
            bbox: place.field(raw.bbox, "bbox")?,
            score: place.field(raw.score, "score")?,
        })
    };
    let what = "boxes, a list of `image_id`, `category_id`, `bbox` (x, y, width, height) and `score`";
    entries(file, json, what, detected)
}

/// Returns results as JSON that COCO's tools read, one person a line.
pub fn write_detections(detections: &[Detection]) -> String {
    let line = |detection: &Detection| {
        let raw = Raw {
            image_id: Some(detection.image),
            category_id: Some(detection.category),
            bbox: detection.bbox,
            keypoints: Some(detection.keypoints.concat()),
            score: Some(detection.score),
        };
        serde_json::to_string(&raw).expect("numbers and lists are JSON")
    };
    let lines: Vec<String> = detections.iter().map(line).collect();
    format!("[{}]\n", lines.join(",\n"))
}

fn entries<T>(
    file: &str,
    json: &[u8],
    what: &'static str,
    entry: impl Fn(Place, Raw) -> Result<T, CocoError>,
) -> Result<Vec<T>, CocoError> {
    let json = with_pythons_numbers(json);
    let raw: Vec<Raw> = serde_json::from_slice(&json).map_err(|source| CocoError::Json {
        file: file.to_owned(),
        what,
        source,
    })?;
    let numbered = raw.into_iter().enumerate();
    let entries = numbered.map(|(index, raw)| {
        let place = Place {
            file,
            list: "",
            index,
            id: None,
        };
        entry(place, raw)
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Size;

    #[test]
    fn results_are_read_as_they_are_written() {
        let person = PersonBox::detected([1.0, 2.0, 30.5, 40.25], Size::new(64, 64)).expect("a box");
        let found = Keypoint {
            x: 1.0 / 3.0,
            y: 20.0,
            score: 0.7,
        };
        let detection = Detection::new(9, &person, &[Some(found), None], 0.1 + 0.2);
        assert_eq!(detection.keypoints[1], [0.0; 3]);
        let without = Detection {
            bbox: None,
            ..detection.clone()
        };
        let all = [detection, without];
        let json = write_detections(&all);
        assert_eq!(
            read_detections("out.json", json.as_bytes(), 2).expect("results"),
            all
        );
        assert_eq!(all[0].area(), 30.5 * 40.25);
        assert!(
            (all[1].area() - 20.0 / 3.0).abs() < 1e-12,
            "the keypoints' extent"
        );
    }

    #[test]
    fn errors_name_the_file_and_the_entry() {
        let error = |json: &str| {
            let boxes = read_boxes("boxes.json", json.as_bytes());
            boxes.expect_err(json).to_string()
        };
        let missing =
            error(r#"[{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 1}, {"image_id": 1, "score": 1}]"#);
        assert_eq!(
            missing,
            "boxes.json: `[1]`: has no `bbox`; add it, or leave the entry out"
        );
        let corners = error(r#"[{"image_id": 1, "bbox": [1, 2, 3], "score": 1}]"#);
        assert!(
            corners.contains("x, y, width, height") && corners.contains("line 1"),
            "{corners}"
        );
        assert!(error(r#"{"boxes": []}"#).contains("a list of"));
        assert!(error(r#"[{"image_id": 1, "bbox": [1, 2, 3, 4], "score": NaN}]"#).contains("line 1 column"));
        let bad = br#"[{"image_id": 1, "bbox": [1, NaN, -Infinity, 4], "score": 1}]"#;
        let [found] = read_boxes("boxes.json", bad).expect("a box")[..] else {
            panic!("one box");
        };
        let refused = PersonBox::detected(found.bbox, Size::new(9, 9)).expect_err("not finite");
        assert!(refused.to_string().contains("[1.0, NaN, -inf, 4.0]"), "{refused}");
        let json = r#"[{"image_id": 1, "keypoints": [1, 2, 3], "score": 1}]"#;
        let other = read_detections("r.json", json.as_bytes(), 17).expect_err("one keypoint");
        assert!(other.to_string().contains("expected 51"), "{other}");
    }
}

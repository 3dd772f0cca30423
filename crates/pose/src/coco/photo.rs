use serde::Deserialize;
use serde_json::Value;

use super::{CocoError, Place};

/// A person's box on a photo that is not of a data set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhotoBox {
    /// x, y, width, height, pixels; not checked, see [`PersonBox::detected`](crate::PersonBox::detected).
    pub bbox: [f64; 4],
    /// The detector's score, 0 to 1; 1 if the file states none.
    pub score: f64,
}

#[derive(Deserialize)]
struct Raw {
    bbox: [f64; 4],
    #[serde(default = "sure")]
    score: f64,
}

fn sure() -> f64 {
    1.0
}

/// Reads the boxes of one photo: a list of `[x, y, width, height]`, `[x, y, width, height, score]`, or of objects with `bbox` and maybe
/// `score`, as in COCO's results.
///
/// # Errors
/// If the file is no such list, or an entry is none of these.
pub fn read_photo_boxes(file: &str, json: &[u8]) -> Result<Vec<PhotoBox>, CocoError> {
    let entries: Vec<Value> = serde_json::from_slice(json).map_err(|source| CocoError::Json {
        file: file.to_owned(),
        what: "boxes, a list of [x, y, width, height] or of objects with `bbox`",
        source,
    })?;
    let numbered = entries.into_iter().enumerate();
    let boxes = numbered.map(|(index, entry)| {
        let place = Place {
            file,
            list: "",
            index,
            id: None,
        };
        photo_box(entry).ok_or_else(|| {
            place.error(
                "is no box; expected [x, y, width, height] in pixels, with a score as a fifth number or without, or an object with \
                 such a `bbox` and maybe a `score`",
            )
        })
    });
    boxes.collect()
}

fn photo_box(entry: Value) -> Option<PhotoBox> {
    if let Value::Array(numbers) = &entry {
        let numbers: Option<Vec<f64>> = numbers.iter().map(Value::as_f64).collect();
        return match numbers?[..] {
            [x, y, width, height] => Some(PhotoBox {
                bbox: [x, y, width, height],
                score: sure(),
            }),
            [x, y, width, height, score] => Some(PhotoBox {
                bbox: [x, y, width, height],
                score,
            }),
            _ => None,
        };
    }
    let Raw { bbox, score } = serde_json::from_value(entry).ok()?;
    Some(PhotoBox { bbox, score })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_forms_are_read_and_others_named() {
        let json =
            br#"[[1, 2, 3, 4], [1, 2, 3, 4, 0.5], {"bbox": [1, 2, 3, 4], "score": 0.25, "image_id": 9}, {"bbox": [1, 2, 3, 4]}]"#;
        let boxes = read_photo_boxes("boxes.json", json).expect("boxes");
        let scores: Vec<f64> = boxes.iter().map(|found| found.score).collect();
        assert_eq!(scores, [1.0, 0.5, 0.25, 1.0]);
        assert!(boxes.iter().all(|found| found.bbox == [1.0, 2.0, 3.0, 4.0]));
        for bad in ["[1, 2, 3]", r#"[1, 2, "3", 4]"#, r#"{"box": [1, 2, 3, 4]}"#, "7"] {
            let json = format!("[[1, 2, 3, 4], {bad}]");
            let error = read_photo_boxes("boxes.json", json.as_bytes())
                .expect_err(bad)
                .to_string();
            assert!(
                error.starts_with("boxes.json: `[1]`: is no box; expected [x, y,"),
                "{error}"
            );
        }
        let error = read_photo_boxes("boxes.json", b"{}")
            .expect_err("no list")
            .to_string();
        assert!(error.contains("a list of"), "{error}");
    }
}

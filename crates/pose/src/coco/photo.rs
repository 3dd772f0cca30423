//! The boxes of people on photos of one's own, from any detector.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{CocoError, PERSON, Place};
use crate::{PersonBox, Scored, Size};

/// The form that is expected of an entry.
const FORM: &str = "expected [x, y, width, height] in pixels, with a score as a fifth number or without, or an object with such a \
                    `bbox` and maybe a `score`";

/// The boxes of a file, sorted by photo. Each box is checked when it is placed on its photo, so that a bad one costs nobody else.
#[derive(Clone, Debug, PartialEq)]
pub struct PhotoBoxes {
    file: String,
    sorted: Sorted,
}

/// The lists of a file, by the way in which it names photos.
#[derive(Clone, Debug, PartialEq)]
enum Sorted {
    /// It names none: all boxes are on one photo.
    OnePhoto(Boxes),
    /// By the names of photos, the keys of an object.
    ByName(BTreeMap<String, Boxes>),
    /// By `image_id`, as a detector's files of COCO are.
    ByNumber(BTreeMap<u64, Boxes>),
}

/// The entries of a list that are on one photo.
#[derive(Clone, Debug, Default, PartialEq)]
struct Boxes {
    list: String,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    index: usize,
    /// x, y, width, height and score; `None` if the entry is no box.
    numbers: Option<([f64; 4], f64)>,
    /// Of people, or of a category that is not stated.
    is_person: bool,
}

/// The boxes on one photo.
#[derive(Clone, Copy, Debug)]
pub struct OnPhoto<'a> {
    file: &'a str,
    boxes: &'a Boxes,
}

impl PhotoBoxes {
    /// Reads boxes in one of three forms. Each entry is `[x, y, width, height]`, `[x, y, width, height, score]`, or an object with
    /// `bbox` and maybe `score` and `category_id`, as in COCO's results. `NaN` and `Infinity`, as Python writes them, are read and make an
    /// entry that is refused.
    ///
    /// | form | photos |
    /// |---|---|
    /// | a list of entries | all boxes are on one photo |
    /// | a list of objects that all have `image_id` | the number that is the name of the photo's file: `000000000139.jpg` is 139 |
    /// | an object of such lists | by the keys, the names or paths of photos |
    ///
    /// # Errors
    /// If the file has none of these forms. A bad entry is an error of [`OnPhoto::people`].
    pub fn read(file: &str, json: &[u8]) -> Result<Self, CocoError> {
        let json = with_pythons_numbers(json);
        let value: Value = serde_json::from_slice(&json).map_err(|source| CocoError::Json {
            file: file.to_owned(),
            what: "boxes, a list of [x, y, width, height] or of objects with `bbox`",
            source,
        })?;
        let sorted = match value {
            Value::Array(entries) => match numbers(file, &entries)? {
                Some(numbers) => Sorted::ByNumber(by_number(&numbers, &entries)),
                None => Sorted::OnePhoto(Boxes::new("", &entries)),
            },
            Value::Object(photos) => Sorted::ByName(by_name(file, &photos)?),
            _ => {
                let why = "expected a list of boxes, or an object with such a list for each photo".to_owned();
                let file = file.to_owned();
                return Err(CocoError::File { file, why });
            }
        };
        let file = file.to_owned();
        Ok(Self { file, sorted })
    }

    /// Returns true if the file does not say which photo its boxes are on.
    pub fn are_of_one_photo(&self) -> bool {
        matches!(self.sorted, Sorted::OnePhoto(_))
    }

    /// Returns the boxes on a photo by its path; `None` if the file names no such photo. A name in the file is the whole path or its
    /// last part; a number is that of the file's name without its ending.
    pub fn on(&self, path: &str) -> Option<OnPhoto<'_>> {
        let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
        let boxes = match &self.sorted {
            Sorted::OnePhoto(boxes) => Some(boxes),
            Sorted::ByName(photos) => photos.get(path).or_else(|| photos.get(name)),
            Sorted::ByNumber(photos) => number_of(path).and_then(|number| photos.get(&number)),
        };
        boxes.map(|boxes| OnPhoto {
            file: &self.file,
            boxes,
        })
    }
}

impl<'a> OnPhoto<'a> {
    /// Returns the number of boxes.
    pub fn count(&self) -> usize {
        self.boxes.entries.len()
    }

    /// Returns the number of boxes whose category is not that of people.
    pub fn others(&self) -> usize {
        self.boxes.entries.iter().filter(|entry| !entry.is_person).count()
    }

    /// Iterates over the boxes on a photo of this extent, in the order of the file: with `people_only` those of people and of no stated
    /// category.
    ///
    /// # Errors
    /// Of each box: if it is no box, its score is not finite, or it cannot be cropped. The errors name the file and the entry.
    pub fn people(
        self,
        photo: Size,
        people_only: bool,
    ) -> impl Iterator<Item = Result<Scored, CocoError>> + 'a {
        let entries = self.boxes.entries.iter();
        let wanted = entries.filter(move |entry| entry.is_person || !people_only);
        wanted.map(move |entry| {
            let place = Place {
                file: self.file,
                list: &self.boxes.list,
                index: entry.index,
                id: None,
            };
            let Some((bbox, score)) = entry.numbers else {
                return Err(place.error(format!("is no box; {FORM}")));
            };
            if !score.is_finite() {
                return Err(place.error(format!("has the score {score}; expected a number, 0 to 1")));
            }
            let person = PersonBox::detected(bbox, photo);
            let person = person.map_err(|error| place.error(error.to_string()))?;
            Ok(Scored { person, score })
        })
    }
}

impl Boxes {
    fn new(list: &str, entries: &[Value]) -> Self {
        let entries = entries.iter().enumerate();
        Self {
            list: list.to_owned(),
            entries: entries.map(|(index, value)| Entry::new(index, value)).collect(),
        }
    }
}

impl Entry {
    fn new(index: usize, value: &Value) -> Self {
        let category = value.get("category_id");
        Self {
            index,
            numbers: box_of(value),
            is_person: category.is_none_or(|category| category.as_u64() == Some(PERSON)),
        }
    }
}

/// Returns the number that is the name of a photo's file: `000000000139.jpg` is 139.
pub fn number_of(path: &str) -> Option<u64> {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = name.split('.').next().unwrap_or(name);
    stem.parse().ok()
}

/// Returns the `image_id` of each entry; `None` if no entry has one.
fn numbers(file: &str, entries: &[Value]) -> Result<Option<Vec<u64>>, CocoError> {
    if entries.iter().all(|entry| entry.get("image_id").is_none()) {
        return Ok(None);
    }
    let numbered = entries.iter().enumerate().map(|(index, entry)| {
        let number = entry.get("image_id").and_then(Value::as_u64);
        let place = Place {
            file,
            list: "",
            index,
            id: None,
        };
        number.ok_or_else(|| {
            place.error(
                "has no `image_id` that is a whole number, and other entries have one: which photo is it on?",
            )
        })
    });
    numbered.collect::<Result<_, _>>().map(Some)
}

fn by_number(numbers: &[u64], entries: &[Value]) -> BTreeMap<u64, Boxes> {
    let mut photos: BTreeMap<u64, Boxes> = BTreeMap::new();
    for (index, (number, entry)) in numbers.iter().zip(entries).enumerate() {
        let boxes = photos.entry(*number).or_default();
        boxes.entries.push(Entry::new(index, entry));
    }
    photos
}

fn by_name(file: &str, photos: &Map<String, Value>) -> Result<BTreeMap<String, Boxes>, CocoError> {
    let sorted = photos.iter().map(|(name, entries)| match entries {
        Value::Array(entries) => Ok((name.clone(), Boxes::new(name, entries))),
        _ => Err(CocoError::File {
            file: file.to_owned(),
            why: format!("`{name}` is no list; expected a list of boxes for each photo"),
        }),
    });
    sorted.collect()
}

/// Returns the box and the score of an entry; the score is 1 if it states none.
fn box_of(entry: &Value) -> Option<([f64; 4], f64)> {
    let list = |value: &Value| -> Option<Vec<f64>> { value.as_array()?.iter().map(number).collect() };
    if entry.is_array() {
        return match list(entry)?[..] {
            [x, y, width, height] => Some(([x, y, width, height], 1.0)),
            [x, y, width, height, score] => Some(([x, y, width, height], score)),
            _ => None,
        };
    }
    let bbox = <[f64; 4]>::try_from(list(entry.get("bbox")?)?).ok()?;
    let score = entry.get("score").map_or(Some(1.0), number)?;
    Some((bbox, score))
}

/// Returns a number, or one of those that JSON has no form for.
fn number(value: &Value) -> Option<f64> {
    match value.as_str() {
        None => value.as_f64(),
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        Some(_) => None,
    }
}

/// Returns JSON in which `NaN`, `Infinity` and `-Infinity` outside of strings, which Python writes and JSON does not have, are strings.
pub(super) fn with_pythons_numbers(json: &[u8]) -> Cow<'_, [u8]> {
    let has = |word: &[u8]| json.windows(word.len()).any(|found| found == word);
    if !has(b"NaN") && !has(b"Infinity") {
        return Cow::Borrowed(json);
    }
    let (mut text, mut rest, mut in_string) = (Vec::with_capacity(json.len() + 64), json, false);
    while let Some((byte, after)) = rest.split_first() {
        let words: [&[u8]; 3] = [b"NaN", b"-Infinity", b"Infinity"];
        let word = words
            .into_iter()
            .find(|word| !in_string && rest.starts_with(word));
        if let Some(word) = word {
            text.extend([b"\"", word, b"\""].concat());
            rest = &rest[word.len()..];
            continue;
        }
        match (*byte, after) {
            (b'\\', [escaped, after @ ..]) if in_string => {
                text.extend([b'\\', *escaped]);
                rest = after;
                continue;
            }
            (b'"', _) => in_string = !in_string,
            _ => {}
        }
        text.push(*byte);
        rest = after;
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHOTO: Size = Size::new(100, 50);

    fn read(json: &str) -> PhotoBoxes {
        PhotoBoxes::read("boxes.json", json.as_bytes()).expect(json)
    }

    /// The boxes and scores of a photo, or why they are none.
    fn on(boxes: &PhotoBoxes, path: &str) -> Vec<Result<([f64; 4], f64), String>> {
        let people = boxes.on(path).expect("the photo is named").people(PHOTO, true);
        let told = |result: Result<Scored, CocoError>| match result {
            Ok(found) => Ok((found.person.xywh(), found.score)),
            Err(error) => Err(error.to_string()),
        };
        people.map(told).collect()
    }

    #[test]
    fn all_forms_of_entries_are_read_and_a_bad_one_is_named_and_leaves_the_others() {
        let boxes = read(
            r#"[[1, 2, 3, 4], [1, 2, 3, 4, 0.5], {"bbox": [1, 2, 3, 4], "score": 0.25}, {"bbox": [1, 2, 3, 4]},
            [1, 2, 3], [1, 2, "3", 4], {"box": [1, 2, 3, 4]}, 7, [1, NaN, 3, 4], [1, 2, -Infinity, 4], [1, 2, 3, 4, Infinity],
            [1, 2, -3, 4], [1, 2, 0, 4], [100, 2, 3, 4], [1e9, 2, 3, 4]]"#,
        );
        assert!(boxes.are_of_one_photo());
        let found = on(&boxes, "any.jpg");
        let score = |result: &Result<([f64; 4], f64), String>| result.as_ref().ok().map(|found| found.1);
        let scores: Vec<f64> = found.iter().filter_map(score).collect();
        assert_eq!(scores, [1.0, 0.5, 0.25, 1.0]);
        for (index, why) in [
            (4, "is no box; expected [x, y,"),
            (5, "is no box"),
            (6, "is no box"),
            (7, "is no box"),
            (
                8,
                "the box [1.0, NaN, 3.0, 4.0] (x, y, width, height) is not finite",
            ),
            (9, "-inf, 4.0] (x, y, width, height) is not finite"),
            (10, "has the score inf"),
            (11, "negative side"),
            (12, "is empty"),
            (13, "outside the photo of 100 x 50 pixels"),
            (14, "beyond 1000000 pixels"),
        ] {
            let error = found[index].as_ref().expect_err(why);
            let place = format!("boxes.json: `[{index}]`: ");
            assert!(error.starts_with(&place) && error.contains(why), "{error}");
        }
    }

    #[test]
    fn photos_are_found_by_name_path_and_number_and_other_categories_left_out() {
        let boxes =
            read(r#"{"a.jpg": [[1, 2, 3, 4], "NaN"], "in/b\"NaN.jpg": [[5, 6, 7, 8, NaN]], "c.jpg": []}"#);
        assert_eq!(on(&boxes, "in/a.jpg").len(), 2);
        assert_eq!(
            on(&boxes, "a.jpg")[1]
                .as_ref()
                .expect_err("no box")
                .split(": is")
                .next(),
            Some("boxes.json: `a.jpg[1]`")
        );
        let error = on(&boxes, "in/b\"NaN.jpg")[0].clone().expect_err("no score");
        assert!(error.contains("has the score NaN"), "{error}");
        assert_eq!(on(&boxes, "c.jpg"), []);
        assert!(boxes.on("b\"NaN.jpg").is_none() && boxes.on("d.jpg").is_none());

        let entry = |id: &str| format!(r#"{{{id}"bbox": [1, 2, 3, 4], "score": 0.5}}"#);
        let of = |id: u64, category: u64| entry(&format!(r#""image_id": {id}, "category_id": {category}, "#));
        let boxes = read(&format!("[{}, {}, {}]", of(139, 1), of(139, 62), of(7, 1)));
        assert!(!boxes.are_of_one_photo());
        assert_eq!(on(&boxes, "val/000000000139.jpg").len(), 1);
        let all = boxes.on("139.png").expect("the photo");
        assert_eq!(
            (all.count(), all.others(), all.people(PHOTO, false).count()),
            (2, 1, 2)
        );
        assert!(boxes.on("8.jpg").is_none() && boxes.on("photo.jpg").is_none());

        let error = |json: &str| {
            let error = PhotoBoxes::read("boxes.json", json.as_bytes()).expect_err(json);
            error.to_string()
        };
        let mixed = error(&format!("[{}, {}]", of(139, 1), entry("")));
        assert!(
            mixed.starts_with("boxes.json: `[1]`: has no `image_id`"),
            "{mixed}"
        );
        assert!(error(r#"{"a.jpg": 7}"#).contains("`a.jpg` is no list"));
        assert!(error("7").contains("expected a list of boxes"));
        assert!(error("[[1, 2").contains("line 1 column"));
    }
}

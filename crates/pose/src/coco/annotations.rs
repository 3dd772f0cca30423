use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{CocoError, Place};

/// The annotated people of a set of images.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotations {
    /// The images, in the order of the file.
    pub images: Vec<Image>,
    /// The people, in the order of the file.
    pub people: Vec<Person>,
    /// The category of all of them: 1 in COCO.
    pub category: u64,
}

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: u64,
    /// Its file's name, as the file of annotations states it; empty if it states none.
    pub file_name: String,
    /// Its extent in pixels, if the file states it.
    pub size: Option<crate::Size>,
}

/// An annotated person, or a crowd of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// The annotation's id.
    pub id: u64,
    /// The image's id.
    pub image: u64,
    /// x, y and visibility of each keypoint: 0 not labelled, 1 hidden, 2 visible; pixels.
    pub keypoints: Vec<[f64; 3]>,
    /// The number of labelled keypoints; people without any are ignored in AP.
    pub labelled: usize,
    /// x, y, width, height, pixels.
    pub bbox: [f64; 4],
    /// The area of the person's outline, square pixels.
    pub area: f64,
    /// A crowd, which is ignored in AP and may match any number of detections.
    pub crowd: bool,
}

#[derive(Deserialize)]
struct RawFile {
    images: Vec<RawImage>,
    annotations: Vec<RawPerson>,
}

#[derive(Deserialize)]
struct RawImage {
    id: u64,
    #[serde(default)]
    file_name: String,
    width: Option<usize>,
    height: Option<usize>,
}

#[derive(Deserialize)]
struct RawPerson {
    id: Option<u64>,
    image_id: Option<u64>,
    category_id: Option<u64>,
    keypoints: Option<Vec<f64>>,
    num_keypoints: Option<usize>,
    bbox: Option<[f64; 4]>,
    area: Option<f64>,
    #[serde(default)]
    iscrowd: u8,
}

impl Annotations {
    /// Reads a file of annotated keypoints, such as `person_keypoints_val2017.json`, of people with this many keypoints.
    ///
    /// # Errors
    /// If it is not such a file, an entry misses a field or has another number of keypoints, an id is there twice, a person is on
    /// no image, or there are several categories.
    pub fn read(file: &str, json: &[u8], keypoints: usize) -> Result<Self, CocoError> {
        let raw: RawFile = serde_json::from_slice(json).map_err(|source| CocoError::Json {
            file: file.to_owned(),
            what: "COCO annotations, an object with `images` and `annotations`",
            source,
        })?;
        let images = images(file, raw.images)?;
        let known: HashSet<u64> = images.iter().map(|image| image.id).collect();
        let (mut people, mut ids) = (Vec::with_capacity(raw.annotations.len()), HashSet::new());
        let mut category = None;
        for (index, raw) in raw.annotations.into_iter().enumerate() {
            let place = Place {
                file,
                list: "annotations",
                index,
                id: raw.id,
            };
            let own = place.field(raw.category_id, "category_id")?;
            if own != *category.get_or_insert(own) {
                let why = format!(
                    "has category {own}, and those before it have {}; AP is computed for one category: split the file",
                    category.unwrap_or_default()
                );
                return Err(place.error(why));
            }
            let person = person(place, raw, keypoints)?;
            if !ids.insert(person.id) {
                return Err(place.error("its id is there twice; leave one out"));
            }
            if !known.contains(&person.image) {
                let why = format!("is on image {}, which `images` does not have", person.image);
                return Err(place.error(why));
            }
            people.push(person);
        }
        Ok(Self {
            images,
            people,
            category: category.unwrap_or(super::PERSON),
        })
    }

    /// Returns the annotations of these images alone, for a sample or a shard.
    #[must_use]
    pub fn of_images(&self, images: &HashSet<u64>) -> Self {
        let kept = |id: &u64| images.contains(id);
        Self {
            images: self
                .images
                .iter()
                .filter(|image| kept(&image.id))
                .cloned()
                .collect(),
            people: self
                .people
                .iter()
                .filter(|person| kept(&person.image))
                .cloned()
                .collect(),
            category: self.category,
        }
    }
}

fn images(file: &str, raw: Vec<RawImage>) -> Result<Vec<Image>, CocoError> {
    let mut ids = HashSet::new();
    let mut images = Vec::with_capacity(raw.len());
    for (index, raw) in raw.into_iter().enumerate() {
        let place = Place {
            file,
            list: "images",
            index,
            id: Some(raw.id),
        };
        if !ids.insert(raw.id) {
            return Err(place.error("its id is there twice; leave one out"));
        }
        let size = raw.width.zip(raw.height);
        images.push(Image {
            id: raw.id,
            file_name: raw.file_name,
            size: size.map(|(width, height)| crate::Size { width, height }),
        });
    }
    Ok(images)
}

fn person(place: Place, raw: RawPerson, keypoints: usize) -> Result<Person, CocoError> {
    let Some(numbers) = raw.keypoints else {
        let why = "has no `keypoints`; COCO's files of them are named `person_keypoints_…`, those of boxes `instances_…`";
        return Err(place.error(why));
    };
    let triples = place.triples(&numbers, keypoints)?;
    let area = place.field(raw.area, "area")?;
    if area < 0.0 {
        return Err(place.error(format!("`area` is {area}; expected square pixels, 0 or more")));
    }
    let labelled = triples.iter().filter(|[_, _, visible]| *visible > 0.0).count();
    Ok(Person {
        id: place.field(raw.id, "id")?,
        image: place.field(raw.image_id, "image_id")?,
        keypoints: triples,
        labelled: raw.num_keypoints.unwrap_or(labelled),
        bbox: place.field(raw.bbox, "bbox")?,
        area,
        crowd: raw.iscrowd != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(people: &str) -> Result<Annotations, CocoError> {
        let json = format!(
            r#"{{"info": {{}}, "images": [{{"id": 7, "width": 4, "height": 3}}, {{"id": 5}}], "annotations": [{people}]}}"#
        );
        Annotations::read("val.json", json.as_bytes(), 2)
    }

    const GOOD: &str = r#"{"id": 1, "image_id": 7, "category_id": 1, "keypoints": [1, 2, 2, 0, 0, 0], "bbox": [0, 0, 4, 3], "area": 9.5, "iscrowd": 0}"#;

    #[test]
    fn people_and_images_are_read_and_taken_apart() {
        let other = GOOD
            .replace(r#""id": 1"#, r#""id": 2"#)
            .replace("7", "5")
            .replace(r#""iscrowd": 0"#, r#""iscrowd": 1"#);
        let annotations = file(&format!("{GOOD}, {other}")).expect("two people");
        let [first, second] = &annotations.people[..] else {
            panic!("{annotations:?}")
        };
        assert_eq!(first.keypoints, [[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]]);
        assert_eq!((first.labelled, first.crowd, second.crowd), (1, false, true));
        let one = annotations.of_images(&HashSet::from([5]));
        assert_eq!((one.images.len(), one.people.len(), one.people[0].id), (1, 1, 2));
    }

    #[test]
    fn errors_name_the_file_the_entry_and_what_to_do() {
        let says = |people: &str, texts: &[&str]| {
            let error = file(people).expect_err(people).to_string();
            for text in texts {
                assert!(error.contains(text), "{error}");
            }
        };
        let changed = |from: &str, to: &str| GOOD.replace(from, to);
        says(
            &changed("0, 0, 0]", "0, 0]"),
            &[
                "val.json: `annotations[0]` (id 1)",
                "5 numbers",
                "expected 6",
                "another skeleton",
            ],
        );
        says(
            &changed("\"keypoints\"", "\"segmentation\""),
            &["person_keypoints_"],
        );
        says(
            &changed("\"area\"", "\"size\""),
            &["has no `area`", "leave the entry out"],
        );
        says(&changed("9.5", "-9.5"), &["`area` is -9.5"]);
        says(&changed("\"id\": 1, ", ""), &["`annotations[0]`: has no `id`"]);
        says(
            &changed("\"image_id\": 7", "\"image_id\": 8"),
            &["image 8", "`images`"],
        );
        says(&format!("{GOOD}, {GOOD}"), &["`annotations[1]` (id 1)", "twice"]);
        let other = changed("\"category_id\": 1", "\"category_id\": 3");
        says(&format!("{GOOD}, {other}"), &["category 3", "split the file"]);
        says(
            &changed("9.5", "\"large\""),
            &["val.json: cannot be read", "line 1 column"],
        );
        let twice = br#"{"images": [{"id": 1}, {"id": 1}], "annotations": []}"#;
        let error = Annotations::read("a.json", twice, 2)
            .expect_err("twice")
            .to_string();
        assert!(error.starts_with("a.json: `images[1]` (id 1)"), "{error}");
    }
}

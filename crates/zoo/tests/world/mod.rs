//! Images whose labels are known beforehand, for a network of made-up weights.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::{Place, Run, manifest, photo};

/// A manifest of the one network.
pub fn tiny() -> String {
    manifest(&[("tiny", 8)])
}

pub const MODEL: [&str; 6] = [
    "--weights",
    "seeded:5",
    "--backend",
    "cpu-exact",
    "--threads",
    "1",
];

pub struct World {
    pub place: Place,
    /// The classes of each image, best first, as `zoo classify` has them.
    classes: BTreeMap<String, Vec<u64>>,
}

impl World {
    /// A folder of images, and the network's own opinion of them.
    pub fn new(images: usize) -> Self {
        let place = Place::new();
        place.write("zoo.toml", &tiny());
        let folder = place.path().join("images");
        std::fs::create_dir(&folder).expect("made");
        let mut rng = fastrand::Rng::with_seed(1);
        for index in 0..images {
            // Blocks of colour: noise of single pixels would look alike once resized.
            let colours: Vec<[u8; 3]> = (0..25).map(|_| [rng.u8(..), rng.u8(..), rng.u8(..)]).collect();
            let file = folder.join(format!("{index:04}.png"));
            photo(&file, |x, y| colours[y / 8 * 5 + x / 10]);
        }
        let classify = [
            &["classify", "images", "--model", "tiny", "--json", "-q"],
            &MODEL[..],
        ]
        .concat();
        let classes = place
            .zoo(&classify)
            .good()
            .lines()
            .map(|line| {
                let answer: Value = serde_json::from_str(line).expect("JSON");
                let name = answer["image"].as_str().expect("a path");
                let classes = answer["classes"].as_array().expect("classes");
                let index = |class: &Value| class["index"].as_u64().expect("a class");
                (name.to_owned(), classes.iter().map(index).collect())
            })
            .collect();
        Self { place, classes }
    }

    /// A list with labels that are right but for stated counts; the classes are spread over the whole list.
    pub fn label(&self) {
        let (second, none) = Self::others(self.classes.len());
        let mut text = String::new();
        for (index, (name, classes)) in self.classes.iter().enumerate() {
            let step = index * 7919 % self.classes.len();
            let label = match step {
                step if step < second => classes[1 + step % 4],
                step if step < second + none => (0..1000)
                    .find(|class| !classes.contains(class))
                    .expect("a class that is not among the five"),
                _ => classes[0],
            };
            text.push_str(&format!("{name} {label}\n"));
        }
        self.place.write("list.txt", &text);
    }

    /// Of so many images, how many have a label that is only the second to fifth class, and how many one that is none of
    /// them.
    pub fn others(images: usize) -> (usize, usize) {
        (images * 3 / 20, images / 20)
    }

    pub fn eval(&self, more: &[&str]) -> Run {
        self.place
            .zoo(&[&["eval", "tiny", "--data", "list.txt"], &MODEL[..], more].concat())
    }

    /// Files of answers in a folder.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let inside = |file: &String| file.starts_with(&format!("{folder}/")) && file.ends_with(".jsonl");
        self.place.files().into_iter().filter(inside).collect()
    }

    pub fn merge(&self, folder: &str) -> Value {
        self.place.zoo(&["eval", "merge", "--json", folder]).json()
    }
}

/// The state that must be the same whatever the way to it.
pub fn counts(summary: &Value) -> (Value, Value, Value) {
    (
        summary["tally"].clone(),
        summary["images_sha256"].clone(),
        summary["key"].clone(),
    )
}

//! Images with people's keypoints, as COCO annotates them, and the boxes of a detector.

use std::collections::{HashMap, HashSet};

use ::files::LARGEST_TEXT;
use harness::counted;
use harness::eval::{Boxes, DataSet};
use pose::coco::{Annotations, DetectedBox, Image, Person, read_boxes};
use pose::{BoxError, PersonBox, Scored, Size};
use registry::{Digest, Kind, Location};

use super::{Body, Entry, Folders, Found, Incomplete, folder, kinds, tarball};
use crate::{Exit, Failure};

/// Annotated images, sorted by name, with their people and boxes.
#[derive(Debug)]
pub(crate) struct PeopleSet {
    pub(crate) entries: Vec<Entry>,
    /// The people of each entry.
    pub(crate) scenes: Vec<Scene>,
    pub(crate) about: DataSet,
    /// SHA-256 of the file of annotations.
    pub(crate) annotations: String,
    /// The category of the people.
    pub(crate) category: u64,
    /// The file of boxes; `None` for annotated boxes.
    pub(crate) boxes: Option<Boxes>,
    /// Files and boxes that are not used, in words.
    pub(crate) passed_over: Vec<String>,
    /// Damaged files.
    pub(crate) incomplete: Vec<Incomplete>,
}

/// The people of an image.
#[derive(Debug)]
pub(crate) struct Scene {
    /// The image's id in the annotations.
    pub(crate) id: u64,
    /// Its extent, if the annotations state it.
    pub(crate) size: Option<Size>,
    pub(crate) people: Vec<Person>,
    /// Boxes of a detector; `None` for those of the people.
    detected: Option<Vec<DetectedBox>>,
}

/// The files of a data set of keypoints.
pub(crate) struct PeopleFiles<'a> {
    /// A folder of images, however deep, or tar archives.
    pub(crate) images: &'a Location,
    pub(crate) annotations: &'a Location,
    /// Boxes of a detector; `None` for the annotated ones.
    pub(crate) boxes: Option<&'a Location>,
}

impl PeopleSet {
    /// Opens a data set whose people have this number of keypoints.
    pub(crate) fn open(files: &PeopleFiles, keypoints: usize) -> Result<Self, Failure> {
        let bytes = files.annotations.read(LARGEST_TEXT)?;
        let name = files.annotations.to_string();
        let annotations = Annotations::read(&name, &bytes, keypoints).map_err(bad_file)?;
        let digest = Digest::of(&bytes).to_string();
        let mut found = find(files.images)?;
        let mut passed_over: Vec<String> = found.passed_over.told().into_iter().collect();
        let photos = Photos::new(std::mem::take(&mut found.entries));
        let entries = photos.of(files, &annotations.images, &mut passed_over)?;
        let mut scenes = scenes(&annotations);
        let boxes = match files.boxes {
            Some(file) => Some(detected(file, &annotations, &mut scenes, &mut passed_over)?),
            None => None,
        };
        let mut pairs: Vec<(Entry, Scene)> = entries.into_iter().zip(scenes).collect();
        pairs.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        refuse_twins(&name, &pairs)?;
        let (entries, scenes): (Vec<Entry>, Vec<Scene>) = pairs.into_iter().unzip();
        Ok(Self {
            about: DataSet {
                images: entries.len(),
                classes: 0,
                digest: self::digest(&entries, &scenes),
            },
            entries,
            scenes,
            annotations: digest,
            category: annotations.category,
            boxes,
            passed_over,
            incomplete: found.incomplete,
        })
    }
}

impl Scene {
    /// Returns whether there is no box, so that the photo need not be read.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.detected {
            Some(boxes) => boxes.is_empty(),
            None => !self.people.iter().any(is_valid),
        }
    }

    /// Returns the boxes that the network sees, and the faults of the others. Annotated boxes are those of people who count, with
    /// score 1, as in mmpose.
    pub(crate) fn boxes(&self, photo: Size) -> (Vec<Scored>, Vec<BoxError>) {
        let (mut boxes, mut faults) = (Vec::new(), Vec::new());
        let mut add = |person: Result<PersonBox, BoxError>, score: f64| match person {
            Ok(person) => boxes.push(Scored { person, score }),
            Err(fault) => faults.push(fault),
        };
        match &self.detected {
            Some(detected) => {
                for found in detected {
                    add(PersonBox::detected(found.bbox, photo), found.score);
                }
            }
            None => {
                for person in self.people.iter().filter(|person| is_valid(person)) {
                    add(PersonBox::annotated(person.bbox, photo), 1.0);
                }
            }
        }
        (boxes, faults)
    }
}

/// Returns whether a person counts: no crowd, with a labelled keypoint.
pub(crate) fn is_valid(person: &Person) -> bool {
    !person.crowd && person.labelled > 0
}

/// Finds the images of a folder or of tar archives.
fn find(images: &Location) -> Result<Found, Failure> {
    // Labels come from the annotations, so folders stand for nothing.
    let folders = Folders::new(0);
    match images.kind()? {
        Kind::Folder => folder::find(images, &folders, true),
        Kind::File => match kinds::kind(&kinds::head(images)?, &images.name()) {
            kinds::Kind::Tar => tarball::find(std::slice::from_ref(images), &folders, true),
            kinds::Kind::List => {
                let what = format!("{images}: expected a folder or a tar archive of images");
                Err(Failure::new(Exit::Usage, what)
                    .help("with --annotations the images are those that the annotations list"))
            }
            kinds::Kind::Other(what, advice) => {
                let what = format!("{images}: {what}, which is not a data set");
                Err(Failure::new(Exit::Usage, what).help(advice))
            }
        },
        Kind::Absent => {
            let what = format!("{images}: no such file or folder");
            Err(Failure::new(Exit::Missing, what))
        }
    }
}

/// The images that are there, by the last part of their names.
struct Photos {
    entries: Vec<Entry>,
    by_file: HashMap<String, Vec<usize>>,
}

impl Photos {
    fn new(entries: Vec<Entry>) -> Self {
        let mut by_file: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            let places = by_file.entry(last(&entry.name).to_owned()).or_default();
            places.push(index);
        }
        Self { entries, by_file }
    }

    /// Returns the annotated images, in their order. Those that are not there are named when they are read.
    fn of(
        self,
        files: &PeopleFiles,
        images: &[Image],
        passed_over: &mut Vec<String>,
    ) -> Result<Vec<Entry>, Failure> {
        let annotations = files.annotations;
        let mut used = HashSet::new();
        let mut entries = Vec::with_capacity(images.len());
        for image in images {
            if image.file_name.is_empty() {
                let what = format!("{annotations}: the image of id {} has no `file_name`", image.id);
                return Err(Failure::new(Exit::Usage, what).help("add it, or leave the image out"));
            }
            let (file, body, bytes) = match self.place(annotations, &image.file_name)? {
                Some(place) => {
                    used.insert(place);
                    let entry = &self.entries[place];
                    (entry.file.clone(), entry.body.clone(), entry.bytes)
                }
                None => {
                    let body = Body::Nowhere(format!("it is not in {}", files.images));
                    (files.images.clone(), body, 0)
                }
            };
            entries.push(Entry {
                name: image.file_name.clone(),
                file,
                body,
                bytes,
                labels: Vec::new(),
            });
        }
        let Some(first) = images.first() else {
            let what = format!("{annotations}: `images` is empty: there is nothing to evaluate");
            return Err(Failure::new(Exit::Usage, what));
        };
        if used.is_empty() {
            let what = format!(
                "{}: none of the {} of {annotations} is there",
                files.images,
                counted(images.len(), "image")
            );
            return Err(Failure::new(Exit::Usage, what).help(format!("looked for {}", first.file_name)));
        }
        let others = self.entries.len() - used.len();
        if others > 0 {
            passed_over.push(format!("images that {annotations} does not list: {others}"));
        }
        Ok(entries)
    }

    /// Returns the index of the image of this name: with the same path, or with a path that one of both ends in.
    fn place(&self, annotations: &Location, name: &str) -> Result<Option<usize>, Failure> {
        let Some(places) = self.by_file.get(last(name)) else {
            return Ok(None);
        };
        let ends = |longer: &str, end: &str| longer.strip_suffix(end).is_some_and(|rest| rest.ends_with('/'));
        let exact = places.iter().find(|place| self.entries[**place].name == name);
        if let Some(place) = exact {
            return Ok(Some(*place));
        }
        let alike = |place: &&usize| {
            let other = &self.entries[**place].name;
            ends(other, name) || ends(name, other)
        };
        let mut alike = places.iter().filter(alike);
        match (alike.next(), alike.next()) {
            (Some(one), Some(other)) => {
                let [one, other] = [one, other].map(|place| &self.entries[*place].name);
                let what = format!("{annotations}: {name} is ambiguous: it may be {one} or {other}");
                Err(Failure::new(Exit::Usage, what).help("give --data the folder that has one of them"))
            }
            (place, _) => Ok(place.copied()),
        }
    }
}

/// Returns the last part of a path.
fn last(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, last)| last)
}

/// Returns the people of each image, in the order of the images.
fn scenes(annotations: &Annotations) -> Vec<Scene> {
    let mut people: HashMap<u64, Vec<Person>> = HashMap::new();
    for person in &annotations.people {
        people.entry(person.image).or_default().push(person.clone());
    }
    let scene = |image: &Image| Scene {
        id: image.id,
        size: image.size,
        people: people.remove(&image.id).unwrap_or_default(),
        detected: None,
    };
    annotations.images.iter().map(scene).collect()
}

/// Gives scenes the boxes of a file.
fn detected(
    file: &Location,
    annotations: &Annotations,
    scenes: &mut [Scene],
    passed_over: &mut Vec<String>,
) -> Result<Boxes, Failure> {
    let bytes = file.read(LARGEST_TEXT)?;
    let all = read_boxes(&file.to_string(), &bytes).map_err(bad_file)?;
    let places: HashMap<u64, usize> = scenes.iter().map(|scene| scene.id).zip(0..).collect();
    let mut by_scene: Vec<Vec<DetectedBox>> = vec![Vec::new(); scenes.len()];
    let (mut elsewhere, mut others, mut first) = (0, 0, None);
    for found in &all {
        match places.get(&found.image) {
            _ if found.category != annotations.category => others += 1,
            Some(place) => by_scene[*place].push(*found),
            None => {
                elsewhere += 1;
                first.get_or_insert(found.image);
            }
        }
    }
    if elsewhere + others == all.len() {
        let what = format!(
            "{file}: none of its boxes ({}) is of an image and the category {} of the annotations",
            all.len(),
            annotations.category
        );
        return Err(Failure::new(Exit::Usage, what).help("are both files of the same images?"));
    }
    if let Some(image) = first {
        passed_over.push(format!(
            "boxes of {file} on images that the annotations do not have: {elsewhere}, the first on image {image}"
        ));
    }
    if others > 0 {
        let category = annotations.category;
        passed_over.push(format!(
            "boxes of {file} of other categories than {category}: {others}"
        ));
    }
    for (scene, boxes) in scenes.iter_mut().zip(by_scene) {
        scene.detected = Some(boxes);
    }
    Ok(Boxes {
        file: file.name(),
        sha256: Digest::of(&bytes).to_string(),
    })
}

/// Refuses two images of one file.
fn refuse_twins(annotations: &str, pairs: &[(Entry, Scene)]) -> Result<(), Failure> {
    let twins = pairs
        .array_windows()
        .find(|[(one, _), (other, _)]| one.name == other.name);
    let Some([(entry, one), (_, other)]) = twins else {
        return Ok(());
    };
    let what = format!(
        "{annotations}: the images of the ids {} and {} have the same `file_name`, {}",
        one.id, other.id, entry.name
    );
    Err(Failure::new(Exit::Usage, what).help("leave one out"))
}

/// Returns the digest of names, ids and sizes; the annotations have a digest of their own.
fn digest(entries: &[Entry], scenes: &[Scene]) -> String {
    let lines = entries.iter().zip(scenes);
    let text: String = lines
        .map(|(entry, scene)| format!("{}\t{}\t{}\n", entry.name, scene.id, entry.bytes))
        .collect();
    Digest::of(text.as_bytes()).to_string()
}

fn bad_file(error: pose::coco::CocoError) -> Failure {
    Failure::new(Exit::Usage, error)
}

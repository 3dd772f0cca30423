use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use harness::counted;
use hrnet_zoo::PoseOptions;
use pose::coco::{Detection, number_of, write_detections};
use pose::skeleton::AP10K;
use pose::{Found, Size};
use preprocess::RgbImage;

use crate::context::Context;
use crate::counts::{BATCH, count};
use crate::files::{check_output, find_images, read_image, write_whole};
use crate::model::{ModelArgs, ReadyPose};
use crate::people::{
    Answer, BoxArgs, Boxes, Common, DrawArgs, People, Person, Pictures, counted_people, human,
};
use crate::{Exit, Failure};

/// The variant that is run if none is named: the smallest with weights of both publishers.
const USUAL: &str = "pose_hrnet_w32_256x192";

/// Find the keypoints of people on photos
///
/// A pose network finds the keypoints of one person in a box. The boxes come from a detector of yours (`--boxes`); without them
/// each whole photo is one person. The crop, the decoder and the keypoints are those of the variant.
///
/// The network also runs on each mirrored crop, as for the published accuracies; `--no-flip` halves the time. A photo that cannot
/// be read and a box that cannot be cropped are reported and skipped.
#[derive(Debug, Args)]
#[command(
    mut_arg("model", |model| model.required(false).default_value(USUAL)),
    after_help = "Examples:\n  \
    zoo pose skater.jpg --draw skeleton.png                     the whole photo is one person\n  \
    zoo pose street.jpg --boxes boxes.json --json               one line of JSON per photo\n  \
    zoo pose photos/ --boxes detections.json -o results.json    COCO's results"
)]
pub(crate) struct Pose {
    /// Image files, folders of images, or `-` for one image from standard input
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    boxes: BoxArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// Run the network on each crop alone, and not on its mirror image
    #[arg(long)]
    no_flip: bool,
    /// Most people that one run of the network takes
    #[arg(short, long, value_name = "N", default_value = "1", value_parser = count::<BATCH>)]
    batch: NonZeroUsize,
    #[command(flatten)]
    draw: DrawArgs,
    /// Write all people as COCO's results, JSON. `image_id` is the number that is the name of the photo's file if all names are
    /// different numbers, else the photo's place in the run, from 1
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON, one line per image
    #[arg(long)]
    json: bool,
}

impl Pose {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let named = cx.pose(&self.model.model)?;
        let images = find_images(cx, &self.images)?;
        let boxes = self.boxes.read(&images)?;
        let pictures = self.draw.pictures(&images)?;
        if let Some(out) = &self.out {
            check_output(out)?;
        }
        let whose = self.model.weights.whose(cx, named)?;
        let profile = whose.crops(named.variant);
        let options = PoseOptions {
            flip: !self.no_flip,
            batch: self.batch,
        };
        let ready = self.model.pose(cx, named, profile, options)?;
        if self.model.weights.are_seeded() {
            cx.out
                .warn("random weights were never trained: the keypoints are meaningless");
        }
        if boxes.are_whole_photos() {
            cx.out
                .note("without --boxes each whole photo is taken for one person");
        }
        let mut run = Run {
            cx,
            command: self,
            common: Common {
                model: &named.variant.name,
                preprocess: &profile.id,
                flip_test: options.flip,
                calibration: None,
                whole_photo: boxes.are_whole_photos(),
            },
            boxes,
            pictures,
            ready,
            numbers: self.out.as_ref().map(|_| numbers(&images)),
            results: Vec::new(),
            tally: Tally::default(),
        };
        for (index, path) in images.iter().enumerate() {
            run.photo(index, path)?;
        }
        if let Some(out) = &self.out {
            write_whole(out, write_detections(&run.results).as_bytes())?;
            let people = counted_people(run.results.len());
            let what = format!(
                "{}: {people} on {}",
                out.display(),
                counted(images.len(), "photo")
            );
            cx.out.done(&what);
        }
        run.tally.end()
    }
}

/// The run of a command over its photos.
struct Run<'a> {
    cx: &'a Context,
    command: &'a Pose,
    common: Common<'a>,
    boxes: Boxes,
    pictures: Option<Pictures>,
    ready: ReadyPose,
    /// The photos' ids in COCO's results, if they are written.
    numbers: Option<Vec<u64>>,
    results: Vec<Detection>,
    tally: Tally,
}

impl Run<'_> {
    /// Finds, prints and draws the people of a photo. A photo or a box that is refused is printed and counted.
    fn photo(&mut self, index: usize, path: &Path) -> Result<(), Failure> {
        let (mut photo, people) = match self.read(path) {
            Ok(read) => read,
            Err(failure) => {
                self.cx.out.failure(&failure);
                self.tally.photo(failure.exit);
                return Ok(());
            }
        };
        people.tell(self.cx, path);
        self.tally.people(&people);
        let found = self.ready.model.find(&photo, &people.scored)?;
        let skeleton = self.ready.model.skeleton();
        let persons: Vec<Person> = found.iter().map(|found| Person::new(found, skeleton)).collect();
        self.keep(index, &found, &persons);
        self.print(path, extent(&photo), persons, people.refused)?;
        if let Some(pictures) = &self.pictures {
            let drawn = pictures.write(index, &mut photo, self.ready.model.skeleton(), &found)?;
            self.cx.out.done(&drawn.told());
        }
        Ok(())
    }

    fn read(&self, path: &Path) -> Result<(RgbImage, People), Failure> {
        let photo = preprocess::decode(&read_image(path)?)
            .map_err(|error| Failure::new(Exit::Other, format!("{}: {error}", path.display())))?;
        // The categories of a file of animals are those of animals.
        let people_only = self.ready.model.skeleton() != &AP10K;
        let people = self.boxes.people(self.cx, path, extent(&photo), people_only)?;
        Ok((photo, people))
    }

    fn print(
        &self,
        path: &Path,
        photo: Size,
        people: Vec<Person>,
        refused: Vec<String>,
    ) -> Result<(), Failure> {
        let common = Common {
            calibration: self.ready.calibration.as_deref(),
            ..self.common
        };
        let answer = Answer::new(common, path, photo, people, refused);
        match self.command.json {
            true => self.cx.out.json_line(&answer),
            false => self.cx.out.data(&human(&answer)),
        }
    }

    /// Keeps the people of a photo for COCO's results.
    fn keep(&mut self, index: usize, found: &[Found], people: &[Person]) {
        let Some(numbers) = &self.numbers else { return };
        let results = found.iter().zip(people).map(|(found, person)| {
            Detection::new(numbers[index], &found.person, &found.keypoints, person.score)
        });
        self.results.extend(results);
    }
}

/// The photos and boxes that were asked for, and those that failed.
#[derive(Default)]
struct Tally {
    photos: usize,
    photos_failed: usize,
    boxes: usize,
    failures: Vec<Exit>,
}

impl Tally {
    fn photo(&mut self, exit: Exit) {
        self.photos += 1;
        self.photos_failed += 1;
        self.failures.push(exit);
    }

    fn people(&mut self, people: &People) {
        self.photos += 1;
        self.boxes += people.scored.len() + people.refused.len();
        self.failures.extend(people.refused.iter().map(|_| Exit::Usage));
    }

    /// Fails if a photo or a box did.
    fn end(&self) -> Result<(), Failure> {
        let attempts = self.boxes + self.photos_failed;
        let Some(exit) = Exit::of_many(&self.failures, attempts) else {
            return Ok(());
        };
        let boxes_failed = self.failures.len() - self.photos_failed;
        let told = [
            (self.photos_failed, self.photos, "image", "failed"),
            (boxes_failed, self.boxes, "box", "could not be cropped"),
        ];
        let told = told.into_iter().filter(|(failed, ..)| *failed > 0);
        let told: Vec<String> = told
            .map(|(failed, all, what, why)| format!("{failed} of {} {why}", counted(all, what)))
            .collect();
        Err(Failure::new(exit, told.join(", ")))
    }
}

fn extent(photo: &RgbImage) -> Size {
    Size::new(photo.width, photo.height)
}

/// Returns the photos' ids in COCO's results.
fn numbers(photos: &[PathBuf]) -> Vec<u64> {
    let names = photos.iter().map(|photo| number_of(&photo.to_string_lossy()));
    let numbers: Option<Vec<u64>> = names.collect();
    let are_different = |numbers: &Vec<u64>| {
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.len() == numbers.len()
    };
    numbers
        .filter(are_different)
        .unwrap_or_else(|| (1..=photos.len() as u64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_are_numbered_by_their_names_or_their_places() {
        let numbers = |names: &[&str]| numbers(&names.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(numbers(&["val/000000000139.jpg", "7.png"]), [139, 7]);
        assert_eq!(numbers(&["139.jpg", "cat.jpg"]), [1, 2]);
        assert_eq!(
            numbers(&["a/1.jpg", "b/01.jpg", "2.jpg"]),
            [1, 2, 3],
            "two have one number"
        );
    }
}

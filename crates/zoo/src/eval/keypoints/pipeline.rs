use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use hrnet_zoo::PoseModel;
use pose::{Oks, Size};
use preprocess::{RgbImage, decode};
use registry::{Digest, LocationError};

use super::answer::{PeopleAnswer, left};
use crate::Failure;
use crate::eval::data::{Entry, PeopleSet};
use crate::eval::keep::{Spent, Take, Watch, short};

/// From photos to people: threads read and decode photos while the network runs on the people of those that are ready.
pub(super) struct Pipeline<'a> {
    pub(super) set: &'a PeopleSet,
    /// Number of threads that decode.
    pub(super) decoders: usize,
    pub(super) model: PoseModel,
    pub(super) oks: Oks,
}

/// A photo that is ready.
struct Ready {
    /// Index of the image.
    index: usize,
    photo: Photo,
}

/// What reading a photo gave.
enum Photo {
    Read(RgbImage, Digest),
    /// It need not be read: it has no boxes.
    Unneeded,
    /// It cannot be read, for this reason.
    Unreadable(String),
}

impl Pipeline<'_> {
    /// Runs the network on the people of the images with these indices, and passes each image's answer to `answered` until it
    /// returns false.
    pub(super) fn run(
        &mut self,
        indices: &[usize],
        answered: &mut Take<PeopleAnswer>,
    ) -> Result<Spent, Failure> {
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        // Two photos wait at most, whatever the number of images.
        let (ready, photos) = sync_channel::<Result<Ready, LocationError>>(2);
        let mut watch = Watch::start();
        let set = self.set;
        let result = thread::scope(|scope| {
            for _ in 0..self.decoders {
                let (ready, next, stop) = (ready.clone(), &next, &stop);
                scope.spawn(move || decode_all(set, indices, next, stop, &ready));
            }
            drop(ready);
            let mut run = || {
                while let Ok(ready) = photos.recv() {
                    let answer = self.answer(ready?, &mut watch)?;
                    if !answered(vec![answer])? {
                        break;
                    }
                }
                Ok::<(), Failure>(())
            };
            let result = run();
            stop.store(true, Ordering::Relaxed);
            // Whoever waits to hand over a photo sees that nobody takes it.
            drop(photos);
            result
        });
        result.map(|()| watch.end())
    }

    /// Finds the people of an image.
    fn answer(&mut self, ready: Ready, watch: &mut Watch) -> Result<PeopleAnswer, Failure> {
        let Ready { index, photo } = ready;
        let (scene, name) = (&self.set.scenes[index], &self.set.entries[index].name);
        let answer = PeopleAnswer {
            image: index,
            id: scene.id,
            people: scene.people.clone(),
            ..PeopleAnswer::default()
        };
        let (photo, digest) = match photo {
            Photo::Read(photo, digest) => (photo, digest),
            Photo::Unneeded => return Ok(answer),
            Photo::Unreadable(why) => {
                return Ok(PeopleAnswer {
                    people: Vec::new(),
                    error: Some(format!("{name}: {why}")),
                    ..answer
                });
            }
        };
        let size = Size::new(photo.width, photo.height);
        let (boxes, faults) = scene.boxes(size);
        let mut faults: Vec<String> = faults.iter().map(|fault| format!("{name}: {fault}")).collect();
        if let Some(stated) = scene.size.filter(|stated| *stated != size) {
            faults.push(format!(
                "{name}: the photo has {} x {} pixels, and the annotations are of {} x {}",
                size.width, size.height, stated.width, stated.height
            ));
        }
        let found = watch.network(|| self.model.find(&photo, &boxes))?;
        Ok(PeopleAnswer {
            sha256: Some(short(&digest)),
            found: left(scene.id, self.set.category, &found, &self.oks),
            boxes: boxes.len(),
            faults,
            ..answer
        })
    }
}

/// Reads and decodes photos, one after the other, until there are no more or nobody takes them.
fn decode_all(
    set: &PeopleSet,
    indices: &[usize],
    next: &AtomicUsize,
    stop: &AtomicBool,
    ready: &SyncSender<Result<Ready, LocationError>>,
) {
    while !stop.load(Ordering::Relaxed) {
        let Some(index) = indices.get(next.fetch_add(1, Ordering::Relaxed)).copied() else {
            return;
        };
        let photo = match set.scenes[index].is_empty() {
            true => Ok(Photo::Unneeded),
            false => read(&set.entries[index]),
        };
        if ready.send(photo.map(|photo| Ready { index, photo })).is_err() {
            return;
        }
    }
}

/// Reads a photo. An unreachable store is not a fault of the image: it ends the run, which can be resumed.
fn read(entry: &Entry) -> Result<Photo, LocationError> {
    Ok(match entry.reading().wait()? {
        Err(why) => Photo::Unreadable(why),
        Ok(bytes) => match decode(&bytes) {
            Ok(photo) => Photo::Read(photo, Digest::of(&bytes)),
            Err(error) => Photo::Unreadable(error.to_string()),
        },
    })
}

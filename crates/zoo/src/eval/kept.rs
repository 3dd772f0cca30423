use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::files::LARGEST_TEXT;
use harness::Stopwatch;
use harness::eval::{Answered, Book, Header, Part, parse_answers};
use registry::{Fault, Kind, Location, LocationError};

use crate::output::Output;
use crate::scratch::Scratch;
use crate::{Exit, Failure};

/// The longest header that is looked at, bytes.
const LARGEST_HEADER: u64 = 1 << 20;

/// Saved answers: in a file, or in an object that is a copy of a file.
pub(crate) struct Kept<A> {
    book: Book<A>,
    copy: Option<Upload>,
}

/// Objects cannot be appended to, so the whole file replaces the object at intervals. The last upload wins and loses nothing,
/// because two processes that evaluate the same images give the same answers.
struct Upload {
    object: Location,
    /// Folder of the file during the run.
    folder: Scratch,
    file: PathBuf,
    every: Duration,
    since: Stopwatch,
    /// True if the file has answers that the object lacks.
    is_behind: bool,
}

impl<A: Answered> Kept<A> {
    /// Creates a file or an object, or opens the existing one; an object is uploaded again at the interval `every`.
    pub(crate) fn open(place: &Location, header: &Header, every: Duration) -> Result<Self, Failure> {
        let open = |path: &Path| {
            Book::open(path, header).map_err(|error| {
                Failure::new(Exit::Usage, error)
                    .help("another folder (--out), or deleting the file, starts a new evaluation")
            })
        };
        if let Some(path) = place.on_disk() {
            let book = open(path)?;
            return Ok(Self { book, copy: None });
        }
        let folder = Scratch::new()?;
        let file = folder.path().join(place.name());
        let was_there = match place.read(LARGEST_TEXT) {
            Ok(bytes) => {
                parsed::<A>(place, &bytes)?;
                #[expect(clippy::disallowed_methods, reason = "in a folder of our own that goes away")]
                fs::write(&file, bytes).map_err(|error| Failure::file(&file, &error))?;
                true
            }
            Err(error) if error.fault == Fault::Absent => false,
            Err(error) => return Err(error.into()),
        };
        let book = open(&file)?;
        let mut copy = Upload {
            object: place.clone(),
            folder,
            file,
            every,
            since: Stopwatch::start(),
            is_behind: !was_there,
        };
        // Before the first image, for it shows whether the bucket may be written.
        copy.put()?;
        let copy = Some(copy);
        Ok(Self { book, copy })
    }

    /// Returns all answers so far.
    pub(crate) fn answers(&self) -> &[A] {
        self.book.answers()
    }

    /// Adds answers. If a store cannot be reached, prints a warning and tries again later.
    pub(crate) fn add(&mut self, answers: Vec<A>, out: &Output) -> Result<(), Failure> {
        self.book.add(answers)?;
        let Some(copy) = &mut self.copy else {
            return Ok(());
        };
        copy.is_behind = true;
        if copy.since.elapsed() < copy.every {
            return Ok(());
        }
        match copy.put() {
            Err(error) if error.fault == Fault::Network => {
                out.warn(&format!("{error}; answers are kept here meanwhile"));
            }
            put => put?,
        }
        copy.since = Stopwatch::start();
        Ok(())
    }

    /// Returns all answers after they are saved. If that fails, they stay on this machine, and the failure says where.
    pub(crate) fn end(self) -> Result<Vec<A>, Failure> {
        let answers = self.book.answers().to_vec();
        if let Some(mut copy) = self.copy
            && let Err(error) = copy.put()
        {
            // Closes the file first.
            drop(self.book);
            let here = copy.folder.keep().join(copy.object.name());
            return Err(Failure::from(error).help(format!(
                "all answers are in {}: `zoo eval merge` takes that file, and a run goes on from it once it is copied to {}",
                here.display(),
                copy.object
            )));
        }
        Ok(answers)
    }
}

impl Upload {
    fn put(&mut self) -> Result<(), LocationError> {
        if self.is_behind {
            let bytes = Location::from(self.file.clone()).read(LARGEST_TEXT)?;
            self.object.write(&bytes)?;
            self.is_behind = false;
        }
        Ok(())
    }
}

/// Returns whether the answers in this file, or in the first file of answers of this folder, are of keypoints.
pub(crate) fn are_of_keypoints(place: &Location) -> Result<bool, Failure> {
    let files = files(std::slice::from_ref(place))?;
    let Some(file) = files.first() else {
        return Ok(false);
    };
    let (mut reader, mut first) = (BufReader::new(file.reader()?.take(LARGEST_HEADER)), String::new());
    let read = reader.read_line(&mut first);
    read.map_err(|error| Failure::new(Exit::Disk, format!("{file}: {error}")))?;
    // What is no header is refused with its place when the whole file is read.
    let header: Option<Header> = serde_json::from_str(&first).ok();
    Ok(header.is_some_and(|header| header.key.keypoints.is_some()))
}

/// Reads the evaluations in these files, and in all files of answers of these folders.
pub(crate) fn parts<A: Answered>(places: &[Location]) -> Result<Vec<Part<A>>, Failure> {
    let files = files(places)?;
    // A store sends them all at once.
    let readings: Vec<_> = files
        .iter()
        .map(|file| (file, file.reading(None, LARGEST_TEXT)))
        .collect();
    let wait = |(file, reading): (&Location, registry::Reading)| parsed(file, &reading.wait()?);
    readings.into_iter().map(wait).collect()
}

/// Returns these files, and all files of answers of these folders.
fn files(places: &[Location]) -> Result<Vec<Location>, Failure> {
    let mut files = Vec::new();
    for place in places {
        if place.kind()? != Kind::Folder {
            files.push(place.clone());
            continue;
        }
        let before = files.len();
        let inside = place.files(1)?.into_iter();
        let answers = inside.filter(|file| file.name.ends_with(".jsonl"));
        files.extend(answers.map(|file| file.location));
        if files.len() == before {
            let what = format!("{place}: no files of answers, *.jsonl, in this folder");
            return Err(Failure::new(Exit::NoData, what).help("`zoo eval … --out` writes them"));
        }
    }
    Ok(files)
}

/// Reads the evaluation in a file.
pub(super) fn part<A: Answered>(file: &Location) -> Result<Part<A>, Failure> {
    parsed(file, &file.read(LARGEST_TEXT)?)
}

fn parsed<A: Answered>(file: &Location, bytes: &[u8]) -> Result<Part<A>, Failure> {
    let path = PathBuf::from(file.to_string());
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Failure::new(Exit::Usage, format!("{file}: not a file of answers: {error}")))?;
    let (header, answers) = parse_answers(text, &path)?;
    Ok(Part {
        path,
        header,
        answers,
    })
}

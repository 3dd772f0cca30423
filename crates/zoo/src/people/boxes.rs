use std::path::{Path, PathBuf};

use clap::Args;
use harness::counted;
use pose::coco::PhotoBoxes;
use pose::{PersonBox, Scored, Size};

use crate::context::Context;
use crate::{Exit, Failure};

/// The largest file of boxes that is read, bytes: a million boxes.
const LARGEST: u64 = 1 << 26;

/// The most boxes on one photo; detectors return a hundred.
const MOST: usize = 10_000;

/// Errors of one photo's boxes that are printed; the others are counted.
const PRINTED: usize = 10;

/// `--boxes`.
#[derive(Debug, Args)]
pub(crate) struct BoxArgs {
    /// Boxes of people, JSON: a list of [x, y, width, height] or [x, y, width, height, score] in pixels for one photo; an object of
    /// such lists by the names of photos; or a detector's results as COCO has them [default: the whole photo is one person]
    #[arg(long, value_name = "FILE")]
    boxes: Option<PathBuf>,
}

/// The source of people's boxes.
pub(crate) enum Boxes {
    /// The whole photo is one person.
    Whole,
    /// In the boxes of a file.
    Of(PhotoBoxes),
}

/// The people of a photo.
#[derive(Default)]
pub(crate) struct People {
    pub(crate) scored: Vec<Scored>,
    /// The reasons for which the other boxes cannot be cropped.
    pub(crate) refused: Vec<String>,
}

impl BoxArgs {
    /// Reads the boxes, which must be of these photos.
    ///
    /// # Errors
    /// If the file cannot be read, or its boxes belong to one photo and there are several, or it has no boxes of any photo.
    pub(crate) fn read(&self, photos: &[PathBuf]) -> Result<Boxes, Failure> {
        let Some(path) = &self.boxes else {
            return Ok(Boxes::Whole);
        };
        let json = ::files::read_file(path, LARGEST).map_err(|error| Failure::file(path, &error))?;
        let boxes = PhotoBoxes::read(&path.display().to_string(), &json);
        let boxes = boxes.map_err(|error| Failure::new(Exit::Usage, error).help(FORMS))?;
        let path = path.display();
        if boxes.are_of_one_photo() && photos.len() > 1 {
            let photos = counted(photos.len(), "photo");
            let what = format!("{path}: a list of boxes of one photo, and there are {photos}");
            return Err(Failure::new(Exit::Usage, what).help(FORMS));
        }
        if photos
            .iter()
            .all(|photo| boxes.on(&photo.to_string_lossy()).is_none())
        {
            let what = format!("{path}: no boxes of any of {}", counted(photos.len(), "photo"));
            return Err(Failure::new(Exit::Usage, what).help(FORMS));
        }
        Ok(Boxes::Of(boxes))
    }
}

const FORMS: &str = "boxes are a list for one photo, `[[x, y, width, height], ...]`; an object of such lists by the names of photos, \
                     `{\"cat.jpg\": [...]}`; or COCO's results, where `image_id` is the number in the photo's name";

impl Boxes {
    /// Returns the people on a photo of this extent.
    ///
    /// # Errors
    /// If there are too many boxes, or the photo itself makes no box.
    pub(crate) fn people(
        &self,
        cx: &Context,
        path: &Path,
        photo: Size,
        people_only: bool,
    ) -> Result<People, Failure> {
        let shown = path.display();
        let boxes = match self {
            Self::Whole => {
                let person = PersonBox::whole(photo);
                let person =
                    person.map_err(|error| Failure::new(Exit::Other, format!("{shown}: {error}")))?;
                let scored = vec![Scored { person, score: 1.0 }];
                let refused = Vec::new();
                return Ok(People { scored, refused });
            }
            Self::Of(boxes) => boxes.on(&path.to_string_lossy()),
        };
        let Some(boxes) = boxes else {
            cx.out
                .warn(&format!("{shown}: no boxes in --boxes, so no people"));
            return Ok(People::default());
        };
        if boxes.count() > MOST {
            let what = format!("{shown}: {} boxes; expected at most {MOST}", boxes.count());
            return Err(Failure::new(Exit::Usage, what).help("keep those of the highest scores"));
        }
        if people_only && boxes.others() > 0 {
            let others = counted(boxes.others(), "box");
            cx.out.note(&format!(
                "{shown}: {others} of other categories than people left out"
            ));
        }
        let mut people = People::default();
        for person in boxes.people(photo, people_only) {
            match person {
                Ok(scored) => people.scored.push(scored),
                Err(error) => people.refused.push(error.to_string()),
            }
        }
        Ok(people)
    }

    /// Returns true if no file names boxes.
    pub(crate) fn are_whole_photos(&self) -> bool {
        matches!(self, Self::Whole)
    }
}

impl People {
    /// Prints the reasons for which boxes were refused.
    pub(crate) fn tell(&self, cx: &Context, path: &Path) {
        for why in self.refused.iter().take(PRINTED) {
            cx.out
                .failure(&Failure::new(Exit::Usage, format!("{}: {why}", path.display())));
        }
        if let Some(more) = self.refused.len().checked_sub(PRINTED).filter(|more| *more > 0) {
            let more = counted(more, "more box");
            cx.out.failure(&Failure::new(
                Exit::Usage,
                format!("{}: {more} refused; --json has the reasons", path.display()),
            ));
        }
    }
}

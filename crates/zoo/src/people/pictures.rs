use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use harness::counted;
use pose::skeleton::Skeleton;
use pose::{Found, draw};
use preprocess::{RgbImage, encode_png};

use super::counted_people;
use crate::files::{check_output, is_image, make_folder, write_whole};
use crate::{Exit, Failure};

/// `--draw` and its threshold.
#[derive(Debug, Args)]
pub(crate) struct DrawArgs {
    /// Draw skeletons: on one photo into a `.png` file, on several into a folder, a PNG for each
    #[arg(long, value_name = "FILE.png|DIR")]
    draw: Option<PathBuf>,
    /// Draw keypoints of at least this score
    #[arg(long, value_name = "SCORE", default_value_t = draw::THRESHOLD, value_parser = score, requires = "draw")]
    min_score: f32,
}

/// Reads a score.
fn score(text: &str) -> Result<f32, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number: &f32| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

/// The files of pictures, one for each photo, in their order.
pub(crate) struct Pictures {
    paths: Vec<PathBuf>,
    min_score: f32,
}

impl DrawArgs {
    /// Returns the files to draw into; `None` without `--draw`.
    ///
    /// # Errors
    /// If one file is named for several photos, it is no PNG file, cannot be written, or is a photo itself.
    pub(crate) fn pictures(&self, photos: &[PathBuf]) -> Result<Option<Pictures>, Failure> {
        let Some(out) = &self.draw else {
            return Ok(None);
        };
        let (shown, min_score) = (out.display(), self.min_score);
        let is_png = out
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
        let paths = match photos {
            _ if out.is_dir() => in_folder(out, photos),
            [_] if is_png => vec![out.clone()],
            _ if is_png => {
                let what = format!(
                    "--draw {shown}: one picture, and there are {}",
                    counted(photos.len(), "photo")
                );
                let help = format!(
                    "--draw {} writes a picture for each",
                    out.with_extension("").display()
                );
                return Err(Failure::new(Exit::Usage, what).help(help));
            }
            _ if is_image(out) => {
                let what = format!("--draw {shown}: pictures are written as PNG");
                let help = format!("--draw {} does", out.with_extension("png").display());
                return Err(Failure::new(Exit::Usage, what).help(help));
            }
            _ => in_folder(out, photos),
        };
        for path in &paths {
            if let Some(photo) = photos.iter().find(|photo| is_same(photo, path)) {
                let what = format!("--draw {shown}: {} would replace a photo", photo.display());
                return Err(Failure::new(Exit::Usage, what).help("name another file or folder"));
            }
        }
        if let [path] = &paths[..] {
            make_folder(path)?;
            check_output(path)?;
        }
        Ok(Some(Pictures { paths, min_score }))
    }
}

/// The names of pictures in a folder: those of the photos, with numbers where several are alike.
fn in_folder(folder: &Path, photos: &[PathBuf]) -> Vec<PathBuf> {
    let mut taken = HashSet::new();
    let name = |photo: &PathBuf| {
        let stem = match photo.as_os_str() == "-" {
            true => OsString::from("stdin"),
            false => photo.file_stem().unwrap_or(photo.as_os_str()).to_owned(),
        };
        let numbered = (1..).map(|number| {
            let mut name = stem.clone();
            if number > 1 {
                name.push(format!("-{number}"));
            }
            name.push(".png");
            name
        });
        let mut free = numbered.filter(|name| taken.insert(name.clone()));
        folder.join(free.next().expect("numbers do not end"))
    };
    photos.iter().map(name).collect()
}

/// Returns whether both are one existing file.
fn is_same(photo: &Path, picture: &Path) -> bool {
    match (photo.canonicalize(), picture.canonicalize()) {
        (Ok(photo), Ok(picture)) => photo == picture,
        _ => false,
    }
}

impl Pictures {
    /// Draws people on the photo of this index and writes the picture. Returns its path and the number of keypoints that were drawn.
    pub(crate) fn write(
        &self,
        index: usize,
        photo: &mut RgbImage,
        skeleton: &Skeleton,
        people: &[Found],
    ) -> Result<Drawn<'_>, Failure> {
        let path = &self.paths[index];
        let keypoints: Vec<_> = people.iter().map(|found| found.keypoints.clone()).collect();
        draw(photo, skeleton, &keypoints, self.min_score);
        make_folder(path)?;
        write_whole(path, &encode_png(photo)?)?;
        let all = keypoints.iter().flatten();
        Ok(Drawn {
            path,
            people: people.len(),
            keypoints: all.clone().count(),
            drawn: all
                .flatten()
                .filter(|found| found.score >= self.min_score)
                .count(),
            min_score: self.min_score,
        })
    }
}

/// A picture that was written.
pub(crate) struct Drawn<'a> {
    path: &'a Path,
    people: usize,
    keypoints: usize,
    drawn: usize,
    min_score: f32,
}

impl Drawn<'_> {
    /// Returns what is in the picture, in words.
    pub(crate) fn told(&self) -> String {
        let people = counted_people(self.people);
        let Self {
            keypoints,
            drawn,
            min_score,
            ..
        } = self;
        let path = self.path.display();
        format!("{path}: {people}, {drawn} of {keypoints} keypoints at or above {min_score}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_photos_with_one_name_have_numbers() {
        let photos = ["a/1.jpg", "b/1.png", "-", "1-2.webp", "c/1.bmp"].map(PathBuf::from);
        let names: Vec<_> = in_folder(Path::new("out"), &photos)
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        assert_eq!(
            names,
            [
                "out/1.png",
                "out/1-2.png",
                "out/stdin.png",
                "out/1-2-2.png",
                "out/1-3.png"
            ]
        );
    }

    #[test]
    fn one_file_is_for_one_photo_and_a_photo_is_not_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("cat.png"), "").expect("written");
        let failed = |out: &str, photos: &[&str]| {
            let photos: Vec<PathBuf> = photos.iter().map(|name| path(name)).collect();
            let args = DrawArgs {
                draw: Some(path(out)),
                min_score: 0.3,
            };
            let failure = args.pictures(&photos).err().expect("refused");
            assert_eq!(failure.exit, Exit::Usage);
            format!("{} {}", failure.message, failure.help.unwrap_or_default())
        };
        let several = failed("out.png", &["cat.png", "dog.jpg"]);
        assert!(
            several.contains("there are 2 photos") && several.contains("/out writes"),
            "{several}"
        );
        assert!(failed("out.jpg", &["cat.png"]).contains("out.png does"));
        assert!(failed("cat.png", &["cat.png"]).contains("would replace a photo"));
        assert!(failed("", &["dog.jpg", "cat.png"]).contains("cat.png would replace a photo"));
    }
}

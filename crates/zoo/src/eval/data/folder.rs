use std::path::Path;

use registry::{Listed, Location};

use super::classes::Folders;
use super::kinds::{is_packed, is_tar};
use super::passed::is_systems;
use super::{Body, Entry, Found, tarball};
use crate::files::is_image;
use crate::{Exit, Failure};

/// Finds the images of a folder: in folders by class, however deep, in the folder itself where labels come from elsewhere
/// (`labelled`), or else in tar archives.
pub(super) fn find(data: &Location, folders: &Folders, labelled: bool) -> Result<Found, Failure> {
    let mut kinds = Kinds::default();
    for file in data.files(usize::MAX)? {
        kinds.add(file);
    }
    let Kinds {
        images,
        archives,
        packed,
        others,
    } = kinds;
    let mut found = if images.is_empty() {
        if let Some(one) = packed.first() {
            return Err(refuse_packed(data, one, packed.len()));
        }
        let archives: Vec<Location> = archives.into_iter().map(|file| file.location).collect();
        tarball::find(&archives, folders, labelled)?
    } else {
        let mut found = labels(data, images, folders, labelled)?;
        for file in archives.iter().chain(&packed) {
            found.seen += 1;
            found.passed_over.file(&file.name);
        }
        found
    };
    for file in &others {
        found.seen += 1;
        found.passed_over.file(&file.name);
    }
    Ok(found)
}

/// The files of a folder, by what they are.
#[derive(Default)]
struct Kinds {
    images: Vec<Listed>,
    archives: Vec<Listed>,
    packed: Vec<Listed>,
    others: Vec<Listed>,
}

impl Kinds {
    fn add(&mut self, file: Listed) {
        let name = &file.name;
        let of_its_kind = match name {
            name if is_systems(name) => &mut self.others,
            name if is_image(Path::new(name)) => &mut self.images,
            name if is_tar(name) => &mut self.archives,
            name if is_packed(name) => &mut self.packed,
            _ => &mut self.others,
        };
        of_its_kind.push(file);
    }
}

/// Gives images the classes of their folders.
fn labels(data: &Location, images: Vec<Listed>, folders: &Folders, labelled: bool) -> Result<Found, Failure> {
    let mut found = Found::default();
    for Listed {
        name,
        bytes,
        location,
    } in images
    {
        let labels = match name.rsplit_once('/') {
            _ if labelled => Vec::new(),
            Some((above, _)) => {
                let class = folders.outermost(above);
                vec![class.map_err(|why| folders.failure(data, &name, &why))?.index()]
            }
            None => {
                let what = format!("{data}: {name} has no class: it is not in a folder");
                return Err(Failure::new(Exit::Usage, what).help(
                    "put images into folders by class, write a list, one `PATH CLASS` a line, or give classes by image \
                     number with --labels",
                ));
            }
        };
        found.seen += 1;
        found.entries.push(Entry {
            name,
            file: location,
            body: Body::File,
            bytes,
            labels,
        });
    }
    Ok(found)
}

/// Refuses archives that are compressed: their images would be missing.
fn refuse_packed(data: &Location, one: &Listed, count: usize) -> Failure {
    let more = match count {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let what = format!("{data}: {}{more}: compressed archives are not read", one.name);
    Failure::new(Exit::Usage, what).help(super::kinds::PACKED)
}

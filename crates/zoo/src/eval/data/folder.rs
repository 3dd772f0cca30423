use std::path::Path;

use registry::{Listed, Location};

use super::classes::Folders;
use super::{Entry, Found, is_tar, tarball};
use crate::Failure;
use crate::files::is_image;

/// The images of a folder: in folders by class, or else in tar archives.
pub(super) fn find(data: &Location, classes: usize) -> Result<Found, Failure> {
    let listed = data.files(2)?;
    if !listed.iter().any(|file| file.name.contains('/')) {
        let (archives, others): (Vec<Listed>, _) = listed.into_iter().partition(|file| is_tar(&file.name));
        let archives: Vec<Location> = archives.into_iter().map(|file| file.location).collect();
        let mut found = tarball::find(&archives, classes)?;
        found.passed_over += others.len();
        return Ok(found);
    }
    let folders = Folders::new(classes);
    let mut found = Found::default();
    for Listed {
        name,
        bytes,
        location,
    } in listed
    {
        let Some((folder, _)) = name.split_once('/') else {
            found.passed_over += 1;
            continue;
        };
        let class = folders.class(folder, data)?;
        if !is_image(Path::new(&name)) {
            found.passed_over += 1;
            continue;
        }
        found.entries.push(Entry {
            name,
            file: location,
            begin: None,
            bytes,
            labels: vec![class],
        });
    }
    Ok(found)
}

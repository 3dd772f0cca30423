use std::collections::HashMap;
use std::path::Path;

use registry::Location;

use super::Entry;
use crate::{Exit, Failure, labels};

/// The classes that folders stand for.
///
/// WordNet ids stand for their classes, and plain numbers, as in ImageNet-V2, for themselves: sorted as names they would be
/// another order.
pub(super) struct Folders {
    wnids: HashMap<&'static str, usize>,
    classes: usize,
}

impl Folders {
    pub(super) fn new(classes: usize) -> Self {
        let wnids = labels::wnids().into_iter().zip(0..).collect();
        Self { wnids, classes }
    }

    /// The class of a folder of this name.
    pub(super) fn class(&self, name: &str, data: &Location) -> Result<usize, Failure> {
        let number = || name.parse().ok().filter(|class| *class < self.classes);
        self.wnids.get(name).copied().or_else(number).ok_or_else(|| {
            let what = format!("{data}: the folder `{name}` stands for no class");
            Failure::new(Exit::Usage, what).help(format!(
                "folders are named by WordNet ids, as n01440764, or by class numbers from 0 to {}; for other names write a \
                 list, one `PATH CLASS` a line",
                self.classes - 1
            ))
        })
    }
}

/// Puts the labels of a file in place of the entries' own: a JSON list of lists of classes by image number, as the `real.json`
/// of "Are we done with ImageNet?" is, for files that are named `ILSVRC2012_val_00000001.JPEG` and so on.
pub(super) fn relabel(entries: &mut [Entry], file: &Location) -> Result<(), Failure> {
    let text = super::text(file)?;
    let lists: Vec<Vec<usize>> = serde_json::from_str(&text).map_err(|error| {
        let what = format!("{file}: no list of lists of classes: {error}");
        Failure::new(Exit::Usage, what)
    })?;
    for entry in entries {
        let list = number(&entry.name).and_then(|number| lists.get(number.checked_sub(1)?));
        let Some(list) = list else {
            let what = format!("{file}: has {} labels, none for {}", lists.len(), entry.name);
            return Err(Failure::new(Exit::Usage, what)
                .help("images are named by their number from 1, as ILSVRC2012_val_00000001.JPEG"));
        };
        entry.labels.clone_from(list);
    }
    Ok(())
}

/// The digits that end a file's name.
fn number(name: &str) -> Option<usize> {
    let stem = Path::new(name).file_stem()?.to_str()?;
    let digits = stem.len()
        - stem
            .trim_end_matches(|letter: char| letter.is_ascii_digit())
            .len();
    stem[stem.len() - digits..].parse().ok()
}

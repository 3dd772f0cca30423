use std::collections::HashMap;
use std::path::Path;

use hrnet_zoo::Labels;
use registry::{Location, Variant};

use super::Entry;
use crate::{Exit, Failure};

/// The classes that folders stand for.
///
/// Names of the network's own classes stand for these. WordNet ids stand for their classes. Plain numbers, as in ImageNet-V2, stand for themselves, because sorted as names they
/// would be in another order.
#[derive(Debug)]
pub(crate) struct Folders {
    /// Own classes by name.
    names: HashMap<String, usize>,
    wnids: HashMap<&'static str, usize>,
    classes: usize,
}

/// A class, by the kind of its folder name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Wnid(usize),
    Number(usize),
}

impl Class {
    pub(super) fn index(self) -> usize {
        match self {
            Self::Wnid(class) | Self::Number(class) => class,
        }
    }
}

impl Folders {
    /// Returns the folders of a network with this many classes, which have no names of their own.
    pub(crate) fn new(classes: usize) -> Self {
        Self {
            names: HashMap::new(),
            wnids: hrnet_zoo::wnids().into_iter().zip(0..).collect(),
            classes,
        }
    }

    /// Returns the folders of a variant: by the names in its file of labels, if it has one.
    ///
    /// # Errors
    /// If that file cannot be read, or has more or fewer lines than the network has classes.
    pub(crate) fn of(variant: &Variant) -> Result<Self, Failure> {
        let mut folders = Self::new(variant.spec.classes());
        if variant.labels.is_some() {
            let labels = Labels::of(variant)?;
            folders.names = labels.names().iter().cloned().zip(0..).collect();
        }
        Ok(folders)
    }

    /// Returns the number of classes of the network.
    pub(super) fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the class of a folder of this name.
    pub(super) fn class(&self, name: &str) -> Option<Class> {
        if let Some(class) = self.names.get(name) {
            return Some(Class::Number(*class));
        }
        let number = || name.parse().ok().filter(|class| *class < self.classes);
        let wnid = self.wnids.get(name).copied().map(Class::Wnid);
        wnid.or_else(|| number().map(Class::Number))
    }

    /// Returns the class of the outermost folder of this path, as torchvision's `ImageFolder` has it. WordNet ids further
    /// in must be the same.
    pub(super) fn outermost(&self, folders: &str) -> Result<Class, String> {
        let first = folders.split('/').next().unwrap_or_default();
        let class = self.class(first).ok_or_else(|| no_class(first))?;
        match self.wnid(folders)? {
            Some((name, wnid)) if wnid != class.index() => {
                Err(format!("the folders `{first}` and `{name}` are two classes"))
            }
            _ => Ok(class),
        }
    }

    /// Returns the class that a folder of this path stands for: by WordNet id if there is one, else by number. `val` and
    /// other folders that stand for nothing may be around it.
    pub(super) fn any(&self, folders: &str) -> Result<Class, String> {
        if let Some((_, class)) = self.wnid(folders)? {
            return Ok(Class::Wnid(class));
        }
        let mut found: Option<(&str, Class)> = None;
        for name in folders.split('/') {
            let Some(class) = self.class(name) else { continue };
            match found {
                Some((first, other)) if other != class => {
                    return Err(format!("the folders `{first}` and `{name}` are two classes"));
                }
                _ => found = Some((name, class)),
            }
        }
        let last = folders.rsplit('/').next().unwrap_or_default();
        found.map(|(_, class)| class).ok_or_else(|| no_class(last))
    }

    /// Returns the WordNet id among these folders and its class, if there is one.
    fn wnid<'f>(&self, folders: &'f str) -> Result<Option<(&'f str, usize)>, String> {
        let mut found: Option<(&str, usize)> = None;
        for name in folders.split('/') {
            match (self.wnids.get(name), found) {
                (Some(class), Some((first, other))) if other != *class => {
                    return Err(format!("the folders `{first}` and `{name}` are two classes"));
                }
                (Some(class), _) => found = Some((name, *class)),
                (None, _) => {}
            }
        }
        Ok(found)
    }

    /// Returns the failure of an image in folders that stand for no class, or for two.
    pub(super) fn failure(&self, data: &Location, image: &str, why: &str) -> Failure {
        let what = format!("{data}: {image}: {why}");
        let named = match self.names.is_empty() {
            true => "by WordNet ids, as n01440764,",
            false => "by the network's labels, by WordNet ids",
        };
        Failure::new(Exit::Usage, what).help(format!(
            "folders are named {named} or by class numbers from 0 to {}; for other names write a list, one `PATH CLASS` a line, \
             or give classes by image number with --labels",
            self.classes.saturating_sub(1)
        ))
    }
}

fn no_class(folder: &str) -> String {
    format!("the folder `{folder}` has no known class")
}

/// Replaces the entries' labels with those of a file: a JSON list of lists of classes by image number, such as the `real.json`
/// of "Are we done with ImageNet?", for files with names such as `ILSVRC2012_val_00000001.JPEG`.
pub(super) fn relabel(entries: &mut [Entry], file: &Location) -> Result<(), Failure> {
    let text = super::text(file)?;
    let lists: Vec<Vec<usize>> = serde_json::from_str(&text).map_err(|error| {
        let what = format!("{file}: no list of lists of classes: {error}");
        Failure::new(Exit::Usage, what)
    })?;
    let advice = "images are named by their number from 1, as ILSVRC2012_val_00000001.JPEG";
    let mut images: HashMap<usize, &str> = HashMap::new();
    for entry in entries {
        let index = number(&entry.name).and_then(|number| number.checked_sub(1));
        let Some((index, list)) = index.and_then(|index| Some((index, lists.get(index)?))) else {
            let what = format!("{file}: has {} labels, none for {}", lists.len(), entry.name);
            return Err(Failure::new(Exit::Usage, what).help(advice));
        };
        let Entry { name, labels, .. } = entry;
        let name: &str = name;
        if let Some(other) = images.insert(index, name) {
            let what = format!("{file}: {other} and {name} are both image {}", index + 1);
            return Err(Failure::new(Exit::Usage, what).help(advice));
        }
        labels.clone_from(list);
    }
    Ok(())
}

/// Returns the digits that end a file's name.
fn number(name: &str) -> Option<usize> {
    let stem = Path::new(name).file_stem()?.to_str()?;
    let digits = stem.len()
        - stem
            .trim_end_matches(|letter: char| letter.is_ascii_digit())
            .len();
    stem[stem.len() - digits..].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_around_a_class_do_not_change_it_and_two_classes_are_refused() {
        let folders = Folders::new(1000);
        let any = |path: &str| folders.any(path).map(Class::index);
        assert_eq!(any("val/n01443537"), Ok(1));
        assert_eq!(any("n01443537/7"), Ok(1), "a part of a large folder");
        assert_eq!(any("imagenet-v2/12"), Ok(12));
        assert_eq!(any("12/12"), Ok(12));
        assert!(any("3/12").is_err_and(|why| why.contains("`3` and `12` are two classes")));
        assert!(any("n01440764/n01443537").is_err());
        assert!(any("val/cats").is_err_and(|why| why == "the folder `cats` has no known class"));
        let outermost = |path: &str| folders.outermost(path).map(Class::index);
        assert_eq!(outermost("n01443537/7/deep"), Ok(1));
        assert_eq!(outermost("7/n0/3"), Ok(7));
        assert!(outermost("val/n01443537").is_err_and(|why| why == "the folder `val` has no known class"));
        assert!(outermost("0/n01443537").is_err());
    }
}

//! Pairs images with their `.cls` members.

use std::collections::{BTreeMap, HashMap};

/// Members of one key.
#[derive(Default)]
struct Group {
    images: Vec<usize>,
    classes: Vec<usize>,
}

/// Maps each image's index to the index of its class; images without a possible `.cls` are left out.
///
/// A sample's key is its name up to the first dot after the last folder, as in WebDataset. If that gives one key several images
/// or classes, as for `img.0.jpg` and `img.1.jpg`, it is the name up to the last dot. A key that is still ambiguous is refused,
/// with the members' names.
pub(super) fn pair(images: &[&str], classes: &[&str]) -> Result<HashMap<usize, usize>, String> {
    let pairs = Pairing { images, classes };
    let mut found = HashMap::new();
    for (key, group) in pairs.groups(first, 0..images.len(), 0..classes.len()) {
        match (&group.images[..], &group.classes[..]) {
            (_, []) | ([], _) => {}
            ([image], [class]) => {
                if are_numbered_apart(images[*image], classes[*class]) {
                    return Err(pairs.ambiguous(key, &group));
                }
                found.insert(*image, *class);
            }
            _ => pairs.split(key, &group, &mut found)?,
        }
    }
    Ok(found)
}

struct Pairing<'a> {
    images: &'a [&'a str],
    classes: &'a [&'a str],
}

impl<'a> Pairing<'a> {
    fn groups(
        &self,
        key: impl Fn(&'a str) -> &'a str,
        images: impl IntoIterator<Item = usize>,
        classes: impl IntoIterator<Item = usize>,
    ) -> BTreeMap<&'a str, Group> {
        let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
        for image in images {
            groups
                .entry(key(self.images[image]))
                .or_default()
                .images
                .push(image);
        }
        for class in classes {
            groups
                .entry(key(self.classes[class]))
                .or_default()
                .classes
                .push(class);
        }
        groups
    }

    /// Pairs the members of one key by their names up to the last dot.
    fn split(&self, key: &str, group: &Group, found: &mut HashMap<usize, usize>) -> Result<(), String> {
        let parts = self.groups(last, group.images.iter().copied(), group.classes.iter().copied());
        for part in parts.values() {
            match (&part.images[..], &part.classes[..]) {
                ([], _) => {}
                ([image], [class]) => {
                    found.insert(*image, *class);
                }
                ([_], []) => return Err(self.ambiguous(key, group)),
                _ => return Err(self.ambiguous(key, part)),
            }
        }
        Ok(())
    }

    fn ambiguous(&self, key: &str, group: &Group) -> String {
        let names = |all: &[&str], places: &[usize], what: &str| {
            let named: Vec<&str> = places.iter().take(4).map(|place| all[*place]).collect();
            let more = match places.len() - named.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let count = places.len();
            let plural = if count == 1 {
                ""
            } else if what == "class" {
                "es"
            } else {
                "s"
            };
            format!("{count} {what}{plural} ({}{more})", named.join(", "))
        };
        format!(
            "the sample `{key}` has {} and {}: which belongs to which is not clear",
            names(self.images, &group.images, "image"),
            names(self.classes, &group.classes, "class")
        )
    }
}

/// Splits a name after its last folder.
fn base(name: &str) -> (usize, &str) {
    let folder = name.rfind('/').map_or(0, |slash| slash + 1);
    (folder, &name[folder..])
}

/// Returns the name up to the first dot after the last folder; a leading dot does not count.
fn first(name: &str) -> &str {
    let (folder, base) = base(name);
    let skip = usize::from(base.starts_with('.'));
    base[skip..]
        .find('.')
        .map_or(name, |dot| &name[..folder + skip + dot])
}

/// Returns the name up to the last dot.
fn last(name: &str) -> &str {
    let (folder, base) = base(name);
    base.rfind('.').map_or(name, |dot| &name[..folder + dot])
}

/// Returns whether two members of one key belong to two samples whose other halves are missing: the numbers after the key
/// differ, as in `img.0.jpg` and `img.1.cls`.
fn are_numbered_apart(image: &str, class: &str) -> bool {
    let middle = |name: &'_ str| last(name)[first(name).len().min(last(name).len())..].to_owned();
    let without_numbers = |middle: &str| {
        let digit = |letter: char| letter.is_ascii_digit();
        let parts: Vec<&str> = middle.split(digit).filter(|part| !part.is_empty()).collect();
        parts.join("#")
    };
    let (image, class) = (middle(image), middle(class));
    !image.is_empty()
        && !class.is_empty()
        && image != class
        && without_numbers(&image) == without_numbers(&class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paired(images: &[&str], classes: &[&str]) -> Result<Vec<Option<usize>>, String> {
        let found = pair(images, classes)?;
        let class = |image: usize| found.get(&image).copied();
        Ok((0..images.len()).map(class).collect())
    }

    #[test]
    fn a_key_ends_at_the_first_dot_as_in_webdataset() {
        assert_eq!(first("a.b/c.d.jpg"), "a.b/c");
        assert_eq!(first("x/.hidden.jpg"), "x/.hidden");
        assert_eq!(first("x/name"), "x/name");
        assert_eq!(last("a.b/c.d.jpg"), "a.b/c.d");
        assert_eq!(last("a.b/c"), "a.b/c");
        let plain = paired(&["a.jpg", "b.rgb.png", "c.jpg"], &["b.cls", "a.CLS"]);
        assert_eq!(plain, Ok(vec![Some(1), Some(0), None]));
        assert_eq!(paired(&["a.rgb.jpg"], &["a.label.cls"]), Ok(vec![Some(0)]));
    }

    #[test]
    fn a_key_ends_at_the_last_dot_where_the_first_gives_it_two() {
        let images = ["img.0.jpg", "img.1.jpg", "img.2.jpg"];
        assert_eq!(
            paired(&images, &["img.2.cls", "img.0.cls", "img.1.cls"]),
            Ok(vec![Some(1), Some(2), Some(0)])
        );
        assert_eq!(paired(&["a.jpg"], &["a.cls", "a.super.cls"]), Ok(vec![Some(0)]));
        assert_eq!(
            paired(&["a.jpg", "b.jpg"], &[]),
            Ok(vec![None, None]),
            "folders by class"
        );
    }

    #[test]
    fn what_stays_ambiguous_is_refused_with_the_names_of_both() {
        let refused = |images: &[&str], classes: &[&str]| paired(images, classes).expect_err("ambiguous");
        let error = refused(&["a.jpg", "a.seg.png"], &["a.cls"]);
        assert!(
            error.contains("`a` has 2 images (a.jpg, a.seg.png) and 1 class (a.cls)"),
            "{error}"
        );
        assert!(refused(&["a.jpg", "a.png"], &["a.cls"]).contains("a.jpg, a.png"));
        assert!(refused(&["a.jpg"], &["a.cls", "a.CLS"]).contains("2 classes (a.cls, a.CLS)"));
        assert!(refused(&["i.0.jpg", "i.1.jpg"], &["i.1.cls"]).contains("i.0.jpg, i.1.jpg"));
        assert!(refused(&["i.0.jpg"], &["i.1.cls"]).contains("(i.0.jpg) and 1 class (i.1.cls)"));
        let many: Vec<String> = (0..9).map(|index| format!("i.{index}.jpg")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(refused(&many, &["i.cls"]).contains("i.3.jpg and 5 more)"));
    }
}

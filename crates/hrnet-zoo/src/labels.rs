use std::path::PathBuf;

use registry::Variant;

use crate::Error;

/// PaddleClas's ImageNet-1k label list (Apache-2.0), `index names`, in index order.
const LIST: &str = include_str!("../assets/imagenet1k_labels.txt");

/// Returns the names of the 1000 ImageNet classes, by index: sorted WordNet ids, the order of Paddle, timm and torchvision.
pub fn imagenet() -> Vec<&'static str> {
    LIST.lines()
        .map(|line| line.split_once(' ').map_or(line, |(_, name)| name))
        .collect()
}

/// Returns the WordNet ids of the same classes, as folders of ImageNet are named; from timm (Apache-2.0).
pub fn wnids() -> Vec<&'static str> {
    include_str!("../assets/imagenet1k_wnids.txt").lines().collect()
}

/// The largest file of class names, bytes.
const LARGEST: u64 = 1 << 24;

/// The names of a network's classes, by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels(Vec<String>);

impl Labels {
    /// Returns the names of the 1000 classes of ImageNet.
    pub fn imagenet() -> Self {
        Self(imagenet().into_iter().map(str::to_owned).collect())
    }

    /// Returns the class names of a variant: the lines of its file of labels; without one ImageNet's if it has 1000 classes, else
    /// no names.
    ///
    /// # Errors
    /// If the file cannot be read, or has more or fewer lines than the network has classes.
    pub fn of(variant: &Variant) -> Result<Self, Error> {
        let expected = variant.spec.classes();
        let Some(file) = &variant.labels else {
            let named = Self::imagenet();
            return Ok(if named.0.len() == expected {
                named
            } else {
                Self(Vec::new())
            });
        };
        let text = file.read_text(LARGEST).map_err(Error::io(file.path()))?;
        Self::parse(&text, expected, file.path())
    }

    /// Reads one name per line; empty lines at the end do not count.
    fn parse(text: &str, expected: usize, path: PathBuf) -> Result<Self, Error> {
        let lines = text.trim_start_matches('\u{feff}').trim_end().lines();
        let names: Vec<String> = lines.map(|line| line.trim().to_owned()).collect();
        match names.len() {
            found if found == expected => Ok(Self(names)),
            found => Err(Error::Labels {
                path,
                found,
                expected,
            }),
        }
    }

    /// Returns the names by index; empty if the classes have none.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_labels_has_a_line_for_each_class() {
        let parse = |text: &str, classes| Labels::parse(text, classes, "names.txt".into());
        let names = parse("\u{feff}cat\r\n dog \r\n\r\n", 2).expect("two names");
        assert_eq!(names.names(), ["cat", "dog"]);
        let error = parse("cat\n\ndog\n", 2)
            .expect_err("an empty line counts")
            .to_string();
        assert_eq!(
            error,
            "names.txt: 3 lines, expected 2: one name for each class of the network"
        );
        assert!(parse("", 1).is_err());
    }

    #[test]
    fn wordnet_ids_are_sorted_and_a_thousand() {
        let ids = wnids();
        assert_eq!((ids.len(), ids[0], ids[999]), (1000, "n01440764", "n15075141"));
        assert!(ids.is_sorted());
    }

    #[test]
    fn a_thousand_names_in_order() {
        let names = imagenet();
        assert_eq!(names.len(), 1000);
        assert_eq!(names[0], "tench, Tinca tinca");
        assert_eq!(names[281], "tabby, tabby cat");
        assert_eq!(names[999], "toilet tissue, toilet paper, bathroom tissue");
        for (index, line) in LIST.lines().enumerate() {
            assert!(line.starts_with(&format!("{index} ")), "{line}");
        }
    }
}

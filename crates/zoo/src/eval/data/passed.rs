//! Skipped files of a data set.

use std::collections::BTreeMap;
use std::path::Path;

/// Numbers of skipped files by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PassedOver {
    /// Files that desktops, archivers and version control leave behind.
    systems: usize,
    /// Files without an image's extension, by extension.
    endings: BTreeMap<String, usize>,
    /// `.cls` members without an image.
    alone: usize,
    /// Comments of a list.
    comments: usize,
    /// Links to folders, which are not followed.
    links: usize,
}

/// The most extensions that are listed.
const NAMED: usize = 5;

impl PassedOver {
    /// Counts a file that is not an image.
    pub(crate) fn file(&mut self, name: &str) {
        if is_systems(name) {
            self.systems += 1;
            return;
        }
        let ending = Path::new(name).extension().unwrap_or_default().to_string_lossy();
        let named = match ending.is_empty() || ending.len() > 12 {
            true => "without an ending".to_owned(),
            false => format!(".{}", ending.to_lowercase()),
        };
        *self.endings.entry(named).or_default() += 1;
    }

    /// Counts a `.cls` member without an image.
    pub(super) fn class_alone(&mut self) {
        self.alone += 1;
    }

    /// Counts a comment of a list.
    pub(super) fn comment(&mut self) {
        self.comments += 1;
    }

    /// Counts a link to a folder.
    pub(crate) fn link(&mut self) {
        self.links += 1;
    }

    /// Adds the counts of another walk.
    pub(super) fn add(&mut self, other: Self) {
        self.systems += other.systems;
        self.alone += other.alone;
        self.comments += other.comments;
        self.links += other.links;
        for (ending, count) in other.endings {
            *self.endings.entry(ending).or_default() += count;
        }
    }

    /// Returns the number of skipped files, without comments.
    pub(crate) fn count(&self) -> usize {
        self.systems + self.alone + self.links + self.endings.values().sum::<usize>()
    }

    /// Describes the skipped files, if there are any.
    pub(crate) fn told(&self) -> Option<String> {
        let mut endings: Vec<(&String, &usize)> = self.endings.iter().collect();
        endings.sort_by_key(|(ending, count)| (std::cmp::Reverse(**count), *ending));
        let more: usize = endings.iter().skip(NAMED).map(|(_, count)| *count).sum();
        let mut parts: Vec<String> = endings
            .iter()
            .take(NAMED)
            .map(|(ending, count)| format!("{count} {ending}"))
            .collect();
        let others = [
            (more, "with other endings"),
            (
                self.systems,
                "of a desktop, an archiver or a hidden folder (._*, .DS_Store, Thumbs.db, __MACOSX)",
            ),
            (self.alone, ".cls without an image"),
            (self.links, "links to folders"),
        ];
        let others = others.into_iter().filter(|(count, _)| *count > 0);
        parts.extend(others.map(|(count, what)| format!("{count} {what}")));
        let files = match self.count() {
            0 => None,
            1 => Some(format!("1 file was passed over: {}", parts.join(", "))),
            count => Some(format!("{count} files were passed over: {}", parts.join(", "))),
        };
        let comments = (self.comments > 0).then(|| format!("comments in the list: {}", self.comments));
        let told: Vec<String> = files.into_iter().chain(comments).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// Returns whether a file was left behind by a system and is not data: resource forks of macOS (`._*`), thumbnails and settings
/// of desktops, and files in hidden folders.
pub(crate) fn is_systems(name: &str) -> bool {
    let (folders, file) = name.rsplit_once('/').unwrap_or(("", name));
    let is_hidden = |folder: &str| {
        let hidden = folder.starts_with('.') && !matches!(folder, "." | "..");
        // WebDataset keeps its own members in folders as `__meta__`.
        let reserved = folder.len() > 4 && folder.starts_with("__") && folder.ends_with("__");
        hidden || reserved || matches!(folder, "__MACOSX" | "@eaDir" | "$RECYCLE.BIN" | "lost+found")
    };
    let lower = file.to_ascii_lowercase();
    folders.split('/').any(is_hidden)
        || file.starts_with("._")
        || is_hidden(file) && !file.starts_with('.')
        || matches!(
            lower.as_str(),
            ".ds_store" | "thumbs.db" | "ehthumbs.db" | "desktop.ini"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systems_leave_behind_is_none_of_the_data() {
        let theirs = [
            "n01440764/._a.JPEG",
            "__MACOSX/n01440764/a.JPEG",
            "n01440764/Thumbs.db",
            ".DS_Store",
            ".thumbnails/a.jpg",
            "n0/@eaDir/a.jpg/x.jpg",
            "__key__",
            "__meta__/a.jpg",
        ];
        for name in theirs {
            assert!(is_systems(name), "{name}");
        }
        for name in ["./a.jpg", "../a.jpg", "n01440764/.a.jpg", "__a.jpg", "a._b.jpg"] {
            assert!(!is_systems(name), "{name}");
        }
    }

    #[test]
    fn what_was_passed_over_is_told_by_kind_and_summed() {
        let mut passed = PassedOver::default();
        assert_eq!(passed.told(), None);
        for name in ["a.json", "b.JSON", "c.txt", "._d.jpg", "README"] {
            passed.file(name);
        }
        passed.class_alone();
        let mut twice = passed.clone();
        twice.add(passed.clone());
        assert_eq!((passed.count(), twice.count()), (6, 12));
        let told = passed.told().expect("something");
        let expected = "6 files were passed over: 2 .json, 1 .txt, 1 without an ending, 1 of a desktop";
        assert!(
            told.starts_with(expected) && told.ends_with("1 .cls without an image"),
            "{told}"
        );
    }
}

//! Markdown taken apart, as far as the tests of the documentation look at it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A page of Markdown, taken apart.
#[derive(Default)]
pub struct Page {
    /// Where it lies.
    pub path: PathBuf,
    /// Its headings, as they are written.
    pub headings: Vec<String>,
    /// Its text without code, paragraph by paragraph.
    pub prose: Vec<String>,
    /// Its code: each line of a block, lines that end with a backslash joined, and each piece in backticks.
    pub code: Vec<String>,
}

impl Page {
    /// The page in a file.
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self {
            path: path.to_owned(),
            ..Self::parse(&text)
        }
    }

    /// The page of a text.
    pub fn parse(text: &str) -> Self {
        let mut page = Self::default();
        let (mut fence, mut paragraph, mut joined) = (None, String::new(), String::new());
        for line in text.lines() {
            let trimmed = line.trim_start();
            let marker = ["```", "~~~"]
                .into_iter()
                .find(|marker| trimmed.starts_with(marker));
            match (fence, marker) {
                (Some(open), Some(marker)) if open == marker => fence = None,
                (Some(_), _) => match line.strip_suffix('\\') {
                    Some(begin) => joined.push_str(begin),
                    None => page.code.push(std::mem::take(&mut joined) + line),
                },
                (None, Some(marker)) => {
                    page.paragraph(&mut paragraph);
                    fence = Some(marker);
                }
                (None, None) => {
                    if line.trim().is_empty() || line.starts_with('#') || line.starts_with("- ") {
                        page.paragraph(&mut paragraph);
                    }
                    let hashes = line.len() - line.trim_start_matches('#').len();
                    if (1..=6).contains(&hashes) && line[hashes..].starts_with(' ') {
                        page.headings.push(line[hashes..].trim().to_owned());
                    }
                    paragraph.push_str(line);
                    paragraph.push('\n');
                }
            }
        }
        assert!(fence.is_none(), "a block of code without an end");
        page.paragraph(&mut paragraph);
        page
    }

    /// Takes a paragraph apart, by its backticks.
    fn paragraph(&mut self, paragraph: &mut String) {
        let text = std::mem::take(paragraph);
        let (mut rest, mut prose) = (text.as_str(), String::new());
        while let Some(begin) = rest.find('`') {
            prose.push_str(&rest[..begin]);
            let inner = rest[begin..].trim_start_matches('`');
            let ticks = &rest[begin..rest.len() - inner.len()];
            let Some(end) = inner.find(ticks) else {
                panic!("a backtick without its other half in: {text}")
            };
            self.code.push(inner[..end].replace('\n', " "));
            rest = &inner[end + ticks.len()..];
        }
        prose.push_str(rest);
        self.prose.push(prose);
    }

    /// The targets of its links and images.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        let targets = self.prose.iter().flat_map(|prose| prose.split("](").skip(1));
        targets.filter_map(|target| target.split([')', ' ', '\n']).next())
    }

    /// Returns `true` if it has this anchor.
    pub fn has(&self, anchor: &str) -> bool {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let headings = self.headings.iter().map(|heading| {
            let name = slug(heading);
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            match *count {
                1 => name,
                again => format!("{name}-{}", again - 1),
            }
        });
        let anchors: BTreeSet<String> = headings.collect();
        let named = format!("<a id=\"{anchor}\"></a>");
        anchors.contains(anchor) || self.prose.iter().any(|prose| prose.contains(&named))
    }
}

/// A heading's anchor by GitHub's rule: lower case, no punctuation but `-` and `_`, hyphens for spaces; of a link its text.
fn slug(heading: &str) -> String {
    let mut text = String::new();
    for (index, part) in heading.split("](").enumerate() {
        text.push_str(match index {
            0 => part,
            _ => part.split_once(')').map_or("", |(_, rest)| rest),
        });
    }
    let kept = text
        .chars()
        .filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_' | ' '));
    kept.flat_map(char::to_lowercase)
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

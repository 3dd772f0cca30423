use std::path::{Component, Path};

use registry::{Kind, Location};

use super::{Body, Entry, Found};
use crate::{Exit, Failure};

/// Finds the images of a list: a line each, its path and its class, as in Paddle's `val_list.txt`. Several right classes are
/// separated by commas; `-` stands for none. A path with spaces may be in quotes; lines that begin with `#` are comments.
///
/// Paths are below `root`, and may not leave it; without one they are below the list's folder, and may lead anywhere.
pub(super) fn find(file: &Location, root: Option<&Location>) -> Result<Found, Failure> {
    let text = super::text(file)?;
    let place = root.cloned().unwrap_or_else(|| file.parent());
    let mut found = Found::default();
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if line.starts_with('#') {
            found.passed_over.comment();
            continue;
        }
        let bad = |what: &str| Failure::new(Exit::Usage, format!("{file}:{}: {what}", index + 1));
        let (name, labels) = parse(line).ok_or_else(|| {
            bad(&format!(
                "`{}` is not an image with its class",
                line.escape_debug()
            ))
            .help("expected PATH CLASS, as `val/ILSVRC2012_val_00000001.JPEG 65`")
        })?;
        let name = plain(name, &place);
        if root.is_some() && leaves(&name) {
            return Err(bad(&format!("`{}` is not below {place}", name.escape_debug()))
                .help("without --root paths are taken from the list's folder, and may lead anywhere"));
        }
        lines.push((name, labels));
    }
    let names: Vec<&str> = lines.iter().map(|(name, _)| name.as_str()).collect();
    // What is not there is told with the images that cannot be read.
    let sizes = place.sizes(&names)?;
    let entries = lines.into_iter().zip(sizes).map(|((name, labels), bytes)| Entry {
        file: place.join(&name),
        name,
        body: Body::File,
        bytes,
        labels,
    });
    found.entries = entries.collect();
    found.seen = found.entries.len();
    Ok(found)
}

/// Reads a line; a comment may follow the class.
fn parse(line: &str) -> Option<(&str, Vec<usize>)> {
    let without = |line: &'_ str| line.rfind(" #").or_else(|| line.rfind("\t#"));
    image(line).or_else(|| image(line[..without(line)?].trim_end()))
}

fn image(line: &str) -> Option<(&str, Vec<usize>)> {
    let (name, labels) = line.rsplit_once(char::is_whitespace)?;
    let labels = match labels {
        "-" => Vec::new(),
        labels => labels
            .split(',')
            .map(|label| label.parse().ok())
            .collect::<Option<_>>()?,
    };
    let name = unquoted(name.trim());
    (!name.is_empty()).then_some((name, labels))
}

/// Takes off quotes of one kind around a name.
fn unquoted(name: &str) -> &str {
    let inside = |quote: char| name.strip_prefix(quote)?.strip_suffix(quote);
    inside('"').or_else(|| inside('\'')).unwrap_or(name)
}

/// Returns a path without `./` before it, and with slashes where Windows has written backslashes.
fn plain(name: &str, place: &Location) -> String {
    let is_there = |name: &str| {
        let found = place.on_disk().map(|_| place.join(name).kind());
        matches!(found, Some(Ok(Kind::File)))
    };
    let name = match name.contains('\\') && !name.contains('/') && !is_there(name) {
        true => name.replace('\\', "/"),
        false => name.to_owned(),
    };
    let mut rest = name.as_str();
    while let Some(after) = rest.strip_prefix("./") {
        rest = after.trim_start_matches('/');
    }
    rest.to_owned()
}

/// Returns whether a path leaves the folder that it is relative to.
fn leaves(name: &str) -> bool {
    let mut depth = 0_usize;
    for part in Path::new(name).components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_path_and_its_classes() {
        let expect = |line: &str, name: &str, labels: &[usize]| {
            assert_eq!(parse(line), Some((name, labels.to_vec())), "{line}");
        };
        expect("val/a.jpg 65", "val/a.jpg", &[65]);
        expect("val/a b.jpg\t65", "val/a b.jpg", &[65]);
        expect("\"val/a b.jpg\" 3,5", "val/a b.jpg", &[3, 5]);
        expect("'a.jpg'  -", "a.jpg", &[]);
        expect("a.jpg 65 # tench, Tinca tinca", "a.jpg", &[65]);
        expect("a.jpg 65\t#", "a.jpg", &[65]);
        for line in [
            "a.jpg",
            "a.jpg one",
            "a.jpg -1",
            "65",
            "\"\" 1",
            "a.jpg,1",
            "a.jpg # 1 tench",
        ] {
            assert_eq!(
                parse(line).filter(|(name, _)| !name.contains('#')),
                None,
                "{line}"
            );
        }
    }

    #[test]
    fn a_path_that_leads_out_of_the_root_is_known() {
        for name in ["../a.jpg", "/etc/a.jpg", "a/../../b.jpg", ".."] {
            assert!(leaves(name), "{name}");
        }
        for name in ["a/../b.jpg", "./a.jpg", "..a.jpg"] {
            assert!(!leaves(name), "{name}");
        }
    }
}

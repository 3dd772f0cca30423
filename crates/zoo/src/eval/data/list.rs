use std::fs;
use std::path::Path;

use super::{Entry, Found, Place};
use crate::{Exit, Failure};

/// The images of a list: a line each, its path and its class, as in Paddle's `val_list.txt`. Several right classes are
/// separated by commas; `-` stands for none.
pub(super) fn find(file: &Path, root: Option<&Path>) -> Result<Found, Failure> {
    let text = fs::read_to_string(file).map_err(|error| Failure::file(file, &error))?;
    let root = root.or(file.parent()).unwrap_or(Path::new(""));
    let mut found = Found::default();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let Some((name, labels)) = parse(line) else {
            let what = format!(
                "{}:{}: `{line}` is no image with its class",
                file.display(),
                index + 1
            );
            return Err(Failure::new(Exit::Usage, what)
                .help("expected PATH CLASS, as `val/ILSVRC2012_val_00000001.JPEG 65`"));
        };
        let path = root.join(name);
        found.entries.push(Entry {
            name: name.to_owned(),
            // What is not there is told with the images that cannot be read.
            bytes: fs::metadata(&path).map_or(0, |about| about.len()),
            place: Place::File(path),
            labels,
        });
    }
    Ok(found)
}

fn parse(line: &str) -> Option<(&str, Vec<usize>)> {
    let (name, labels) = line.trim_end().rsplit_once(char::is_whitespace)?;
    let labels = match labels {
        "-" => Vec::new(),
        labels => labels
            .split(',')
            .map(|label| label.parse().ok())
            .collect::<Option<_>>()?,
    };
    let name = name.trim();
    (!name.is_empty()).then_some((name, labels))
}

use registry::Location;

use super::{Entry, Found};
use crate::{Exit, Failure};

/// The images of a list: a line each, its path and its class, as in Paddle's `val_list.txt`. Several right classes are
/// separated by commas; `-` stands for none.
pub(super) fn find(file: &Location, root: Option<&Location>) -> Result<Found, Failure> {
    let text = super::text(file)?;
    let root = root.cloned().unwrap_or_else(|| file.parent());
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        lines.push(parse(line).ok_or_else(|| {
            let what = format!("{file}:{}: `{line}` is no image with its class", index + 1);
            Failure::new(Exit::Usage, what)
                .help("expected PATH CLASS, as `val/ILSVRC2012_val_00000001.JPEG 65`")
        })?);
    }
    let names: Vec<&str> = lines.iter().map(|(name, _)| *name).collect();
    // What is not there is told with the images that cannot be read.
    let sizes = root.sizes(&names)?;
    let entries = lines.into_iter().zip(sizes).map(|((name, labels), bytes)| Entry {
        name: name.to_owned(),
        file: root.join(name),
        begin: None,
        bytes,
        labels,
    });
    Ok(Found {
        entries: entries.collect(),
        passed_over: 0,
    })
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

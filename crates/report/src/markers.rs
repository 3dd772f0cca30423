//! Text between two comments of a Markdown file, which a command keeps up to date.

/// Why a text cannot be put between its comments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MarkerError {
    /// A comment is not there.
    #[error("there is no line `{0}`")]
    Missing(String),
    /// A comment is there more than once.
    #[error("the line `{0}` is there more than once")]
    Twice(String),
    /// The end comes first.
    #[error("`{end}` comes before `{begin}`")]
    Order {
        /// The comment that begins.
        begin: String,
        /// The comment that ends.
        end: String,
    },
}

/// The text with `body` in place of all that lies between the lines `<!-- zoo:NAME:begin -->` and `<!-- zoo:NAME:end -->`;
/// what lies outside stays byte for byte.
///
/// # Errors
/// If one of the two is missing or there twice, or they are in the wrong order.
pub fn put_between(text: &str, name: &str, body: &str) -> Result<String, MarkerError> {
    let (begin, end) = markers(name);
    let (first, last) = (find(text, &begin)?, find(text, &end)?);
    if last < first {
        return Err(MarkerError::Order { begin, end });
    }
    let head = &text[..first + begin.len()];
    Ok(format!("{head}\n{}\n{}", body.trim_matches('\n'), &text[last..]))
}

/// The two comments of this name.
pub(crate) fn markers(name: &str) -> (String, String) {
    (
        format!("<!-- zoo:{name}:begin -->"),
        format!("<!-- zoo:{name}:end -->"),
    )
}

/// The offset of the only line that is this marker.
fn find(text: &str, marker: &str) -> Result<usize, MarkerError> {
    let mut offset = 0;
    let mut found = None;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == marker && found.replace(offset).is_some() {
            return Err(MarkerError::Twice(marker.to_owned()));
        }
        offset += line.len();
    }
    found.ok_or_else(|| MarkerError::Missing(marker.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# Zoo\n\n<!-- zoo:report:begin -->\nold\ntext\n<!-- zoo:report:end -->\n\n`<!-- zoo:report:end -->` ends it.\n";

    #[test]
    fn only_what_lies_between_is_replaced_and_again_gives_the_same() {
        let once = put_between(FILE, "report", "new | table\n").expect("both lines");
        assert_eq!(
            once,
            "# Zoo\n\n<!-- zoo:report:begin -->\nnew | table\n<!-- zoo:report:end -->\n\n`<!-- zoo:report:end -->` ends it.\n"
        );
        assert_eq!(
            put_between(&once, "report", "new | table\n").expect("both lines"),
            once
        );
        let empty = "<!-- zoo:x:begin -->\n<!-- zoo:x:end -->";
        let filled = "<!-- zoo:x:begin -->\ny\n<!-- zoo:x:end -->";
        assert_eq!(put_between(empty, "x", "y").as_deref(), Ok(filled));
    }

    #[test]
    fn a_file_without_its_lines_is_left_alone_and_told_which() {
        let error = |text: &str| {
            put_between(text, "report", "new")
                .expect_err("no place")
                .to_string()
        };
        assert!(error("# Zoo\n").contains("no line `<!-- zoo:report:begin -->`"));
        assert!(error("<!-- zoo:report:begin -->\n").contains("no line `<!-- zoo:report:end -->`"));
        assert!(error(&FILE.repeat(2)).contains("more than once"));
        assert!(error("<!-- zoo:report:end -->\n<!-- zoo:report:begin -->\n").contains("comes before"));
    }
}

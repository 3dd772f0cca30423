//! Pages whose records are no longer there.

use std::path::Path;

use crate::page::RUNS;
use crate::{ReportError, html, markdown, night, write_text};

/// Has the page of a folder name and link another file in place of its records, with what is in it. A page that does not
/// link its records stays as it is.
///
/// # Errors
/// If the page cannot be read or written.
pub fn relink(folder: &Path, file: &str, what: &str) -> Result<(), ReportError> {
    type Form = fn(&str, &str) -> String;
    let forms: [(&str, Form); 2] = [("index.html", html::file), ("index.md", markdown::file)];
    for (name, form) in forms {
        let Some(text) = night::text(folder, name)? else {
            continue;
        };
        let changed = text.replace(&form(RUNS.0, RUNS.1), &form(file, what));
        if changed != text {
            write_text(&folder.join(name), &changed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{input, record, zoo};

    #[test]
    fn a_pruned_page_leads_to_what_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let zoo = zoo();
        let records = [record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[10; 8])];
        crate::render(&input(&zoo, &records), folder.path()).expect("written");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a page");
        assert!(
            read("index.html").contains("href=\"records.jsonl\"")
                && read("index.md").contains("(records.jsonl)")
        );
        for _ in 0..2 {
            relink(folder.path(), "medians.jsonl", "a median each & no more").expect("written");
            let (html, markdown) = (read("index.html"), read("index.md"));
            assert!(!html.contains("href=\"records.jsonl\"") && !markdown.contains("(records.jsonl)"));
            assert!(
                html.contains("<a href=\"medians.jsonl\">medians.jsonl</a> (a median each &amp; no more)"),
                "{html}"
            );
            assert!(
                markdown.contains("[medians.jsonl](medians.jsonl) (a median each &amp; no more)"),
                "{markdown}"
            );
        }
        relink(&folder.path().join("none"), "medians.jsonl", "nothing").expect("no page is no error");
    }
}

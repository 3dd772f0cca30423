use crate::page::{Block, Page, Table};
use crate::shelf::Listed;
use crate::text;
use crate::text::markdown::{cell, code, escape, link, paragraph, prose};

/// The page as Markdown.
pub(crate) fn page(page: &Page) -> String {
    let mut text = format!("{}\n\n# {}\n\n", code(&page.command), escape(&page.title));
    for answer in &page.summary {
        text.push_str(&format!("- **{}** {}\n", answer.question, prose(&answer.text)));
    }
    text.push('\n');
    for (name, value) in &page.facts {
        text.push_str(&format!("- **{}**: {}\n", escape(name), escape(value)));
    }
    let files: Vec<String> = page.files.iter().map(|(name, what)| file(name, what)).collect();
    if !files.is_empty() {
        text.push_str(&format!("- **files**: {}\n", files.join(", ")));
    }
    for notice in &page.notices {
        text.push_str(&format!("\n> {}\n", paragraph(notice)));
    }
    for section in &page.sections {
        text.push_str(&format!("\n## {}\n", escape(&section.title)));
        for block in &section.blocks {
            text.push('\n');
            text.push_str(&self::block(block));
        }
    }
    text
}

/// A file of the page's folder with what is in it.
pub(crate) fn file(name: &str, what: &str) -> String {
    format!("{} ({})", link(name, &text::link(name)), escape(what))
}

/// The list of pages, the newest first.
pub(crate) fn index(pages: &[Listed]) -> String {
    let line = |page: &Listed| {
        let to = format!("{}/index.md", page.link);
        format!("- {}: {}\n", link(&page.name, &to), escape(&page.line))
    };
    pages.iter().map(line).collect()
}

fn block(block: &Block) -> String {
    match block {
        Block::Text { text } => format!("{}\n", paragraph(text)),
        Block::Table(table) => match &table.folded {
            None => self::table(table),
            Some(title) => format!(
                "<details><summary>{}</summary>\n\n{}\n</details>\n",
                escape(title),
                self::table(table)
            ),
        },
        // A paragraph each: in one line they would stand beside each other as far as they fit.
        Block::Figures { figures } => figures
            .iter()
            .map(|figure| format!("!{}\n", link(&figure.title, &text::link(figure.file_name()))))
            .collect::<Vec<_>>()
            .join("\n"),
        Block::List { items } => items
            .iter()
            .map(|item| {
                format!(
                    "- **{}** {}: {}\n",
                    item.weight,
                    escape(&item.subject),
                    prose(&item.text)
                )
            })
            .collect(),
        Block::Terms { terms } => terms
            .iter()
            .map(|(term, meaning)| format!("- **{term}**: {}\n", prose(meaning)))
            .collect(),
    }
}

pub(crate) fn table(table: &Table) -> String {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut text = row(table.columns.iter().map(|column| cell(&column.title)).collect());
    text.push_str(&row(table
        .columns
        .iter()
        .map(|c| if c.right { "---:" } else { "---" }.to_owned())
        .collect()));
    for cells in &table.rows {
        text.push_str(&row(cells.iter().map(|entry| cell(&entry.text)).collect()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_keep_their_shape_whatever_a_cell_holds() {
        let mut table = Table::new(&["name", ">ms"]);
        table.row(vec!["a_b|c".into(), "1\n2".into()]);
        assert_eq!(
            super::table(&table),
            "| name | ms |\n| --- | ---: |\n| a\\_b\\|c | 1<br>2 |\n"
        );
        assert_eq!(escape("<script> & `x`"), "&lt;script> &amp; \\`x\\`");
    }
}

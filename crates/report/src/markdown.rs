use crate::page::{Block, Page, Table};

/// The page as Markdown.
pub(crate) fn page(page: &Page) -> String {
    let mut text = format!("`{}`\n\n# {}\n\n", page.command, page.title);
    for (name, value) in &page.facts {
        text.push_str(&format!("- **{name}**: {}\n", escape(value)));
    }
    let files: Vec<String> = page.files.iter().map(|(name, what)| file(name, what)).collect();
    text.push_str(&format!("- **files**: {}\n", files.join(", ")));
    for notice in &page.notices {
        text.push_str(&format!("\n> {}\n", escape(notice)));
    }
    for section in &page.sections {
        text.push_str(&format!("\n## {}\n", section.title));
        for block in &section.blocks {
            text.push('\n');
            text.push_str(&self::block(block));
        }
    }
    text
}

/// A file of the page's folder with what is in it.
pub(crate) fn file(name: &str, what: &str) -> String {
    format!("[{name}]({name}) ({})", escape(what))
}

fn block(block: &Block) -> String {
    match block {
        Block::Text { text } => format!("{}\n", escape(text)),
        Block::Table(table) => self::table(table),
        Block::Figures { figures } => figures
            .iter()
            .map(|figure| match &figure.svg {
                Some(_) => format!("![{}]({})\n", figure.title, figure.file_name()),
                None => format!("{}: nothing was measured for this chart.\n", figure.title),
            })
            .collect(),
        Block::List { items } => items
            .iter()
            .map(|item| {
                format!(
                    "- **{}** {}: {}\n",
                    item.weight,
                    escape(&item.subject),
                    escape(&item.text)
                )
            })
            .collect(),
    }
}

pub(crate) fn table(table: &Table) -> String {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let cell = |text: &String| escape(text).replace('\n', "<br>");
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

/// Text in which Markdown finds nothing to format.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => escaped.extend(['\\', character]),
            other => escaped.push(other),
        }
    }
    escaped
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

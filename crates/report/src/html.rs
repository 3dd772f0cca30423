use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};

use crate::page::Page;

const PAGE: &str = include_str!("../templates/page.html");
const INDEX: &str = include_str!("../templates/index.html");
const STYLE: &str = include_str!("../templates/style.css");

/// The page as one HTML file that needs no other.
pub(crate) fn page(page: &Page) -> String {
    render(PAGE, context! { page => Serde(page), style => STYLE })
}

/// The list of pages in these folders.
pub(crate) fn index(folders: &[String]) -> String {
    render(INDEX, context! { folders => Serde(folders), style => STYLE })
}

fn render(template: &str, values: Value) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    environment.set_syntax(syntax.expect("the usual delimiters"));
    environment
        .render_str(template, values)
        .expect("the template fits the page")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_in_order() {
        let html = index(&["2026-01-02".into(), "<b>".into()]);
        assert!(
            html.contains(r#"<a href="2026-01-02/index.html">2026-01-02</a>"#),
            "{html}"
        );
        assert!(html.contains("&lt;b&gt;") && !html.contains("<b>"), "{html}");
    }
}

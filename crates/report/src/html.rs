use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, HtmlEscape, Value, context};

use crate::draw;
use crate::page::Page;
use crate::shelf::Listed;
use crate::text::{self, Piece, pieces};

const PAGE: &str = include_str!("../templates/page.html");
const INDEX: &str = include_str!("../templates/index.html");
const LATEST: &str = include_str!("../templates/latest.html");
const STYLE: &str = include_str!("../templates/style.css");
const SCRIPT: &str = include_str!("../templates/page.js");

/// The page as one HTML file that needs no other.
pub(crate) fn page(page: &Page) -> String {
    let values = context! { page => Serde(page), style => STYLE, charts => draw::STYLE, script => SCRIPT };
    render(PAGE, values)
}

/// A file of the page's folder with what is in it, as the page has it.
pub(crate) fn file(name: &str, what: &str) -> String {
    let (to, name, what) = (text::link(name), HtmlEscape(name), HtmlEscape(what));
    format!("<a href=\"{to}\">{name}</a> ({what})")
}

/// The list of these pages.
pub(crate) fn index(folders: &[Listed]) -> String {
    render(INDEX, context! { folders => Serde(folders), style => STYLE })
}

/// A page that leads on to this page beside it.
pub(crate) fn latest(folder: &Listed) -> String {
    render(LATEST, context! { folder => Serde(folder), style => STYLE })
}

fn render(template: &str, values: Value) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("breakable", breakable);
    environment.add_filter("prose", prose);
    environment.add_filter("link", |name: &str| Value::from_safe_string(text::link(name)));
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    environment.set_syntax(syntax.expect("the usual delimiters"));
    environment
        .render_str(template, values)
        .expect("the template fits the page")
}

/// A text of ours escaped, with code where it has some.
fn prose(text: &str) -> Value {
    let piece = |piece| match piece {
        Piece::Words(words) => HtmlEscape(words).to_string(),
        Piece::Code(code) => format!("<code>{}</code>", HtmlEscape(code)),
    };
    Value::from_safe_string(pieces(text).into_iter().map(piece).collect())
}

/// The text escaped, with places behind its underscores where a narrow column may break it.
fn breakable(text: &str) -> Value {
    Value::from_safe_string(HtmlEscape(text).to_string().replace('_', "_<wbr>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_in_order() {
        let html = index(&[
            Listed::new("2026-01-02".as_ref(), "a & b".into()),
            Listed::new("<b>".as_ref(), String::new()),
            Listed::new("javascript:alert(1)".as_ref(), String::new()),
        ]);
        assert!(
            html.contains(r#"<a href="2026-01-02/index.html">2026-01-02</a>"#),
            "{html}"
        );
        assert!(
            html.contains(r#"<a href="javascript%3Aalert%281%29/index.html">"#),
            "{html}"
        );
        assert!(html.contains("a &amp; b"), "{html}");
        assert!(html.contains("&lt;b&gt;") && !html.contains("<b>"), "{html}");
    }
}

//! Text of others in the forms that this project writes: nothing of it is obeyed.
//!
//! A record may come from anywhere, so its strings may hold anything. Each form has one escaping, here or in the
//! template engine (HTML), and all of them go through [`visible`] when they are written.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;

/// The text with every character that a terminal, a page or XML would obey or refuse written as `\u001b`, the way JSON
/// writes it. Line feeds and tabs stay.
///
/// Those are the control characters of C0 and C1, marks that change the order of writing or hide text, and what XML 1.0 has
/// no place for. In JSON the result stands for the same text.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_obeyed(character) {
            write!(shown, "\\u{:04x}", u32::from(character)).expect("a string takes everything");
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

fn is_obeyed(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        // Marks of direction, line and paragraph separators, embeddings, overrides and isolates.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        // The byte order mark, and two that are no characters.
        '\u{feff}' | '\u{fffe}' | '\u{ffff}' => true,
        other => other.is_control(),
    }
}

/// A piece of a text in plain words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Words(&'a str),
    /// The text between two backticks.
    Code(&'a str),
}

/// A text of ours in pieces: what stands between two backticks is code where it holds nothing that a form could take for
/// more than itself. Backticks around anything else are words.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut rest, mut from) = (text, 0);
    while let Some(begin) = rest[from..].find('`').map(|at| from + at) {
        let code = rest[begin + 1..].split('`').next().unwrap_or_default();
        let end = begin + 1 + code.len();
        if end < rest.len() && is_code(code) {
            pieces.extend([Piece::Words(&rest[..begin]), Piece::Code(code)]);
            (rest, from) = (&rest[end + 1..], 0);
        } else {
            from = begin + 1;
        }
    }
    pieces.push(Piece::Words(rest));
    pieces.retain(|piece| *piece != Piece::Words(""));
    pieces
}

fn is_code(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ._-/,=*:'%+#".contains(c);
    !text.is_empty() && text.trim() == text && text.chars().all(plain)
}

/// A link to a relative path: nothing of its names is a scheme, a query, a fragment or a quote.
pub(crate) fn link(path: impl AsRef<Path>) -> String {
    let names = path
        .as_ref()
        .components()
        .map(|name| percent_encoded(name.as_os_str()));
    names.collect::<Vec<String>>().join("/")
}

fn percent_encoded(name: &OsStr) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.as_encoded_bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(*byte));
            }
            byte => write!(encoded, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    encoded
}

/// Texts in Markdown.
pub mod markdown {
    use super::{Piece, pieces};

    /// Text of one line in which Markdown finds nothing to format.
    pub fn escape(text: &str) -> String {
        escape_all(text.trim())
    }

    fn escape_all(text: &str) -> String {
        let mut escaped = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                '<' => escaped.push_str("&lt;"),
                '&' => escaped.push_str("&amp;"),
                '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' | '$' => escaped.extend(['\\', character]),
                '\n' | '\r' => escaped.push(' '),
                other => escaped.push(other),
            }
        }
        escaped
    }

    /// A text of ours in one line: code between its backticks is code, of all else nothing is formatted.
    pub(crate) fn prose(text: &str) -> String {
        let piece = |piece| match piece {
            Piece::Words(words) => escape_all(words),
            Piece::Code(text) => code(text),
        };
        pieces(text.trim()).into_iter().map(piece).collect()
    }

    /// A paragraph: `prose` at whose start Markdown finds no heading, list, quote or line either.
    pub fn paragraph(text: &str) -> String {
        let mut escaped = prose(text);
        let digits = escaped.bytes().take_while(u8::is_ascii_digit).count();
        let mark = escaped[digits..].chars().next();
        let begins_block = match (digits, mark) {
            (0, Some('#' | '-' | '+' | '=' | '>')) => true,
            (1.., Some('.' | ')')) => escaped[digits + 1..]
                .chars()
                .next()
                .is_none_or(char::is_whitespace),
            _ => false,
        };
        if begins_block {
            escaped.insert(digits, '\\');
        }
        escaped
    }

    /// The content of one place of a table; its lines stay lines.
    pub fn cell(text: &str) -> String {
        let lines: Vec<String> = text.lines().map(escape).collect();
        lines.join("<br>")
    }

    /// Text as it was typed, between backticks of which it has none as long.
    pub fn code(text: &str) -> String {
        let text = text.replace(['\n', '\r'], " ");
        let runs = text.split(|character| character != '`').map(str::len);
        let fence = "`".repeat(runs.max().unwrap_or(0) + 1);
        // One space on each side is not shown, and keeps the text's own backticks and spaces apart from the fence.
        let needs_room = |edge: Option<char>| matches!(edge, None | Some('`' | ' '));
        let room = if needs_room(text.chars().next()) || needs_room(text.chars().next_back()) {
            " "
        } else {
            ""
        };
        format!("{fence}{room}{text}{room}{fence}")
    }

    /// A link with its text; `to` is percent-encoded already.
    pub(crate) fn link(text: &str, to: &str) -> String {
        format!("[{}]({to})", escape(text))
    }
}

/// Tables with commas, whose fields no spreadsheet takes for formulas.
pub(crate) mod table {
    use super::visible;
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    /// The characters at which spreadsheets see a formula begin, in the wide forms of East Asia, too.
    const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

    /// The rows below their titles.
    pub(crate) fn write<T: Serialize>(rows: impl IntoIterator<Item = T>) -> Result<String, csv::Error> {
        let mut plain = csv::Writer::from_writer(Vec::new());
        for row in rows {
            plain.serialize(row)?;
        }
        let plain = plain.into_inner().map_err(|error| error.into_error())?;
        let mut safe = csv::Writer::from_writer(Vec::new());
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(plain.as_slice());
        for record in reader.records() {
            safe.write_record(record?.iter().map(guarded))?;
        }
        let safe = safe.into_inner().map_err(|error| error.into_error())?;
        Ok(visible(&String::from_utf8_lossy(&safe)).into_owned())
    }

    /// The rows of a table that [`write()`] wrote.
    pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, csv::Error> {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(text.as_bytes());
        let mut records = reader.records();
        let Some(titles) = records.next().transpose()? else {
            return Ok(Vec::new());
        };
        let row = |record: Result<csv::StringRecord, csv::Error>| {
            let record: csv::StringRecord = record?.iter().map(unguarded).collect();
            record.deserialize(Some(&titles))
        };
        records.map(row).collect()
    }

    /// A field with an apostrophe before what would be a formula, or would be read as one that has its apostrophe.
    fn guarded(field: &str) -> String {
        if is_formula(field) {
            format!("'{field}")
        } else {
            field.to_owned()
        }
    }

    fn unguarded(field: &str) -> &str {
        match field.strip_prefix('\'') {
            Some(rest) if is_formula(rest) => rest,
            _ => field,
        }
    }

    fn is_formula(field: &str) -> bool {
        // A negative number is no formula.
        field.trim_start_matches('\'').starts_with(FORMULA) && field.parse::<f64>().is_err()
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use proptest::prelude::*;

        proptest! {
            #[test]
            fn no_field_begins_as_a_formula(field in "['=+@\t\r\n\u{ff1d}-]{0,3}\\PC*") {
                let text = write([("title", "x"), (&*field, "x")]).expect("a table");
                // Quotes around a field are the table's; one that is the field's own is no formula's begin.
                let mut records = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
                let record = records.records().nth(1).expect("two rows").expect("a row");
                let seen = &record[0];
                prop_assert!(!seen.starts_with(FORMULA) || field.parse::<f64>().is_ok(), "{text}");
            }
        }

        #[test]
        fn guards_are_taken_off_again_and_numbers_have_none() {
            for field in [
                "=1+1", "'=1+1", "''=1", "'quoted'", "-1.5", "a=b", "\"=", "", "＝1", "\tx",
            ] {
                assert_eq!(unguarded(&guarded(field)), field);
            }
            assert_eq!(guarded("-1.5"), "-1.5");
            assert_eq!(guarded("@SUM(A1)"), "'@SUM(A1)");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_obeyed_is_written_in_words_and_the_rest_stays() {
        assert_eq!(
            visible("\u{1b}[31m\u{7}\0\u{7f}\u{9b}2J\r"),
            r"\u001b[31m\u0007\u0000\u007f\u009b2J\u000d"
        );
        assert_eq!(visible("a\u{202e}b\u{2028}\u{fffe}"), r"a\u202eb\u2028\ufffe");
        let plain = "Größe 龍芯 é 🦀\t1\n";
        assert!(matches!(visible(plain), Cow::Borrowed(text) if text == plain));
    }

    #[test]
    fn links_lead_to_the_folder_of_that_name_and_nowhere_else() {
        assert_eq!(link("../2026-01-02-some-t2.2"), "../2026-01-02-some-t2.2");
        assert_eq!(link("javascript:alert(1)"), "javascript%3Aalert%281%29");
        assert_eq!(link("a b?c#d;e\"é%"), "a%20b%3Fc%23d%3Be%22%C3%A9%25");
    }

    #[test]
    fn paragraphs_begin_no_block() {
        for (text, expected) in [
            ("# a", "\\# a"),
            ("- a", "\\- a"),
            ("> a", "\\> a"),
            ("1. a", "1\\. a"),
            ("1.5 times", "1.5 times"),
            ("a\n# b\r\n- c", "a # b  - c"),
            ("   x", "x"),
        ] {
            assert_eq!(markdown::paragraph(text), expected);
        }
    }

    #[test]
    fn only_plain_words_between_backticks_are_code() {
        let told = |text| -> Vec<String> {
            let piece = |piece| match piece {
                Piece::Words(words) => words.to_owned(),
                Piece::Code(code) => format!("[{code}]"),
            };
            pieces(text).into_iter().map(piece).collect()
        };
        assert_eq!(
            told("see `zoo pick -b 4` or `x`."),
            ["see ", "[zoo pick -b 4]", " or ", "[x]", "."]
        );
        for words in ["", "a", "a`b", "``", "` `", "`<b>`", "`](x)`", "`a|b`", "` a`"] {
            assert_eq!(told(words), if words.is_empty() { vec![] } else { vec![words] });
        }
        assert_eq!(told("`<` and `x`"), ["`<` and ", "[x]"]);
        assert_eq!(markdown::prose("_a_ `b_c` `<d>`"), "\\_a\\_ `b_c` \\`&lt;d>\\`");
    }

    #[test]
    fn code_stays_code_whatever_backticks_it_has() {
        for (text, expected) in [
            ("zoo report", "`zoo report`"),
            ("o`<!-- x -->`", "`` o`<!-- x -->` ``"),
            ("a``b", "```a``b```"),
            ("a\n```\nb", "````a ``` b````"),
        ] {
            assert_eq!(markdown::code(text), expected);
        }
    }
}

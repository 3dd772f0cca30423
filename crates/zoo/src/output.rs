use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use report::text::{markdown as md, visible};
use serde::Serialize;

use crate::{Exit, Failure, ending};

const BOLD: Style = Style::new().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();

/// Prints data to stdout and everything else to stderr.
#[derive(Debug)]
pub(crate) struct Output {
    quiet: bool,
    verbose: bool,
    color: ColorChoice,
}

/// The failure of a value without a JSON form. Our types have string keys, so only a path can fail: JSON is text, and a
/// replacement text would name no file.
fn no_json(error: serde_json::Error) -> Failure {
    Failure::new(Exit::Usage, format!("cannot be written as JSON: {error}"))
        .help("without --json paths are printed as the system has them")
}

impl Output {
    pub(crate) fn new(quiet: bool, verbose: bool, color: ColorChoice) -> Self {
        Self {
            quiet,
            verbose,
            color,
        }
    }

    /// Writes lines of data. Control characters in them, which may come from file names or file contents, are escaped (see
    /// [`visible`]); in JSON the escapes mean the same characters.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = AutoStream::new(io::stdout(), self.color).lock();
        written(writeln!(stdout, "{}", visible(text.trim_end_matches('\n'))))
    }

    /// Writes a path in the system's encoding, which need not be text, so that a reader finds the file.
    pub(crate) fn path(&self, path: &Path) -> Result<(), Failure> {
        if io::stdout().is_terminal() {
            return self.data(&path.display().to_string());
        }
        let line = [path.as_os_str().as_encoded_bytes(), b"\n"].concat();
        written(io::stdout().write_all(&line))
    }

    /// Writes one JSON value as indented data.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.data(&serde_json::to_string_pretty(value).map_err(no_json)?)
    }

    /// Writes one JSON value as a line of data.
    pub(crate) fn json_line(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.data(&serde_json::to_string(value).map_err(no_json)?)
    }

    /// Reports progress, unless quiet.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.message("", Style::new(), text);
        }
    }

    /// Reports a detail, if verbose.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose {
            self.message("", Style::new().dimmed(), text);
        }
    }

    /// Returns whether verbose output was requested.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Reports success with a green mark, unless quiet.
    pub(crate) fn done(&self, text: &str) {
        if !self.quiet {
            self.message("ok ", GREEN, text);
        }
    }

    /// Warns, even when quiet.
    pub(crate) fn warn(&self, text: &str) {
        self.message("warning: ", YELLOW, text);
    }

    /// Reports a failure.
    pub(crate) fn failure(&self, failure: &Failure) {
        self.message("error: ", RED, &failure.message);
        if let Some(help) = &failure.help {
            self.message(" help: ", BOLD, help);
        }
    }

    /// Returns whether to show progress bars.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// Returns a progress bar for `total` things, which is shown only on a terminal.
    pub(crate) fn counter(&self, total: usize) -> Counter {
        Counter(self.shows_progress().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {per_sec}  {eta} left  {msg}");
            ProgressBar::new(total as u64).with_style(style.expect("a valid template"))
        }))
    }

    fn message(&self, label: &str, style: Style, text: &str) {
        let mut stderr = AutoStream::new(io::stderr(), self.color).lock();
        // There is nowhere left to tell that stderr is closed.
        let _ = writeln!(stderr, "{style}{label}{style:#}{}", visible(text));
    }
}

/// Prints help, the version or an error in the arguments, and returns the exit code.
pub(crate) fn usage(error: &clap::Error, arguments: &[OsString]) -> u8 {
    let is_plain = |argument: &OsString| {
        let text = argument.to_string_lossy();
        visible(&text) == text
    };
    let result = if arguments.iter().all(is_plain) {
        error.print()
    } else {
        // Without colours: an argument holds what would be taken for some.
        writeln!(io::stderr(), "{}", visible(&error.render().to_string()))
    };
    let exit = u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code());
    match written(result.and_then(|()| io::stdout().flush())) {
        Ok(()) => exit,
        // There is nowhere left to tell that stderr is closed.
        Err(_) if error.use_stderr() => exit,
        Err(failure) => failure.exit.code(),
    }
}

/// Maps the result of a write to standard output. A closed pipe, as of `head`, ends the program successfully.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        // Nobody reads any more, whoever writes.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ending::exit(0),
        result => result.map_err(|error| Failure::new(Exit::Disk, format!("standard output: {error}"))),
    }
}

/// A progress bar, or nothing.
pub(crate) struct Counter(Option<ProgressBar>);

impl Counter {
    /// Advances by `by` things; `message` returns the text beside the bar.
    pub(crate) fn advance(&self, by: usize, message: impl FnOnce() -> String) {
        if let Some(bar) = &self.0 {
            bar.inc(by as u64);
            bar.set_message(visible(&message()).into_owned());
        }
    }

    pub(crate) fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Formats a number of bytes: `85.1 MB`, of 10^6 bytes each.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return harness::counted(bytes as usize, "byte");
    }
    let mut value = bytes as f64 / 1e3;
    let mut unit = 0;
    // What would be rounded to 1000 of a unit is told in the next one.
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1e3;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

/// Formats a table without lines; columns with a title that starts with `>` are aligned right.
pub(crate) fn table(titles: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(titles.iter().map(|title| title.trim_start_matches('>')));
    let shown = |row: Vec<String>| row.into_iter().map(|cell| visible(&cell).into_owned());
    table.add_rows(rows.into_iter().map(shown));
    for (index, title) in titles.iter().enumerate() {
        let column = table.column_mut(index).expect("one column a title");
        column.set_padding((0, 2));
        if title.starts_with('>') {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// The same table in Markdown.
pub(crate) fn markdown_table(titles: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let heads = titles.iter().map(|title| md::cell(title.trim_start_matches('>')));
    let rules = titles
        .iter()
        .map(|title| if title.starts_with('>') { "---:" } else { "---" });
    let mut text = line(heads.collect());
    text.push_str(&line(rules.map(str::to_owned).collect()));
    for row in rows {
        text.push_str(&line(row.iter().map(|cell| md::cell(cell)).collect()));
    }
    visible(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        let told = [0, 1, 999, 1000, 999_949, 999_950, 181_000_000, 2_500_000_000_000].map(size);
        let expected = [
            "0 bytes",
            "1 byte",
            "999 bytes",
            "1.0 kB",
            "999.9 kB",
            "1.0 MB",
            "181.0 MB",
            "2.5 TB",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn cells_of_tables_move_no_cursor() {
        let text = table(
            &["file", ">n"],
            [vec!["x\u{1b}]0;P\u{7}.jpg".into(), "1\r2".into()]],
        );
        assert!(text.contains(r"x\u001b]0;P\u0007.jpg"), "{text}");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    }

    #[test]
    fn json_on_a_terminal_stands_for_what_it_was_made_of() {
        let hostile = "\u{1b}[2J\u{9b}31m\u{7f}\u{202e}é\n\t";
        let shown = visible(&serde_json::to_string(hostile).expect("JSON")).into_owned();
        assert!(!shown.contains(|c: char| c.is_control()), "{shown:?}");
        let back: String = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(back, hostile);
    }
}

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::{Exit, Failure};

const BOLD: Style = Style::new().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default().bold();

/// Data goes to stdout, everything else to stderr.
#[derive(Debug)]
pub(crate) struct Output {
    quiet: bool,
    verbose: bool,
    color: ColorChoice,
}

impl Output {
    pub(crate) fn new(quiet: bool, verbose: bool, color: ColorChoice) -> Self {
        Self {
            quiet,
            verbose,
            color,
        }
    }

    /// Writes lines of data.
    pub(crate) fn data(&self, text: &str) -> Result<(), Failure> {
        let mut stdout = AutoStream::new(io::stdout(), self.color).lock();
        match writeln!(stdout, "{}", text.trim_end_matches('\n')) {
            // A reader such as `head` that has seen enough is no error.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            result => result.map_err(|error| Failure::new(Exit::Disk, format!("standard output: {error}"))),
        }
    }

    /// Writes one JSON value as indented data.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.data(&serde_json::to_string_pretty(value).expect("our types have string keys"))
    }

    /// Writes one JSON value as a line of data.
    pub(crate) fn json_line(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.data(&serde_json::to_string(value).expect("our types have string keys"))
    }

    /// Says what is being done.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.message("", Style::new(), text);
        }
    }

    /// Says something only those who asked for more want to know.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose {
            self.message("", Style::new().dimmed(), text);
        }
    }

    /// Says that something is good, with a green mark.
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

    /// Whether moving progress bars make sense.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// A bar for so many things to do, where somebody watches.
    pub(crate) fn counter(&self, total: usize) -> Counter {
        Counter(self.shows_progress().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {per_sec}  {eta} left  {msg}");
            ProgressBar::new(total as u64).with_style(style.expect("a valid template"))
        }))
    }

    fn message(&self, label: &str, style: Style, text: &str) {
        let mut stderr = AutoStream::new(io::stderr(), self.color).lock();
        // There is nowhere left to tell that stderr is closed.
        let _ = writeln!(stderr, "{style}{label}{style:#}{text}");
    }
}

/// A bar that counts up, or nothing.
pub(crate) struct Counter(Option<ProgressBar>);

impl Counter {
    /// So many more are done; `message` says what they came to.
    pub(crate) fn advance(&self, by: usize, message: impl FnOnce() -> String) {
        if let Some(bar) = &self.0 {
            bar.inc(by as u64);
            bar.set_message(message());
        }
    }

    pub(crate) fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// A table without lines; columns whose title starts with `>` are aligned right.
pub(crate) fn table(titles: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(titles.iter().map(|title| title.trim_start_matches('>')));
    table.add_rows(rows);
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

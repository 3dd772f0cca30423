//! Benchmark records as a page with tables and charts.
//!
//! [`CHARTS`] lists the charts; [`render`] writes a folder with the page in HTML and Markdown, both from one model,
//! and each chart as an SVG. The same input gives the same bytes.

mod axis;
mod bars;
mod charts;
mod draw;
mod html;
mod labels;
mod markdown;
mod page;
mod peers;
mod scatter;
mod sections;
mod series;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use harness::Record;
use registry::Zoo;
use registry::lint::Finding;

pub use charts::{CHARTS, Chart};
pub use labels::{Area, place};
pub use series::{Family, Point, Series};

/// What a page is made of.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The manifest.
    pub zoo: &'a Zoo,
    /// What lint found in it.
    pub findings: &'a [Finding],
    /// What was measured.
    pub records: &'a [Record],
    /// Names of backends that are other people's engines.
    pub peers: &'a [&'a str],
    /// When the page is made, RFC 3339 in UTC.
    pub date: &'a str,
    /// The command that made it.
    pub command: &'a str,
}

/// A page that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A chart could not be drawn.
    #[error("chart {id}: {reason}")]
    Chart {
        /// The chart.
        id: String,
        /// What plotters said.
        reason: String,
    },
}

impl<'a> Input<'a> {
    /// Records of cells that were measured alone: those of races tell of engines side by side.
    pub(crate) fn alone(&self) -> impl Iterator<Item = &'a Record> + use<'a> {
        self.records.iter().filter(|record| record.race.is_none())
    }
}

/// Writes `index.html`, `index.md` and the charts into the folder and gives their paths.
///
/// # Errors
/// If a file cannot be written; those written before stay.
pub fn render(input: &Input, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let mut paths = Vec::new();
    let charts = CHARTS.iter().map(|chart| page::Figure::of(*chart, input));
    let charts: Vec<page::Figure> = charts.collect::<Result<_, _>>()?;
    let races = peers::figures(input)?;
    for figure in charts.iter().chain(&races) {
        if let Some(svg) = &figure.svg {
            paths.push(write(&folder.join(figure.file_name()), svg)?);
        }
    }
    let page = page::Page::new(input, charts, races);
    paths.push(write(&folder.join("index.md"), &markdown::page(&page))?);
    paths.push(write(&folder.join("index.html"), &html::page(&page))?);
    Ok(paths)
}

/// Writes `index.html` of the reports folder: a link to each dated folder, newest first.
///
/// # Errors
/// If the folder cannot be read or the file not written.
pub fn write_index(reports: &Path) -> Result<PathBuf, ReportError> {
    let io = |source| ReportError::Io {
        path: reports.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(reports).map_err(io)? {
        let entry = entry.map_err(io)?;
        if entry.path().join("index.html").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    // `2026-11-24.10` is later than `2026-11-24.9`.
    names.sort_by_key(|name| {
        let (day, number) = name.split_once('.').unwrap_or((name, "1"));
        std::cmp::Reverse((day.to_owned(), number.parse::<u32>().unwrap_or(0)))
    });
    write(&reports.join("index.html"), &html::index(&names))
}

/// Writes a file whole or not at all.
fn write(path: &Path, text: &str) -> Result<PathBuf, ReportError> {
    let io = |source| ReportError::Io {
        path: path.to_owned(),
        source,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".partial-")
        .tempfile_in(folder)
        .map_err(io)?;
    file.write_all(text.as_bytes()).map_err(io)?;
    readable(file.as_file()).map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(path.to_owned())
}

/// A temporary file is its owner's alone; a page is for everybody.
#[cfg(unix)]
fn readable(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &std::fs::File) -> io::Result<()> {
    Ok(())
}

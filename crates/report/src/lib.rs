//! Benchmark records as a page with tables and charts.
//!
//! [`render`] writes a folder with the page in HTML and Markdown, both from one model, each chart as an SVG, and the numbers for
//! other programs; the same input gives the same bytes. [`Shelf`], [`earlier`] and [`newest`] keep a folder of
//! such folders, [`choices`] answers which network to use, and [`readme`] makes what a README shows of it.
//!
//! ```
//! use registry::Zoo;
//! use report::{Evaluations, Input, Verdicts, render_markdown};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let input = Input {
//!     zoo: &Zoo::builtin(),
//!     findings: &[],
//!     records: &[],
//!     layers: None,
//!     evaluations: &Evaluations::default(),
//!     peers: &[],
//!     history: &[],
//!     verdicts: &Verdicts::default(),
//!     command: "my program",
//! };
//! let paths = render_markdown(&input, folder.path())?; // the published figures alone
//! assert!(paths.iter().any(|path| path.ends_with("README.md")));
//! # Ok(())
//! # }
//! ```

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod axis;
mod bars;
mod cell_row;
mod cells;
mod charts;
mod columns;
mod copy;
mod dots;
mod draw;
mod evaluations;
mod frame;
mod heading;
mod html;
mod labels;
mod layers;
mod lines;
mod markdown;
mod markers;
mod night;
mod page;
mod pairs;
mod peers;
mod people;
mod pick;
mod precisions;
mod pruned;
mod readme;
mod scatter;
mod sections;
mod series;
mod shelf;
mod shelved;
#[cfg(test)]
mod testing;
pub mod text;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use harness::{LayerTimes, Record};
use registry::Zoo;
use registry::lint::Finding;

use crate::cells::Model;
use crate::charts::CHARTS;
use crate::page::{Figure, Page};
pub use cell_row::write_cells;
pub use columns::{COLUMNS, Column, columns_markdown};
pub use copy::render_markdown;
pub use evaluations::{EVALUATIONS, Evaluated, Evaluations, LEFT_OUT, LeftOut, evaluations};
pub use layers::{LAYERS, layers};
pub use markers::{MarkerError, put_between};
pub use night::{Mark, Night, Verdicts, verdicts};
pub use pick::{Choice, Query, Wish, choices, measured_sizes};
pub use pruned::relink;
pub use readme::{Excerpt, readme};
pub use shelf::{Shelf, slug};
pub use shelved::{earlier, newest};

/// The input of a page.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The manifest.
    pub zoo: &'a Zoo,
    /// The findings of lint in it.
    pub findings: &'a [Finding],
    /// The measurements.
    pub records: &'a [Record],
    /// The times of one network's layers.
    pub layers: Option<&'a LayerTimes>,
    /// The accuracies that were measured.
    pub evaluations: &'a Evaluations,
    /// Names of backends that are other people's engines.
    pub peers: &'a [&'a str],
    /// Earlier nights of the same machine, oldest first.
    pub history: &'a [Night],
    /// The verdicts on these records.
    pub verdicts: &'a Verdicts,
    /// The command that made it.
    pub command: &'a str,
}

/// A page that could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A chart could not be drawn.
    #[error("chart {id}: {source}")]
    Chart {
        /// The chart.
        id: String,
        /// The error of the drawing library.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file of layers' times holds something else.
    #[error("{path}: not the times of a network's layers: {source}")]
    Layers {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: serde_json::Error,
    },
    /// A file of an evaluation holds something else.
    #[error("{path}: not what came of an evaluation: {source}")]
    Evaluation {
        /// The file.
        path: PathBuf,
        /// The fault.
        source: serde_json::Error,
    },
    /// A file has no place for what belongs in it.
    #[error("{path}: {source}")]
    Markers {
        /// The file.
        path: PathBuf,
        /// The fault of its markers.
        source: MarkerError,
    },
}

impl ReportError {
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input")
            .field("records", &self.records.len())
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

impl<'a> Input<'a> {
    /// When the last record began, RFC 3339 in UTC: a page has this date, whenever it is made.
    pub fn measured(&self) -> Option<&'a str> {
        let started = self.records.iter().map(|record| record.started.as_str());
        started.max()
    }

    /// The day of [`Input::measured`].
    pub fn day(&self) -> Option<&'a str> {
        self.measured()?.split('T').next()
    }
}

/// Writes `index.html`, `index.md`, the charts, `cells.csv`, `accuracy.csv`, `keypoints.csv` and `machine.json` into the folder, and
/// `records.jsonl`, `layers.json` and what came of evaluations where they are not there yet, and gives their paths.
///
/// # Errors
/// If a file cannot be written; those written before stay.
pub fn render(input: &Input, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let model = Model::new(input);
    let figures = figures(&model)?;
    let mut paths = write_charts(&figures, folder)?;
    let records = folder.join("records.jsonl");
    if !records.exists() {
        paths.push(write(&records, &lines(input.records))?);
    }
    let layers = folder.join(LAYERS);
    if let (Some(times), false) = (input.layers, layers.exists()) {
        let text = serde_json::to_string(times).expect("our types have string keys");
        paths.push(write(&layers, &(text + "\n"))?);
    }
    paths.extend(input.evaluations.write(folder)?);
    let csv = |name: &str, rows: Result<String, csv::Error>| {
        let path = folder.join(name);
        match rows {
            Ok(rows) => write_text(&path, &rows),
            Err(error) => Err(ReportError::Io {
                path,
                source: io::Error::other(error),
            }),
        }
    };
    paths.push(csv(cell_row::CELLS, cell_row::cells(&model))?);
    if !input.evaluations.done.is_empty() {
        paths.push(csv(evaluations::TABLE, evaluations::table(input))?);
    }
    if !input.evaluations.people.is_empty() {
        paths.push(csv(people::TABLE, people::table(input))?);
    }
    paths.push(write(
        &folder.join(night::ABOUT),
        &night::About::of(input).to_json(),
    )?);
    let page = Page::new(&model, figures);
    paths.push(write_text(&folder.join("index.md"), &markdown::page(&page))?);
    paths.push(write_text(&folder.join("index.html"), &html::page(&page))?);
    Ok(paths)
}

/// Every chart of a page for which there are figures.
fn figures(model: &Model) -> Result<Vec<Figure>, ReportError> {
    let charts = CHARTS
        .iter()
        .filter_map(|chart| Figure::of(*chart, model).transpose());
    let mut figures: Vec<Figure> = charts.collect::<Result<_, _>>()?;
    figures.extend(peers::figures(model)?);
    Ok(figures)
}

fn write_charts(figures: &[Figure], folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let write =
        |figure: &Figure| write_text(&folder.join(figure.file_name()), &draw::standalone(&figure.svg));
    figures.iter().map(write).collect()
}

/// Records as lines of JSON.
fn lines(records: &[Record]) -> String {
    let line = |record| serde_json::to_string(record).expect("a record has only string keys") + "\n";
    records.iter().map(line).collect()
}

/// Writes a text of ours whole or not at all; whatever it quotes, no character of it is obeyed.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<PathBuf, ReportError> {
    write(path, &text::visible(text))
}

/// Writes a file whole or not at all, byte for byte.
pub(crate) fn write(path: &Path, text: &str) -> Result<PathBuf, ReportError> {
    files::write(path, text.as_bytes()).map_err(ReportError::io(path))?;
    Ok(path.to_owned())
}

use std::path::{Component, Path, PathBuf};

use clap::Args;
use harness::{LayerTimes, Record, read};
use registry::lint::lint;
use report::{COLUMNS, Evaluations, Excerpt, Input, Shelf};

use crate::bench::provenance;
use crate::context::Context;
use crate::files::quoted;
use crate::output::table;
use crate::{Exit, Failure};

/// The folder of measurements of `zoo bench` and of reports.
const RECORDS: &str = "reports/records.jsonl";
pub(super) const REPORTS: &str = "reports";
/// The chart of a README, in the folder of the reports.
const CHART: &str = "readme.svg";

/// Render records as a page with charts and tables
///
/// Writes a folder `<day>-<machine>` with the page, its charts, the records and cells.csv, which has one row per measured
/// configuration (--columns explains its columns; median_ms is the time to use). Beside the folder, index.html, latest/index.html
/// and README.md, if it has a place for the list, link to it. A layers.json beside the records (`zoo profile --out`) becomes a
/// chart of a network's time, and a folder eval beside them (`zoo eval`) a table of accuracies. The same files make the same
/// bytes.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Files of records
    #[arg(value_name = "FILE", default_value = RECORDS)]
    records: Vec<PathBuf>,
    /// Parent of the dated folder
    #[arg(long, value_name = "DIR", default_value = REPORTS)]
    out: PathBuf,
    /// Also put a chart and a table between the lines `<!-- zoo:report:begin -->` and `<!-- zoo:report:end -->` of this
    /// file; the chart becomes DIR/readme.svg
    #[arg(long, value_name = "FILE")]
    readme: Option<PathBuf>,
    /// Also write the page as Markdown with its charts into this folder, as README.md, for places that do not show HTML; removes
    /// charts of the page before that the new one does not have
    #[arg(long, value_name = "DIR")]
    markdown: Option<PathBuf>,
    /// Print what the columns of cells.csv mean, and do nothing else
    #[arg(long)]
    columns: bool,
    /// Print the paths as JSON
    #[arg(long)]
    json: bool,
}

impl Report {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        if self.columns {
            return columns(cx);
        }
        let records = records(&self.records)?;
        let command = self.command();
        let Some(last) = records.iter().max_by(|a, b| a.started.cmp(&b.started)) else {
            let files: Vec<String> = self
                .records
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            let failure = Failure::new(Exit::NoData, format!("{}: no record is in it", files.join(", ")));
            return Err(failure.help("`zoo bench` measures and writes records"));
        };
        let day = last.started.split('T').next().unwrap_or(&last.started);
        // Before a folder is made: damaged files leave none behind.
        let layers = self.layers()?;
        let evaluations = self.evaluations()?;
        let shelf = Shelf::open(&self.out)?;
        let aside = shelf.aside()?;
        let from = aside.path().to_owned();
        let page = |folder| Page {
            cx,
            records: &records,
            reports: &self.out,
            folder,
            layers: layers.as_ref(),
            evaluations: &evaluations,
            command: &command,
        };
        let written = page(&from).render()?;
        let folder = shelf.place(aside, day, &records[0].provenance.machine)?;
        let placed = |path: PathBuf| {
            path.strip_prefix(&from)
                .map_or(path.clone(), |name| folder.join(name))
        };
        let mut pages: Vec<PathBuf> = written.into_iter().map(placed).collect();
        pages.extend(shelf.update(&Record::now())?);
        if let Some(markdown) = &self.markdown {
            pages.extend(page(&folder).copy(markdown)?);
        }
        if let Some(readme) = &self.readme {
            let chart = self.out.join(CHART);
            let list = self.markdown.as_ref().unwrap_or(&self.out);
            let excerpt = Excerpt {
                readme,
                chart: &chart,
                link: &link(readme, &chart)?,
                page: &link(readme, &list.join("README.md"))?,
            };
            pages.extend(page(&folder).with_input(|input| Ok(report::readme(input, excerpt)?))?);
        }
        if self.json {
            cx.out.json(&pages)
        } else {
            cx.out.path(&folder.join("index.html"))
        }
    }

    /// The times of layers beside the last file of records that has some.
    fn layers(&self) -> Result<Option<LayerTimes>, Failure> {
        for file in self.records.iter().rev() {
            if let Some(layers) = report::layers(file.parent().unwrap_or(Path::new(".")))? {
                return Ok(Some(layers));
            }
        }
        Ok(None)
    }

    /// The results of evaluations beside the last file of records that has some.
    fn evaluations(&self) -> Result<Evaluations, Failure> {
        for file in self.records.iter().rev() {
            let found = report::evaluations(file.parent().unwrap_or(Path::new(".")))?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Evaluations::default())
    }

    /// The command in full.
    fn command(&self) -> String {
        let mut words = vec!["zoo report".to_owned()];
        if self.records != [PathBuf::from(RECORDS)] {
            words.extend(self.records.iter().map(|file| quoted(file)));
        }
        if self.out != Path::new(REPORTS) {
            words.extend(["--out".to_owned(), quoted(&self.out)]);
        }
        if let Some(readme) = &self.readme {
            words.extend(["--readme".to_owned(), quoted(readme)]);
        }
        if let Some(markdown) = &self.markdown {
            words.extend(["--markdown".to_owned(), quoted(markdown)]);
        }
        words.join(" ")
    }
}

/// The command line as it was typed, with quotes where a shell needs them.
pub(super) fn typed() -> String {
    let arguments = std::env::args_os().skip(1);
    let quoted = arguments.map(|argument| quoted(Path::new(&argument)));
    std::iter::once("zoo".to_owned())
        .chain(quoted)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The records of these files.
pub(super) fn records(files: &[PathBuf]) -> Result<Vec<Record>, Failure> {
    let mut records = Vec::new();
    for file in files {
        if !file.is_file() {
            let failure = Failure::new(Exit::NoData, format!("{}: there are no records", file.display()));
            return Err(failure.help("`zoo bench` measures and writes them there"));
        }
        records.extend(read(file)?);
    }
    Ok(records)
}

/// A file's path from the folder of a README beside or above it.
fn link(readme: &Path, file: &Path) -> Result<PathBuf, Failure> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(|error| Failure::file(path, &error));
    let (readme, file) = (absolute(readme)?, absolute(file)?);
    let folder = readme.parent().unwrap_or(&readme);
    let from: Vec<Component> = folder.components().collect();
    let to: Vec<Component> = file.components().collect();
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[shared..].iter().map(|_| Component::ParentDir);
    Ok(up.chain(to[shared..].iter().copied()).collect())
}

/// A new folder for what this machine measures now.
pub(crate) fn new_folder(reports: &Path) -> Result<PathBuf, Failure> {
    let now = Record::now();
    let day = now.split('T').next().unwrap_or(&now);
    Ok(Shelf::open(reports)?.night(day, &provenance().machine)?)
}

/// Writes the page of these records into the folder, with the times of layers that lie there, and what leads to all pages; where
/// asked for, a copy in Markdown into another.
pub(crate) fn render(
    cx: &Context,
    records: &[Record],
    reports: &Path,
    folder: &Path,
    command: &str,
    markdown: Option<&Path>,
) -> Result<Vec<PathBuf>, Failure> {
    let (layers, evaluations) = (report::layers(folder)?, report::evaluations(folder)?);
    let shelf = Shelf::open(reports)?;
    let page = Page {
        cx,
        records,
        reports,
        folder,
        layers: layers.as_ref(),
        evaluations: &evaluations,
        command,
    };
    let mut pages = page.render()?;
    pages.extend(shelf.update(&Record::now())?);
    if let Some(markdown) = markdown {
        let command = format!("{command} --markdown {}", quoted(markdown));
        let copy = Page {
            command: &command,
            ..page
        };
        pages.extend(copy.copy(markdown)?);
    }
    Ok(pages)
}

/// All that a page is made of, and where it goes.
#[derive(Clone, Copy)]
struct Page<'a> {
    cx: &'a Context,
    records: &'a [Record],
    reports: &'a Path,
    folder: &'a Path,
    layers: Option<&'a LayerTimes>,
    evaluations: &'a Evaluations,
    command: &'a str,
}

impl Page<'_> {
    fn render(&self) -> Result<Vec<PathBuf>, Failure> {
        self.with_input(|input| Ok(report::render(input, self.folder)?))
    }

    /// The page as Markdown in another folder.
    fn copy(&self, into: &Path) -> Result<Vec<PathBuf>, Failure> {
        self.with_input(|input| Ok(report::render_markdown(input, into)?))
    }

    fn with_input<T>(&self, make: impl FnOnce(&Input) -> Result<T, Failure>) -> Result<T, Failure> {
        let zoo = self.cx.zoo()?;
        let names = peers();
        let records = self.records;
        let measured = records.iter().map(|record| record.started.as_str()).max();
        let history = match records.first() {
            Some(first) => report::earlier(
                self.reports,
                &first.provenance.machine,
                measured.unwrap_or_default(),
            )?,
            None => Vec::new(),
        };
        make(&Input {
            zoo,
            findings: &lint(zoo),
            records,
            layers: self.layers,
            evaluations: self.evaluations,
            peers: &names,
            history: &history,
            verdicts: &report::verdicts(self.folder)?,
            command: self.command,
        })
    }
}

/// Prints what the columns of cells.csv mean.
fn columns(cx: &Context) -> Result<(), Failure> {
    let rows = COLUMNS
        .iter()
        .map(|column| vec![column.name.into(), column.meaning.into()]);
    cx.out.data(&table(&["column", "meaning"], rows))
}

/// Names of other people's engines.
pub(super) fn peers() -> Vec<&'static str> {
    crate::peers::names().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_told_as_it_was_given_and_quoted_where_a_shell_needs_it() {
        let report = |records: &[&str], out: &str| Report {
            records: records.iter().map(PathBuf::from).collect(),
            out: out.into(),
            readme: None,
            markdown: None,
            columns: false,
            json: true,
        };
        assert_eq!(report(&[RECORDS], REPORTS).command(), "zoo report");
        assert_eq!(
            report(&["a.jsonl", "it's b.jsonl"], "x").command(),
            r"zoo report a.jsonl 'it'\''s b.jsonl' --out x"
        );
    }

    #[test]
    fn a_readme_links_its_chart_from_where_it_lies() {
        let linked = |readme: &str, chart: &str| link(Path::new(readme), Path::new(chart)).expect("a link");
        assert_eq!(
            linked("README.md", "reports/readme.svg"),
            Path::new("reports/readme.svg")
        );
        assert_eq!(
            linked("docs/a/README.md", "reports/readme.svg"),
            Path::new("../../reports/readme.svg")
        );
    }
}

use std::path::{Path, PathBuf};

use clap::Args;
use harness::{Record, read};
use registry::lint::lint;

use crate::context::Context;
use crate::peers::PEERS;
use crate::{Exit, Failure};

/// Render records as a page with charts
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Files of records
    #[arg(value_name = "FILE", default_value = "reports/records.jsonl")]
    records: Vec<PathBuf>,
    /// Where the dated folder goes
    #[arg(long, value_name = "DIR", default_value = "reports")]
    out: PathBuf,
    /// Print the paths as JSON
    #[arg(long)]
    json: bool,
}

impl Report {
    pub(crate) fn run(&self, cx: &Context) -> Result<(), Failure> {
        let mut records = Vec::new();
        for file in &self.records {
            if !file.is_file() {
                let failure = Failure::new(Exit::NoData, format!("{}: there are no records", file.display()));
                return Err(failure.help("`zoo bench` measures and writes them there"));
            }
            records.extend(read(file)?);
        }
        let folder = new_folder(&self.out)?;
        for record in &records {
            harness::append(&folder.join("records.jsonl"), record)?;
        }
        let pages = render(cx, &records, &self.out, &folder, "zoo report")?;
        if self.json {
            cx.out.json(&pages)
        } else {
            cx.out.data(&folder.join("index.html").display().to_string())
        }
    }
}

/// A new folder named after the day; a second one of the same day gets a number.
pub(crate) fn new_folder(reports: &Path) -> Result<PathBuf, Failure> {
    let disk = |error: std::io::Error| Failure::file(reports, &error);
    std::fs::create_dir_all(reports).map_err(disk)?;
    let now = Record::now();
    let day = now.split('T').next().unwrap_or(&now);
    for number in 1.. {
        let name = if number == 1 {
            day.to_owned()
        } else {
            format!("{day}.{number}")
        };
        let folder = reports.join(name);
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(disk(error)),
        }
    }
    unreachable!("there is always a next number")
}

/// Writes the page of these records into the folder, and the list of all pages.
pub(crate) fn render(
    cx: &Context,
    records: &[Record],
    reports: &Path,
    folder: &Path,
    command: &str,
) -> Result<Vec<PathBuf>, Failure> {
    let zoo = cx.zoo()?;
    let names: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
    let input = report::Input {
        zoo,
        findings: &lint(zoo),
        records,
        peers: &names,
        date: &Record::now(),
        command,
    };
    let pages = report::render(&input, folder)?;
    report::write_index(reports)?;
    Ok(pages)
}

//! The pages that lie in a folder of reports.

use std::cmp::Reverse;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use harness::verdict::Answer;
use harness::{Machine, counted};

use crate::ReportError;
use crate::night::Night;

/// The folder of the page that leads to the newest report.
///
/// A page that leads on, not a symbolic link: links want privileges on Windows, are copied as text files by Git there, and
/// are not followed by GitHub's pages.
pub(crate) const LATEST: &str = "latest";
/// Earlier nights that a page shows.
const SHOWN: usize = 30;

/// The nights of the same machine before `measured`, oldest first, the last thirty of them.
///
/// # Errors
/// If a folder or a file in it cannot be read.
pub fn earlier(reports: &Path, machine: &Machine, measured: &str) -> Result<Vec<Night>, ReportError> {
    let same = |night: &Night| {
        let other = &night.about.machine;
        (&other.cpu, other.threads, &other.os, &other.cpu_features)
            == (&machine.cpu, machine.threads, &machine.os, &machine.cpu_features)
    };
    let mut nights: Vec<Night> = entries(reports, measured)?
        .into_iter()
        .filter_map(|entry| entry.night)
        .filter(|night| same(night) && night.about.measured.as_str() < measured)
        .collect();
    nights.truncate(SHOWN);
    nights.reverse();
    // A night that was rendered twice is one night.
    nights.dedup_by(|later, before| later.about.measured == before.about.measured);
    Ok(nights)
}

/// A page of the folder, and its numbers where they can be read.
pub(crate) struct Entry {
    pub(crate) folder: OsString,
    night: Option<Night>,
    /// It was measured after the present time, by a clock that was ahead.
    ahead: bool,
}

/// Every page, the newest first, and last those that were measured after `now`.
pub(crate) fn entries(reports: &Path, now: &str) -> Result<Vec<Entry>, ReportError> {
    let io = ReportError::io(reports);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(reports).map_err(&io)? {
        let entry = entry.map_err(&io)?;
        let folder = entry.file_name();
        let is_hidden = folder.as_encoded_bytes().starts_with(b".");
        if folder != LATEST && !is_hidden && entry.path().join("index.html").is_file() {
            let night = Night::read(&entry.path())?;
            let measured = measured(&folder, night.as_ref());
            found.push(Entry {
                ahead: measured.as_str() > now,
                folder,
                night,
            });
        }
    }
    found.sort_by_cached_key(|entry| {
        let name = entry.folder.to_string_lossy();
        // The tenth page of a day is later than its ninth.
        let number = name.rsplit_once('.').and_then(|(_, number)| number.parse().ok());
        let place = (
            measured(&entry.folder, entry.night.as_ref()),
            number.unwrap_or(1_u32),
            entry.folder.clone(),
        );
        (entry.ahead, Reverse(place))
    });
    Ok(found)
}

/// When a page was measured: as it says, or as the name of its folder begins.
fn measured(folder: &OsStr, night: Option<&Night>) -> String {
    let day = || folder.to_string_lossy().chars().take(10).collect();
    night.map_or_else(day, |night| night.about.measured.clone())
}

/// The folder that `latest` leads to at the time `now`; `None` if there is no page.
///
/// # Errors
/// If a folder or a file in it cannot be read.
pub fn newest(reports: &Path, now: &str) -> Result<Option<PathBuf>, ReportError> {
    if !reports.is_dir() {
        return Ok(None);
    }
    let newest = entries(reports, now)?.into_iter().next();
    Ok(newest.map(|entry| reports.join(entry.folder)))
}

/// The text of a page in a list.
pub(crate) fn line(entry: &Entry) -> String {
    let Some(night) = &entry.night else {
        return "written by an older version".into();
    };
    let about = &night.about;
    let failed = match night.failed() {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let of = |answer: Answer| format!("{} {answer}", night.verdicts.count(answer));
    let verdicts = if night.verdicts.marks().is_empty() {
        String::new()
    } else {
        format!("; {}, {}", of(Answer::Regressed), of(Answer::Improved))
    };
    let ahead = if entry.ahead {
        "; measured by a clock that was ahead"
    } else {
        ""
    };
    format!(
        "{}, {}; {}{failed}{verdicts}{ahead}; {}",
        about.machine.cpu,
        counted(about.machine.threads, "thread"),
        counted(night.measured(), "cell"),
        about.command
    )
}

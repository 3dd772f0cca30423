//! The folder of all reports: a folder a night, the list of them, and the way to the latest.

use std::cmp::Reverse;
use std::io;
use std::path::{Path, PathBuf};

use harness::Machine;

use crate::markers::{markers, put_between};
use crate::night::Night;
use crate::{ReportError, html, write};

/// Where the way to the newest report lies.
///
/// A page that leads on, not a symbolic link: links want privileges on Windows, are copied as text files by Git there, and
/// are not followed by GitHub's pages.
const LATEST: &str = "latest";
const README: &str = "README.md";
/// The markers between which the list of nights stands in [`README`].
const NIGHTS: &str = "nights";
/// Earlier nights that a page shows.
const SHOWN: usize = 30;
/// Words of processors' names that tell nothing.
const NOISE: [&str; 6] = ["cpu", "processor", "core", "r", "tm", "with"];

/// The machine as a part of a file name: its processor's name and threads, as `amd-epyc-t2`.
pub fn slug(machine: &Machine) -> String {
    let name = machine.cpu.split('@').next().unwrap_or_default().to_lowercase();
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let mut slug = String::new();
    for word in words.filter(|word| !word.is_empty() && !NOISE.contains(word)) {
        if slug.len() + word.len() > 30 {
            break;
        }
        slug.push_str(word);
        slug.push('-');
    }
    if slug.is_empty() {
        slug.push_str("unknown-");
    }
    format!("{slug}t{}", machine.threads)
}

/// A new folder for a night, `<day>-<machine>`; where that exists it gets a number.
///
/// # Errors
/// If a folder cannot be made.
pub fn new_folder(reports: &Path, day: &str, machine: &Machine) -> Result<PathBuf, ReportError> {
    let failed = |path: &Path, source| ReportError::Io {
        path: path.to_owned(),
        source,
    };
    std::fs::create_dir_all(reports).map_err(|source| failed(reports, source))?;
    let name = format!("{day}-{}", slug(machine));
    let mut folder = reports.join(&name);
    let mut number = 1_u32;
    loop {
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                number += 1;
                folder = reports.join(format!("{name}.{number}"));
            }
            Err(source) => return Err(failed(&folder, source)),
        }
    }
}

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
    let mut nights: Vec<Night> = entries(reports)?
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
struct Entry {
    folder: String,
    night: Option<Night>,
}

/// Every page, the newest first.
fn entries(reports: &Path) -> Result<Vec<Entry>, ReportError> {
    let io = |source| ReportError::Io {
        path: reports.to_owned(),
        source,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(reports).map_err(io)? {
        let entry = entry.map_err(io)?;
        let folder = entry.file_name().to_string_lossy().into_owned();
        if folder != LATEST && entry.path().join("index.html").is_file() {
            let night = Night::read(&entry.path())?;
            found.push(Entry { folder, night });
        }
    }
    found.sort_by_cached_key(|entry| {
        let measured = entry.night.as_ref().map(|night| night.about.measured.clone());
        let day = entry.folder.get(..10).unwrap_or_default().to_owned();
        // The tenth page of a day is later than its ninth.
        let number = entry
            .folder
            .rsplit_once('.')
            .and_then(|(_, number)| number.parse().ok());
        Reverse((
            measured.unwrap_or(day),
            number.unwrap_or(1_u32),
            entry.folder.clone(),
        ))
    });
    Ok(found)
}

/// The folder that `latest` leads to; none where there is no page.
///
/// # Errors
/// If a folder or a file in it cannot be read.
pub fn newest(reports: &Path) -> Result<Option<PathBuf>, ReportError> {
    if !reports.is_dir() {
        return Ok(None);
    }
    let newest = entries(reports)?.into_iter().next();
    Ok(newest.map(|entry| reports.join(entry.folder)))
}

/// Writes what leads to the pages: `README.md` and `index.html`, newest first, and `latest/index.html`.
///
/// # Errors
/// If the folder cannot be read or a file not be written, or `README.md` is there without its two lines.
pub fn update(reports: &Path) -> Result<Vec<PathBuf>, ReportError> {
    let entries = entries(reports)?;
    let lines: Vec<(String, String)> = entries
        .iter()
        .map(|entry| (entry.folder.clone(), line(entry)))
        .collect();
    let mut written = vec![
        readme(reports, &lines)?,
        write(&reports.join("index.html"), &html::index(&lines))?,
    ];
    if let Some(newest) = entries.first() {
        let latest = reports.join(LATEST);
        std::fs::create_dir_all(&latest).map_err(|source| ReportError::Io {
            path: latest.clone(),
            source,
        })?;
        written.push(write(&latest.join("index.html"), &html::latest(&newest.folder))?);
    }
    Ok(written)
}

/// What a list says of a page.
fn line(entry: &Entry) -> String {
    let Some(night) = &entry.night else {
        return "of an older version".into();
    };
    let about = &night.about;
    let failed = match night.failed() {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    let of = |answer: &str| night.verdicts.count(answer);
    let verdicts = if night.verdicts.marks().is_empty() {
        String::new()
    } else {
        format!("; {} regressed, {} improved", of("regressed"), of("improved"))
    };
    format!(
        "{}, {} threads; {} cells{failed}{verdicts}; {}",
        about.machine.cpu,
        about.machine.threads,
        night.measured(),
        about.command
    )
}

fn readme(reports: &Path, lines: &[(String, String)]) -> Result<PathBuf, ReportError> {
    let path = reports.join(README);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let (begin, end) = markers(NIGHTS);
            format!("# Reports\n\nThe newest first; `latest/index.html` leads to it.\n\n{begin}\n{end}\n")
        }
        Err(source) => return Err(ReportError::Io { path, source }),
    };
    let list: String = lines
        .iter()
        .map(|(folder, line)| {
            format!(
                "- [{folder}]({folder}/index.md): {}\n",
                crate::markdown::escape(line)
            )
        })
        .collect();
    let text = put_between(&text, NIGHTS, &list).map_err(|source| ReportError::Markers {
        path: path.clone(),
        source,
    })?;
    write(&path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{input, record, zoo};

    fn machine(cpu: &str, threads: usize) -> Machine {
        Machine {
            cpu: cpu.into(),
            threads,
            ..Machine::default()
        }
    }

    #[test]
    fn slugs_are_short_and_fit_for_file_names() {
        for (cpu, expected) in [
            ("AMD EPYC", "amd-epyc-t2"),
            (
                "Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz",
                "intel-xeon-platinum-8370c-t2",
            ),
            (
                "AMD Ryzen 7 PRO 4750U with Radeon Graphics",
                "amd-ryzen-7-pro-4750u-radeon-t2",
            ),
            ("", "unknown-t2"),
            ("龍芯 3A6000", "3a6000-t2"),
        ] {
            assert_eq!(slug(&machine(cpu, 2)), expected);
        }
    }

    #[test]
    fn the_newest_comes_first_and_latest_leads_there() {
        let reports = tempfile::tempdir().expect("a folder");
        let zoo = zoo();
        assert_eq!(newest(reports.path()).expect("read"), None);
        assert_eq!(newest(&reports.path().join("none")).expect("read"), None);
        let mut folders = Vec::new();
        for (day, ms) in [("2026-01-01", 20), ("2026-01-02", 21), ("2026-01-02", 22)] {
            let mut one = record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[ms; 8]);
            one.started = format!("{day}T0{}:00:00Z", folders.len());
            let records = [one];
            let machine = &records[0].provenance.machine;
            let folder = new_folder(reports.path(), day, machine).expect("made");
            let history = earlier(reports.path(), machine, &records[0].started).expect("read");
            assert_eq!(history.len(), folders.len());
            let mut input = input(&zoo, &records);
            input.history = &history;
            crate::render(&input, &folder).expect("written");
            update(reports.path()).expect("written");
            assert_eq!(newest(reports.path()).expect("read"), Some(folder.clone()));
            folders.push(folder.file_name().expect("a name").to_string_lossy().into_owned());
        }
        assert_eq!(
            folders,
            ["2026-01-01-some-t2", "2026-01-02-some-t2", "2026-01-02-some-t2.2"]
        );
        let read = |name: &str| std::fs::read_to_string(reports.path().join(name)).expect("a file");
        let list = read("README.md");
        let places: Vec<usize> = folders
            .iter()
            .rev()
            .map(|folder| list.find(&format!("[{folder}]")).expect("listed"))
            .collect();
        assert!(places.is_sorted(), "{list}");
        assert!(read("latest/index.html").contains("../2026-01-02-some-t2.2/index.html"));
        assert!(
            read("2026-01-02-some-t2.2/index.md").contains("21.00"),
            "the night before is shown"
        );

        std::fs::write(reports.path().join("README.md"), "mine\n").expect("written");
        let error = update(reports.path()).expect_err("no place").to_string();
        assert!(error.contains("zoo:nights:begin"), "{error}");
        assert_eq!(read("README.md"), "mine\n");
    }
}

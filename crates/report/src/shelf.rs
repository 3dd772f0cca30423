//! The folder of all reports: a folder a night, the list of them, and the way to the latest.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use files::WholeFolder;
use harness::Machine;
use serde::Serialize;

use crate::markers::{MarkerError, markers, put_between};
use crate::page::RUNS;
use crate::shelved::{LATEST, entries, line};
use crate::{ReportError, html, markdown, text, write, write_text};

const README: &str = "README.md";
/// The markers between which the list of nights stands in [`README`].
const NIGHTS: &str = "nights";
/// Who holds this file changes what is on the shelf.
const LOCK: &str = ".lock";
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

/// The folder of all reports, which no other process changes meanwhile.
#[derive(Debug)]
pub struct Shelf {
    reports: PathBuf,
    _lock: File,
}

impl Shelf {
    /// Waits for the folder, which is made where it is not there, and removes what killed processes left unfinished in it.
    ///
    /// # Errors
    /// If it cannot be made, read or locked.
    pub fn open(reports: &Path) -> Result<Self, ReportError> {
        std::fs::create_dir_all(reports).map_err(ReportError::io(reports))?;
        let lock = reports.join(LOCK);
        let lock = files::hold(&lock).map_err(ReportError::io(&lock))?;
        WholeFolder::remove_abandoned(reports).map_err(ReportError::io(reports))?;
        Ok(Self {
            reports: reports.to_owned(),
            _lock: lock,
        })
    }

    /// A new folder for a night that is about to be measured, `<day>-<machine>`; where that exists it gets a number. A folder
    /// in which a night was killed before it had measured anything is used again, so no two nights may be measured at once.
    ///
    /// # Errors
    /// If a folder cannot be made.
    pub fn night(&self, day: &str, machine: &Machine) -> Result<PathBuf, ReportError> {
        for folder in self.names(day, machine) {
            let records = folder.join(RUNS.0);
            if is_untouched(&folder) {
                return Ok(folder);
            }
            match std::fs::create_dir(&folder) {
                // So that it is not taken for a folder that nobody needs.
                Ok(()) => File::create_new(&records).map_err(ReportError::io(&records))?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(source) => return Err(ReportError::io(&folder)(source)),
            };
            return Ok(folder);
        }
        unreachable!("numbers have no end")
    }

    /// A folder for a page of records that are there already; it has no place on the shelf until [`Shelf::place`].
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn aside(&self) -> Result<WholeFolder, ReportError> {
        WholeFolder::create_in(&self.reports).map_err(ReportError::io(&self.reports))
    }

    /// Gives a page its place, `<day>-<machine>`; where that is taken it gets a number.
    ///
    /// # Errors
    /// If it cannot be renamed.
    pub fn place(
        &self,
        mut folder: WholeFolder,
        day: &str,
        machine: &Machine,
    ) -> Result<PathBuf, ReportError> {
        for place in self.names(day, machine) {
            match folder.place(&place).map_err(ReportError::io(&place))? {
                Ok(placed) => return Ok(placed),
                Err(again) => folder = again,
            }
        }
        unreachable!("numbers have no end")
    }

    fn names(&self, day: &str, machine: &Machine) -> impl Iterator<Item = PathBuf> {
        let first = self.reports.join(format!("{day}-{}", slug(machine)));
        let others = first.clone();
        let numbered = (2_u64..).map(move |number| {
            let mut name = others.clone().into_os_string();
            name.push(format!(".{number}"));
            name.into()
        });
        std::iter::once(first).chain(numbered)
    }

    /// Writes what leads to the pages: `index.html` and `README.md`, newest first, and `latest/index.html`. A page that was
    /// measured after `now` was so by a clock that was ahead: it comes last, and `latest` leads to no such page. A `README.md`
    /// without a place for the list is somebody's own text, and stays as it is.
    ///
    /// # Errors
    /// If the folder cannot be read or a file not be written.
    pub fn update(&self, now: &str) -> Result<Vec<PathBuf>, ReportError> {
        let entries = entries(&self.reports, now)?;
        let listed: Vec<Listed> = entries
            .iter()
            .map(|entry| Listed::new(&entry.folder, line(entry)))
            .collect();
        let mut written = vec![write_text(
            &self.reports.join("index.html"),
            &html::index(&listed),
        )?];
        written.extend(readme(&self.reports, &markdown::index(&listed))?);
        if let Some(newest) = listed.first() {
            let latest = self.reports.join(LATEST);
            std::fs::create_dir_all(&latest).map_err(ReportError::io(&latest))?;
            written.push(write_text(&latest.join("index.html"), &html::latest(newest))?);
        }
        Ok(written)
    }
}

/// Puts the list between the two lines of `README.md`, and gives its path if it has them.
fn readme(reports: &Path, list: &str) -> Result<Option<PathBuf>, ReportError> {
    let path = reports.join(README);
    let (begin, end) = markers(NIGHTS);
    let text = match files::read_text(&path, files::LARGEST_TEXT) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            format!("# Reports\n\nThe newest first; `latest/index.html` leads to it.\n\n{begin}\n{end}\n")
        }
        text => text.map_err(ReportError::io(&path))?,
    };
    match put_between(&text, NIGHTS, &text::visible(list)) {
        Ok(changed) if changed == text => Ok(Some(path)),
        Ok(changed) => write(&path, &changed).map(Some),
        Err(MarkerError::Missing(missing)) if missing == begin => Ok(None),
        Err(source) => Err(ReportError::Markers { path, source }),
    }
}

/// Returns `true` if a night's folder exists and holds at most a file of no records: nothing was measured into it.
fn is_untouched(folder: &Path) -> bool {
    let Ok(mut entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries.all(|entry| {
        let empty = |entry: std::fs::DirEntry| {
            let about = entry.metadata().ok()?;
            Some(entry.file_name() == RUNS.0 && about.is_file() && about.len() == 0)
        };
        entry.ok().and_then(empty).unwrap_or(false)
    })
}

/// A page as the lists have it.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    /// Its folder's name.
    pub(crate) name: String,
    /// The same as a link.
    pub(crate) link: String,
    /// Its line in a list.
    pub(crate) line: String,
}

impl Listed {
    pub(crate) fn new(folder: &OsStr, line: String) -> Self {
        Self {
            name: folder.to_string_lossy().into_owned(),
            link: text::link(folder),
            line,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shelved::{earlier, newest};
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

    const NOW: &str = "2026-02-01T00:00:00Z";

    /// A page of one cell that began then, on the shelf.
    fn page(reports: &Path, started: &str, ms: u64) -> String {
        let zoo = zoo();
        let mut one = record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[ms; 8]);
        one.started = started.into();
        let records = [one];
        let machine = &records[0].provenance.machine;
        let shelf = Shelf::open(reports).expect("opened");
        let history = earlier(reports, machine, started).expect("read");
        let mut input = input(&zoo, &records);
        input.history = &history;
        let folder = shelf.aside().expect("begun");
        crate::render(&input, folder.path()).expect("written");
        let folder = shelf.place(folder, &started[..10], machine).expect("placed");
        shelf.update(NOW).expect("written");
        folder.file_name().expect("a name").to_string_lossy().into_owned()
    }

    fn read(reports: &Path, name: &str) -> String {
        std::fs::read_to_string(reports.join(name)).expect("a file")
    }

    #[test]
    fn the_newest_comes_first_and_latest_leads_there() {
        let reports = tempfile::tempdir().expect("a folder");
        let reports = reports.path();
        assert_eq!(newest(reports, NOW).expect("read"), None);
        assert_eq!(newest(&reports.join("none"), NOW).expect("read"), None);
        let mut folders = Vec::new();
        for (started, ms) in [
            ("2026-01-01T00:00:00Z", 20),
            ("2026-01-02T01:00:00Z", 21),
            ("2026-01-02T02:00:00Z", 22),
        ] {
            folders.push(page(reports, started, ms));
            let folder = reports.join(folders.last().expect("one"));
            assert_eq!(newest(reports, NOW).expect("read"), Some(folder));
        }
        assert_eq!(
            folders,
            ["2026-01-01-some-t2", "2026-01-02-some-t2", "2026-01-02-some-t2.2"]
        );
        let list = read(reports, "README.md");
        let places: Vec<usize> = folders
            .iter()
            .rev()
            .map(|folder| {
                list.find(&format!("[{folder}]({folder}/index.md)"))
                    .expect("listed")
            })
            .collect();
        assert!(places.is_sorted(), "{list}");
        assert!(read(reports, "latest/index.html").contains("../2026-01-02-some-t2.2/index.html"));
        assert!(
            read(reports, "2026-01-02-some-t2.2/index.md").contains("21.00"),
            "the night before is shown"
        );

        for (text, expected) in [("mine\n", true), ("<!-- zoo:nights:begin -->\n", false)] {
            std::fs::write(reports.join("README.md"), text).expect("written");
            let updated = Shelf::open(reports).expect("opened").update(NOW);
            assert_eq!(
                updated.is_ok(),
                expected,
                "a text without a list's place is the user's own"
            );
            assert_eq!(read(reports, "README.md"), text);
        }
    }

    #[test]
    fn a_page_of_a_clock_that_was_ahead_is_not_the_latest() {
        let reports = tempfile::tempdir().expect("a folder");
        let reports = reports.path();
        let ahead = page(reports, "2028-01-03T14:50:22Z", 20);
        assert!(
            read(reports, "latest/index.html").contains(&ahead),
            "there is no other"
        );
        let right = page(reports, "2026-01-02T01:00:00Z", 21);
        assert_eq!(newest(reports, NOW).expect("read"), Some(reports.join(&right)));
        assert!(read(reports, "latest/index.html").contains(&right));
        let list = read(reports, "README.md");
        assert!(list.find(&right) < list.find(&ahead), "{list}");
        assert!(list.contains("measured by a clock that was ahead"), "{list}");
    }

    #[test]
    fn killed_runs_use_up_no_names_and_a_night_that_has_begun_keeps_its_folder() {
        let reports = tempfile::tempdir().expect("a folder");
        let machine = machine("Some CPU", 2);
        let shelf = Shelf::open(reports.path()).expect("opened");
        for _ in 0..3 {
            // Each process is killed before it has a record.
            let night = shelf.night("2026-01-01", &machine).expect("made");
            assert!(night.ends_with("2026-01-01-some-t2"), "{}", night.display());
            std::mem::forget(shelf.aside().expect("made"));
        }
        drop(shelf);
        // A page does not get the place of a night that is being measured.
        assert_eq!(
            page(reports.path(), "2026-01-01T00:00:00Z", 20),
            "2026-01-01-some-t2.2"
        );
        let left: Vec<String> = std::fs::read_dir(reports.path())
            .expect("a folder")
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .filter(|name| name.starts_with(".new-"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn folders_of_any_name_are_linked_by_it() {
        let reports = tempfile::tempdir().expect("a folder");
        let reports = reports.path();
        for name in ["javascript:alert(1)", "a;b?c#d", "<b>"] {
            std::fs::create_dir(reports.join(name)).expect("made");
            std::fs::write(reports.join(name).join("index.html"), "").expect("written");
        }
        Shelf::open(reports)
            .expect("opened")
            .update(NOW)
            .expect("written");
        let (html, list) = (read(reports, "index.html"), read(reports, "README.md"));
        for link in ["javascript%3Aalert%281%29", "a%3Bb%3Fc%23d", "%3Cb%3E"] {
            assert!(html.contains(&format!("href=\"{link}/index.html\"")), "{html}");
            assert!(list.contains(&format!("({link}/index.md)")), "{list}");
        }
        assert!(!html.contains("<b>") && !list.contains("<b>"), "{html}{list}");
    }
}

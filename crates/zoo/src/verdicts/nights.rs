use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use harness::verdict::{Comparison, History, Repeat, same_machine};
use harness::{Machine, StoreError, days_between};
use report::EVALUATIONS;
use serde::{Deserialize, Serialize};

use super::{MEDIANS, RECORDS, set};
use crate::files::write_whole;
use crate::{Exit, Failure};

/// The verdicts of a night, in its folder.
pub(crate) const VERDICTS: &str = "verdicts.json";

/// The records of cells that were measured a second time.
pub(crate) const TWICE: &str = "aa.jsonl";

/// Days after which a night keeps medians and verdicts, and no longer its samples.
pub(crate) const KEPT_DAYS: i64 = 30;
/// Nights that began so much later before a night is old, the present one among them: one clock that is ahead deletes nothing.
const LATER_NIGHTS: usize = 2;
/// Days between two nights beyond which a clock that jumped is likelier than a pause.
const JUMP_DAYS: i64 = 90;
/// Nights behind such a jump before it is taken for a pause.
const NIGHTS_AFTER_JUMP: usize = 7;

/// The contents of `verdicts.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Night {
    /// The command that measured: nights of one command have the same cells.
    pub(crate) command: String,
    /// Against the night before it; none for the first.
    pub(crate) comparison: Option<Comparison>,
    /// Cells measured twice on this night: whatever is called changed is a false alarm.
    pub(crate) aa: Option<Comparison>,
}

/// Earlier nights of one command on one machine, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Nights {
    pub(crate) sets: Vec<Vec<Repeat>>,
    /// The cells of all nights that were measured twice.
    pub(crate) twice: Twice,
    /// Folders of nights that began after the present one, by one clock or the other: nothing is compared with them.
    pub(crate) ahead: Vec<String>,
}

/// Cells that the same program measured twice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Twice {
    pub(crate) cells: usize,
    /// Those that were called changed between the two: false alarms.
    pub(crate) changed: usize,
}

/// The nights to look for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) command: &'a str,
    pub(crate) machine: &'a Machine,
    /// When the present night began.
    pub(crate) before: &'a str,
    /// The folder of the present night.
    pub(crate) but: &'a Path,
}

impl Nights {
    /// The nights among the folders of `reports` that began before the present one.
    ///
    /// # Errors
    /// If a folder or a file cannot be read.
    pub(crate) fn of(reports: &Path, wanted: Wanted) -> Result<Self, Failure> {
        let mut nights = Self::default();
        for folder in folders(reports)?.iter().filter(|folder| *folder != wanted.but) {
            let Some(night) = night(folder)?.filter(|night| night.command == wanted.command) else {
                continue;
            };
            let set = measured(folder)?;
            let same = |repeat: &Repeat| same_machine(&repeat.provenance.machine, wanted.machine);
            if !set.first().is_some_and(same) {
                continue;
            }
            if began(&set).as_str() > wanted.before {
                nights.ahead.push(name(folder));
            } else {
                nights.add(&night, set);
            }
        }
        nights.sets.sort_by_key(|set| began(set));
        Ok(nights)
    }

    fn add(&mut self, night: &Night, set: Vec<Repeat>) {
        if let Some(aa) = &night.aa {
            self.twice.cells += aa.family;
            self.twice.changed += aa.changed();
        }
        self.sets.push(set);
    }

    pub(crate) fn history(&self) -> History {
        History::of(&self.sets)
    }
}

/// The set in a night's folder; nothing of a night that had no time for a single cell.
fn measured(folder: &Path) -> Result<Vec<Repeat>, Failure> {
    match set(folder) {
        Err(failure) if failure.exit == Exit::NoData => Ok(Vec::new()),
        set => set,
    }
}

fn began(set: &[Repeat]) -> String {
    set.iter()
        .map(|repeat| repeat.started.clone())
        .min()
        .unwrap_or_default()
}

/// The sets in a folder of reports that began before this one, of its machine, the oldest first: any command's.
///
/// # Errors
/// If a folder or a file cannot be read.
pub(crate) fn earlier(reports: &Path, than: &[Repeat]) -> Result<Vec<Vec<Repeat>>, Failure> {
    let Some(first) = than.first() else {
        return Ok(Vec::new());
    };
    let mut sets = Vec::new();
    for folder in folders(reports)? {
        if !folder.join(RECORDS).is_file() && !folder.join(MEDIANS).is_file() {
            continue;
        }
        let set = measured(&folder)?;
        let same = |repeat: &Repeat| same_machine(&repeat.provenance.machine, &first.provenance.machine);
        if began(&set) < began(than) && set.first().is_some_and(same) {
            sets.push(set);
        }
    }
    sets.sort_by_key(|set| began(set));
    Ok(sets)
}

/// Returns `true` if a night is old: at least [`LATER_NIGHTS`] began more than [`KEPT_DAYS`] after it, or [`NIGHTS_AFTER_JUMP`] where
/// a jump of the clock lies between. `ages` are the days from each night to now, in order and with the present night's 0.
fn is_old(age: i64, ages: &[i64]) -> bool {
    let mut later: Vec<i64> = ages.iter().copied().filter(|other| *other <= age).collect();
    later.sort_unstable();
    let jumped = later.windows(2).any(|pair| pair[1] - pair[0] > JUMP_DAYS);
    let least = if jumped { NIGHTS_AFTER_JUMP } else { LATER_NIGHTS };
    later.iter().filter(|other| age - **other > KEPT_DAYS).count() >= least
}

/// Replaces the records of nights that are old at the time `now` by their medians, and gives the folders. The days of nights
/// alone decide that, not the clock, which may be wrong.
///
/// # Errors
/// If a file cannot be read, written or deleted; its records are there until their medians are on disk.
pub(crate) fn prune(reports: &Path, now: &str) -> Result<Vec<PathBuf>, Failure> {
    // A folder without verdicts is no night's: somebody's records are not ours to shorten.
    let is_night = |folder: &PathBuf| folder.join(VERDICTS).is_file();
    let nights: Vec<(PathBuf, i64)> = folders(reports)?
        .into_iter()
        .filter(is_night)
        .filter_map(|folder| {
            let age = days_between(&name(&folder), now)?;
            Some((folder, age))
        })
        .collect();
    // Tonight's verdicts may not be there yet. What is ahead of now tells nothing of what is old.
    let others = nights.iter().map(|(_, age)| *age).filter(|age| *age > 0);
    let ages: Vec<i64> = others.chain([0]).collect();
    let mut pruned = Vec::new();
    for (folder, age) in nights {
        let records = folder.join(RECORDS);
        if !is_old(age, &ages) || !records.is_file() {
            continue;
        }
        let mut text = String::new();
        for repeat in measured(&folder)? {
            text.push_str(&serde_json::to_string(&repeat).expect("our types have string keys"));
            text.push('\n');
        }
        write_whole(&folder.join(MEDIANS), text.as_bytes())?;
        let left = format!("a median a measurement; single runs are kept for {KEPT_DAYS} days");
        report::relink(&folder, MEDIANS, &left)?;
        for file in [vec![records, folder.join(TWICE)], answers(&folder)?].concat() {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Failure::file(&file, &error));
                }
                _ => {}
            }
        }
        pruned.push(folder);
    }
    Ok(pruned)
}

/// The files of answers of a night, one answer an image; what they come to lies beside them.
fn answers(night: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folder = night.join(EVALUATIONS);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let disk = |error: io::Error| Failure::file(&folder, &error);
    let files = fs::read_dir(&folder)
        .map_err(disk)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<PathBuf>, _>>()
        .map_err(disk)?;
    let is_answers = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "jsonl");
    Ok(files.into_iter().filter(is_answers).collect())
}

/// The medians of a pruned folder.
pub(super) fn medians(file: &Path) -> Result<Vec<Repeat>, Failure> {
    let text =
        ::files::read_text(file, ::files::LARGEST_TEXT).map_err(|error| Failure::file(file, &error))?;
    let parse = |(index, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|source| {
            Failure::from(StoreError::Line {
                path: file.to_owned(),
                line: index + 1,
                source,
            })
        })
    };
    text.lines().enumerate().map(parse).collect()
}

/// The verdicts of a folder; none where it is no night's.
fn night(folder: &Path) -> Result<Option<Night>, Failure> {
    let file = folder.join(VERDICTS);
    let text = match ::files::read_text(&file, ::files::LARGEST_TEXT) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::file(&file, &error)),
    };
    serde_json::from_str(&text).map(Some).map_err(|error| {
        let failure = Failure::new(Exit::Other, format!("{}: no verdicts: {error}", file.display()));
        failure.help("delete the file to leave this night out of the history")
    })
}

fn name(folder: &Path) -> String {
    folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The folders of reports, by name, but for hidden ones, which are not finished. Links, as to the latest, lead to folders that
/// are listed anyway.
fn folders(reports: &Path) -> Result<Vec<PathBuf>, Failure> {
    let disk = |error: io::Error| Failure::file(reports, &error);
    let mut folders = Vec::new();
    for entry in fs::read_dir(reports).map_err(disk)? {
        let entry = entry.map_err(disk)?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if entry.file_type().map_err(disk)?.is_dir() && !is_hidden {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::{Canary, Conditions, Provenance, Record, append};

    fn write(reports: &Path, name: &str, command: &str, cpu: &str) -> PathBuf {
        let folder = reports.join(name);
        let case = "preprocess/decode".parse().expect("a case");
        let mut provenance = Provenance::default();
        provenance.machine.cpu = cpu.into();
        let started = format!("{}T03:00:00Z", &name[..10]);
        let mut record = Record::new(case, started, Ok(vec![5, 7, 6]), provenance);
        let canary = Canary {
            macs_per_s: 1e11,
            tile_macs_per_s: None,
            bytes_per_s: 1e10,
            handover_ns: Some(55.0),
        };
        record.conditions = Some(Conditions {
            canary: [canary; 2],
            load: None,
            steal: None,
            peak_resident_bytes: None,
        });
        append(&folder.join(RECORDS), &record).expect("written");
        let night = Night {
            command: command.into(),
            comparison: None,
            aa: None,
        };
        let text = serde_json::to_string(&night).expect("JSON");
        fs::write(folder.join(VERDICTS), text).expect("written");
        folder
    }

    #[test]
    fn nights_are_of_one_machine_and_one_command_in_order_of_time() {
        let reports = tempfile::tempdir().expect("a folder");
        let reports = reports.path();
        let machine = Machine {
            cpu: "A".into(),
            ..Machine::default()
        };
        write(reports, "2026-11-10", "zoo nightly", "A");
        write(reports, "2026-11-09", "zoo nightly", "A");
        write(reports, "2026-11-11", "zoo nightly --quick", "A");
        write(reports, "2026-11-12", "zoo nightly", "B");
        fs::create_dir(reports.join("2026-11-13")).expect("a folder");
        let empty = write(reports, "2026-11-08", "zoo nightly", "A");
        fs::write(empty.join(RECORDS), "").expect("written");
        let but = write(reports, "2026-11-14", "zoo nightly", "A");
        let ahead = write(reports, "2028-01-03", "zoo nightly", "A");
        let wanted = Wanted {
            command: "zoo nightly",
            machine: &machine,
            before: "2026-11-14T03:00:00Z",
            but: &but,
        };
        let nights = Nights::of(reports, wanted).expect("readable");
        assert_eq!(
            nights.ahead,
            [name(&ahead)],
            "a clock was ahead: nothing is held against it"
        );
        let days: Vec<String> = nights.sets.iter().map(|set| began(set)).collect();
        assert_eq!(days, ["2026-11-09T03:00:00Z", "2026-11-10T03:00:00Z"]);
        assert_eq!(nights.sets[1][0].median_ns, Some(6.0));
    }

    #[test]
    fn a_clock_that_jumps_deletes_no_samples() {
        let reports = tempfile::tempdir().expect("a folder");
        let reports = reports.path();
        let nights = ["2026-11-09", "2026-11-10", "2026-11-11"]
            .map(|day| write(reports, day, "zoo nightly", "A").join(RECORDS));
        // Three nights with the clock ahead, one with it at its beginning, and then the right time.
        for now in [
            "2027-12-16",
            "2027-12-17",
            "2027-12-18",
            "1970-01-01",
            "2026-11-12",
        ] {
            write(reports, now, "zoo nightly", "A");
            assert!(
                prune(reports, &format!("{now}T03:00:00Z"))
                    .expect("read")
                    .is_empty(),
                "{now}"
            );
            assert!(nights.iter().all(|records| records.is_file()), "{now}");
        }
    }

    #[test]
    fn a_night_is_old_by_the_nights_after_it() {
        assert!(is_old(40, &[40, 1, 0]) && !is_old(30, &[30, 1, 0]));
        assert!(!is_old(40, &[40, 0]), "one clock may be ahead");
        assert!(!is_old(400, &[401, 400, 0]) && !is_old(401, &[401, 400, 1, 0]));
        let week: Vec<i64> = (0..7).chain([400]).collect();
        assert!(is_old(400, &week), "a week of nights confirms a clock");
        let month: Vec<i64> = (0..60).collect();
        assert_eq!(month.iter().filter(|age| is_old(**age, &month)).count(), 28);
    }

    #[test]
    fn old_nights_keep_their_medians_and_are_read_all_the_same() {
        let reports = tempfile::tempdir().expect("a folder");
        let reports = reports.path();
        let old = write(reports, "2026-10-01.2", "zoo nightly", "A");
        let young = write(reports, "2026-11-01", "zoo nightly", "A");
        let foreign = write(reports, "2026-10-02", "zoo report", "A");
        fs::remove_file(foreign.join(VERDICTS)).expect("deleted");
        let before = set(&old).expect("readable");
        assert_eq!(before[0].handover_ns, Some([55.0; 2]));
        fs::write(old.join(TWICE), "").expect("written");
        fs::create_dir(old.join("eval")).expect("made");
        for file in ["V.jsonl", "V.json"] {
            fs::write(old.join("eval").join(file), "").expect("written");
        }
        let page = |link: &str| format!("[{link}]({link})");
        fs::write(old.join("index.md"), page(RECORDS) + " (every single run)").expect("written");
        let pruned = prune(reports, "2026-11-25T03:00:00Z").expect("pruned");
        assert_eq!(pruned, std::slice::from_ref(&old));
        assert!(!old.join(RECORDS).exists() && !old.join(TWICE).exists() && old.join(VERDICTS).exists());
        let linked = fs::read_to_string(old.join("index.md")).expect("a page");
        assert!(linked.starts_with(&(page(MEDIANS) + " (a median")), "{linked}");
        assert!(!old.join("eval/V.jsonl").exists() && old.join("eval/V.json").exists());
        assert!(young.join(RECORDS).exists() && foreign.join(RECORDS).exists());
        assert_eq!(set(&old).expect("readable"), before, "medians say the same");
        assert!(prune(reports, "2026-11-25").expect("nothing left").is_empty());

        fs::write(old.join(MEDIANS), "{}\n").expect("written");
        let failure = set(&old).expect_err("no repeat");
        assert!(
            failure
                .message
                .contains("medians.jsonl:1: not a benchmark record"),
            "{failure:?}"
        );
        fs::write(young.join(VERDICTS), "{").expect("written");
        let wanted = Wanted {
            command: "zoo nightly",
            machine: &Machine::default(),
            before: "2026-11-25",
            but: &old,
        };
        let failure = Nights::of(reports, wanted).expect_err("damaged");
        assert!(failure.message.contains("no verdicts"), "{failure:?}");
    }
}

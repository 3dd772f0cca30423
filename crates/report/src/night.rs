//! A night in its folder: its cells, its machine and its verdicts, as later nights read them.

use std::io;
use std::path::Path;

use harness::verdict::Answer;
use harness::{Case, Commit, Machine};
use serde::{Deserialize, Serialize};

use crate::cell_row::{CELLS, CellRow};
use crate::evaluations::{Evaluations, evaluations};
use crate::text::table;
use crate::{Input, ReportError};

/// The names of the files beside [`CELLS`].
pub(crate) const ABOUT: &str = "machine.json";
const VERDICTS: &str = "verdicts.json";

/// The command, the machine and the program of a night.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct About {
    pub(crate) command: String,
    /// When its last record began, RFC 3339 in UTC.
    pub(crate) measured: String,
    pub(crate) machine: Machine,
    pub(crate) zoo: String,
    pub(crate) build: String,
    pub(crate) commit: Option<Commit>,
}

impl About {
    pub(crate) fn of(input: &Input) -> Self {
        let provenance = input.records.first().map(|record| record.provenance.clone());
        let provenance = provenance.unwrap_or_default();
        Self {
            command: input.command.to_owned(),
            measured: input.measured().unwrap_or_default().to_owned(),
            machine: provenance.machine,
            zoo: provenance.zoo,
            build: provenance.build,
            commit: provenance.commit,
        }
    }

    pub(crate) fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("our types have string keys");
        text + "\n"
    }
}

/// An earlier night of the same machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Night {
    /// Its folder's name.
    pub folder: String,
    pub(crate) about: About,
    pub(crate) cells: Vec<CellRow>,
    pub(crate) verdicts: Verdicts,
    pub(crate) evaluations: Evaluations,
}

/// The verdict on a cell against the nights before.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Mark {
    /// The measured case.
    pub case: Case,
    /// The answer.
    pub answer: Answer,
    /// Why, in words; empty in older files.
    #[serde(default)]
    pub why: String,
}

impl Mark {
    /// Returns `true` if the cell is called slower or faster.
    pub(crate) fn is_change(&self) -> bool {
        matches!(self.answer, Answer::Regressed | Answer::Improved)
    }
}

/// The content of `verdicts.json`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Verdicts {
    #[serde(default)]
    comparison: Option<Marks>,
    #[serde(default)]
    aa: Option<Marks>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct Marks {
    verdicts: Vec<Mark>,
}

impl Verdicts {
    /// Against the nights before.
    pub(crate) fn marks(&self) -> &[Mark] {
        self.comparison.as_ref().map_or(&[], |marks| &marks.verdicts)
    }

    /// The number of cells with this answer.
    pub(crate) fn count(&self, answer: Answer) -> usize {
        self.marks().iter().filter(|mark| mark.answer == answer).count()
    }

    /// The cells that were measured twice in the night; `None` if there are none.
    pub(crate) fn twice(&self) -> Option<Twice> {
        let compared = |mark: &&Mark| !matches!(mark.answer, Answer::NoData | Answer::Incomparable);
        let marks = || self.aa.iter().flat_map(|marks| &marks.verdicts).filter(compared);
        let changed = marks().filter(|mark| mark.is_change());
        let cells = marks().count();
        (cells > 0).then(|| Twice {
            cells,
            changed: changed.count(),
        })
    }
}

/// Cells that the same program measured twice in a night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Twice {
    pub(crate) cells: usize,
    /// Those that were called changed between the two: false alarms.
    pub(crate) changed: usize,
}

/// The verdicts of a night's folder; empty if there is no such file, or it is of another version.
///
/// # Errors
/// If the file is there and cannot be read.
pub fn verdicts(folder: &Path) -> Result<Verdicts, ReportError> {
    let text = text(folder, VERDICTS)?;
    Ok(text
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default())
}

/// The text of a file of a folder, if it is there.
pub(crate) fn text(folder: &Path, name: &str) -> Result<Option<String>, ReportError> {
    match files::read_text(&folder.join(name), files::LARGEST_TEXT) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ReportError::Io {
            path: folder.join(name),
            source,
        }),
    }
}

impl Night {
    /// The night of a folder, or none where the folder is no night's or is of an older version.
    ///
    /// # Errors
    /// If a file is there and cannot be read.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, ReportError> {
        let (Some(about), Some(cells)) = (text(folder, ABOUT)?, text(folder, CELLS)?) else {
            return Ok(None);
        };
        let (Ok(about), Ok(cells)) = (serde_json::from_str(&about), table::read(&cells)) else {
            return Ok(None);
        };
        Ok(Some(Self {
            folder: folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            about,
            cells,
            verdicts: verdicts(folder)?,
            // Another version's are as good as none.
            evaluations: evaluations(folder).unwrap_or_default(),
        }))
    }

    /// Cells with times.
    pub(crate) fn measured(&self) -> usize {
        self.cells.iter().filter(|cell| cell.median_ms.is_some()).count()
    }

    /// Cells that failed.
    pub(crate) fn failed(&self) -> usize {
        self.cells.len() - self.measured()
    }
}

#[cfg(test)]
mod tests {
    use hrnet::Precision;

    use super::*;
    use crate::cell_row::cells;
    use crate::cells::Model;
    use crate::testing::{input, record, zoo};

    #[test]
    fn a_night_comes_back_from_its_folder_whatever_an_error_says() {
        let mut failed = record("HRNet_W30_C/f32/bs1/crop224/cpu/t2", &[]);
        failed.error = Some("a, \"b\"\nc".into());
        let records = [
            record("HRNet_W18_C/f32/bs1/crop224/cpu/t2", &[10, 11, 12, 13, 14, 15]),
            failed,
        ];
        let zoo = zoo();
        let input = input(&zoo, &records);
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Night::read(folder.path()).expect("readable"), None);
        let model = Model::new(&input);
        std::fs::write(folder.path().join(CELLS), cells(&model).expect("a table")).expect("written");
        std::fs::write(folder.path().join(ABOUT), About::of(&input).to_json()).expect("written");
        let verdict = r#"{"verdicts": [{"case": "preprocess/decode", "answer": "regressed", "p": 0.01}]}"#;
        let verdicts = format!(r#"{{"command": "zoo nightly", "comparison": {verdict}, "aa": {verdict}}}"#);
        std::fs::write(folder.path().join(VERDICTS), verdicts).expect("written");
        let night = Night::read(folder.path()).expect("readable").expect("a night");
        assert_eq!(
            (
                night.verdicts.count(Answer::Regressed),
                night.verdicts.count(Answer::Same)
            ),
            (1, 0)
        );
        let (cells, changed) = (1, 1);
        assert_eq!(night.verdicts.twice(), Some(Twice { cells, changed }));
        assert_eq!((night.measured(), night.failed()), (1, 1));
        assert_eq!(night.about.machine.cpu, "Some CPU");
        assert_eq!(night.cells[0].median_ms, Some(12.5));
        assert_eq!(
            (night.cells[0].low_ms, night.cells[0].high_ms),
            (Some(10.0), Some(15.0))
        );
        assert_eq!(night.cells[0].images_per_s, Some(80.0));
        assert_eq!(night.cells[1].error, "a, \"b\"\nc");
        let first = &night.cells[0];
        assert_eq!(
            (first.network.as_str(), first.batch, first.threads),
            ("HRNet_W18_C", Some(1), Some(2))
        );
        assert_eq!(
            (first.backend.as_str(), first.precision),
            ("cpu", Some(Precision::F32))
        );
        std::fs::write(folder.path().join(CELLS), "case,median\nx,1\n").expect("written");
        assert_eq!(
            Night::read(folder.path()).expect("readable"),
            None,
            "another version's"
        );
    }
}

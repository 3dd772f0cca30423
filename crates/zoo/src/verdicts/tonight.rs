use std::path::{Path, PathBuf};

use harness::verdict::{Comparison, Repeat, Rule, compare, share_interval, since};
use harness::{Record, counted};

use report::text::markdown::code;
use report::text::visible;

use super::nights::{Night, Nights, VERDICTS, Wanted};
use crate::Failure;
use crate::bench::provenance;
use crate::files::write_whole;

/// A night whose measurements are over.
pub(crate) struct Tonight<'a> {
    /// The command that measured.
    pub(crate) command: &'a str,
    /// The folder of this night and those of earlier nights.
    pub(crate) reports: &'a Path,
    pub(crate) folder: &'a Path,
    pub(crate) records: &'a [Record],
    /// Records of cells that were measured twice.
    pub(crate) again: &'a [Record],
}

/// The findings, and the files with them.
pub(crate) struct Judged {
    pub(crate) night: Night,
    pub(crate) paths: [PathBuf; 2],
    /// In words.
    pub(crate) told: String,
    /// Nights that nothing is held against, since a clock was wrong.
    pub(crate) ahead: Option<String>,
}

impl Tonight<'_> {
    /// Compares with the nights before and the cells that were measured twice with themselves, and writes the verdicts into the
    /// folder.
    pub(crate) fn judge(&self) -> Result<Judged, Failure> {
        let began = self.records.iter().map(|record| record.started.as_str()).min();
        let nights = Nights::of(
            self.reports,
            Wanted {
                command: self.command,
                machine: &provenance().machine,
                before: began.unwrap_or(&Record::now()),
                but: self.folder,
            },
        )?;
        let (history, rule) = (nights.history(), Rule::default());
        let (first, second) = (Repeat::of(self.records), Repeat::of(self.again));
        let before: Vec<Repeat> = first
            .iter()
            .filter(|repeat| second.iter().any(|again| again.case == repeat.case) && !repeat.raced)
            .cloned()
            .collect();
        let aa = compare(&before, &second, &history, rule);
        let comparison = since(&nights.sets, &first, &history, rule);
        let rate = false_alarms(&nights, &aa);
        let told = comparison.as_ref().map_or_else(
            || "first night of this machine and command: nothing to compare with".into(),
            |comparison| format!("since {}:\n{}", comparison.before, super::urgent(comparison)),
        );
        let markdown = self.markdown(comparison.as_ref(), &rate, &aa);
        let night = Night {
            command: self.command.into(),
            comparison,
            aa: Some(aa),
        };
        let json = serde_json::to_string_pretty(&night).expect("our types have string keys");
        let paths = [VERDICTS, "verdicts.md"].map(|name| self.folder.join(name));
        write_whole(&paths[0], (json + "\n").as_bytes())?;
        write_whole(&paths[1], visible(&markdown).as_bytes())?;
        Ok(Judged {
            night,
            paths,
            told: format!("{}\n{rate}", told.trim_end()),
            ahead: ahead(&nights),
        })
    }

    fn markdown(&self, comparison: Option<&Comparison>, rate: &str, aa: &Comparison) -> String {
        let text = comparison.map_or_else(
            || "The first night of this machine and command: nothing to compare with.\n".into(),
            super::markdown,
        );
        format!(
            "# Verdicts\n\n{}\n\n{text}\n## A/A\n\n{rate}\n\n{}",
            code(self.command),
            super::markdown(aa)
        )
    }
}

/// Returns a remark about nights that began after the present one.
fn ahead(nights: &Nights) -> Option<String> {
    let names = nights.ahead.join(", ");
    (!nights.ahead.is_empty()).then(|| {
        format!(
            "{names}: began after this night, so the clock was wrong then or is now; left out of every comparison. Rename \
             or remove what is wrong"
        )
    })
}

/// Returns the number of cells that were called changed but were not, tonight and over all nights.
fn false_alarms(nights: &Nights, tonight: &Comparison) -> String {
    let cells = nights.twice.cells + tonight.family;
    let changed = nights.twice.changed + tonight.changed();
    let interval = share_interval(changed, cells);
    format!(
        "A/A: {} of {} measured twice are called changed; with {} {changed} of {cells}, a false-alarm rate between {:.1} and \
         {:.1} % per cell",
        tonight.changed(),
        counted(tonight.family, "cell"),
        counted(nights.sets.len(), "earlier night"),
        100.0 * interval.low,
        100.0 * interval.high
    )
}

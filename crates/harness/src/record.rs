use serde::{Deserialize, Serialize};

use crate::{Case, Machine, Summary};

/// One measured cell, or one that failed: a line of JSON that can be read without any other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this form, [`Record::SCHEMA`].
    pub schema: u32,
    /// What was measured; its id in JSON.
    pub case: Case,
    /// When the cell began, RFC 3339 in UTC.
    pub started: String,
    /// Duration of each run in ns, in order; empty if the cell failed.
    pub samples_ns: Vec<u64>,
    /// Why there are no samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The race it was measured in; none for a cell measured alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub race: Option<Race>,
    /// What ran where.
    #[serde(flatten)]
    pub provenance: Provenance,
}

/// A race as each of its records tells of it. Samples of one race with the same index are of the same round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Race {
    /// The same in all records of the race, and in no others of its machine.
    pub id: String,
    /// Multiply-accumulates a second of fused instructions on registers alone, on as many threads, in the best of the same
    /// rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_macs_per_s: Option<f64>,
}

/// What all records of a run share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The weights: `seeded:0`, or the file and its SHA-256.
    pub weights: String,
    /// Version of this program.
    pub zoo: String,
    /// The compiler that built it, and its profile.
    pub build: String,
    /// The backend and the version of the library behind it.
    pub backend: String,
    /// The source it was built from, where it lies in a repository.
    pub commit: Option<Commit>,
    /// The machine.
    pub machine: Machine,
}

/// A commit of the source, and whether files differed from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Full hash.
    pub hash: String,
    /// Whether the working tree had changes.
    pub dirty: bool,
}

/// How a cell ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome<'a> {
    /// With samples.
    Measured(Summary),
    /// With an error.
    Failed(&'a str),
}

impl Record {
    /// The version of the JSON form.
    pub const SCHEMA: u32 = 1;

    /// A record of what happened: the samples, or the error.
    pub fn new(
        case: Case,
        started: String,
        result: Result<Vec<u64>, String>,
        provenance: Provenance,
    ) -> Self {
        let (samples_ns, error) = match result {
            Ok(samples) => (samples, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        Self {
            schema: Self::SCHEMA,
            case,
            started,
            samples_ns,
            error,
            race: None,
            provenance,
        }
    }

    /// The present time in the form of [`Record::started`].
    pub fn now() -> String {
        let now = jiff::Timestamp::now();
        now.round(jiff::Unit::Second).unwrap_or(now).to_string()
    }

    /// The summary of the samples, or why there are none.
    pub fn outcome(&self) -> Outcome<'_> {
        match (&self.error, Summary::of(&self.samples_ns)) {
            (None, Some(summary)) => Outcome::Measured(summary),
            (Some(error), _) => Outcome::Failed(error),
            (None, None) => Outcome::Failed("no samples"),
        }
    }

    /// The summary, if the cell was measured.
    pub fn summary(&self) -> Option<Summary> {
        match self.outcome() {
            Outcome::Measured(summary) => Some(summary),
            Outcome::Failed(_) => None,
        }
    }
}

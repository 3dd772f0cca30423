use serde::{Deserialize, Serialize};

use crate::{Case, Machine, Summary, WeightsCheck, days};

/// One measured cell, or one that failed: a line of JSON that can be read without any other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this form, [`Record::SCHEMA`].
    pub schema: u32,
    /// The measured case; its id in JSON.
    pub case: Case,
    /// When the cell began, RFC 3339 in UTC.
    #[serde(deserialize_with = "days::time")]
    pub started: String,
    /// Duration of each run in ns, in order; empty if the cell failed.
    pub samples_ns: Vec<u64>,
    /// Why there are no samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Runs before the first sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<WarmUp>,
    /// Closeness of the outputs to the reference's, measured before the clock started; `None` for a case without a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<Fidelity>,
    /// The machine's state around the cell; `None` in records of races and of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Conditions>,
    /// Which of the cell's repeats in processes of their own this is, from 0; `None` if it was measured in the
    /// process that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
    /// The race it was measured in; `None` for a cell measured alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub race: Option<Race>,
    /// All that the cell took, ns: starting its process, weights, checking the answer, warm-up and samples. Later runs are
    /// planned by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent_ns: Option<u64>,
    /// The weights, the program and the machine.
    #[serde(flatten)]
    pub provenance: Provenance,
}

/// Runs that are not recorded, and whether they ended because their times had stopped falling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmUp {
    /// Number of runs.
    pub runs: usize,
    /// The last runs took as long as those before them; `false` if the limit on runs or time ended the warm-up first.
    pub steady: bool,
}

/// Closeness of outputs to the reference's: [`Closeness`](crate::Closeness) computes it for logits,
/// [`MapCloseness`](crate::MapCloseness) for heatmaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fidelity {
    /// The largest difference of a value, as a share of the reference's largest.
    pub largest_error: f64,
    /// The share of images whose first class is the reference's; `None` for heatmaps, which have no classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top1_agreement: Option<f64>,
    /// The largest difference of a logit, in standard deviations of the reference's logits; `None` for heatmaps and in older
    /// records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_in_deviations: Option<f64>,
    /// The Kullback-Leibler divergence of the class probabilities from the reference's, nats, the mean over images; `None` for
    /// heatmaps and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divergence: Option<f64>,
}

/// The state of the machine while a cell was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// The canaries right before the cell and right after it.
    pub canary: [Canary; 2],
    /// Processors that other processes kept busy; `None` if the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// The share of the processors' time that their host gave to others; `None` if the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steal: Option<f64>,
    /// The most memory that was resident at once while the cell was timed, bytes; `None` if the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_resident_bytes: Option<u64>,
}

/// The abilities of the machine at a moment, on as many threads as a case has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Canary {
    /// Multiply-accumulates per second of fused f32 instructions on registers alone.
    pub macs_per_s: f64,
    /// Multiply-accumulates per second of a matrix unit's tiles in the case's number format; `None` if the CPU has none or the
    /// format does not use them, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tile_macs_per_s: Option<f64>,
    /// Bytes per second read from memory that no cache holds.
    pub bytes_per_s: f64,
    /// Time of a cache line from one of two threads to the other, ns; `None` on one thread. A host moves the cores of a virtual
    /// machine between its clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover_ns: Option<f64>,
}

/// A race, as each of its records describes it. Samples of one race with the same index are of the same round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Race {
    /// The same in all records of the race, and in no others of its machine.
    pub id: String,
    /// Multiply-accumulates per second of fused instructions on registers alone, on as many threads, in the best of the same
    /// rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_macs_per_s: Option<f64>,
}

/// The facts that all records of a run share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The weights: `seeded:0`, or the name of the file and its SHA-256.
    pub weights: String,
    /// The way in which that SHA-256 was known; `None` for seeded weights and in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_check: Option<WeightsCheck>,
    /// Version of this program.
    pub zoo: String,
    /// The compiler that built it, and its profile.
    pub build: String,
    /// Cargo features that it was built with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<String>,
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
    /// The working tree had changes.
    pub dirty: bool,
}

/// The outcome of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome<'a> {
    /// With samples.
    Measured(Summary),
    /// With an error.
    Failed(&'a str),
}

impl Provenance {
    /// The program in a line: version, commit and build.
    pub fn program(&self) -> String {
        let commit = match &self.commit {
            None => "no commit known".to_owned(),
            Some(commit) => {
                let changed = if commit.dirty { " with changes" } else { "" };
                let short = commit.hash.get(..12).unwrap_or(&commit.hash);
                format!("commit {short}{changed}")
            }
        };
        format!("zoo {}, {commit}, {}", self.zoo, self.build)
    }

    /// Returns whether a debug build was measured, which is compiled with fewer optimisations.
    pub fn is_debug_build(&self) -> bool {
        self.build.ends_with("debug")
    }

    /// The vector unit that the backend told of behind its version: `avx512` of `engine 1.0, on avx512`.
    pub fn unit(&self) -> Option<&str> {
        let (_, unit) = self.backend.rsplit_once(", on ")?;
        (!unit.is_empty() && !unit.contains(' ')).then_some(unit)
    }

    /// The name of the weights, without their digest and the calibration they ran by.
    pub fn weights_name(&self) -> &str {
        let parts = [", sha256 ", ", calibration "].map(|part| self.weights.find(part));
        let end = parts.into_iter().flatten().min().unwrap_or(self.weights.len());
        &self.weights[..end]
    }
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
            warm_up: None,
            fidelity: None,
            conditions: None,
            process: None,
            race: None,
            spent_ns: None,
            provenance,
        }
    }

    /// The present time in the form of [`Record::started`].
    pub fn now() -> String {
        days::now()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning and the end of a line, as it was written before pose networks were measured.
    const LINE: [&str; 2] = [
        r#"{"schema":1,"case":""#,
        r#"","started":"2026-01-01T00:00:00Z","samples_ns":[44000000],"fidelity":{FIDELITY},"weights":"seeded:0","zoo":"0.1.0","build":"rustc, release","backend":"engine","commit":null,"machine":{"cpu":"A","threads":2,"memory_bytes":0,"os":"linux","cpu_features":[]}}"#,
    ];

    fn line(case: &str, fidelity: &str) -> String {
        format!("{}{case}{}", LINE[0], LINE[1]).replace("FIDELITY", fidelity)
    }

    #[test]
    fn records_of_classifiers_keep_their_bytes_and_those_of_pose_networks_have_an_error_alone() {
        let logits =
            r#""largest_error":0.5,"top1_agreement":1.0,"error_in_deviations":0.25,"divergence":0.0"#;
        for line in [
            line("HRNet_W18_C/f32/bs1/crop224/cpu/t2", logits),
            line(
                "HRNet_W18_C/int8/bs4/crop288/openvino/t1",
                r#""largest_error":0.5,"top1_agreement":0.75"#,
            ),
            line(
                "pose_hrnet_w32_256x192/f32/bs1/256x192/cpu/t2",
                r#""largest_error":0.5"#,
            ),
        ] {
            let record: Record = serde_json::from_str(&line).expect("a record");
            assert_eq!(serde_json::to_string(&record).expect("JSON"), line);
        }
    }
}

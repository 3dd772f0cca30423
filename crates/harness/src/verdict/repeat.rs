use serde::{Deserialize, Serialize};

use crate::derived::canary_macs;
use crate::{Case, Conditions, Outcome, Provenance, Record};

/// When a set's first repeat began, RFC 3339 in UTC; empty without any.
pub(super) fn began(set: &[Repeat]) -> String {
    let first = set.iter().map(|repeat| repeat.started.as_str()).min();
    first.unwrap_or_default().to_owned()
}

/// One process's median of a case: a record without its samples. History keeps these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// The measured case.
    pub case: Case,
    /// When it began, RFC 3339 in UTC.
    #[serde(deserialize_with = "crate::days::time")]
    pub started: String,
    /// Median of its samples, ns; `None` if it failed.
    pub median_ns: Option<f64>,
    /// Their median absolute deviation from it, ns.
    #[serde(default)]
    pub mad_ns: f64,
    /// Number of samples.
    #[serde(default)]
    pub samples: usize,
    /// Why there is no median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Multiply-accumulates per second that the machine reached around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_macs_per_s: Option<f64>,
    /// Multiply-accumulates per second that its matrix unit reached around it, for cases that use one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tile_macs_per_s: Option<f64>,
    /// Time of a hand-over between two of its threads before and after, ns, the shorter first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover_ns: Option<[f64; 2]>,
    /// Something else disturbed the machine around it, or its samples lie far apart: [`Record::noise`] gives a reason.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub noisy: bool,
    /// It was measured in turns with others.
    #[serde(default)]
    pub raced: bool,
    /// The weights, the program and the machine.
    #[serde(flatten)]
    pub provenance: Provenance,
}

impl From<&Record> for Repeat {
    fn from(record: &Record) -> Self {
        let (summary, error) = match record.outcome() {
            Outcome::Measured(summary) => (Some(summary), None),
            Outcome::Failed(error) => (None, Some(error.to_owned())),
        };
        Self {
            case: record.case.clone(),
            started: record.started.clone(),
            median_ns: summary.map(|summary| summary.median_ns),
            mad_ns: summary.map_or(0.0, |summary| summary.mad_ns),
            samples: record.samples_ns.len(),
            error,
            canary_macs_per_s: record.conditions.as_ref().and_then(Conditions::macs_per_s),
            tile_macs_per_s: record.conditions.as_ref().and_then(Conditions::tile_macs_per_s),
            handover_ns: record.conditions.as_ref().and_then(Conditions::handover_ns),
            noisy: record.noise().is_some(),
            raced: record.race.is_some(),
            provenance: record.provenance.clone(),
        }
    }
}

impl Repeat {
    /// The records without their samples.
    pub fn of(records: &[Record]) -> Vec<Self> {
        records.iter().map(Self::from).collect()
    }

    /// The logarithm of the time in ns.
    pub(super) fn log(&self) -> Option<f64> {
        self.median_ns.filter(|ns| *ns > 0.0).map(f64::ln)
    }

    /// The logarithm of the time in multiply-accumulates of the canary's: of the vector unit's, or with `tiles` of the geometric
    /// mean of both units', for a case computes with both.
    pub(super) fn normalised_log(&self, tiles: bool) -> Option<f64> {
        let ns = self.median_ns.filter(|ns| *ns > 0.0)?;
        let vectors = self.canary_macs_per_s?;
        let rate = match tiles {
            true => (vectors * self.tile_macs_per_s?).sqrt(),
            false => vectors,
        };
        Some(canary_macs(ns, rate).ln())
    }

    /// The standard error of the median by its samples' spread, in logarithms, as if they were independent.
    pub(super) fn error_of_median(&self) -> f64 {
        match self.median_ns {
            Some(median) if median > 0.0 && self.samples > 0 => {
                super::spread::MEDIAN_ERROR * self.mad_ns / median / (self.samples as f64).sqrt()
            }
            _ => 0.0,
        }
    }
}

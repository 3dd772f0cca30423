use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;

use harness::{Budget, Case, Record, Stopwatch};
use hrnet::Shape;
use serde::{Deserialize, Serialize};

use super::Workshop;
use super::runner::{one, provenance};
use crate::context::Context;
use crate::model::WeightsArg;
use crate::{Exit, Failure, aside, memory};

/// The hidden option of `zoo bench` with which a process reads an errand and prints its record.
const WORKER: [&str; 2] = ["bench", "--worker"];

/// The longest errand, bytes: it names a cell and a few paths.
const MOST: u64 = 1 << 20;

/// A cell to be measured in a process of its own: in one process the cells before would leave their memory, their threads
/// and their layout to the cells after, and a crash would take them all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Errand {
    pub(crate) case: Case,
    pub(crate) budget: Budget,
    /// As [`Workshop::new`] takes them.
    pub(crate) weights: Option<WeightsArg>,
    /// As [`Workshop::calibrated`] takes it. A path as the system has it, which need not be text.
    pub(crate) calibration: Option<OsString>,
    /// Folder in which errands share the reference's answers.
    pub(crate) references: OsString,
}

impl Errand {
    /// Has a fresh process measure the cell. A process that fails or is killed makes a record of its end.
    pub(crate) fn send(&self, cx: &Context) -> Record {
        let (started, watch) = (Record::now(), Stopwatch::start());
        let mut record = self
            .record(cx)
            .unwrap_or_else(|error| Record::new(self.case.clone(), started, Err(error), provenance()));
        record.spent_ns = u64::try_from(watch.elapsed().as_nanos()).ok();
        record
    }

    fn record(&self, cx: &Context) -> Result<Record, String> {
        // One that cannot be is no process's death.
        if let Some(case) = self.case.network() {
            let variant = cx.recorded(&case.variant).map_err(|failure| failure.message)?;
            memory::check(variant, Shape::images(case.batch, case.crop), case.precision)
                .map_err(|failure| failure.message)?;
        }
        let mut arguments = cx.arguments();
        arguments.extend(WORKER.map(OsString::from));
        let input = serde_json::to_string(self).map_err(|error| error.to_string())?;
        let printed = aside::run_self(&arguments, &input).map_err(|failure| failure.message)?;
        serde_json::from_str(&printed).map_err(|error| format!("its process printed no record: {error}"))
    }

    /// Reads an errand, measures, and prints the record.
    pub(crate) fn serve(cx: &Context, input: impl Read) -> Result<(), Failure> {
        aside::end_with_parent();
        let mut text = String::new();
        input
            .take(MOST)
            .read_to_string(&mut text)
            .map_err(|error| Failure::new(Exit::Usage, format!("standard input: {error}")))?;
        let errand: Self = serde_json::from_str(&text)
            .map_err(|error| Failure::new(Exit::Usage, format!("standard input is no errand: {error}")))?;
        let workshop = Workshop::new(cx, errand.weights)
            .calibrated(errand.calibration.map(PathBuf::from))
            .sharing(errand.references.into());
        cx.out
            .json_line(&one(&workshop, &errand.case, errand.budget, &provenance())?)
    }
}

use std::path::Path;

use harness::{Budget, Case, Commit, Machine, Provenance, Record, append};

use super::Workshop;
use crate::Failure;

/// What this program's records share: version, compiler, commit and machine.
pub(crate) fn provenance() -> Provenance {
    let commit = option_env!("ZOO_COMMIT").map(|hash| Commit {
        hash: hash.to_owned(),
        dirty: option_env!("ZOO_DIRTY") == Some("true"),
    });
    let features = kernels::cpu_features().into_iter().map(str::to_owned).collect();
    Provenance {
        zoo: env!("CARGO_PKG_VERSION").to_owned(),
        build: env!("ZOO_BUILD").to_owned(),
        commit,
        machine: Machine::detect(features),
        ..Provenance::default()
    }
}

/// Measures the cells one after the other and appends each record to the file as soon as it is there.
///
/// A cell that cannot be prepared or run becomes a record of its error, and the next one begins.
pub(crate) fn measure(
    workshop: &Workshop,
    cases: &[Case],
    budget: Budget,
    file: &Path,
    mut told: impl FnMut(&Record) -> Result<(), Failure>,
) -> Result<Vec<Record>, Failure> {
    let common = provenance();
    let mut records = Vec::with_capacity(cases.len());
    for case in cases {
        let started = Record::now();
        let mut about = common.clone();
        let result = workshop
            .prepare(case)
            .map_err(|failure| failure.message)
            .and_then(|mut prepared| {
                about.weights = prepared.weights;
                about.backend = prepared.backend;
                budget.measure(&mut prepared.cell)
            });
        let record = Record::new(case.clone(), started, result, about);
        append(file, &record)?;
        told(&record)?;
        records.push(record);
    }
    Ok(records)
}

use std::path::Path;

use harness::{Budget, Case, Commit, Lookout, Machine, Provenance, Record, append};

use super::Workshop;
use super::canary::{SWEEP, canary};
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
        let record = one(workshop, case, budget, &common)?;
        append(file, &record)?;
        told(&record)?;
        records.push(record);
    }
    Ok(records)
}

/// One cell's record, with what the machine could do before and after it.
fn one(workshop: &Workshop, case: &Case, budget: Budget, common: &Provenance) -> Result<Record, Failure> {
    let (isa, threads) = (runtime::unit()?, case.network().map_or(1, |case| case.threads));
    let started = Record::now();
    let mut prepared = match workshop.prepare(case) {
        Ok(prepared) => prepared,
        Err(failure) => {
            let error = Err(failure.message);
            return Ok(Record::new(case.clone(), started, error, common.clone()));
        }
    };
    let before = canary(isa, threads);
    let lookout = Lookout::begin();
    let result = budget.measure(&mut prepared.cell);
    let mut conditions = lookout.end([before, canary(isa, threads)]);
    // The canary's memory is no part of what the cell needs.
    conditions.peak_resident_bytes = conditions
        .peak_resident_bytes
        .map(|bytes| bytes.saturating_sub(SWEEP as u64));
    let warm_up = result.as_ref().ok().map(|(warm_up, _)| *warm_up);
    let about = Provenance {
        weights: prepared.weights,
        backend: prepared.backend,
        ..common.clone()
    };
    let mut record = Record::new(case.clone(), started, result.map(|(_, samples)| samples), about);
    record.warm_up = warm_up;
    record.fidelity = prepared.fidelity;
    record.conditions = Some(conditions);
    Ok(record)
}

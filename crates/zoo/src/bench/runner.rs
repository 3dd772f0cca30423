use harness::{Budget, Case, Commit, Lookout, Machine, Provenance, Record};

use super::Workshop;
use super::canary::{SWEEP, canary};
use crate::Failure;

/// What this program's records share: version, compiler, commit and machine.
pub(crate) fn provenance() -> Provenance {
    let commit = option_env!("ZOO_COMMIT").map(|hash| Commit {
        hash: hash.to_owned(),
        dirty: option_env!("ZOO_DIRTY") == Some("true"),
    });
    let cpu_features = kernels::cpu_features().into_iter().map(str::to_owned).collect();
    let features = env!("ZOO_FEATURES").split(',').filter(|name| !name.is_empty());
    Provenance {
        zoo: env!("CARGO_PKG_VERSION").to_owned(),
        build: env!("ZOO_BUILD").to_owned(),
        commit,
        features: features.map(str::to_owned).collect(),
        machine: Machine::detect(cpu_features),
        ..Provenance::default()
    }
}

/// One cell's record, with what the machine could do before and after it. What cannot be prepared or run is a record of its
/// error.
pub(super) fn one(
    workshop: &Workshop,
    case: &Case,
    budget: Budget,
    common: &Provenance,
) -> Result<Record, Failure> {
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

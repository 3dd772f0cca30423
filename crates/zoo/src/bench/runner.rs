use harness::{Budget, Canary, Case, Commit, Conditions, Lookout, Machine, Provenance, Record, SWEEP};
use kernels::engine::{Format, Isa};

use super::Workshop;
use super::canary::canary;
use super::prepare::Prepared;
use crate::Failure;

/// Returns the fields that all records of this program share: version, compiler, commit and machine.
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

/// The state of the machine while a cell is measured.
pub(super) struct Watch {
    isa: Isa,
    /// The format that the case multiplies.
    format: Format,
    threads: usize,
    before: Canary,
    lookout: Lookout,
}

impl Watch {
    /// Begins with what the machine can do on the case's threads.
    pub(super) fn begin(case: &Case) -> Result<Self, Failure> {
        let (isa, format, threads) = match case.network() {
            Some(case) => {
                let isa = runtime::unit_for(case.precision)?;
                (isa, runtime::operands(case.precision, isa), case.threads)
            }
            None => (runtime::unit()?, Format::F32, 1),
        };
        Ok(Self {
            isa,
            format,
            threads,
            before: canary(isa, format, threads),
            lookout: Lookout::begin(),
        })
    }

    pub(super) fn end(self) -> Conditions {
        let after = canary(self.isa, self.format, self.threads);
        let mut conditions = self.lookout.end([self.before, after]);
        // The canary's memory is no part of what the cell needs.
        conditions.peak_resident_bytes = conditions
            .peak_resident_bytes
            .map(|bytes| bytes.saturating_sub(SWEEP as u64));
        conditions
    }
}

/// One cell's record. What cannot be prepared or run is a record of its error.
pub(super) fn one(
    workshop: &Workshop,
    case: &Case,
    budget: Budget,
    common: &Provenance,
) -> Result<Record, Failure> {
    let started = Record::now();
    let Prepared { mut cell, about } = match workshop.prepare(case) {
        Ok(prepared) => prepared,
        Err(failure) => {
            let error = Err(failure.message);
            return Ok(Record::new(case.clone(), started, error, common.clone()));
        }
    };
    let watch = Watch::begin(case)?;
    let result = budget.measure(&mut cell);
    let conditions = watch.end();
    let (warm_up, samples) = match result {
        Ok((warm_up, samples)) => (Some(warm_up), Ok(samples)),
        Err(error) => (None, Err(error)),
    };
    let mut record = about.record(case, started, samples, common);
    record.warm_up = warm_up;
    record.conditions = Some(conditions);
    Ok(record)
}

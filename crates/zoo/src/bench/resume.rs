use std::path::Path;

use harness::verdict::same_machine;
use harness::{Case, Provenance, Record};

use super::Task;
use super::runner::provenance;
use crate::Failure;
use crate::calibration::Calibrated;
use crate::context::Context;
use crate::model::{Choice, Weights, WeightsArg};

/// Gives the tasks what an earlier run has measured: records of this program on this machine, of the same weights, that did
/// not fail.
pub(crate) fn resume(
    cx: &Context,
    tasks: &mut [Task],
    records: &[Record],
    weights: Option<&WeightsArg>,
    calibration: Option<&Path>,
) -> Result<(), Failure> {
    let this = provenance();
    for task in tasks {
        let weights = self::weights(cx, &task.case, weights, calibration)?;
        let is_same = |record: &&Record| {
            record.case == task.case
                && record.race.is_none()
                && record.provenance.weights == weights
                && same_program(&record.provenance, &this)
        };
        for record in records.iter().filter(is_same) {
            // The first process of a cell begins it anew.
            if record.process.is_none_or(|process| process == 0) {
                task.records.clear();
            }
            task.records.push(record.clone());
        }
        if task.records.iter().any(|record| record.error.is_some()) {
            task.records.clear();
        }
    }
    Ok(())
}

fn same_program(record: &Provenance, this: &Provenance) -> bool {
    let program = |about: &Provenance| {
        let Provenance {
            zoo,
            build,
            features,
            commit,
            ..
        } = about.clone();
        (zoo, build, features, commit)
    };
    program(record) == program(this) && same_machine(&record.machine, &this.machine)
}

/// Returns the description of the weights in a record of the case.
fn weights(
    cx: &Context,
    case: &Case,
    given: Option<&WeightsArg>,
    calibration: Option<&Path>,
) -> Result<String, Failure> {
    let Some(case) = case.network() else {
        return Ok(String::new());
    };
    let choice = given.cloned().map_or(Choice::CachedOrSeeded, Choice::Given);
    let about = Weights::about_choice(cx, cx.recorded(&case.variant)?, &choice)?;
    match calibration.filter(|_| case.precision.is_fixed_point()) {
        Some(file) => Ok(Calibrated::open(file)?.about(&about)),
        None => Ok(about),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASE: &str = "HRNet_W18_C/f32/bs1/crop224/cpu/t1";

    fn record(process: u32, change: impl FnOnce(&mut Record)) -> Record {
        let mut record = Record::new(
            CASE.parse().expect("a case"),
            Record::now(),
            Ok(vec![5]),
            Provenance {
                weights: "seeded:3".into(),
                ..provenance()
            },
        );
        record.process = Some(process);
        change(&mut record);
        record
    }

    fn resumed(records: &[Record]) -> usize {
        let mut tasks = [Task::new(CASE.parse().expect("a case"), Path::new("a"))];
        let weights = WeightsArg::Seeded(3);
        resume(&Context::embedded(), &mut tasks, records, Some(&weights), None).expect("resumed");
        tasks[0].records.len()
    }

    #[test]
    fn only_records_of_the_same_program_machine_and_weights_count() {
        let same = |process| record(process, |_| ());
        assert_eq!(resumed(&[same(0), same(1)]), 2);
        assert_eq!(resumed(&[same(0), same(1), same(0)]), 1, "begun anew since");
        let others = [
            record(0, |record| record.provenance.weights = "seeded:4".into()),
            record(0, |record| record.provenance.build = "another compiler".into()),
            record(0, |record| record.provenance.machine.cpu = "another".into()),
            record(0, |record| {
                record.case = "preprocess/decode".parse().expect("a case")
            }),
        ];
        assert_eq!(resumed(&others), 0);
        let failed = record(1, |record| record.error = Some("killed".into()));
        assert_eq!(resumed(&[same(0), failed]), 0, "what failed is measured again");
    }
}

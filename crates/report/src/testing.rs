//! Records that tests are made of.

use std::path::Path;

use harness::{Provenance, Record};
use registry::{EMBEDDED, Zoo};

use crate::cells::Model;
use crate::{Evaluations, Input, Verdicts};

/// Names of other people's engines.
pub(crate) const PEERS: &[&str] = &["openvino", "mnn"];

pub(crate) fn zoo() -> Zoo {
    Zoo::parse(EMBEDDED, Path::new("zoo.toml")).expect("the shipped manifest")
}

/// A record with these samples, in ms.
pub(crate) fn record(case: &str, ms: &[u64]) -> Record {
    let mut record = Record::new(
        case.parse().expect("a case"),
        "2026-01-01T00:00:00Z".into(),
        Ok(ms.iter().map(|ms| ms * 1_000_000).collect()),
        Provenance::default(),
    );
    record.provenance.machine.cpu = "Some CPU".into();
    record.provenance.machine.threads = 2;
    record
}

static NO_EVALUATIONS: std::sync::LazyLock<Evaluations> = std::sync::LazyLock::new(Evaluations::default);
static NO_VERDICTS: std::sync::LazyLock<Verdicts> = std::sync::LazyLock::new(Verdicts::default);

pub(crate) fn input<'a>(zoo: &'a Zoo, records: &'a [Record]) -> Input<'a> {
    Input {
        zoo,
        findings: &[],
        records,
        layers: None,
        evaluations: &NO_EVALUATIONS,
        peers: PEERS,
        history: &[],
        verdicts: &NO_VERDICTS,
        command: "zoo report",
    }
}

/// Looks at the model of these records.
pub(crate) fn with<T>(records: &[Record], look: impl FnOnce(&Model) -> T) -> T {
    let zoo = zoo();
    look(&Model::new(&input(&zoo, records)))
}

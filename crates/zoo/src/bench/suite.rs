use std::path::Path;

use harness::{Case, Record, Suite, append, counted};
use hrnet::{Precision, Size};

use super::peers::is_full;
use super::runner::{Watch, provenance};
use super::{BATCHES, CLASSIFIED, Matrix, SIZES, Workshop, preprocess_cases};
use crate::Failure;
use crate::context::Context;

/// Folder for criterion's samples, as for those of `zoo bench`; below the workspace's root, where `cargo bench` runs.
const RECORDS: &str = "reports/records.jsonl";

/// The preprocessing benchmarks, as `cargo bench --bench preprocess` runs them.
///
/// # Panics
/// If a cell cannot be prepared.
pub fn preprocess() {
    let cx = Context::embedded();
    run(&cx, preprocess_cases());
}

/// The network benchmarks, as `cargo bench --bench network` runs them: by default the networks and batches that end
/// within minutes, with `ZOO_BENCH=full` every variant, size, precision and batch.
///
/// # Panics
/// If a cell cannot be prepared.
pub fn network() {
    let cx = Context::embedded();
    cx.use_costs();
    let cases = selection(&cx, is_full()).expect("the built-in manifest is valid");
    run(&cx, cases);
}

fn selection(cx: &Context, full: bool) -> Result<Vec<Case>, Failure> {
    let zoo = cx.zoo()?;
    let every = Matrix {
        variants: zoo.classifiers().map(|variant| variant.name.clone()).collect(),
        precisions: Precision::ALL.to_vec(),
        batches: BATCHES.to_vec(),
        sizes: SIZES.map(|(_, crop)| Size::square(crop)).to_vec(),
        backends: names(runtime::BACKENDS),
        threads: vec![super::all_threads()],
        twins: false,
    };
    if full {
        return Ok(every.cases(zoo));
    }
    let every = Matrix {
        backends: Vec::new(),
        ..every
    };
    let all_networks = Matrix {
        precisions: vec![Precision::F32],
        batches: vec![1],
        sizes: vec![CLASSIFIED],
        ..every.clone()
    };
    let smallest = Matrix {
        variants: vec![zoo.variants[0].name.clone()],
        ..every
    };
    let mut cases = all_networks.cases(zoo);
    for matrix in [
        Matrix {
            sizes: vec![CLASSIFIED],
            ..smallest.clone()
        },
        Matrix {
            batches: vec![1],
            ..smallest
        },
    ] {
        cases.extend(matrix.cases(zoo));
    }
    let mut seen = std::collections::HashSet::new();
    cases.retain(|case| seen.insert(case.clone()));
    Ok(cases)
}

fn names(backends: &[&dyn runtime::Backend]) -> Vec<String> {
    backends.iter().map(|backend| backend.name().to_owned()).collect()
}

fn run(cx: &Context, cases: Vec<Case>) {
    let (workshop, common) = (Workshop::new(cx, None), provenance());
    let mut suite = Suite::from_args();
    let mut written = 0;
    for case in cases {
        let mut ready = None;
        let measured = suite.bench(&case, || {
            let started = Record::now();
            let prepared = workshop.prepare(&case).map_err(|failure| failure.message)?;
            let watch = Watch::begin(&case).map_err(|failure| failure.message)?;
            ready = Some((started, prepared.about, watch));
            Ok(prepared.cell)
        });
        if let Some(((warm_up, samples), (started, about, watch))) = measured.zip(ready) {
            let mut record = about.record(&case, started, Ok(samples), &common);
            record.warm_up = Some(warm_up);
            record.conditions = Some(watch.end());
            append(Path::new(RECORDS), &record).unwrap_or_else(|error| panic!("{error}"));
            written += 1;
        }
    }
    suite.finish();
    if written > 0 {
        // Nowhere is left to say it if standard output is closed.
        let _ = cx
            .out
            .data(&format!("{} appended to {RECORDS}", counted(written, "record")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_has_every_cell_once_and_the_default_is_a_part_of_it() {
        let cx = Context::embedded();
        let full = selection(&cx, true).expect("cases");
        // Ten distinct networks, three batches and sizes, and what runs in each precision.
        let precisions = |backend: &&dyn runtime::Backend| {
            let runs = |precision: &&Precision| backend.arithmetic(**precision).is_some();
            Precision::ALL.iter().filter(runs).count()
        };
        let pairs: usize = runtime::BACKENDS.iter().map(precisions).sum();
        assert_eq!(full.len(), 10 * 9 * pairs);
        let default = selection(&cx, false).expect("cases");
        assert!(default.iter().all(|case| full.contains(case)));
        // Each network once, and the first at every batch or size in every precision: five cells, one of them known.
        let run = Precision::ALL.map(runtime::default_backend);
        let run = run.iter().filter(|backend| backend.is_ok()).count();
        assert!(run >= Precision::FLOATS.len());
        assert_eq!(default.len(), 10 + 5 * run - 1);
    }
}

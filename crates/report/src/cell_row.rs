//! The rows of `cells.csv`: what later nights and people's own programs read.

use std::io;
use std::path::Path;

use harness::{Case, PreprocessCase, Record, Times};
use hrnet::{Precision, Size};
use registry::Zoo;
use serde::{Deserialize, Serialize};

use crate::cells::{Cell, Model};
use crate::evaluations::Evaluations;
use crate::night::Verdicts;
use crate::text::table;
use crate::{Input, ReportError};

/// The file's name.
pub(crate) const CELLS: &str = "cells.csv";

/// One row of `cells.csv`; times in ms. [`COLUMNS`](crate::COLUMNS) says what each column means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CellRow {
    pub(crate) case: Case,
    /// The parts of the case, for who sorts by them; older files have none.
    #[serde(default)]
    pub(crate) stage: String,
    #[serde(default)]
    pub(crate) network: String,
    #[serde(default)]
    pub(crate) precision: Option<Precision>,
    #[serde(default)]
    pub(crate) batch: Option<usize>,
    #[serde(default)]
    pub(crate) crop: Option<Size>,
    /// As an option names it; in older files what [`CellRow::backend_version`] is.
    pub(crate) backend: String,
    #[serde(default)]
    pub(crate) unit: Option<String>,
    #[serde(default)]
    pub(crate) threads: Option<usize>,
    pub(crate) raced: bool,
    pub(crate) processes: usize,
    pub(crate) samples: usize,
    pub(crate) median_ms: Option<f64>,
    pub(crate) low_ms: Option<f64>,
    pub(crate) high_ms: Option<f64>,
    pub(crate) mad_ms: Option<f64>,
    pub(crate) min_ms: Option<f64>,
    pub(crate) p90_ms: Option<f64>,
    /// Upper bound of the true 90th percentile at 99 % confidence.
    #[serde(default)]
    pub(crate) p90_at_most_ms: Option<f64>,
    pub(crate) max_ms: Option<f64>,
    pub(crate) images_per_s: Option<f64>,
    /// Multiply-accumulates of direct convolution a second.
    pub(crate) gmacs_per_s: Option<f64>,
    /// The rate of fused multiply-adds around it.
    pub(crate) peak_gmacs_per_s: Option<f64>,
    /// The former over the latter.
    #[serde(default)]
    pub(crate) share_of_peak: Option<f64>,
    /// The median on a machine of [`harness::REFERENCE_MACS_PER_S`].
    #[serde(default)]
    pub(crate) normalised_ms: Option<f64>,
    pub(crate) load: Option<f64>,
    pub(crate) steal: Option<f64>,
    pub(crate) peak_resident_bytes: Option<u64>,
    pub(crate) largest_error: Option<f64>,
    pub(crate) top1_agreement: Option<f64>,
    /// The largest error in standard deviations of the reference's logits.
    #[serde(default)]
    pub(crate) error_in_deviations: Option<f64>,
    /// Kullback-Leibler, nats.
    #[serde(default)]
    pub(crate) divergence: Option<f64>,
    pub(crate) steady: Option<bool>,
    pub(crate) started: String,
    #[serde(default)]
    pub(crate) backend_version: String,
    pub(crate) weights: String,
    pub(crate) error: String,
}

impl CellRow {
    fn of(model: &Model, cell: &Cell) -> Self {
        let record = cell.record();
        let times = cell.times.ok();
        let ms = |value: fn(&Times) -> f64| times.as_ref().map(|times| round(value(times) / 1e6));
        let interval = times.and_then(|times| times.interval_ms());
        let conditions = || {
            cell.records
                .iter()
                .filter_map(|record| record.conditions.as_ref())
        };
        let fidelity = record.fidelity;
        let macs = cell.case.network().and_then(|case| model.macs_of_run(case));
        let of_macs = |value: fn(&Record, f64) -> Option<f64>| cell.over(|record| value(record, macs?));
        let parts = Parts::of(cell.case);
        Self {
            case: cell.case.clone(),
            stage: parts.stage.into(),
            network: parts.network.into(),
            precision: parts.precision,
            batch: Some(cell.case.images()),
            crop: parts.crop,
            backend: parts.backend.into(),
            unit: record.provenance.unit().map(str::to_owned),
            threads: Some(parts.threads),
            raced: cell.raced,
            processes: times.map_or(0, |times| times.processes),
            samples: times.map_or(0, |times| times.samples),
            median_ms: ms(|times| times.median_ns),
            low_ms: interval.map(|(low, _)| round(low)),
            high_ms: interval.map(|(_, high)| round(high)),
            mad_ms: ms(|times| times.mad_ns),
            min_ms: ms(|times| times.min_ns),
            p90_ms: times.and_then(|times| times.p90_ns).map(|ns| round(ns / 1e6)),
            p90_at_most_ms: times
                .and_then(|times| times.p90_bound_ns)
                .map(|ns| round(ns / 1e6)),
            max_ms: ms(|times| times.max_ns),
            images_per_s: cell.over(Record::images_per_s).map(round),
            gmacs_per_s: of_macs(Record::macs_per_s).map(|rate| round(rate / 1e9)),
            peak_gmacs_per_s: cell.over(Record::peak_macs_per_s).map(|peak| round(peak / 1e9)),
            share_of_peak: of_macs(Record::share_of_peak).map(round),
            normalised_ms: cell.over(Record::normalised_ns).map(|ns| round(ns / 1e6)),
            load: conditions().filter_map(|seen| seen.load).reduce(f64::max),
            steal: conditions().filter_map(|seen| seen.steal).reduce(f64::max),
            peak_resident_bytes: conditions().filter_map(|seen| seen.peak_resident_bytes).max(),
            largest_error: fidelity.map(|fidelity| fidelity.largest_error),
            top1_agreement: fidelity.and_then(|fidelity| fidelity.top1_agreement),
            error_in_deviations: fidelity.and_then(|fidelity| fidelity.error_in_deviations),
            divergence: fidelity.and_then(|fidelity| fidelity.divergence),
            steady: record.warm_up.map(|warm_up| warm_up.steady),
            started: record.started.clone(),
            backend_version: record.provenance.backend.clone(),
            weights: record.provenance.weights.clone(),
            error: cell.times.err().unwrap_or_default().to_owned(),
        }
    }
}

/// The parts of a case that have columns of their own.
struct Parts<'a> {
    stage: &'static str,
    network: &'a str,
    precision: Option<Precision>,
    crop: Option<Size>,
    backend: &'a str,
    threads: usize,
}

impl<'a> Parts<'a> {
    fn of(case: &'a Case) -> Self {
        let preparation = |precision: Option<Precision>, crop: Option<Size>| Self {
            stage: "preprocess",
            network: "",
            precision,
            crop,
            backend: "",
            threads: 1,
        };
        match case {
            Case::Network(case) => Self {
                stage: "network",
                network: &case.variant,
                precision: Some(case.precision),
                crop: Some(case.crop),
                backend: &case.backend,
                threads: case.threads,
            },
            Case::Preprocess(PreprocessCase::Decode) => preparation(None, None),
            Case::Preprocess(PreprocessCase::Person { size }) => {
                preparation(Some(Precision::F32), Some(*size))
            }
            Case::Preprocess(PreprocessCase::Batch { precision, crop, .. }) => {
                preparation(Some(*precision), Some(Size::square(*crop)))
            }
        }
    }
}

/// To a millionth: a nanosecond of a time in ms.
fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// Writes the cells of these records as `cells.csv` has them: one row for each, with the columns of
/// [`COLUMNS`](crate::COLUMNS).
///
/// # Errors
/// If the file cannot be written.
pub fn write_cells(zoo: &Zoo, records: &[Record], path: &Path) -> Result<(), ReportError> {
    let (evaluations, verdicts) = (Evaluations::default(), Verdicts::default());
    let model = Model::new(&Input {
        zoo,
        findings: &[],
        records,
        layers: None,
        evaluations: &evaluations,
        peers: &[],
        history: &[],
        verdicts: &verdicts,
        command: "",
    });
    let rows = cells(&model).map_err(|error| ReportError::io(path)(io::Error::other(error)))?;
    crate::write_text(path, &rows).map(drop)
}

/// The cells as a table with commas, one row for each.
pub(crate) fn cells(model: &Model) -> Result<String, csv::Error> {
    table::write(model.cells.iter().map(|cell| CellRow::of(model, cell)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{record, zoo};

    #[test]
    fn every_column_is_explained_in_its_order_and_older_files_are_read() {
        let zoo = zoo();
        let mut decode = record("preprocess/decode", &[1; 3]);
        decode.provenance.backend = "an engine, on avx2".into();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("my.csv");
        write_cells(&zoo, &[decode], &path).expect("written");
        let text = std::fs::read_to_string(&path).expect("a table");
        let (titles, row) = text.split_once('\n').expect("two rows");
        let named: Vec<&str> = crate::COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(titles.split(',').collect::<Vec<_>>(), named);
        assert!(
            row.starts_with("preprocess/decode,preprocess,,,1,,,avx2,1,false,1,3,1.0,"),
            "{row}"
        );
        let added = [
            "stage",
            "network",
            "precision",
            "batch",
            "crop",
            "unit",
            "threads",
            "backend_version",
        ];
        let kept = |line: &str| {
            let fields = line.split(',').zip(&named);
            let fields = fields.filter(|(_, name)| !added.contains(name));
            fields.map(|(field, _)| field).collect::<Vec<_>>().join(",")
        };
        let older = format!(
            "{}\n{}\n",
            kept(titles),
            kept(&row.replace("\"an engine, on avx2\"", "engine"))
        );
        let rows: Vec<CellRow> = table::read(&older).expect("rows");
        assert_eq!(
            (rows[0].median_ms, rows[0].batch, rows[0].network.as_str()),
            (Some(1.0), None, "")
        );
    }
}

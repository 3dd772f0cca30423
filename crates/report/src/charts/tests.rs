use std::path::Path;

use harness::Record;
use registry::{EMBEDDED, Zoo};

use super::*;
use crate::scatter::Layout;
use crate::series::Series;

fn zoo() -> Zoo {
    Zoo::parse(EMBEDDED, Path::new("zoo.toml")).expect("the shipped manifest")
}

fn record(case: &str, ms: u64) -> Record {
    let samples = [ms - 1, ms, ms + 2].map(|ms| ms * 1_000_000).to_vec();
    let mut record = Record::new(
        case.parse().expect("a case"),
        "2026-01-01T00:00:00Z".into(),
        Ok(samples),
        harness::Provenance::default(),
    );
    record.provenance.machine.cpu = "Some CPU".into();
    record
}

fn records(backend: &str) -> Vec<Record> {
    let networks = [
        ("HRNet_W18_C", 100),
        ("HRNet_W30_C", 150),
        ("HRNet_W32_C", 160),
        ("HRNet_W64_C", 400),
    ];
    networks
        .map(|(name, ms)| record(&format!("{name}/f32/bs4/crop224/{backend}/t2"), ms))
        .to_vec()
}

fn series(id: &str, records: &[Record]) -> Option<Series> {
    let zoo = zoo();
    let input = Input {
        zoo: &zoo,
        findings: &[],
        records,
        peers: &[],
        date: "",
        command: "",
    };
    CHARTS
        .iter()
        .find(|chart| chart.id() == id)
        .expect(id)
        .data(&input)
}

fn points(series: &Series) -> Vec<(&str, f64, f64)> {
    series
        .points
        .iter()
        .map(|point| (point.label.as_str(), point.x, (point.y * 10.0).round() / 10.0))
        .collect()
}

#[test]
fn the_published_charts_hold_the_pages_figures() {
    let flops = series("t4.fp32.bs4.HRNet.flops", &[]).expect("a chart");
    assert_eq!(
        points(&flops)[..3],
        [
            ("W18", 4.14, 76.9),
            ("W18 ssld", 4.14, 81.6),
            ("W30", 16.23, 78.0)
        ]
    );
    assert_eq!(points(&flops)[9], ("SE-W64 ssld", 57.83, 84.7));
    let params = series("t4.fp32.bs4.HRNet.params", &[]).expect("a chart");
    assert_eq!(points(&params)[8], ("W64", 128.06, 79.3));
    assert_eq!(
        points(&series("t4.fp32.bs4.HRNet", &[]).expect("a chart"))[0],
        ("W18", 13.29752, 76.9)
    );
    assert_eq!(
        points(&series("t4.fp16.bs4.HRNet", &[]).expect("a chart"))[9].1,
        69.31189
    );
}

#[test]
fn the_local_charts_hold_counts_and_medians() {
    let macs = series("local.fp32.bs4.HRNet.flops", &[]).expect("a chart");
    assert_eq!(points(&macs)[0], ("W18", 4.283_537_072, 76.9));
    let measured = series("local.fp32.bs4.HRNet", &records("candle")).expect("a chart");
    let expected = [
        ("W18", 100.0, 76.9),
        ("W18 ssld", 100.0, 81.6),
        ("W30", 150.0, 78.0),
        ("W32", 160.0, 78.3),
        ("W64", 400.0, 79.3),
    ];
    assert_eq!(
        points(&measured),
        expected,
        "variants that share a network share its time"
    );
    assert_eq!(measured.points[0].spread, 1.0);
    assert!(
        measured
            .subtitle
            .contains("Some CPU, 2 threads, candle, FP32, batch 4"),
        "{}",
        measured.subtitle
    );
    assert_eq!(
        series("local.fp16.bs4.HRNet", &records("candle")),
        None,
        "nothing measured, nothing drawn"
    );
}

#[test]
fn each_backend_has_points_of_its_own() {
    let both = [records("candle"), records("cpu")].concat();
    let series = series("local.fp32.bs4.HRNet", &both).expect("a chart");
    let families: Vec<&str> = series
        .families
        .iter()
        .map(|family| family.name.as_str())
        .collect();
    assert_eq!(
        families,
        [
            "trained on labels, candle",
            "trained on labels, cpu",
            "SSLD distilled, candle",
            "SSLD distilled, cpu"
        ]
    );
    assert_eq!(series.points.len(), 10);
}

#[test]
fn no_label_of_any_chart_is_lost_or_lies_over_another() {
    let zoo = zoo();
    let mut records = [records("candle"), records("cpu")].concat();
    records.push(record("HRNet_W48_C/f16/bs4/crop224/candle/t2", 300));
    let input = Input {
        zoo: &zoo,
        findings: &[],
        records: &records,
        peers: &[],
        date: "",
        command: "",
    };
    for chart in CHARTS {
        let series = chart.data(&input).expect("data");
        let layout = Layout::new(&series);
        assert_eq!(layout.centers.len(), series.points.len());
        let labels: Vec<_> = layout
            .labels
            .iter()
            .map(|label| label.expect("a place"))
            .collect();
        for (index, label) in labels.iter().enumerate() {
            assert!(
                labels[index + 1..].iter().all(|other| !label.overlaps(other)),
                "{}",
                chart.id()
            );
            let covered = layout
                .centers
                .iter()
                .any(|center| label.nearest(*center) == *center);
            assert!(!covered, "{}: a label lies over a point", chart.id());
        }
    }
}

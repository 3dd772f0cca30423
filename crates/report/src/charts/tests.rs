use harness::{LayerTimes, Record, StepTimes};

use super::*;
use crate::scatter::Layout;
use crate::testing;

/// A record of three runs.
fn record(case: &str, ms: u64) -> Record {
    testing::record(case, &[ms - 1, ms, ms + 2])
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

/// W18's stem, one block and one sum, in three runs.
fn layers() -> LayerTimes {
    let step = |layer: &str, macs, ms: u64| StepTimes {
        layer: layer.into(),
        kind: String::new(),
        macs,
        operands: None,
        on_tiles: false,
        weight_bytes: 0,
        samples_ns: [ms, ms + 1, ms + 3].map(|ms| ms * 1_000_000).to_vec(),
    };
    LayerTimes {
        schema: LayerTimes::SCHEMA,
        case: "HRNet_W18_C/f32/bs1/crop224/cpu/t2".parse().expect("a case"),
        started: String::new(),
        peak_macs_per_s: 50e9,
        peaks_macs_per_s: std::collections::BTreeMap::new(),
        tile_peaks_macs_per_s: std::collections::BTreeMap::new(),
        provenance: harness::Provenance::default(),
        steps: vec![
            step("conv1", 500_000_000, 9),
            step("stage2.0.branches.1.0.conv1", 900_000_000, 29),
            step("stage2.0.fuse_layers.0.1.0", 100_000_000, 4),
            step("stage2.0.fuse_layers.0.1.add", 0, 14),
        ],
    }
}

fn drawing(id: &str, records: &[Record]) -> Option<Drawing> {
    let chart = CHARTS.iter().find(|chart| chart.id() == id).expect(id);
    let (zoo, layers) = (testing::zoo(), layers());
    let mut input = testing::input(&zoo, records);
    input.layers = Some(&layers);
    chart.data(&Model::new(&input))
}

fn series(id: &str, records: &[Record]) -> Option<Series> {
    match drawing(id, records)? {
        Drawing::Scatter(series) => Some(series),
        other => panic!("{id} is no scatter: {other:?}"),
    }
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
    let flops = series("accuracy.published.flops", &[]).expect("a chart");
    assert_eq!(
        points(&flops)[..3],
        [
            ("W18", 4.14, 76.9),
            ("W18 ssld", 4.14, 81.6),
            ("W30", 16.23, 78.0)
        ]
    );
    assert_eq!(points(&flops)[9], ("SE-W64 ssld", 57.83, 84.7));
    let params = series("accuracy.published.params", &[]).expect("a chart");
    assert_eq!(points(&params)[8], ("W64", 128.06, 79.3));
    assert_eq!(
        points(&series("accuracy.t4.f32.bs4", &[]).expect("a chart"))[0],
        ("W18", 13.29752, 76.9)
    );
    assert_eq!(
        points(&series("accuracy.t4.f16.bs4", &[]).expect("a chart"))[9].1,
        69.31189
    );
}

#[test]
fn the_local_charts_hold_counts_and_medians() {
    let macs = series("accuracy.counted.macs", &[]).expect("a chart");
    assert_eq!(points(&macs)[0], ("W18", 4.283_537_072, 76.9));
    let measured = series("accuracy.local.f32.bs4", &records("candle")).expect("a chart");
    let expected = [
        ("W18", 100.0, 76.9),
        ("W18 ssld", 100.0, 81.6),
        ("W30", 150.0, 78.0),
        ("W32", 160.0, 78.3),
        ("W64", 400.0, 79.3),
        ("W18 aug", 100.0, 78.1),
    ];
    assert_eq!(
        points(&measured),
        expected,
        "variants that share a network share its time"
    );
    assert_eq!(measured.points[0].interval, None, "three runs do not tell");
    assert!(
        measured
            .words
            .subtitle
            .contains("Some CPU, 2 threads, candle, f32, batch 4"),
        "{}",
        measured.words.subtitle
    );
    assert_eq!(
        series("accuracy.local.f16.bs4", &records("candle")),
        None,
        "nothing measured, nothing drawn"
    );
}

#[test]
fn each_backend_has_points_of_its_own() {
    let both = [records("candle"), records("cpu")].concat();
    let series = series("accuracy.local.f32.bs4", &both).expect("a chart");
    assert_eq!(
        series.families,
        [
            "trained on labels, candle",
            "trained on labels, cpu",
            "SSLD distilled, candle",
            "SSLD distilled, cpu"
        ]
    );
    assert_eq!(series.points.len(), 12);
}

/// All that charts can show: engines, precisions, batches, a race, preprocessing.
fn everything() -> Vec<Record> {
    let mut all = [records("candle"), records("cpu")].concat();
    for (variant, ms) in [("HRNet_W18_C", 60), ("HRNet_W30_C", 82), ("HRNet_W64_C", 270)] {
        let cell = |rest: &str, ms: u64| testing::record(&format!("{variant}/{rest}/t2"), &[ms; 8]);
        let mut alone = cell("f32/bs1/crop224/cpu", ms);
        let canary = harness::Canary {
            macs_per_s: 60e9,
            tile_macs_per_s: None,
            bytes_per_s: 9e9,
            handover_ns: None,
        };
        alone.conditions = Some(harness::Conditions {
            canary: [canary; 2],
            load: None,
            steal: None,
            peak_resident_bytes: None,
        });
        all.push(alone);
        all.push(cell("f16/bs4/crop224/candle", 6 * ms));
    }
    all.push(record("pose_hrnet_w32_256x192/f32/bs1/256x192/cpu/t2", 80));
    all.push(record("pose_hrnet_w48_384x288/f32/bs1/384x288/cpu/t2", 380));
    all.push(record("preprocess/person-256x192", 1));
    all.push(record("preprocess/decode", 4));
    all.push(record("preprocess/resize256-crop224/f32/bs1", 3));
    all.push(record("preprocess/resize320-crop288/f32/bs4", 20));
    all
}

#[test]
fn every_chart_draws_something_and_no_label_of_a_cloud_is_lost_or_lies_over_another() {
    for chart in CHARTS {
        let drawing = drawing(chart.id(), &everything()).unwrap_or_else(|| panic!("{}", chart.id()));
        let svg = drawing.svg().expect("drawn");
        assert!(svg.contains("class=\"tip\""), "{} tells its values", chart.id());
        let Drawing::Scatter(series) = drawing else {
            continue;
        };
        let layout = Layout::new(&series);
        assert_eq!(layout.centers.len(), series.points.len());
        let labels: Vec<_> = layout
            .texts
            .iter()
            .map(|placed| placed.area.expect("a place"))
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

#[test]
fn growth_is_published_and_measured_beside_the_work() {
    let Some(Drawing::Dots(dots)) = drawing("growth.f32.bs1", &everything()) else {
        panic!("no dots");
    };
    let w64 = dots.rows.iter().find(|row| row.name == "W64").expect("W64");
    let values: Vec<f64> = w64
        .dots
        .iter()
        .map(|dot| (dot.value * 100.0).round() / 100.0)
        .collect();
    assert_eq!(
        values[1..],
        [2.37, 2.04, 4.5],
        "17.58 over 7.41 on the T4, 15.00 over 7.37 on the V100, 270 over 60 here"
    );
    let w48 = dots.rows.iter().find(|row| row.name == "W48").expect("W48");
    assert_eq!(w48.dots.len(), 3, "what was not measured here is not made up");
    assert_eq!(drawing("growth.f32.bs1", &[]), None);
}

#[test]
fn a_batch_is_shown_by_the_image_and_a_precision_by_its_gain() {
    let Some(Drawing::Lines(lines)) = drawing("batch.f32", &everything()) else {
        panic!("no lines");
    };
    let w18: Vec<(f64, f64)> = lines.lines[0]
        .points
        .iter()
        .map(|point| (point.x, point.y))
        .collect();
    assert_eq!(w18, [(1.0, 60.0), (4.0, 25.0)]);
}

#[test]
fn a_precision_is_told_by_its_speed_over_f32_and_its_error() {
    let mut records = everything();
    let mut cell = |id: &str, ms: u64, error: f64, agreeing: f64| {
        let mut record = record(id, ms);
        record.fidelity = Some(harness::Fidelity {
            top1_agreement: Some(agreeing),
            error_in_deviations: Some(error),
            ..harness::Fidelity::default()
        });
        records.push(record);
    };
    cell("HRNet_W18_C/f32/bs4/crop224/cpu/t2", 100, 1e-4, 1.0);
    cell("HRNet_W18_C/int8/bs4/crop224/cpu/t2", 50, 0.2, 0.75);
    cell("HRNet_W18_C/int8/bs4/crop224/openvino/t2", 40, 0.3, 0.5);
    cell("HRNet_W18_C/i16/bs1/crop224/cpu/t2", 30, 0.2, 1.0);
    let Some(Drawing::Pairs(pairs)) = drawing("precisions", &records) else {
        panic!("no pairs");
    };
    assert_eq!(
        pairs.families,
        ["f32", "f16 on candle", "int8", "int8 on openvino"],
        "at batch 4, ours first"
    );
    assert_eq!(pairs.groups[0].name, "W18");
    let told: Vec<(f64, Option<f64>, &str)> = pairs.groups[0]
        .pairs
        .iter()
        .map(|pair| (pair.value, pair.dot, pair.letters.as_str()))
        .collect();
    let expected = [
        (1.0, Some(1e-4), "4/4"),
        (100.0 / 360.0, None, ""),
        (2.0, Some(0.2), "3/4"),
        (2.5, Some(0.3), "2/4"),
    ];
    assert_eq!(told, expected);
    assert!(pairs.groups[0].pairs[3].told.contains("largest error 3.0e-1 σ"));
    assert_eq!(drawing("precisions", &records[..8]), None, "nothing but f32");
}

#[test]
fn the_share_of_the_peak_is_of_the_canary_beside_the_cell() {
    let Some(Drawing::Dots(dots)) = drawing("share.f32", &everything()) else {
        panic!("no dots");
    };
    assert_eq!(dots.rows[0].name, "W18");
    // 4.2835 G in 60 ms is 71.4 G/s, of 60 G/s.
    assert!(
        (dots.rows[0].dots[0].value - 118.99).abs() < 0.01,
        "{:?}",
        dots.rows[0]
    );
}

#[test]
fn a_network_stands_under_the_roofs_at_its_work_a_byte() {
    let Some(Drawing::Scatter(series)) = drawing("roofline.f32", &everything()) else {
        panic!("no points");
    };
    let names: Vec<&str> = series.points.iter().map(|point| point.label.as_str()).collect();
    assert_eq!(names, ["W18", "W30", "W64"], "what was not watched has no roof");
    let w18 = &series.points[0];
    // 4.2835 G in 60 ms.
    assert!((w18.y - 71.39).abs() < 0.01, "{}", w18.y);
    let spec = testing::zoo().variants[0].spec.clone();
    let traffic = spec
        .graph(hrnet::Shape::square(1, 224))
        .expect("a network")
        .traffic();
    let bytes = 4.0 * (traffic.weights + traffic.maps) as f64;
    assert!((w18.x - 4_283_537_072.0 / bytes).abs() < 1e-9, "{}", w18.x);
    let roofs: Vec<&str> = series
        .curves
        .iter()
        .filter_map(|curve| Some(curve.name.as_ref()?.0.as_str()))
        .collect();
    assert_eq!(roofs, ["memory, 9.000 GB/s", "multiply-adds, 60.00 G/s"]);
    let edge = series.curves[0].points[1];
    assert!(
        (edge.0 - 60.0 / 9.0).abs() < 1e-9 && (edge.1 - 60.0).abs() < 1e-9,
        "{edge:?}"
    );
    assert!(
        w18.told.contains("119 % of what multiply-adds allow"),
        "{}",
        w18.told
    );
}

#[test]
fn a_networks_time_is_told_by_part_and_by_work() {
    let Some(Drawing::Bars(bars)) = drawing("layers", &[]) else {
        panic!("no bars");
    };
    let families = [
        "3x3 convolutions",
        "3x3, stride 2",
        "1x1 convolutions",
        "upsample, sum, pool, copy",
    ];
    assert_eq!(bars.families, families);
    let told: Vec<(&str, &str)> = bars
        .groups
        .iter()
        .map(|group| (group.name.as_str(), group.bars[0].label.as_str()))
        .collect();
    // 0.5 G in 10 ms, 0.9 G in 30 ms, 0.1 G in 20 ms, over 50 G a second.
    let expected = [
        ("stem", "10.00, 100 %"),
        ("stage 2, branches", "30.00, 60 %"),
        ("stage 2, exchange", "20.00, 10 %"),
    ];
    assert_eq!(told, expected);
    assert_eq!(bars.groups[0].bars[0].pieces, [(1, 10.0)]);
    assert_eq!(bars.groups[2].bars[0].pieces, [(2, 5.0), (3, 15.0)]);
    assert!(
        bars.words
            .subtitle
            .contains("HRNet_W18_C, f32, batch 1, 2 threads, cpu")
    );
}

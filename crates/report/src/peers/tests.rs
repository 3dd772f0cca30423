use harness::{Provenance, Race};

use super::chart::chart;
use super::*;
use crate::page::Block;
use crate::testing::with;

fn record(network: &str, engine: &str, ms: &[u64], race: Option<&str>) -> Record {
    let mut record = Record::new(
        format!("{network}/f32/bs1/crop224/{engine}/t2")
            .parse()
            .expect("a case"),
        "2026-01-01T00:00:00Z".into(),
        Ok(ms.iter().map(|ms| ms * 1_000_000).collect()),
        Provenance::default(),
    );
    record.provenance.backend = format!("{engine} 1.2");
    record.race = race.map(|id| Race {
        id: id.into(),
        peak_macs_per_s: Some(100e9),
    });
    record
}

/// The rows of the only setting's table.
fn rows(records: &[Record]) -> Vec<Vec<String>> {
    let section = with(records, |model| section(model, Vec::new())).expect("a section");
    let tables = section.blocks.into_iter().filter_map(|block| match block {
        Block::Table(table) => Some(table.rows),
        _ => None,
    });
    let texts = |row: Vec<crate::page::Entry>| row.into_iter().map(|entry| entry.text).collect();
    tables.flatten().map(texts).collect()
}

#[test]
fn a_ratio_is_of_the_rounds_of_the_last_race() {
    let records = [
        record("HRNet_W18_C", "cpu", &[10; 7], Some("old")),
        record("HRNet_W18_C", "openvino", &[90; 7], Some("old")),
        record("HRNet_W18_C", "cpu", &[40, 80, 40, 80, 40, 80, 40], Some("new")),
        record(
            "HRNet_W18_C",
            "openvino",
            &[60, 120, 60, 120, 60, 120, 80],
            Some("new"),
        ),
        record("HRNet_W18_C", "candle", &[400; 7], Some("new")),
        record("HRNet_W18_C", "cpu", &[1; 7], None),
    ];
    let rows = rows(&records);
    assert_eq!(rows[0], ["cpu", "40.00 ms"]);
    assert_eq!(rows[1], ["openvino", "80.00 ms\n1.50 [1.50, 2.00]"]);
    assert_eq!(rows[2][0], "candle");
    assert_eq!(
        rows[3],
        [
            "cpu's rate,\nshare of direct limit",
            "107.1 GMAC/s\n107 % of 100.0"
        ]
    );
    let chart = with(&records, |model| {
        let settings = settings(model);
        chart(model, settings[0].0, &settings[0].1)
    });
    assert_eq!(chart.groups.len(), 1, "stock operations are no peer");
    assert_eq!(chart.groups[0].bars[0].interval, Some((1.5, 2.0)));
    assert_eq!(chart.groups[0].bars[0].label, "1.50, 80.00 ms");
}

#[test]
fn a_race_of_a_lower_precision_takes_no_place_of_one_in_f32() {
    let mut lower = record("HRNet_W18_C", "cpu", &[20; 7], Some("i16"));
    lower.case = "HRNet_W18_C/i16/bs1/crop224/cpu/t2".parse().expect("a case");
    let records = [
        record("HRNet_W18_C", "cpu", &[40; 7], Some("f32")),
        record("HRNet_W18_C", "openvino", &[60; 7], Some("f32")),
        record("HRNet_W18_C", "mnn", &[80; 7], Some("f32")),
        lower,
        record("HRNet_W18_C", "cpu", &[10; 7], Some("i16")),
        record("HRNet_W18_C", "openvino", &[10; 7], Some("i16")),
    ];
    let engines: Vec<String> = rows(&records).into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(engines[..3], ["cpu", "openvino", "mnn"]);
}

#[test]
fn records_measured_alone_are_compared_without_an_interval() {
    let mut elsewhere = record("HRNet_W18_C", "mnn", &[10; 7], None);
    elsewhere.provenance.machine.cpu = "another".into();
    let records = [
        record("HRNet_W18_C", "cpu", &[40; 7], None),
        record("HRNet_W18_C", "openvino", &[50; 9], None),
        elsewhere,
    ];
    assert_eq!(
        rows(&records),
        [["cpu", "40.00 ms"], ["openvino", "50.00 ms\n1.25"]],
        "another machine's times are not beside ours"
    );
}

#[test]
fn without_peers_there_is_advice_in_place_of_the_section() {
    let alone = [
        record("HRNet_W18_C", "cpu", &[40; 7], Some("one")),
        record("HRNet_W18_C", "candle", &[400; 7], Some("one")),
    ];
    with(&alone, |model| {
        assert!(section(model, Vec::new()).is_none() && figures(model).expect("none").is_empty());
        assert!(matches!(advice(model), Some(Block::Text { text }) if text.contains("zoo peers install")));
    });
    let both = [
        alone[0].clone(),
        record("HRNet_W18_C", "mnn", &[90; 7], Some("one")),
    ];
    with(&both, |model| {
        assert!(advice(model).is_none());
        let figures = figures(model).expect("drawn");
        assert_eq!(figures[0].file_name(), "peers.f32.bs1.t2.crop224.svg");
        assert!(figures[0].svg.contains("2.25, 90.00 ms"));
    });
}

#[test]
fn a_peer_that_failed_is_listed_with_its_reason() {
    let mut failed = record("HRNet_W18_C", "openvino", &[], Some("one"));
    failed.error = Some("wrong answer".into());
    let records = [
        record("HRNet_W18_C", "cpu", &[40; 7], Some("one")),
        record("HRNet_W18_C", "mnn", &[90; 7], Some("one")),
        failed,
    ];
    let section = with(&records, |model| section(model, Vec::new())).expect("a section");
    let Some(Block::List { items }) = section.blocks.last() else {
        panic!("no list of failures");
    };
    assert_eq!(items[0].text, "wrong answer");
}

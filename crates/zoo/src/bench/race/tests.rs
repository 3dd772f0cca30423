use super::*;
use harness::{Fidelity, Provenance};

/// Engines with their precisions, or f32 where none is named, and their samples.
fn standing(engines: &[(&str, Result<Vec<u64>, String>)]) -> Standing {
    let entrant = |name: &str| match name.split_once(' ') {
        Some((name, precision)) => Entrant::new(name, precision.parse().expect("a precision")),
        None => Entrant::new(name, Precision::F32),
    };
    let record = |(engine, result): &(&str, Result<Vec<u64>, String>)| {
        let Entrant { name, precision } = entrant(engine);
        let case = format!("HRNet_W18_C/{precision}/bs2/crop224/{name}/t1");
        let mut record = Record::new(
            case.parse().expect("a case"),
            Record::now(),
            result.clone(),
            Provenance::default(),
        );
        record.race = Some(Race {
            id: "one".into(),
            peak_macs_per_s: Some(80e9),
        });
        record.fidelity = Some(Fidelity {
            largest_error: f64::from(precision.tolerance()),
            error_in_deviations: Some(0.25),
            ..Fidelity::default()
        });
        record
    };
    let engines_of_heat: Vec<Entrant> = engines.iter().map(|(name, _)| entrant(name)).collect();
    Standing {
        heat: Heat {
            variant: "HRNet_W18_C".into(),
            precision: engines_of_heat[0].precision,
            batch: 2,
            threads: 1,
            engines: engines_of_heat,
        },
        records: engines.iter().map(record).collect(),
        macs: 4_000_000_000,
    }
}

/// Seven runs of so many milliseconds.
fn ms(ms: u64) -> Result<Vec<u64>, String> {
    Ok(vec![ms * 1_000_000; 7])
}

#[test]
fn the_fastest_peer_is_neither_ours_nor_stock() {
    let standing = standing(&[
        ("cpu", ms(40)),
        ("candle", ms(30)),
        ("openvino", ms(72)),
        ("mnn", ms(100)),
        ("tract", Err("wrong".into())),
    ]);
    let row = standing.summary().join("|");
    assert_eq!(
        row,
        "HRNet_W18_C|2, 1|cpu|40.00|2.5e-1||||openvino|72.00|1.80|[1.80, 1.80]|2.5e-1|100.0|125 %"
    );
    assert!(!overview(std::slice::from_ref(&standing)).contains("f32 ms"));
    let text = standing.text();
    assert!(text.contains("batch 2, 1 thread, 7 rounds"), "{text}");
    assert!(text.contains("failed") && text.contains("wrong"), "{text}");
    assert!(text.contains("125 % of the 80.0 GMAC/s"), "{text}");
    assert!(
        text.contains("openvino, 72.00 ms, 1.80 times as long as cpu [1.80, 1.80]"),
        "{text}"
    );
    assert!(!text.contains("our own f32"), "{text}");
}

#[test]
fn a_precision_is_told_beside_our_f32_and_the_fastest_peer_with_its_error() {
    let standing = standing(&[
        ("cpu i16", ms(20)),
        ("cpu", ms(40)),
        ("openvino", ms(60)),
        ("openvino bf16", ms(50)),
        ("onnxruntime", ms(80)),
    ]);
    assert_eq!(standing.heat.id(), "HRNet_W18_C/i16/bs2/t1");
    let text = standing.text();
    assert!(
        text.contains("our own f32: cpu, 40.00 ms, 2.00 times as long as cpu i16"),
        "{text}"
    );
    assert!(
        text.contains("fastest peer: openvino bf16, 50.00 ms, 2.50 times"),
        "{text}"
    );
    let row = text.lines().find(|line| line.contains("bf16")).expect("a row");
    assert!(
        row.contains("2.5e-1") && row.contains("2.0e-1"),
        "its errors: {row}"
    );
    let told = overview(&[standing]);
    for part in ["cpu i16", "40.00", "2.00", "openvino bf16", "2.50", "its error"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_heat_without_peers_or_without_us_still_has_its_rows() {
    let alone = standing(&[("cpu", Ok(vec![40_000_000])), ("candle", Ok(vec![400_000_000]))]);
    assert!(alone.text().contains("1 round\n") && !alone.text().contains("fastest peer"));
    assert!(alone.text().contains("10.00"), "{}", alone.text());
    let broken = standing(&[
        ("cpu", Err("no memory".into())),
        ("openvino", Ok(vec![40_000_000])),
    ]);
    assert!(broken.ours_failed() && broken.text().contains("no memory"));
    assert_eq!(broken.summary().len(), SUMMARY.len());
}

#[test]
fn who_races_goes_by_the_precision() {
    let labels = |precision, others: &[&str]| -> Vec<String> {
        let entrants = entrants(precision, others).expect("known");
        entrants.iter().map(Entrant::label).collect()
    };
    let peers = ["openvino", "onnxruntime", "ncnn", "cpu"];
    assert_eq!(
        labels(Precision::F32, &peers),
        ["cpu", "openvino", "onnxruntime", "ncnn"]
    );
    let mut of_16_bits = vec!["cpu i16", "cpu", "openvino"];
    for (precision, label) in [
        (Precision::F16, "openvino f16"),
        (Precision::Bf16, "openvino bf16"),
    ] {
        of_16_bits.extend(runs("openvino", precision).expect("a peer").then_some(label));
    }
    of_16_bits.extend(["onnxruntime", "ncnn"]);
    assert_eq!(labels(Precision::I16, &peers), of_16_bits);
    assert_eq!(
        labels(Precision::Int8, &peers),
        ["cpu int8", "cpu", "openvino int8", "onnxruntime int8"]
    );
    assert!(entrants(Precision::F32, &["opencv"]).is_err());
    assert_eq!(usual(Precision::F32, 1, &["ncnn"]), ["candle", "ncnn"]);
    assert_eq!(usual(Precision::F32, 8, &["ncnn"]), ["ncnn"]);
    assert_eq!(usual(Precision::Int8, 1, &["ncnn"]), ["ncnn"]);
    assert!(is_ours(Precision::F32) && is_ours(Precision::Int8));
}

use harness::{Canary, Fidelity, WarmUp};

use super::*;
use crate::testing::{record, with};

const CASE: &str = "HRNet_W18_C/f32/bs1/crop224/cpu/t2";

/// A record that gives no reason for doubt.
fn good() -> Record {
    let mut record = record(CASE, &[10; 50]);
    let canary = Canary {
        macs_per_s: 50e9,
        tile_macs_per_s: None,
        bytes_per_s: 9e9,
        handover_ns: None,
    };
    record.conditions = Some(Conditions {
        canary: [canary; 2],
        load: Some(0.1),
        steal: Some(0.0),
        peak_resident_bytes: None,
    });
    record.warm_up = Some(WarmUp {
        runs: 3,
        steady: true,
    });
    record.fidelity = Some(Fidelity {
        largest_error: 1e-5,
        top1_agreement: Some(1.0),
        ..Fidelity::default()
    });
    record.process = Some(0);
    record.provenance.weights = "hrnetv2_w18-8cb57bb9.pth".into();
    record
}

fn twice(record: Record) -> Vec<Record> {
    let mut second = record.clone();
    second.process = Some(1);
    vec![record, second]
}

fn subjects(records: &[Record]) -> Vec<String> {
    let section = with(records, doubts);
    let items = section.blocks.into_iter().filter_map(|block| match block {
        Block::List { items } => Some(items),
        _ => None,
    });
    items.flatten().map(|item| item.subject).collect()
}

#[test]
fn a_quiet_night_gives_no_reason_for_doubt() {
    assert_eq!(subjects(&twice(good())), [""; 0]);
}

#[test]
fn each_reason_is_told_when_it_is_there() {
    type Change = fn(&mut Record);
    let changes: [(&str, Change); 10] = [
        ("The distance of the cores changed", |record| {
            let canary = &mut record.conditions.as_mut().expect("set").canary;
            canary[0].handover_ns = Some(55.0);
            canary[1].handover_ns = Some(220.0);
        }),
        ("Other processes", |record| {
            record.conditions.as_mut().expect("seen").load = Some(1.5);
        }),
        ("Stolen time", |record| {
            record.conditions.as_mut().expect("seen").steal = Some(0.04);
        }),
        ("The machine changed within a cell", |record| {
            record.conditions.as_mut().expect("seen").canary[1].bytes_per_s = 7e9;
        }),
        ("Warm-up not steady", |record| {
            record.warm_up = Some(WarmUp {
                runs: 3,
                steady: false,
            });
        }),
        ("Too few samples for a 90th percentile", |record| {
            record.samples_ns.truncate(14);
        }),
        ("Answers", |record| record.fidelity = None),
        ("Machine not watched", |record| record.conditions = None),
        ("Seeded weights", |record| {
            record.provenance.weights = "seeded:0".into()
        }),
        ("Weights taken on trust", |record| {
            record.provenance.weights = format!("HRNet_W18_C_pretrained.pdparams, sha256 {}", "0".repeat(64));
        }),
    ];
    for (subject, change) in changes {
        let mut record = good();
        change(&mut record);
        assert_eq!(subjects(&twice(record)), [subject]);
    }
    assert_eq!(subjects(&[good()]), ["One process"]);
    let mut failed = good();
    failed.error = Some("no".into());
    failed.process = Some(1);
    assert_eq!(subjects(&[good(), failed])[0], "Failed measurements");
    let mut debug = good();
    debug.provenance.build = "rustc, debug".into();
    assert_eq!(subjects(&twice(debug)), ["The program"]);
    let mut fast = good();
    for canary in &mut fast.conditions.as_mut().expect("seen").canary {
        canary.macs_per_s = 60e9;
    }
    fast.process = Some(1);
    assert_eq!(
        subjects(&[good(), fast]),
        ["The machine changed from cell to cell"]
    );
}

#[test]
fn tiles_that_changed_from_cell_to_cell_are_told() {
    let with_tiles = |process: u32, rate: f64| {
        let mut record = good();
        for canary in &mut record.conditions.as_mut().expect("seen").canary {
            canary.tile_macs_per_s = Some(rate);
        }
        record.process = Some(process);
        record
    };
    let records = |rate| [with_tiles(0, 2.35e12), with_tiles(1, rate)];
    assert_eq!(subjects(&records(2.2e12)), [""; 0]);
    assert_eq!(subjects(&records(1e12)), ["The speed of tiles changed"]);
}

#[test]
fn a_noisy_night_says_so_first_and_a_quiet_one_does_not() {
    let night = |noisy: usize| -> Vec<Record> {
        let mut records = vec![good(); 10];
        for record in &mut records[..noisy] {
            record.conditions.as_mut().expect("seen").canary[1].macs_per_s = 105.5e9;
        }
        for (process, record) in records.iter_mut().enumerate() {
            record.process = Some(process as u32);
        }
        records
    };
    let first = |records: &[Record]| with(records, crate::sections::notices).into_iter().next();
    assert_eq!(first(&night(2)), None);
    let told = first(&night(3)).expect("noisy");
    assert!(
        told.starts_with("A noisy night: other work disturbed 3 of 10 measurements")
            && told.contains("up to 111 %"),
        "{told}"
    );
}
